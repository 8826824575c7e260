"""Cilium's real operator as pods of its Deployment, and what the tests of its repair do to it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import Testbed

CONFIG = "/api/v1/namespaces/kube-system/configmaps/cilium-config"
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/cilium-operator"
CLUSTER_ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cilium-operator"
IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
PODS = "/api/v1/namespaces/kube-system/pods"
ANNOTATION = "podnet.upkeep/values-before"
# the testbed's own times are shorter than what we let people set without saying that they mean it
SHORT = ["harmful-value"]


def operator_pods(testbed: Testbed) -> list[dict[str, Any]]:
    """Pods of the operator that are not going."""
    found = testbed.client.list(PODS, {"labelSelector": "io.cilium/app=operator"})
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether its container is ready."""
    return any(one["ready"] for one in pod.get("status", {}).get("containerStatuses") or [])


def wait_operator(testbed: Testbed, seconds: float = 180) -> dict[str, Any]:
    """The one pod of the operator, Ready."""

    def one_ready() -> dict[str, Any] | None:
        pods = operator_pods(testbed)
        return pods[0] if len(pods) == 1 and is_ready(pods[0]) else None

    found: dict[str, Any] = wait_until("the operator is Ready", one_ready, seconds)
    return found


def data(testbed: Testbed) -> dict[str, str]:
    """Data of cilium-config."""
    found: dict[str, str] = testbed.client.get(CONFIG)["data"]
    return found


def set_data(testbed: Testbed, **changes: str | None) -> None:
    """Change cilium-config as `kubectl patch` would; underscores are hyphens."""
    testbed.client.patch(CONFIG, {"data": {key.replace("_", "-"): value for key, value in changes.items()}})


def raw(testbed: Testbed) -> str:
    """Data of cilium-config as text, to compare it byte for byte."""
    return json.dumps(testbed.client.get(CONFIG).get("data"), sort_keys=True)


def create_identities(testbed: Testbed, count: int, first: int = 10_000) -> None:
    """Identities that nobody uses."""

    def create(number: int) -> None:
        labels = {"k8s:app": f"gone-{number}", "k8s:io.kubernetes.pod.namespace": "default"}
        body = {"apiVersion": "cilium.io/v2", "kind": "CiliumIdentity", "metadata": {"name": str(number)}}
        testbed.client.create(IDENTITIES, {**body, "security-labels": labels})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(first, first + count)))


def play(
    testbed: Testbed, name: str, *arguments: str, env: dict[str, str] | None = None, **variables: Any
) -> PlaybookRun:
    """Run the playbook of a role with its variables, given without the role's name."""
    values = {f"{name}_{key}": value for key, value in {"kubeconfig": str(testbed.kubeconfig), **variables}.items()}
    return run_playbook(f"podnet.upkeep.{name}", arguments, variables=values, env=env, timeout=400)
