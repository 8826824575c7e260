"""Entries of the resources `agents` and `metrics`, made of recorded answers as an audit makes them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_answers import agent_entry
from testbed.recordings import recorded


def answer(recording: str, name: str) -> Any:
    """One decoded answer of a recorded agent: status, endpoint-list, config."""
    return json.loads(recorded(recording, name).read_text(encoding="utf-8"))


def agent(node: str = "a", recording: str = "healthy", error: str = "", **changes: Any) -> dict[str, Any]:
    """The entry of a recorded agent; `changes` replace top keys of its status, or all `endpoints` or `config`.

    In keys of the status `_` stands for `-`.
    """
    given = {"endpoints": answer(recording, "endpoint-list"), "config": answer(recording, "config")}
    for key in given:
        given[key] = changes.pop(key, given[key])
    status = copy.deepcopy(answer(recording, "status"))
    status.update({key.replace("_", "-"): value for key, value in changes.items()})
    return agent_entry(node, f"cilium-{node}", status=status, error=error, **given)


def silent(node: str, error: str = "no answer to status -o json within 20 s") -> dict[str, Any]:
    """The entry of an agent that did not answer."""
    return agent_entry(node, f"cilium-{node}", error=error)


def controller(name: str, message: str, failures: int = 5) -> dict[str, Any]:
    """A failing controller of a StatusResponse."""
    status = {
        "consecutive-failure-count": failures,
        "last-failure-msg": message,
        "last-failure-timestamp": "2026-10-31T23:50:00.000Z",
        "last-success-timestamp": "0001-01-01T00:00:00.000Z",
    }
    return {"name": name, "status": status}


def metrics(samples: Mapping[str, float], component: str = "agent", node: str = "a") -> dict[str, Any]:
    """An entry of metrics."""
    return {"component": component, "pod": f"cilium-{node}", "node": node, "samples": dict(samples)}


def policy_endpoint(identities: int) -> dict[str, Any]:
    """A ready endpoint whose policy names so many identities."""
    realized = {"allowed-ingress-identities": list(range(identities)), "allowed-egress-identities": []}
    return {
        "id": 7,
        "status": {
            "state": "ready",
            "external-identifiers": {"pod-name": "shop/cart-1"},
            "policy": {"realized": realized},
        },
    }
