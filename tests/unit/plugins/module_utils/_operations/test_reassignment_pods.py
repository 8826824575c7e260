"""What a plan says about pods that leave a Node: whether they end in time, and whether they start elsewhere meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from snapshots import providers
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import reassignment_pods
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import FilterOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_node import NodePlan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import (
    PlanOptions,
    make_plan,
    read_context,
)

from .conftest import PODS, bound_pod

SETTINGS = AuditSettings(
    allocator=settings_from_options({"cluster_cidrs": ["10.244.0.0/16"], "service_ranges": ["10.96.0.0/16"]})
)
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
HOMELESS = "pods that start nowhere else until the Node is back: default/web ("


def roomy(name: str, cidr: str, cpu: str = "4", pods: str = "110", **labels: str) -> dict[str, Any]:
    """A Node with room."""
    made = providers.node(name, cidr=cidr, labels={"kubernetes.io/hostname": name, **labels})
    made["status"]["allocatable"] = {"cpu": cpu, "memory": "8Gi", "pods": pods}
    return made


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """w1 is out of range, w2 and w3 are well."""
    with FakeApi() as running:
        running.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        running.store.add("/api/v1/nodes", roomy("w1", providers.OUT_OF_RANGE, disk="ssd"))
        for number in (2, 3):
            running.store.add("/api/v1/nodes", roomy(f"w{number}", f"10.244.{number}.0/24"))
        yield running


def plan(api: FakeApi, **given: Any) -> NodePlan:
    """The plan of w1."""
    client = KubeClient.from_options(api.options)
    filters = FilterOptions(ignore_daemonsets=True, delete_emptydir_data=True, force=True)
    drain = DrainOptions(filters=filters, grace_period=given.pop("grace_period", None))
    options = PlanOptions(
        nodes=("w1",), accepted_risks=("controller-manager-unknown", "no-other-node"), drain=drain, **given
    )
    (made,) = make_plan(client, read_context(client, SETTINGS), options).nodes
    return made


def pod(name: str = "web", node_name: str = "w1", cpu: str = "100m", **spec: Any) -> dict[str, Any]:
    """A pod that asks for CPU."""
    made = bound_pod(name, node_name=node_name, app="web")
    made["spec"].update({"containers": [{"resources": {"requests": {"cpu": cpu}}}], **spec})
    made["metadata"]["ownerReferences"][0]["uid"] = f"owner-of-{name}"
    return made


ANTI = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
        ]
    }
}


def test_ordinary_pod(api: FakeApi) -> None:
    """It starts elsewhere, and nothing is said."""
    api.store.add(PODS, pod())
    assert plan(api, drain_timeout=300).warnings == []


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, "nodeSelector or node affinity (2 Nodes))"),
        ({"cpu": "5"}, "not enough cpu (2 Nodes))"),
        ({"affinity": ANTI}, "anti-affinity (2 Nodes))"),
    ],
)
def test_pod_that_starts_nowhere_else(spec: dict[str, Any], why: str, api: FakeApi) -> None:
    """A warning of its Node with the reason; it is no refusal, since it starts when the Node is back."""
    api.store.add(PODS, pod(**spec))
    if "affinity" in spec:
        for name in ("w2", "w3"):
            api.store.add(PODS, pod(f"web-{name}", name))
    made = plan(api)
    assert made.refusals == [] and made.warnings == [HOMELESS + why]


def test_pods_that_fit_alone_and_not_together(api: FakeApi) -> None:
    """What is taken on the other Nodes counts, and so does what the others of this Node take."""
    for number in range(3):
        api.store.add(PODS, pod(f"big-{number}", cpu="3"))
    assert "(not enough cpu (2 Nodes))" in plan(api).warnings[0]
    del api.store.objects[f"{PODS}/big-2"]
    assert plan(api).warnings == []
    api.store.add(PODS, pod("there", "w3", cpu="2"))
    assert "(not enough cpu (2 Nodes))" in plan(api).warnings[0]


def test_nodes_that_take_no_pods(api: FakeApi) -> None:
    """Cordoned, not Ready, without podCIDR: where Node.spec decides such a Node has no addresses."""
    api.store.add(PODS, pod(nodeSelector={"kubernetes.io/hostname": "w3"}))
    assert plan(api).warnings == []
    api.store.objects["/api/v1/nodes/w3"]["spec"] = {}
    assert plan(api).warnings == [HOMELESS + "nodeSelector or node affinity (1 Nodes))"]


def local_volume(api: FakeApi) -> None:
    """A claim that is bound to a volume on w1."""
    api.store.add(CLAIMS, {"metadata": {"name": "data"}, "spec": {"volumeName": "disk-1"}})
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["w1"]}]}
    affinity = {"required": {"nodeSelectorTerms": [term]}}
    api.store.add("/api/v1/persistentvolumes", {"metadata": {"name": "disk-1"}, "spec": {"nodeAffinity": affinity}})
    api.store.add(PODS, pod(volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]))


def test_pod_with_a_local_volume(api: FakeApi) -> None:
    """It waits for its data."""
    local_volume(api)
    assert plan(api).warnings == [HOMELESS + "volume disk-1 is bound to other Nodes (2 Nodes))"]


def test_volume_that_may_not_be_read(api: FakeApi) -> None:
    """Unknown is not elsewhere."""
    local_volume(api)
    forbidden = status_body(403, "Forbidden", "no")
    api.faults.append(Fault("GET", "/persistentvolumes/", 403, forbidden))
    assert plan(api).warnings == ["whether volumes keep these pods on this Node could not be read: default/web"]


def test_what_only_the_scheduler_knows(api: FakeApi) -> None:
    """Topology spread and the like."""
    api.store.add(PODS, pod(topologySpreadConstraints=[{"whenUnsatisfiable": "DoNotSchedule"}]))
    (warning,) = plan(api).warnings
    assert "only known to the scheduler: default/web (topologySpreadConstraints)" in warning


def test_pods_that_nobody_starts_again(api: FakeApi) -> None:
    """They are lost, which is said of them already."""
    lone = pod(nodeSelector={"disk": "ssd"})
    lone["metadata"]["ownerReferences"] = []
    api.store.add(PODS, lone)
    made = plan(api)
    assert made.warnings == [] and "pods that nobody starts again: default/web" in made.loses


def test_many_nodes(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with most room are filled; for what finds none there each further one is tried, once for pods that are alike."""
    monkeypatch.setattr(reassignment_pods, "_ROOMS", 3)
    for number in range(4, 24):
        api.store.add("/api/v1/nodes", roomy(f"w{number}", f"10.244.{number}.0/24", cpu="3"))
    api.store.objects["/api/v1/nodes/w17"]["metadata"]["labels"]["disk"] = "nvme"
    api.store.add(PODS, pod("far", nodeSelector={"disk": "nvme"}))
    assert plan(api).warnings == []
    api.store.add(PODS, pod(nodeSelector={"disk": "ssd"}))
    assert plan(api).warnings == [HOMELESS + "nodeSelector or node affinity (2 Nodes); no further Node fits either)"]


def test_cluster_is_read_once_and_only_for_the_plan(api: FakeApi) -> None:
    """Before each Node of a run it is planned again, and nobody reads warnings then."""
    api.store.add(PODS, pod())
    plan(api)
    whole = [one for one in api.requests if one.path == "/api/v1/pods" and "fieldSelector" not in one.params]
    plan(api, run_nodes=("w1",))
    again = [one for one in api.requests if one.path == "/api/v1/pods" and "fieldSelector" not in one.params]
    assert len(again) - len(whole) == len(whole) - 1, "the picture of the cluster alone"


# -- whether they end in time ------------------------------------------------------------------------------------------


def test_pod_that_may_take_longer_than_the_drain(api: FakeApi) -> None:
    """It may end earlier, so it is a warning with the remedy."""
    api.store.add(PODS, pod(terminationGracePeriodSeconds=900))
    made = plan(api, drain_timeout=600)
    assert made.refusals == []
    (warning,) = made.warnings
    assert warning.startswith(
        "the drain gives up after 600 s, and these pods may take longer to end: default/web (900 s)"
    )
    assert "reassign_pod_cidrs_drain_timeout" in warning
    assert plan(api, drain_timeout=900).warnings == []
    assert plan(api, drain_timeout=600, grace_period=30).warnings == []
    assert plan(api).warnings == [], "the time of the drain is not known"


def sleeping(seconds: int, grace: int) -> dict[str, Any]:
    """A pod with a preStop hook that sleeps."""
    made = pod(terminationGracePeriodSeconds=grace)
    made["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": seconds}}}
    return made


def test_pod_that_cannot_have_ended(api: FakeApi) -> None:
    """Refused, with the remedy: the drain could only fail."""
    api.store.add(PODS, sleeping(700, 900))
    made = plan(api, drain_timeout=600)
    (refused,) = made.refusals
    assert refused.startswith("Node w1: default/web (700 s) cannot have ended when the drain gives up after 600 s")
    assert "reassign_pod_cidrs_drain_timeout" in refused and made.warnings == []
    assert plan(api, drain_timeout=701).refusals == []
    assert plan(api, drain_timeout=600, grace_period=60).refusals == [], "its hook is cut off then"


def test_pod_with_a_finalizer(api: FakeApi) -> None:
    """That of Jobs is taken away by the controller of Jobs."""
    held = pod()
    held["metadata"]["finalizers"] = ["example.com/hold", "batch.kubernetes.io/job-tracking"]
    api.store.add(PODS, held)
    (warning,) = plan(api).warnings
    assert warning.endswith("has taken these away: default/web (example.com/hold)")
    api.store.objects[f"{PODS}/web"]["metadata"]["finalizers"] = ["batch.kubernetes.io/job-tracking"]
    assert plan(api).warnings == []
