"""kubectl's drain filters (pkg/drain/filters.go), as a table: every kind of pod under every option that matters."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    FilterOptions,
    decide,
    refusal_lines,
    warning_lines,
)

NOW = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)
DAEMONSET = {"kind": "DaemonSet", "name": "agent", "controller": True}
REPLICASET = {"kind": "ReplicaSet", "name": "web", "controller": True}
EMPTY_DIR = {"volumes": [{"name": "v", "emptyDir": {}}]}
MEMORY_DIR = {"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}
HOST_PATH = {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}


def pod(
    owner: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    phase: str = "Running",
    **metadata: Any,
) -> dict[str, Any]:
    """A pod."""
    return {
        "metadata": {
            "namespace": "ns",
            "name": "p",
            "uid": "u",
            **({"ownerReferences": [owner]} if owner else {}),
            **metadata,
        },
        "spec": spec or {},
        "status": {"phase": phase},
    }


NOTHING = FilterOptions()
IGNORE = FilterOptions(ignore_daemonsets=True)
EMPTYDIR = FilterOptions(delete_emptydir_data=True)
FORCE = FilterOptions(force=True)
SKIP = FilterOptions(skip_wait_for_delete_timeout=60)
FATAL_DS = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
FATAL_LOCAL = "Pods with local storage (use --delete-emptydir-data to override)"
FATAL_BARE = "Pods that declare no controller (use --force to override)"
DELETED = {"deletionTimestamp": "2026-01-01T11:58:00Z"}

TABLE = {
    "managed": (pod(REPLICASET), NOTHING, "remove", ""),
    "bare": (pod(), NOTHING, "refuse", FATAL_BARE),
    "bare, force": (pod(), FORCE, "remove", "deleting Pods that declare no controller"),
    "bare, finished": (pod(phase="Succeeded"), NOTHING, "remove", ""),
    "bare, failed": (pod(phase="Failed"), NOTHING, "remove", ""),
    "owner that is no controller": (pod({**REPLICASET, "controller": False}), NOTHING, "refuse", FATAL_BARE),
    "daemonset": (pod(DAEMONSET), NOTHING, "refuse", FATAL_DS),
    "daemonset, force does not help": (pod(DAEMONSET), FORCE, "refuse", FATAL_DS),
    "daemonset, ignore": (pod(DAEMONSET), IGNORE, "keep", "ignoring DaemonSet-managed Pods"),
    "daemonset, finished": (pod(DAEMONSET, phase="Failed"), NOTHING, "remove", ""),
    "daemonset of another group": (
        pod({**DAEMONSET, "apiVersion": "apps.kruise.io/v1alpha1"}),
        IGNORE,
        "remove",
        "",
    ),
    "daemonset of apps/v1": (pod({**DAEMONSET, "apiVersion": "apps/v1"}), NOTHING, "refuse", FATAL_DS),
    "daemonset with emptyDir, ignore": (pod(DAEMONSET, EMPTY_DIR), IGNORE, "keep", "ignoring DaemonSet-managed Pods"),
    "orphan of a daemonset": (
        pod({**DAEMONSET, "name": "gone"}),
        IGNORE,
        "refuse",
        'daemonsets.apps "gone" not found',
    ),
    "orphan of a daemonset, force": (
        pod({**DAEMONSET, "name": "gone"}),
        FORCE,
        "remove",
        'daemonsets.apps "gone" not found',
    ),
    "mirror": (pod(annotations={"kubernetes.io/config.mirror": "x"}), NOTHING, "keep", "mirror Pod"),
    "mirror with emptyDir": (
        pod(spec=EMPTY_DIR, annotations={"kubernetes.io/config.mirror": "x"}),
        NOTHING,
        "keep",
        "mirror Pod",
    ),
    "mirror that names a daemonset": (
        pod(DAEMONSET, annotations={"kubernetes.io/config.mirror": "x"}),
        NOTHING,
        "refuse",
        FATAL_DS,
    ),
    "emptyDir": (pod(REPLICASET, EMPTY_DIR), NOTHING, "refuse", FATAL_LOCAL),
    "emptyDir in memory": (pod(REPLICASET, MEMORY_DIR), NOTHING, "refuse", FATAL_LOCAL),
    "emptyDir, delete": (pod(REPLICASET, EMPTY_DIR), EMPTYDIR, "remove", "deleting Pods with local storage"),
    "emptyDir, finished": (pod(REPLICASET, EMPTY_DIR, phase="Succeeded"), NOTHING, "remove", ""),
    "bare with emptyDir, delete but no force": (pod(spec=EMPTY_DIR), EMPTYDIR, "refuse", FATAL_BARE),
    "bare with emptyDir, both": (
        pod(spec=EMPTY_DIR),
        FilterOptions(force=True, delete_emptydir_data=True),
        "remove",
        "deleting Pods that declare no controller",
    ),
    "bare with emptyDir, force but no delete": (pod(spec=EMPTY_DIR), FORCE, "refuse", FATAL_LOCAL),
    "hostPath is no local storage": (pod(REPLICASET, HOST_PATH), NOTHING, "remove", ""),
    "terminating, waited for": (pod(REPLICASET, **DELETED), NOTHING, "remove", ""),
    "terminating long ago, skipped": (pod(**DELETED), SKIP, "keep", "should have been gone at 2026-01-01T11:58:00Z"),
    "terminating a moment ago": (
        pod(REPLICASET, deletionTimestamp="2026-01-01T11:59:30Z"),
        SKIP,
        "remove",
        "",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_decisions(case: str) -> None:
    """Decision and message are kubectl's."""
    given, options, action, reason = TABLE[case]
    decision = decide(given, options, daemonset_exists=lambda namespace, name: name == "agent", now=NOW)
    assert (decision.action, decision.reason) == (action, reason)


def test_refusals_are_grouped_by_message() -> None:
    """As kubectl prints them."""
    decisions = [
        decide(
            pod(owner, name=name),
            NOTHING,
            daemonset_exists=lambda namespace, name: True,
            now=NOW,
        )
        for name, owner in (("a", None), ("b", DAEMONSET), ("c", None), ("d", REPLICASET))
    ]
    assert refusal_lines(decisions) == [f"cannot delete {FATAL_BARE}: ns/a, ns/c", f"cannot delete {FATAL_DS}: ns/b"]


def test_warnings_are_grouped_by_message() -> None:
    """Only what is removed or left alone for a reason that kubectl warns about; silent skips are no warning."""
    options = FilterOptions(force=True, ignore_daemonsets=True, delete_emptydir_data=True)
    mirror = {"kubernetes.io/config.mirror": "x"}
    pods = [
        pod(name="a"),
        pod(DAEMONSET, name="b"),
        pod(name="c"),
        pod(REPLICASET, name="d"),
        pod(name="e", annotations=mirror),
        pod(REPLICASET, EMPTY_DIR, name="f"),
        pod({**DAEMONSET, "name": "gone"}, name="g"),
    ]
    decisions = [
        decide(one, options, daemonset_exists=lambda namespace, name: name == "agent", now=NOW) for one in pods
    ]
    assert warning_lines(decisions) == [
        "deleting Pods that declare no controller: ns/a, ns/c",
        "ignoring DaemonSet-managed Pods: ns/b",
        "deleting Pods with local storage: ns/f",
        'daemonsets.apps "gone" not found: ns/g',
    ]
