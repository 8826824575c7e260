"""The stress test where agents make the identities: a small model of agents does it, the real operator collects.

What the model imitates: an identity for each pod that runs, a CiliumEndpoint that names it, and now and then the race in which
two agents make an identity for the same labels.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, KwokSpec, Testbed, TestbedSpec
from testbed.client import Client, ServerError
from testbed.objects import AGENT_NODE, OPERATOR_NODE

from .test_stress_identities import IDENTITIES, PREFIX, objects, play

pytestmark = [pytest.mark.testbed, pytest.mark.long, pytest.mark.once]

COUNT, TWINS = 40, 4
FIRST = 20_000


class Agents(threading.Thread):
    """Makes identities and endpoints of the pods of stress tests until it is told to end."""

    def __init__(self, testbed: Testbed) -> None:
        super().__init__(daemon=True)
        self._client = Client(testbed.kubeconfig)
        self._done: set[str] = set()
        self.end = threading.Event()

    def run(self) -> None:
        """Look for pods that run and have no endpoint."""
        while not self.end.wait(0.2):
            for pod in self._client.list("/api/v1/pods"):
                metadata = pod["metadata"]
                runs = pod.get("status", {}).get("phase") == "Running" and not metadata.get("deletionTimestamp")
                if runs and metadata["namespace"].startswith(PREFIX) and metadata["uid"] not in self._done:
                    self._done.add(metadata["uid"])
                    self._serve(metadata)

    def _serve(self, metadata: dict[str, Any]) -> None:
        number = FIRST + 2 * len(self._done)
        space = metadata["namespace"]
        labels = {f"k8s:{key}": value for key, value in metadata["labels"].items()}
        labels["k8s:io.kubernetes.pod.namespace"] = space
        for name in (number, number + 1) if len(self._done) <= TWINS else (number,):
            made = {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumIdentity",
                "metadata": {"name": str(name), "labels": {"io.kubernetes.pod.namespace": space}},
                "security-labels": labels,
            }
            self._client.create(IDENTITIES, made)
        owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        endpoint = {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumEndpoint",
            "metadata": {"name": metadata["name"], "ownerReferences": [owner]},
            "status": {"id": 1, "identity": {"id": number, "labels": []}, "state": "ready"},
        }
        try:
            self._client.create(f"/apis/cilium.io/v2/namespaces/{space}/ciliumendpoints", endpoint)
        except ServerError as error:
            if error.status not in (403, 404):  # the namespace is going already
                raise


def test_identities_that_agents_make_are_measured(tmp_path: Path) -> None:
    """All are seen, twins are told, none is collected while its endpoint is there, and all are gone in the end."""
    spec = TestbedSpec(
        name=f"stress-agents-{os.getpid()}",
        cilium=CiliumOperatorSpec(
            identity_gc_interval="1s",
            identity_heartbeat_timeout="4s",
            endpoint_gc_interval="1h",
            nodes_gc_interval="1h",
        ),
        kwok=KwokSpec(),
    )
    with Testbed.up(spec) as testbed:
        testbed.kwok.create_nodes(2, prefix="w")
        for name, labels in (("w-0", {**OPERATOR_NODE, **AGENT_NODE}), ("w-1", AGENT_NODE)):
            testbed.client.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": labels}})

        def ready() -> bool:
            apps = "/apis/apps/v1/namespaces/kube-system"
            operator = testbed.client.get(f"{apps}/deployments/cilium-operator").get("status", {})
            agents = testbed.client.get(f"{apps}/daemonsets/cilium").get("status", {})
            return bool(operator.get("readyReplicas")) and agents.get("numberReady") == 2

        wait_until("operator and agents", ready)
        lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cilium-operator-resource-lock"
        wait_until("a leader", lambda: (testbed.client.find(lease) or {}).get("spec", {}).get("holderIdentity"))
        before = objects(testbed)
        agents = Agents(testbed)
        agents.start()
        path = tmp_path / "stress.json"
        # slow enough that the first identities are older than two timeouts when the last are made
        done = play(testbed, identities=COUNT, rate=4, output_path=str(path))
        agents.end.set()
        agents.join(timeout=10)
        assert done.returncode == 0, done.output
        found = json.loads(path.read_text(encoding="utf-8"))
        allocation, recovery = found["allocation"], found["recovery"]
        assert allocation["identities"] == COUNT and allocation["missing"] == 0
        assert recovery["recovered"] and recovery["collected"] >= COUNT
        # a twin that no endpoint names is collected as soon as anything else that nobody uses
        assert allocation["duplicates"] == TWINS and allocation["collected_early"] <= TWINS
        assert objects(testbed) == before
        assert found["plan"]["identity_management_mode"] == "agent"
