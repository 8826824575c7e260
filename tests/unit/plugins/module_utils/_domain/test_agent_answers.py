"""What is kept of agents' answers, and how it is read again."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from snapshots.agent_entries import answer

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_answers import (
    agent_entry,
    prune_endpoint,
    version_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_status import (
    Agent,
    RangeUse,
    range_uses,
)
from testbed.recordings import recordings


@pytest.mark.parametrize("recording", recordings())
def test_an_entry_is_small_and_holds_what_checks_need(recording: str) -> None:
    """Through JSON and back, for every recorded agent."""
    whole = {key: answer(recording, name) for key, name in (("status", "status"), ("endpoints", "endpoint-list"))}
    entry = json.loads(json.dumps(agent_entry("n", "p", **whole, config=answer(recording, "config"))))
    assert len(json.dumps(entry)) < len(json.dumps(whole)) / 2
    agent = Agent(entry)
    assert agent.answered and agent.version == ("1.14.19" if recording == "version-1.14" else "1.18.4")
    assert agent.identity_range == (256, 65535)
    assert [one.pod for one in agent.endpoints or ()][:2] == ["shop/cart-6c9d7f8b5-abcde", "shop/web-7d4b9c6f5-fghij"]
    assert "SocketPath" not in (agent.configuration or {})
    assert agent.ranges[0].family == "IPv4" and "router" in agent.allocations.values()


def test_what_was_not_answered_stays_unknown() -> None:
    """Not empty, and not healthy."""
    agent = Agent(agent_entry("n", "p", error="no answer"))
    assert (agent.answered, agent.endpoints, agent.configuration, agent.identity_range) == (False, None, None, None)
    assert Agent(agent_entry("n", "p", endpoints=[])).endpoints == []


@pytest.mark.parametrize(
    ("message", "version"),
    [
        ("1.18.4 (v1.18.4-afda2aa9)", "1.18.4"),
        ("1.20.0-pre.4 (v1.20.0-pre.4-abc)", "1.20.0-pre.4"),
        ("v1.16.0", "1.16.0"),
        ("", ""),
        ("Cilium agent is not ready", ""),
    ],
)
def test_version(message: str, version: str) -> None:
    """As the agent prints it in front of its commit."""
    assert version_of(message) == version


def _endpoint(state: str, *log: tuple[str, str, str, str]) -> Any:
    entries = [{"timestamp": time, "state": of, "code": code, "message": words} for time, of, code, words in log]
    return {"id": 7, "status": {"state": state, "log": entries}}


def test_since_when_an_endpoint_is_in_its_state() -> None:
    """The oldest of the latest entries with that state, whatever the order of the log; the latest complaint."""
    log = [
        ("2026-03-01T10:03:00Z", "regenerating", "OK", "regenerating"),
        ("2026-03-01T10:01:00Z", "regenerating", "OK", "started"),
        ("2026-03-01T10:02:00.123456789Z", "regenerating", "Failure", "no such map"),
        ("2026-03-01T10:00:00Z", "ready", "OK", "ready"),
        ("2026-03-01T09:00:00Z", "regenerating", "Failure", "long ago"),
    ]
    for entries in (log, log[::-1]):
        found = prune_endpoint(_endpoint("regenerating", *entries))
        assert (found["since"], found["message"]) == ("2026-03-01T10:01:00Z", "no such map")
    assert prune_endpoint(_endpoint("not-ready", *log))["since"] == ""
    assert "since" not in prune_endpoint(_endpoint("ready", *log))


@pytest.mark.parametrize(
    ("status", "uses"),
    [
        ("IPv4: 6/254 allocated from 10.0.5.0/24, ", [RangeUse("IPv4", 6, 254, "10.0.5.0/24")]),
        (
            "IPv4: 6/254 allocated from 10.0.5.0/24, IPv6: 6/18446744073709551614 allocated from fd00::/64",
            [RangeUse("IPv4", 6, 254, "10.0.5.0/24"), RangeUse("IPv6", 6, 18446744073709551614, "fd00::/64")],
        ),
        ("IPv4: 12/30 allocated", [RangeUse("IPv4", 12, 30, "")]),
        ("IPv4: 2 IPAM pool(s) available, ", []),
        ("", []),
    ],
)
def test_use_of_address_ranges(status: str, uses: list[RangeUse]) -> None:
    """In every notation of the IPAM modes."""
    assert range_uses(status) == uses


def test_times() -> None:
    """Go writes nanoseconds, and a time that never was as year 1."""
    utc = datetime.timezone.utc
    assert moment("2026-03-01T10:11:12.123456789Z") == datetime.datetime(2026, 3, 1, 10, 11, 12, 123456, utc)
    assert moment("0001-01-01T00:00:00.000Z") is None
    for text in ("", "2026-03-01T10:11:12", "never", None, 5):
        assert moment(text) is None
