"""Clusters with many identities of every kind, generated from a seed, on a testbed with the real cilium-operator."""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, KwokSpec, NoSuchTestbedError, Testbed, TestbedSpec
from testbed.cilium_operator import CiliumOperator
from testbed.client import ServerError
from testbed.objects import AGENT_NODE, OPERATOR_NODE
from testbed.testbed import take_down

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
ENDPOINTS = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"
SLICES = "/apis/cilium.io/v2alpha1/ciliumendpointslices"
PODS = "/api/v1/namespaces/default/pods"
HEARTBEAT = "io.cilium.heartbeat"
# of the operator, and of the agents that a test plays; all in seconds
TIMEOUT, INTERVAL, SYNC = 3, 2, 5
NOWHERE = {"testbed.podnet/nobody": "true"}
#: The Node with an agent, and the one without.
SOUND, UNSOUND = "w-0", "w-1"
KINDS = (
    *("endpoint", "slice-and-endpoint", "slice-only", "pending", "deleting", "leaked", "marked", "duplicate"),
    *("foreign", "other-labels", "uncertain", "changed-labels"),
)
#: Nobody uses these; what the operator deletes besides, as it looks at endpoints only, and at all numbers.
DEAD = ("leaked", "marked", "duplicate", "other-labels")
OPERATOR_ONLY = ("pending", "deleting", "foreign", "uncertain", "changed-labels")


def spec(name: str) -> TestbedSpec:
    """A control plane, kwok, and the operator, which does not collect before it is told so."""
    return TestbedSpec(
        name=name,
        cilium=CiliumOperatorSpec(
            endpoint_gc_interval="1h",
            nodes_gc_interval="1h",
            identity_gc_interval="0s",
            identity_heartbeat_timeout=f"{TIMEOUT}s",
            config={
                "enable-cilium-endpoint-slice": "true",
                "identity-allocation-sync-interval": f"{SYNC}s",
                "operator-k8s-client-qps": "500",
                "operator-k8s-client-burst": "1000",
                "identity-gc-rate-limit": "100000",
            },
        ),
        kwok=KwokSpec(),
    )


def prepare(testbed: Testbed) -> None:
    """Two Nodes, of which one has an agent; wait until it and the operator's Deployment are ready."""
    testbed.kwok.create_nodes(2, prefix="w")
    testbed.client.patch(f"/api/v1/nodes/{SOUND}", {"metadata": {"labels": {**AGENT_NODE, **OPERATOR_NODE}}})
    apps = "/apis/apps/v1/namespaces/kube-system"

    def ready(path: str, key: str) -> Any:
        return testbed.client.get(f"{apps}/{path}").get("status", {}).get(key)

    wait_until("the operator's pod", lambda: ready("deployments/cilium-operator", "readyReplicas"))
    wait_until("the agent's pod", lambda: ready("daemonsets/cilium", "numberReady"))
    wait_until(
        "the ServiceAccount default", lambda: testbed.client.find("/api/v1/namespaces/default/serviceaccounts/default")
    )

    def served() -> bool:
        try:
            return testbed.client.find(SLICES) is not None
        except ServerError as error:
            if error.status != 429:  # the storage of a new definition is being made
                raise
            return False

    wait_until("CiliumEndpointSlices", served)


def restart_operator(testbed: Testbed, **changes: Any) -> None:
    """The operator again, with other settings, which cilium-config shows too."""
    testbed.cilium.stop()
    testbed.cilium = CiliumOperator(
        testbed.directory, dataclasses.replace(testbed.cilium.spec, **changes), testbed.control_plane
    )
    testbed.cilium.start()


def there(testbed: Testbed) -> dict[str, dict[str, Any]]:
    """The identities that exist, by name."""
    return {one["metadata"]["name"]: one for one in testbed.client.list(IDENTITIES)}


def security_labels(**labels: str) -> dict[str, str]:
    """Those of a pod of the namespace default and the ServiceAccount default, as the operator 1.18.4 writes them."""
    return {
        **{f"k8s:{key}": value for key, value in labels.items()},
        "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": "default",
        "k8s:io.cilium.k8s.policy.cluster": "default",
        "k8s:io.cilium.k8s.policy.serviceaccount": "default",
        "k8s:io.kubernetes.pod.namespace": "default",
    }


def identity(number: int, labels: Mapping[str, str], mark: str = "") -> dict[str, Any]:
    """A CiliumIdentity as an agent creates it; `mark` is the time of a heartbeat."""
    metadata: dict[str, Any] = {
        "name": str(number),
        "labels": {"io.kubernetes.pod.namespace": labels.get("k8s:io.kubernetes.pod.namespace", "")},
    }
    if mark:
        metadata["annotations"] = {HEARTBEAT: mark}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumIdentity",
        "metadata": metadata,
        "security-labels": dict(labels),
    }


def pod(name: str, node: str = SOUND, finalizers: Iterable[str] = (), **labels: str) -> dict[str, Any]:
    """A pod on a Node, or (empty) one that no Node takes."""
    place: dict[str, Any] = {"nodeName": node} if node else {"nodeSelector": NOWHERE}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "finalizers": list(finalizers)},
        "spec": {
            **place,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": "simulated"}],
        },
    }


def endpoint(name: str, owner: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A CiliumEndpoint as an agent creates it."""
    reference = {"apiVersion": "v1", "kind": "Pod", "name": owner["name"], "uid": owner["uid"]}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEndpoint",
        "metadata": {"name": name, "ownerReferences": [reference]},
        "status": {"id": 1, "identity": {"id": number, "labels": []}, "state": "ready"},
    }


@dataclass
class Generated:
    """What was generated: names of identities by kind, and all objects of identities."""

    kinds: dict[str, set[str]] = field(default_factory=dict)
    identities: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, *kinds: str) -> set[str]:
        """Names of the identities of these kinds."""
        return set().union(*(self.kinds.get(kind, set()) for kind in kinds))


class Generator:
    """Creates identities of all kinds, in random order and numbers; `seed` decides everything."""

    def __init__(self, testbed: Testbed, seed: int) -> None:
        self._client = testbed.client
        self._random = random.Random(seed)
        self._made = Generated()
        self._requests: list[list[tuple[str, dict[str, Any]]]] = [[], [], []]
        self._owner: dict[str, Any] = {}

    def generate(self, count: int) -> Generated:
        """So many identities, at least three of each kind."""
        self._owner = self._client.create(PODS, pod("owner", app="owner"))["metadata"]
        kinds = [*KINDS] * 3 + self._random.choices(
            KINDS, weights=(3, 2, 1, 1, 1, 12, 4, 4, 2, 2, 1, 1), k=count - 3 * len(KINDS)
        )
        self._random.shuffle(kinds)
        numbers = self._random.sample(range(256, 65536, 2), len(kinds))  # the odd ones are for twins
        for number, kind in zip(numbers, kinds, strict=True):
            self._add(kind, number)
        for requests in self._requests:
            create_all(self._client, requests)
        for name in self._made.of("deleting"):
            self._client.delete(f"{PODS}/pod-{name}")
        return self._made

    def _add(self, kind: str, number: int) -> None:
        if kind == "foreign":
            number += 65536 * self._random.randint(1, 100)
        name, app = str(number), f"app-{number}"
        labels = security_labels(app=app)
        mark = "2026-01-01T00:00:00.123456789Z" if kind == "marked" or self._random.random() < 0.1 else ""
        self._identity(kind, number, labels, mark)
        if kind in ("endpoint", "slice-and-endpoint"):
            self._then(1, ENDPOINTS, endpoint(f"ep-{name}", self._owner, number))
        if kind in ("slice-only", "slice-and-endpoint"):
            core = {"name": f"ep-{name}", "id": number, "networking": {"addressing": [{"ipv4": "10.60.0.9"}]}}
            body = {
                "apiVersion": "cilium.io/v2alpha1",
                "kind": "CiliumEndpointSlice",
                "metadata": {"name": f"ces-{name}"},
            }
            self._then(1, SLICES, {**body, "namespace": "default", "endpoints": [core]})
        if kind == "pending":
            self._then(1, PODS, pod(f"pod-{name}", self._random.choice((SOUND, "")), app=app))
        if kind == "deleting":
            self._then(1, PODS, pod(f"pod-{name}", finalizers=["testbed.podnet/stays"], app=app))
        if kind == "other-labels":
            self._then(1, PODS, pod(f"pod-{name}", "", app=f"{app}x"))
        if kind == "duplicate":
            # the pod has an endpoint with the other identity of the same labels
            other = number + 1
            self._identity("twin", other, labels, "")
            self._owned_endpoint(f"pod-{name}", SOUND, other, app)
        if kind == "uncertain":
            other = number + 1
            self._identity("twin", other, labels, "")
            self._owned_endpoint(f"pod-{name}", UNSOUND, other, app)
        if kind == "changed-labels":
            # the pod's labels are those of this identity now; its endpoint still names the one of before
            other = number + 1
            self._identity("twin", other, security_labels(app=f"{app}-before"), "")
            self._owned_endpoint(f"pod-{name}", SOUND, other, app)

    def _identity(self, kind: str, number: int, labels: Mapping[str, str], mark: str) -> None:
        name = str(number)
        self._made.identities[name] = made = identity(number, labels, mark)
        self._made.kinds.setdefault(kind, set()).add(name)
        self._then(0, IDENTITIES, made)

    def _then(self, stage: int, path: str, body: dict[str, Any]) -> None:
        self._requests[stage].append((path, body))

    def _owned_endpoint(self, name: str, node: str, number: int, app: str) -> None:
        uid = self._client.create(PODS, pod(name, node, app=app))["metadata"]["uid"]
        self._then(1, ENDPOINTS, endpoint(name, {"name": name, "uid": uid}, number))


def create_all(client: Any, requests: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Create objects, eight at a time."""
    with ThreadPoolExecutor(8) as pool:
        for _done in pool.map(lambda one: client.create(*one), requests):
            pass


def main() -> int:
    """`up NAME`: a cluster with identities of all kinds, whose operator is stopped, as JSON; or `down NAME`."""
    act, name = sys.argv[1:]
    if act == "down":
        try:
            take_down(name)
        except NoSuchTestbedError:
            return 0
        return 0
    testbed = Testbed.create(spec(name))
    prepare(testbed)
    testbed.cilium.stop()
    made = Generator(testbed, seed=7).generate(60)
    time.sleep(2 * TIMEOUT + 1)
    dead = made.of(*DEAD)
    shown = {"dead": sorted(map(int, dead)), "alive": sorted(map(int, set(made.identities) - dead))}
    print(json.dumps({"kubeconfig": str(testbed.kubeconfig), **shown}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
