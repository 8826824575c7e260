"""Exec, logs and proxy through a real kubelet and container runtime: how they word exit codes and missing programs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.agents import collect_agents
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pod_metrics import collect_metrics
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._exec import run_in_pod
from testbed import HostSpec, Testbed, TestbedSpec
from testbed.hosts import images

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

NAMESPACE, POD, CONTAINER = "default", "cilium-real", "cilium-agent"


@pytest.fixture(scope="module")
def client() -> Iterator[KubeClient]:
    """Return a client of a testbed with one host, on which a pod runs that could be an agent's by its names."""
    with Testbed.up(TestbedSpec(f"exec-{os.getpid()}", hosts=(HostSpec("h1"),))) as testbed:
        made = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
        made.create(f"/api/v1/namespaces/{NAMESPACE}/pods", pod())
        end = time.monotonic() + 60
        while made.get(f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}")["status"].get("phase") != "Running":
            assert time.monotonic() < end, "the pod does not run"
            time.sleep(0.2)
        yield made


def pod() -> dict[str, Any]:
    """A pod with an HTTP server, on the host's network as Cilium's: this machine has no route to pod addresses."""
    container = {
        "name": CONTAINER,
        "image": images.AGNHOST,
        "command": ["/agnhost", "netexec", "--http-port=9963"],
        "imagePullPolicy": "Never",
    }
    spec = {
        "nodeName": "h1",
        "hostNetwork": True,
        "containers": [container],
        "automountServiceAccountToken": False,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": NAMESPACE}, "spec": spec}


def run(client: KubeClient, *command: str, timeout: float = 20) -> Any:
    """Run a command in it."""
    return run_in_pod(client, NAMESPACE, POD, CONTAINER, command, timeout=timeout)


def test_how_commands_end(client: KubeClient) -> None:
    """Exit codes as they are; a program that is not there is told from one that fails."""
    failed = run(client, "/agnhost", "nonsense")
    assert (failed.exit_code, failed.stderr, failed.no_such_program) == (
        2,
        'agnhost: unknown command "nonsense"',
        False,
    )
    assert run(client, "/agnhost", "connect", "127.0.0.1:9963").exit_code == 0
    assert run(client, "/agnhost", "connect", "127.0.0.1:1").exit_code == 1
    missing = run(client, "cilium-dbg", "status", "-o", "json")
    assert missing.no_such_program, missing
    with pytest.raises(WaitTimeoutError):
        run(client, "/agnhost", "pause", timeout=1)


def test_a_container_without_the_agents_program(client: KubeClient) -> None:
    """Both names are tried, and the entry says so."""
    (agent,) = collect_agents(client, [pod()], namespace=NAMESPACE)
    assert agent["error"] == "its container has none of the programs cilium-dbg, cilium"


def test_a_page_that_is_no_metrics(client: KubeClient) -> None:
    """It comes through the proxy, and is not taken for metrics without samples."""
    (entry,) = collect_metrics(client, [pod()])
    assert entry["error"].startswith("it is not the text of Prometheus metrics: "), entry
