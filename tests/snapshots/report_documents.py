"""Documents of audits for tests of reports: one with every part that there can be, and ways to take parts away."""

from __future__ import annotations

from typing import Any

from snapshots.make_sick_small import state

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

# parts that are null where a cluster has none or nobody asked
PARTS = (
    *("cilium", "identities", "endpoints", "cilium_pools", "kvstore", "agents", "ipam_report"),
    *("decision_path", "control_plane", "comparison"),
)
PARTS_OF_ALL: dict[str, Any] = {
    "cilium": {
        "version": "1.18",
        "namespace": "kube-system",
        "ipam_mode": "cluster-pool",
        "identity_allocation_mode": "crd",
        "identity_management_mode": "agent",
        "operator_ready": "1/2",
    },
    "identities": {
        "range": {"minimum": 256, "maximum": 65535, "capacity": 65279, "cluster_id": 0},
        "used": 64100,
        "free": 1179,
        "classes": {
            **{"in-use": 21000, "pending": 12, "marked": 40, "aging": 900, "leaked": 42148},
            **{"duplicate": 77, "out-of-range": 3},
        },
        "by_namespace": [{"namespace": f"team-{number}", "identities": 9000 - number} for number in range(12)],
        "by_label_key": [
            {"key": "batch.kubernetes.io/job-name", "distinct_values": 41000, "identities": 41000, "contribution": 40990}
        ],
        "gc": {
            "verdict": "broken",
            "reasons": ["the cilium-operator may not delete ciliumidentities", "1 of 2 operators is ready"],
        },
        "history": [[f"2026-10-{day:02}T06:00:00+00:00", 900 * day + day * day * 32] for day in range(1, 32)],
        "forecast": {"per_hour": 88.4, "exhausted_at": "2026-11-01T19:20:00+00:00", "basis": "the last 24 hours"},
    },
    "endpoints": {
        "count": 21900,
        "states": {"ready": 21704, "waiting-for-identity": 150, "disconnecting": 30, "not-ready": 16},
        "without_pod": 9,
        "pods_without_endpoint": 31,
    },
    "cilium_pools": [
        *({"pool": "default", "family": "IPv4", "cidr": "10.0.0.0/16", "mask_size": 24, "capacity": 256, "used": 250, "free": 6},),
        {"pool": "mars", "family": "IPv6", "cidr": "fd00::/104", "mask_size": 112, "capacity": 256, "used": 3, "free": None},
    ],
    "kvstore": {
        "used": True,
        "state": "Ok",
        "message": "etcd: 3/3 connected, has-quorum=true",
        "members": [{"name": "etcd-0", "db_size": 2147483648, "alarms": []}, {"name": "etcd-1", "db_size": None, "alarms": ["NOSPACE"]}],
    },
    "agents": {"asked": 12, "answered": 11, "failing_controllers": 2},
    "ipam_report": {
        "title": "Our IPAM model: node-spec",
        "paragraphs": ["Pods get addresses out of Node.spec.podCIDRs.", "kube-controller-manager gives the blocks out."],
        "table": {
            "columns": ["Question", "Answer"],
            "rows": [["Where is the truth?", "Node.spec.podCIDRs"], ["What frees a block?", "Deleting the Node object"]],
        },
    },
    "decision_path": [
        {"step": "step-1", "question": "Has every Node a podCIDR?", "answer": "no, worker-6 has none", "then": "", "findings": ["node-cidr-missing"]},
        {"step": "step-2", "question": "Does the allocator run?", "answer": "yes", "then": "", "findings": []},
        {"step": "step-3", "question": "Is the pool full?", "answer": "yes", "then": "", "findings": ["pod-cidr-pool-exhausted", "not-there"]},
    ],
    "control_plane": {"leaders": [{"lease": "kube-scheduler", "holder": "control-1", "transitions": 3}], "fresh": True},
}  # fmt: skip


def sick() -> dict[str, Any]:
    """The audit of the bundled sick cluster."""
    return document(Context(ClusterState.from_json(state())))


def full() -> dict[str, Any]:
    """The sick cluster with every part that a document can have, and a comparison."""
    made = sick()
    for index, node in enumerate(made["nodes"]):
        node.update(provider="aws" if index % 2 else "bare metal", if_deleted="the machine stays")
        node["addresses"] = {"capacity": 254, "used": 200 + index, "free": 54 - index} if index else None
    made.update(PARTS_OF_ALL)
    gone = {**made["findings"][0], "subject": {"kind": "Node", "name": "worker-99", "namespace": ""}}
    made["comparison"] = {
        "with": "2026-10-31T06:00:00+00:00",
        "new": made["findings"][:2],
        "gone": [{**gone, "summary": "Node worker-99 had 10.99.0.0/24"}],
        "still": len(made["findings"]) - 2,
        "not_readable_now": ["events"],
        "not_readable_before": [],
    }
    return made
