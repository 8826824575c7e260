"""Measures a simulated label filter on the big cluster: seconds of CPU and memory besides the state. No test.

python -m bench.label_filter [FACTOR] [POLICIES]    # 1.0: 100,000 pods, 65,000 identities; 2,000 policies
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

from snapshots.small_cilium import NOW

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_simulation import simulate
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import POLICIES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from bench import big_cluster

_JOB = r"k8s:!batch\.kubernetes\.io/job-name$"


def policy(number: int) -> dict[str, Any]:
    """A NetworkPolicy of a workload; every tenth selects by a label that the filter of the bench drops."""
    key = "batch.kubernetes.io/job-name" if number % 10 == 0 else "app.kubernetes.io/instance"
    peers = [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": f"service-{number % 400}"}}},
        {"namespaceSelector": {}},
    ]
    return {
        "metadata": {"name": f"policy-{number}", "namespace": big_cluster.namespace_of(number)},
        "spec": {"podSelector": {"matchLabels": {key: f"release-{number}"}}, "ingress": [{"from": peers}]},
    }


def state(size: big_cluster.Size, policies: int) -> ClusterState:
    """The big cluster as an audit keeps it."""
    held: dict[str, tuple[Any, ...]] = dict.fromkeys(
        (*POLICIES, "ciliumnodeconfigs", "deployments", "ciliumendpoints"), ()
    )
    for path, (_kind, count, make) in big_cluster.collections(size).items():
        name = path.rpartition("/")[2]
        if name in ("pods", "namespaces", "daemonsets", "ciliumidentities"):
            held[name] = tuple(prune(name, make(number)) for number in range(count))
    held["networkpolicies"] = tuple(prune("networkpolicies", policy(number)) for number in range(policies))
    config = {"metadata": {"name": "cilium-config", "namespace": "kube-system"}, "data": big_cluster.CONFIG}
    return ClusterState(taken_at=NOW, resources={**held, "configmaps": (config,)})


def main() -> None:
    """Each question once, on a Context of its own."""
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    policies = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    made = state(big_cluster.Size().scaled(factor), policies)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"state of {len(made.of('pods'))} pods, {len(made.of('ciliumidentities'))} identities: {before / 1024:.0f} MiB"
    )
    for words, labels, more in (
        ("an exclude", _JOB, {}),
        ("an allow-list", "k8s:version$", {}),
        ("an upgrade", None, {"target_version": (1, 20, 0)}),
        ("a suggestion", None, {"target_identities": 100}),
    ):
        started = time.process_time()
        found = simulate(Context(made), labels, **more)
        seconds = time.process_time() - started
        whole = time.process_time()
        found.to_dict()
        whole = time.process_time() - whole
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        left = found.suggestion.labels if found.suggestion else ""
        print(
            f"{words}: {seconds:.1f} s of CPU and {whole:.1f} s for the result; {found.now} identities now, {found.after} then; "
            f"{found.policies.affected} policies; {(peak - before) / 1024:.0f} MiB more at most {left}",
            flush=True,
        )


if __name__ == "__main__":
    main()
