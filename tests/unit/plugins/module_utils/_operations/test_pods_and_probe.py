"""Pods with foreign addresses, and the network probe: what it proves, and that it leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_probe import (
    NetworkProbe,
    ProbeError,
    ProbeOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import (
    PodReplacement,
    foreign_addresses,
)

from .conftest import PODS, FastClock, bound_pod, node

OPTIONS = ProbeOptions(image="probe:1", server_args=("serve",), client_args=("connect", "ADDRESS:80"), timeout=20)


def test_foreign_addresses() -> None:
    """Host network, finished and mirror pods have none."""
    pod = bound_pod("p")
    assert foreign_addresses(pod, ["10.200.7.0/24"]) == []
    assert foreign_addresses(pod, ["10.244.1.0/24"]) == ["10.200.7.5"]
    assert foreign_addresses({**pod, "spec": {"hostNetwork": True}}, ["10.244.1.0/24"]) == []
    assert foreign_addresses({**pod, "status": {**pod["status"], "phase": "Failed"}}, ["10.244.1.0/24"]) == []


def readdress(api: FakeApi) -> None:
    """Node w1 has another range than its pods."""
    api.store.objects["/api/v1/nodes/w1"]["spec"].update(podCIDR="10.244.1.0/24", podCIDRs=["10.244.1.0/24"])


def test_replacement(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The foreign pod goes, its DaemonSet's new pod is waited for."""
    readdress(api)
    api.store.add(PODS, bound_pod("agent-old", "DaemonSet"))
    replacement = PodReplacement(
        client, "w1", expected_daemonsets=["default/owner", "default/gone"], clock=fast.clock()
    )
    plan = replacement.plan()
    assert [(pod["name"], pod["addresses"]) for pod in plan] == [("agent-old", ["10.200.7.5"])]
    new = bound_pod("agent-new", "DaemonSet")
    new["status"]["podIPs"] = [{"ip": "10.244.1.9"}]
    fast.on_sleep = lambda: api.store.add(PODS, new)
    replacement.run(plan)
    assert f"{PODS}/agent-old" not in api.store.objects


def agent(name: str, daemonset: str, created: str) -> dict[str, Any]:
    """A pod of a network agent on the host network."""
    pod = bound_pod(name, "DaemonSet")
    pod["metadata"].update(creationTimestamp=created)
    pod["metadata"]["ownerReferences"][0]["name"] = daemonset
    pod["spec"]["hostNetwork"] = True
    pod["status"]["startTime"] = created
    return pod


def test_agents_are_replaced_first(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Those that are older than the Node: the agent of the CNI, then kube-proxy, and other pods when both are back."""
    readdress(api)
    api.store.objects["/api/v1/nodes/w1"]["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    for name, daemonset in (("proxy-old", "kube-proxy"), ("flannel-old", "kube-flannel-ds")):
        api.store.add(PODS, agent(name, daemonset, "2026-01-15T00:00:00Z"))
        api.store.add("/apis/apps/v1/namespaces/default/daemonsets", {"metadata": {"name": daemonset}})
    api.store.add(PODS, bound_pod("web-0"))
    expected = ["default/kube-flannel-ds", "default/kube-proxy"]
    replacement = PodReplacement(client, "w1", expected_daemonsets=expected, clock=fast.clock())
    plan = replacement.plan()
    assert [pod["name"] for pod in plan] == ["flannel-old", "proxy-old", "web-0"]

    def come_back() -> None:
        for name, daemonset in (("proxy-new", "kube-proxy"), ("flannel-new", "kube-flannel-ds")):
            api.store.add(PODS, agent(name, daemonset, "2026-02-01T00:01:00Z"))

    fast.on_sleep = come_back
    replacement.run(plan)
    deleted = [request.path.rpartition("/")[2] for request in api.requests if request.method == "DELETE"]
    assert deleted == ["flannel-old", "proxy-old", "web-0"]
    assert replacement.plan() == []


def test_agent_of_cilium_is_replaced_until_its_books_are_the_nodes(
    api: FakeApi, client: KubeClient, fast: FastClock
) -> None:
    """Only where Cilium takes its range from the Node; elsewhere its books are its own."""
    readdress(api)
    uid = api.store.objects["/api/v1/nodes/w1"]["metadata"]["uid"]
    config = {"metadata": {"name": "cilium-config"}, "data": {"ipam": "cluster-pool"}}
    api.store.add("/api/v1/namespaces/kube-system/configmaps", config)
    books = {
        "metadata": {"name": "w1", "ownerReferences": [{"uid": uid}]},
        "spec": {"ipam": {"podCIDRs": ["10.200.7.0/24"]}},
    }
    made = api.store.add("/apis/cilium.io/v2/ciliumnodes", books)
    api.store.add(PODS, agent("cilium-x", "cilium", "2026-02-01T00:00:00Z"))
    assert PodReplacement(client, "w1", clock=fast.clock()).plan() == []
    api.store.objects["/api/v1/namespaces/kube-system/configmaps/cilium-config"]["data"]["ipam"] = "kubernetes"
    replacement = PodReplacement(client, "w1", timeout=30, clock=fast.clock())
    plan = replacement.plan()
    assert [pod["reason"] for pod in plan] == ["CiliumNode w1 has 10.200.7.0/24, the Node 10.244.1.0/24"]
    api.store.add(PODS, bound_pod("web-0"))
    api.store.add("/apis/apps/v1/namespaces/default/daemonsets", {"metadata": {"name": "cilium"}})
    fast.on_sleep = lambda: api.store.add(PODS, agent("cilium-y", "cilium", "2026-02-01T00:01:00Z"))
    with pytest.raises(WaitTimeoutError, match=r"network agents of node w1 .*CiliumNode w1 has 10\.200\.7\.0/24"):
        replacement.run(replacement.plan())
    assert f"{PODS}/web-0" in api.store.objects, "a pod was replaced before the agent knew the range"
    made["spec"]["ipam"]["podCIDRs"] = ["10.244.1.0/24"]
    replacement.run(replacement.plan())
    assert f"{PODS}/web-0" not in api.store.objects


def test_replacement_that_does_not_come(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The DaemonSet is named; a bare pod is never deleted; a Node without podCIDRs is no measure."""
    readdress(api)
    replacement = PodReplacement(client, "w1", expected_daemonsets=["default/owner"], timeout=5, clock=fast.clock())
    with pytest.raises(WaitTimeoutError, match="DaemonSet default/owner has no Ready pod"):
        replacement.run([])
    api.store.add(PODS, bound_pod("bare", owner=""))
    with pytest.raises(RefusedError, match=r"default/bare .* no controller would start them again"):
        replacement.run(replacement.plan())
    assert f"{PODS}/bare" in api.store.objects
    api.store.objects["/api/v1/nodes/w1"]["spec"] = {}
    with pytest.raises(RefusedError, match="has no podCIDRs"):
        replacement.plan()


class Kubelets:
    """Runs probe pods: servers get `address`; clients end with the next of `exits` of their node, else with 0."""

    def __init__(self, api: FakeApi, fast: FastClock, address: str = "10.200.7.9") -> None:
        self.api = api
        self.address = address
        self.exits: dict[str, list[int]] = {}
        self.waiting: dict[str, str] = {}
        fast.on_sleep = self.step

    def step(self) -> None:
        """A moment passes."""
        for pod in list(self.api.store.objects.values()):
            name = pod["metadata"]["name"]
            if not name.startswith("upkeep-probe") or pod.get("status"):
                continue
            if self.waiting:
                pod["status"] = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": self.waiting}}]}
            elif "-server-" in name:
                pod["status"] = {**bound_pod("x")["status"], "podIPs": [{"ip": self.address}]}
            else:
                exits = self.exits.get(pod["spec"]["nodeName"]) or [0]
                code = exits.pop(0)
                ended = {"terminated": {"exitCode": code, "message": "TIMEOUT"}}
                pod["status"] = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [{"state": ended}]}


def probe(client: KubeClient, fast: FastClock, **changes: Any) -> NetworkProbe:
    """The probe of w1."""
    return NetworkProbe(client, "w1", ProbeOptions(**{**OPTIONS.__dict__, **changes}), clock=fast.clock())


def leftovers(api: FakeApi) -> list[str]:
    """Probe pods that are still there."""
    return [path for path in api.store.objects if "upkeep-probe" in path]


def test_probe_reaches_after_some_tries(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Routes may follow late; pods are bound directly, and gone in the end."""
    api.store.add("/api/v1/nodes", node("w2"))
    kubelets = Kubelets(api, fast)
    kubelets.exits = {"w2": [1, 1, 0], "w1": [0]}
    result = probe(client, fast).run()
    assert result.peer == "w2"
    assert [(one.kind, one.target, one.reached, one.attempts) for one in result.connections] == [
        ("other-node", "10.200.7.9", True, 3),
        ("same-node", "10.200.7.9", True, 1),
    ]
    made = [request.body for request in api.requests if request.method == "POST" and request.path == PODS]
    assert [pod["spec"]["nodeName"] for pod in made] == ["w1", "w2", "w1", "w2", "w2"]
    assert made[1]["spec"]["containers"][0]["args"] == ["connect", "10.200.7.9:80"]
    assert leftovers(api) == []


def test_probe_that_never_reaches(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The sentence has both nodes, the address and the client's words."""
    api.store.add("/api/v1/nodes", node("w2"))
    Kubelets(api, fast).exits = {"w2": [1] * 99}
    with pytest.raises(
        ProbeError, match=r"node w2 does not reach .* node w1 .*10\.200\.7\.9: exit code 1, TIMEOUT"
    ) as caught:
        probe(client, fast).run()
    assert [one["reached"] for one in caught.value.details()["connections"]] == [False, True]
    assert leftovers(api) == []


def test_probe_of_services(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """An agnhost that the node has is taken, and connects to a Service where the cluster has DNS."""
    image = "registry.example.com/agnhost:2.40"
    api.store.objects["/api/v1/nodes/w1"]["status"]["images"] = [{"names": ["pause:3"]}, {"names": [image]}]
    api.store.add("/api/v1/nodes", node("w2"))
    Kubelets(api, fast)
    assert [one.kind for one in probe(client, fast, image="").run().connections] == ["other-node", "same-node"]
    api.store.add(
        "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices",
        {
            "metadata": {"name": "kube-dns-1", "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "endpoints": [{"conditions": {"ready": True}}],
        },
    )
    result = probe(client, fast, image="").run()
    assert result.image == image
    assert [(one.kind, one.from_node) for one in result.connections][2:] == [("service-name", "w1")]
    Kubelets(api, fast).exits = {"w1": [0] + [1] * 99}
    with pytest.raises(ProbeError, match=r"does not reach the Service kubernetes\.default\.svc:443 by its name"):
        probe(client, fast, image="").run()
    assert leftovers(api) == []


def test_probe_with_an_address_of_the_old_range(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """That is the silent fault of the naive procedure."""
    api.store.add("/api/v1/nodes", node("w2"))
    Kubelets(api, fast, "10.9.9.9")
    with pytest.raises(ProbeError, match=r"got 10\.9\.9\.9, outside the node's podCIDRs 10\.200\.7\.0/24"):
        probe(client, fast).run()
    assert leftovers(api) == []


def test_probe_whose_image_cannot_be_had(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Said at once, with the option's name."""
    api.store.add("/api/v1/nodes", node("w2"))
    Kubelets(api, fast).waiting = {"reason": "ErrImagePull", "message": "no such host"}
    with pytest.raises(ProbeError, match=r"image: the probe image probe:1 cannot start on node w1 \(ErrImagePull"):
        probe(client, fast).run()
    assert leftovers(api) == []


def test_probe_removes_what_a_killed_run_left(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Only pods that probed this node."""
    api.store.add("/api/v1/nodes", node("w2"))
    for name, probed in (("upkeep-probe-server-old", "w1"), ("upkeep-probe-server-other", "w9")):
        api.store.add(
            PODS,
            {
                "metadata": {
                    "name": name,
                    "labels": {"app.kubernetes.io/managed-by": "podnet.upkeep"},
                    "annotations": {"podnet.upkeep/probed-node": probed},
                }
            },
        )
    Kubelets(api, fast)
    probe(client, fast).run()
    assert leftovers(api) == [f"{PODS}/upkeep-probe-server-other"]


def test_choice_of_the_peer(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Not one in question, not a simulated one, not one without podCIDRs; else the node itself, with a warning."""
    peer, warnings = probe(client, fast).choose_peer()
    assert peer == "w1" and "No other Ready node" in warnings[0]
    simulated = node("a1")
    simulated["metadata"]["labels"]["type"] = "kwok"
    api.store.add("/api/v1/nodes", simulated)
    api.store.add("/api/v1/nodes", node("a2", podCIDRs=None, podCIDR=None))
    for name in ("w2", "w3"):
        api.store.add("/api/v1/nodes", node(name))
    assert probe(client, fast).choose_peer() == ("w2", [])
    assert probe(client, fast, avoid_peers=("w2",)).choose_peer() == ("w3", [])
    assert probe(client, fast, peer="w3").choose_peer() == ("w3", [])
    with pytest.raises(InputError, match="peer: 'a2' is not a Ready Node with podCIDRs"):
        probe(client, fast, peer="a2").choose_peer()
