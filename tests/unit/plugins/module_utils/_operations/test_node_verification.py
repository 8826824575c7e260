"""The verification of a Node that was registered anew: each rule fails for its own reason, and all are told at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import HostReport, parse
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.node_verification import (
    Verification,
    VerificationError,
)

from .conftest import PODS, FastClock, bound_pod, node

PATH = "/api/v1/nodes/w1"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
CSI_NODES = "/apis/storage.k8s.io/v1/csinodes"
EVENTS = "/api/v1/namespaces/default/events"
CREATED = "2026-02-01T00:00:00Z"
LATER = "2026-02-01T00:00:30Z"
ALLOCATOR = settings_from_options({"cluster_cidrs": ["10.244.0.0/16"]})
Objects = dict[str, dict[str, Any]]
REPORT = (
    "machine-id m1\nconf-template /c\ncni-file /etc/cni/net.d/10-containerd-net.conflist\ncni-value type bridge\n"
    "cni-value bridge cni0\ncni-value subnet {subnet}\nlink cni0\nlink virbr0\naddress cni0 {address}\n"
    "address cni0 fe80::1/64\naddress virbr0 192.168.122.1/24\n"
)


def report(address: str = "10.244.3.1/24", subnet: str = "10.244.3.0/24") -> HostReport:
    """What the bridge and the rendered configuration of the host say."""
    return parse(REPORT.format(address=address, subnet=subnet))


@pytest.fixture
def objects(api: FakeApi) -> Objects:
    """The cluster after a re-registration in which nothing went wrong."""
    new = node(podCIDR="10.244.3.0/24", podCIDRs=["10.244.3.0/24"], unschedulable=True)
    new["metadata"].update(uid="new", creationTimestamp=CREATED)
    new["status"]["conditions"][0]["lastHeartbeatTime"] = LATER
    new["status"]["allocatable"] = {"cpu": "3", "example.com/gpu": "2"}
    api.store.add("/api/v1/nodes", new)
    owners = [{"uid": "new"}]
    api.store.add(LEASES, {"metadata": {"name": "w1", "ownerReferences": owners}, "spec": {"renewTime": LATER}})
    csi = {"metadata": {"name": "w1", "ownerReferences": owners}, "spec": {"drivers": [{"name": "csi.example.com"}]}}
    api.store.add(CSI_NODES, csi)
    agent = bound_pod("agent", "DaemonSet")
    agent["metadata"]["creationTimestamp"] = LATER
    agent["status"]["podIPs"] = [{"ip": "10.244.3.7"}]
    api.store.add(PODS, agent)
    proxy = copy.deepcopy(agent)
    proxy["metadata"].update(
        name="proxy", ownerReferences=[{"kind": "DaemonSet", "name": "kube-proxy", "controller": True}]
    )
    proxy["spec"]["hostNetwork"] = True
    api.store.add(PODS, proxy)
    return api.store.objects


def image() -> BeforeImage:
    """What the Node was."""
    old = node()
    old["metadata"]["uid"] = "old"
    old["status"]["allocatable"] = {"cpu": "4", "example.com/gpu": "2"}
    return BeforeImage(
        old,
        "cluster-1",
        False,
        [],
        ["default/owner", "default/deleted-meanwhile"],
        {"csinode": "c1"},
        ["csi.example.com"],
        "2026-01-31T00:00:00Z",
        new_uid="new",
    )


def verification(client: KubeClient, fast: FastClock, **options: Any) -> Verification:
    """The verification of w1."""
    options.setdefault("report", report())
    return Verification(client, image(), ALLOCATOR, timeout=5, clock=fast.clock(), **options)


def test_all_is_well(client: KubeClient, fast: FastClock, objects: Objects) -> None:
    """Every check is there and holds; link-local addresses and bridges of others do not matter."""
    checks = verification(client, fast).run()
    assert [check.problem for check in checks] == [""] * 15
    assert fast.seconds == 0
    assert verification(client, fast, in_service=True).run()
    objects[PATH]["spec"]["unschedulable"] = False
    assert verification(client, fast, in_service=True).run()


def event(reason: str, name: str, uid: str, time: str = LATER) -> dict[str, Any]:
    """An event about a pod."""
    about = {"kind": "Pod", "name": name, "namespace": "default", "uid": uid}
    return {
        "metadata": {"name": f"{name}-{reason}"},
        "reason": reason,
        "message": "no network",
        "lastTimestamp": time,
        "involvedObject": about,
    }


def waiting_pod(api: FakeApi) -> None:
    """A pod without a sandbox."""
    pod = bound_pod("stuck")
    pod["status"] = {"phase": "Pending"}
    made = api.store.add(PODS, pod)
    api.store.add(EVENTS, event("FailedCreatePodSandBox", "stuck", made["metadata"]["uid"]))


def not_ready(api: FakeApi, name: str) -> None:
    """A pod that is not Ready."""
    api.store.objects[f"{PODS}/{name}"]["status"]["conditions"] = []


def set_in(*keys: str, value: Any) -> Callable[[FakeApi], None]:
    """Change a field of an object: path, then keys."""

    def change(api: FakeApi) -> None:
        place = api.store.objects[keys[0]]
        for key in keys[1:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


CASES: list[tuple[str, Callable[[FakeApi], Any], str]] = [
    ("identity", set_in(PATH, "metadata", "uid", value="third"), "uid third, this run made new"),
    ("ready", set_in(PATH, "status", "conditions", value=[]), "not Ready: no status yet"),
    (
        "ready",
        set_in(PATH, "metadata", "creationTimestamp", value="2026-02-01T01:00:00Z"),
        "Ready condition is older than the Node",
    ),
    (
        "network-available",
        lambda api: api.store.objects[PATH]["status"]["conditions"].append(
            {"type": "NetworkUnavailable", "status": "True", "reason": "NoRouteCreated"}
        ),
        "NetworkUnavailable is True: NoRouteCreated",
    ),
    ("pod-cidrs", set_in(PATH, "spec", "podCIDRs", value=["10.99.0.0/24"]), "outside the cluster CIDR"),
    ("cordon", set_in(PATH, "spec", "unschedulable", value=False), "schedulable before it was verified"),
    ("lease", lambda api: api.store.objects.pop(f"{LEASES}/w1"), "no Lease of the new Node"),
    ("lease", set_in(f"{LEASES}/w1", "spec", "renewTime", value="2026-01-31T00:00:00Z"), "was not renewed since"),
    ("csi-node", lambda api: api.store.objects.pop(f"{CSI_NODES}/w1"), "no CSINode, which there was before"),
    ("csi-node", set_in(f"{CSI_NODES}/w1", "spec", "drivers", value=[]), "csi.example.com is not registered"),
    ("csi-node", set_in(f"{CSI_NODES}/w1", "metadata", "ownerReferences", value=[{"uid": "old"}]), "another Node"),
    ("metadata", set_in(PATH, "metadata", "labels", value={}), "label rack=r1 is missing"),
    ("metadata", set_in(PATH, "spec", "taints", value=[]), "taint dedicated=x:NoSchedule is missing"),
    ("resources", set_in(PATH, "status", "allocatable", value={"cpu": "3"}), r"example.com/gpu \(none, was 2\)"),
    ("network-agents", lambda api: not_ready(api, "proxy"), "default/proxy is not Ready"),
    (
        "network-agents",
        set_in(f"{PODS}/proxy", "metadata", "creationTimestamp", value="2026-01-01T00:00:00Z"),
        "default/proxy has started before the Node",
    ),
    ("pod-addresses", set_in(f"{PODS}/agent", "status", "podIPs", value=[{"ip": "10.200.7.5"}]), "default/agent has"),
    ("daemonsets", lambda api: not_ready(api, "agent"), "no Ready pod of DaemonSet default/owner"),
    ("events", waiting_pod, "default/stuck: FailedCreatePodSandBox: no network"),
]


@pytest.mark.parametrize(
    ("name", "change", "words"), CASES, ids=[f"{case[0]}-{index}" for index, case in enumerate(CASES)]
)
def test_each_rule(
    name: str,
    change: Callable[[FakeApi], Any],
    words: str,
    api: FakeApi,
    client: KubeClient,
    fast: FastClock,
    objects: Objects,
) -> None:
    """It is named with its reason, after the wait, and so is every other check."""
    change(api)
    with pytest.raises(VerificationError, match=f"{name}: .*{words}") as caught:
        verification(client, fast).run()
    wrong = {check["check"] for check in caught.value.details()["checks"] if not check["ok"]}
    assert name in wrong and len(wrong) < 5
    assert fast.seconds >= 5


@pytest.mark.parametrize(
    ("address", "subnet", "words"),
    [
        ("10.200.7.1/24", "10.244.3.0/24", "link cni0 has 10.200.7.1/24"),
        ("10.244.3.1/24", "10.200.7.0/24", "10-containerd-net.conflist has 10.200.7.0/24"),
    ],
)
def test_host_that_kept_the_old_range(
    address: str, subnet: str, words: str, client: KubeClient, fast: FastClock, objects: Objects
) -> None:
    """The silent fault of the naive procedure, seen on the host."""
    with pytest.raises(VerificationError, match=f"host-network: .*{words}"):
        verification(client, fast, report=report(address, subnet)).run()


def test_it_waits_for_what_comes_late(api: FakeApi, client: KubeClient, fast: FastClock, objects: Objects) -> None:
    """A device plugin needs a moment."""
    set_in(PATH, "status", "allocatable", value={})(api)
    fast.on_sleep = lambda: set_in(PATH, "status", "allocatable", value={"example.com/gpu": "2"})(api)
    assert verification(client, fast).run()
    assert fast.seconds == 1


def test_events_that_are_over_do_not_count(api: FakeApi, client: KubeClient, fast: FastClock, objects: Objects) -> None:
    """Of a pod that is Ready by now, of a pod that is gone, and of the time before the Node."""
    uid = objects[f"{PODS}/agent"]["metadata"]["uid"]
    api.store.add(EVENTS, event("FailedCreatePodSandBox", "agent", uid))
    api.store.add(EVENTS, event("FailedMount", "gone", "gone"))
    waiting_pod(api)
    objects[f"{EVENTS}/stuck-FailedCreatePodSandBox"]["lastTimestamp"] = "2026-01-31T00:00:00Z"
    assert verification(client, fast).run()


def test_a_workload_may_be_taken_away(api: FakeApi, client: KubeClient, fast: FastClock, objects: Objects) -> None:
    """A DaemonSet that does not exist any more owes nothing."""
    not_ready(api, "agent")
    del objects["/apis/apps/v1/namespaces/default/daemonsets/owner"]
    assert verification(client, fast).run()
