"""Delete leaked CiliumIdentities on the real API server: our engine beside kubectl and the kubernetes client.

    python -m bench.deletions [COUNT]       COUNT identities for the engine (20,000), a tenth of them for the slow ones

The controller-manager and the cilium-operator are stopped meanwhile: nobody else deletes. Every contender lists what has its
label, then deletes it; times are those of its whole process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec, processes

from .real_api import _Connection

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
_CREATORS = 8
_RATE = 400.0


def fill(kubeconfig: Path, contender: str, first: int, count: int) -> None:
    """Create identities that nothing refers to, with a label that names who is to delete them."""

    def create(start: int) -> None:
        connection = _Connection(kubeconfig)
        for number in range(first + start, first + count, _CREATORS):
            connection.request("POST", IDENTITIES, identity(number, contender))

    threads = [threading.Thread(target=create, args=(start,)) for start in range(_CREATORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def identity(number: int, contender: str) -> dict[str, Any]:
    """A CiliumIdentity as an agent writes it."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumIdentity",
        "metadata": {"name": str(number), "labels": {"bench": contender, "io.kubernetes.pod.namespace": "batch"}},
        "security-labels": {
            f"k8s:job-{number % 97}": str(number),
            "k8s:app": "nightly",
            "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": "batch",
            "k8s:io.cilium.k8s.policy.cluster": "default",
            "k8s:io.cilium.k8s.policy.serviceaccount": "default",
            "k8s:io.kubernetes.pod.namespace": "batch",
        },
    }


def with_the_engine(kubeconfig: str, contender: str, folder: str, rate: float) -> dict[str, Any]:
    """Plan by the label, then the engine with a journal; its figures."""
    from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
    from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import Candidate
    from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import DeletionJournal
    from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import (
        DeletionLimits,
        GuardedDeletion,
    )

    client = KubeClient.from_options({"kubeconfig": kubeconfig})
    found = client.list(IDENTITIES, params={"labelSelector": f"bench={contender}"})
    candidates = [Candidate.of(one, f"{IDENTITIES}/{one['metadata']['name']}", "nothing refers to it") for one in found]
    journal = DeletionJournal.create(folder, "identities")
    limits = DeletionLimits(rate=rate, concurrency=int(os.environ.get("BENCH_CONCURRENCY", "8")))
    before = time.process_time()
    result = GuardedDeletion(client, limits, prove=lambda batch: {}, journal=journal).run(candidates)
    return {
        "deleted": len(result.deleted),
        "seconds": round(result.seconds, 1),
        "cpu_seconds": round(time.process_time() - before, 1),
        "stopped": result.stopped,
    }


def with_the_kubernetes_client(kubeconfig: str, contender: str) -> dict[str, Any]:
    """What a loop of kubernetes.core.k8s with state absent sends, without Ansible around it."""
    from kubernetes import client, config

    config.load_kube_config(kubeconfig)
    api = client.CustomObjectsApi()
    found = api.list_cluster_custom_object("cilium.io", "v2", "ciliumidentities", label_selector=f"bench={contender}")
    started, before = time.monotonic(), time.process_time()
    for one in found["items"]:
        api.delete_cluster_custom_object("cilium.io", "v2", "ciliumidentities", one["metadata"]["name"])
    return {
        "deleted": len(found["items"]),
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(time.process_time() - before, 1),
    }


def measure(label: str, command: list[str], count: int) -> float:
    """Run one contender; deletes per second of its whole process."""
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False)
    seconds = time.monotonic() - started
    text = done.stdout.strip().splitlines()
    if done.returncode:
        raise SystemExit(f"{label}: {done.stderr[-1000:]}")
    shown = text[-1] if text and text[-1].startswith("{") else ""
    print(f"{label:34}{count:8}{seconds:10.1f}{count / seconds:12.0f}  {shown}", flush=True)
    return count / seconds


def main() -> None:
    """Fill a testbed, let each contender delete its own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    few = max(1, count // 10)
    with (
        Testbed.up(TestbedSpec(f"bench-{os.getpid()}", ControlPlaneSpec(), CiliumOperatorSpec())) as testbed,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name in ("kube-controller-manager", "kube-scheduler", "cilium-operator"):
            processes.stop(testbed.directory, name)
        path = str(testbed.kubeconfig)
        started = time.monotonic()
        for number, (contender, size) in enumerate(
            {"unlimited": count, "paced": count, "kubectl": few, "kubernetes": few}.items()
        ):
            fill(testbed.kubeconfig, contender, 100_000 * (number + 1), size)
        print(f"created in {time.monotonic() - started:.0f} s")
        print(f"{'':34}{'deleted':>8}{'seconds':>10}{'per second':>12}")

        def ours(label: str, contender: str, rate: float) -> float:
            call = f"deletions.with_the_engine({path!r}, {contender!r}, {folder!r}, {rate})"
            code = f"import json; from bench import deletions; print(json.dumps({call}))"
            return measure(label, [sys.executable, "-c", code], count)

        kubectl = ["kubectl", "--kubeconfig", path, "delete", "ciliumidentities", "-l", "bench=kubectl"]
        call = f"deletions.with_the_kubernetes_client({path!r}, 'kubernetes')"
        code = f"import json; from bench import deletions; print(json.dumps({call}))"
        speed = ours("engine", "unlimited", 0)
        ours(f"engine, rate {_RATE:.0f}", "paced", _RATE)
        others = {
            "kubectl delete -l": measure("kubectl delete -l", kubectl, few),
            "kubernetes client": measure("kubernetes client", [sys.executable, "-c", code], few),
        }
        left = json.loads(_Connection(testbed.kubeconfig).request("GET", f"{IDENTITIES}?limit=1"))
        print(f"left over: {len(left['items'])}")
        for name, other in others.items():
            print(f"engine beside {name}: {speed / other:.1f} times as fast")


if __name__ == "__main__":
    main()
