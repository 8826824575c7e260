"""One cluster for each finding about identities: arguments of `small_clusters.audited`, by finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .identity_clusters import cilium, endpoint, identity, security_labels


def _of(identities: Sequence[Any], endpoints: Sequence[Any] = (), capacity: int = 0, **config: str) -> dict[str, Any]:
    """An installation with these objects; an agent may tell of a range of so many numbers."""
    made = {**cilium(**config), "ciliumidentities": identities, "ciliumendpoints": endpoints}
    if capacity:
        limits = {"min-identity": 256, "max-identity": 255 + capacity}
        made["agents"] = [{"node": "n", "pod": "p", "status": {"identity-range": limits}}]
    return made


def _without_verb(verb: str) -> list[Any]:
    (role,) = cilium()["clusterroles"]
    role["rules"][0]["verbs"].remove(verb)
    return [role]


_SAME = security_labels(app="x")
_TWENTY = [identity(256 + number, version=f"v{number}") for number in range(20)]
_USED = [endpoint(f"p{number}", 256 + number) for number in range(20)]
PROVOKED: dict[str, dict[str, Any]] = {
    "identity-range-exhausted": _of(_TWENTY, _USED, 20),
    "identity-range-nearly-exhausted": _of(_TWENTY, _USED, 22),
    "identity-range-unknown": _of([identity(300)], cluster_id="999"),
    "identity-classes-unknown": _of([identity(300)], identity_allocation_mode="kvstore"),
    "identities-leaked": _of([identity(300)], identity_gc_interval="0s"),
    "identities-unmarked": _of([identity(300 + number) for number in range(100)]),
    "identity-gc-off": _of([], identity_gc_interval="0s"),
    "identity-gc-broken": {**_of([identity(300)]), "clusterroles": _without_verb("delete")},
    "identity-gc-slow": _of([identity(300, mark=200)]),
    "identities-duplicate": _of([identity(300, labels=_SAME), identity(301, labels=_SAME)]),
    "identities-out-of-range": _of([identity(70000)]),
    "identity-missing": _of([], [endpoint("p", 300)]),
    "identity-label-explosion": _of(_TWENTY, _USED, 100),
    "identity-churn-unsustainable": _of([identity(256 + number, age=5, app="x") for number in range(90)], capacity=100),
    "identity-management-unsupported": _of([], identity_management_mode="both", version="1.16.1"),
    "identity-creation-forbidden": {
        **_of([], identity_management_mode="operator"),
        "clusterroles": _without_verb("create"),
    },
}
