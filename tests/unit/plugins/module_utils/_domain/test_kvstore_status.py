"""Texts about the kvstore, as pkg/kvstore/etcd.go writes them in its versions, and keys of a sysdump."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_status import (
    Member,
    counts_by_kind,
    parse_status,
    summarize_keys,
)

NEW = "etcd: 3/3 connected, leases=2, lock leases=0, has-quorum=true: "
OLD = "etcd: 1/1 connected, lease-ID=29c6732d5d580cb5, lock lease-ID=29c6732d5d580cb7, has-quorum=true: "


@pytest.mark.parametrize("head", [NEW, OLD])
def test_healthy(head: str) -> None:
    """Members with version and leader, of both notations."""
    status = parse_status("Ok", head + "https://e-0:2379 - 3.5.21 (Leader); https://e-1:2379 - 3.4.9")
    assert status.quorum is True and status.error == "" and status.connected == status.endpoints
    assert status.members == (
        Member("https://e-0:2379", "3.5.21", leader=True),
        Member("https://e-1:2379", "3.4.9"),
    )


def test_a_member_that_is_down() -> None:
    """It is counted, and named with its error."""
    text = "etcd: 1/2 connected, leases=1, lock leases=0, has-quorum=true: https://e-0:2379 - 3.5.21; "
    status = parse_status(
        "Ok", text + "https://e-1:2379 - rpc error: code = Unavailable desc = connection error: desc = x"
    )
    assert (status.connected, status.endpoints, status.quorum) == (1, 2, True)
    assert status.members[1].error.startswith("rpc error: code = Unavailable")


def test_members_are_not_checked() -> None:
    """Newer versions need not: then nothing is known about members."""
    status = parse_status("Ok", NEW + "endpoint status checks are disabled")
    assert status.members == () and status.quorum is True


def test_first_failures_of_the_quorum_check() -> None:
    """The store is not given up yet, and its error is in the middle of the line."""
    error = "timeout while waiting for response: context deadline exceeded"
    text = f"etcd: 3/3 connected, leases=2, lock leases=0, has-quorum={error}, consecutive-errors=1: https://e-0:2379 - 3.5.21"
    status = parse_status("Ok", text)
    assert (status.quorum, status.error) == (False, error)
    assert status.members == (Member("https://e-0:2379", "3.5.21"),)


@pytest.mark.parametrize(
    ("message", "age", "space"),
    [
        (
            "Err: quorum check failed 9 times in a row: 4m1.5s since last heartbeat update has been received",
            241.5,
            False,
        ),
        ("Err: quorum check failed 4 times in a row: etcdserver: mvcc: database space exceeded", None, True),
        ("Err: not able to connect to any etcd endpoints - not able to connect to any etcd endpoints", None, False),
        ("Err: quorum check failed 4 times in a row: soon since last heartbeat update has been received", None, False),
    ],
)
def test_failures(message: str, age: float | None, space: bool) -> None:
    """With the age of the heartbeat and the alarm where they are the reason."""
    status = parse_status("Failure", message)
    assert (status.quorum, status.heartbeat_age, status.space_exceeded) == (False, age, space)
    assert status.error == message.removeprefix("Err: ")


def test_nothing_known() -> None:
    """An empty message of a store that is Ok says nothing about a quorum."""
    status = parse_status("Ok", "")
    assert (status.quorum, status.connected, status.error) == (None, None, "")


@given(st.text(), st.text(alphabet="etcd:/ 0123=,;-()aqu-has-quorum=true"))
def test_no_text_breaks_it(state: str, message: str) -> None:
    """Whatever an agent says."""
    parse_status(state, message)
    parse_status(state, NEW + message)


def _pairs(**keys: str) -> dict[str, Any]:
    return {key: {"Data": base64.b64encode(text.encode()).decode(), "ModRevision": 5} for key, text in keys.items()}


def test_keys_of_a_sysdump() -> None:
    """A master key whose labels no Node refers to is an orphan; labels have slashes."""
    root = "cilium/state/identities/v1"
    labels = "k8s:app.kubernetes.io/name=cart;k8s:io.kubernetes.pod.namespace=shop;"
    pairs = _pairs(
        **{
            f"{root}/id/1001": labels,
            f"{root}/id/1002": "k8s:app=old;",
            f"{root}/value/{labels}/10.0.0.1": "1001",
            f"{root}/value/{labels}/10.0.0.2": "1001",
            f"{root}/locks/{labels}/29c6732d5d580cb7": "",
        }
    )
    entries = summarize_keys(pairs)
    assert counts_by_kind(entries) == {"identity-masters": 2, "identity-orphans": 1, "identity-locks": 1}
    (heartbeat,) = summarize_keys(_pairs(**{"cilium/.heartbeat": "2026-03-01T10:00:00Z"}))
    assert heartbeat == {"kind": "heartbeat", "count": 1, "time": "2026-03-01T10:00:00Z"}
    assert summarize_keys({}) == [] and summarize_keys([1]) == [] and summarize_keys({"a": 1}) == []
