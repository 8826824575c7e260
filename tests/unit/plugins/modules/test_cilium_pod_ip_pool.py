"""Growth of pools as Ansible runs it, over a small API: obstacles of every kind, nothing written where one stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from unit.fake_api import FakeApi
from unit.fake_api.server import Request

from ansible_collections.podnet.upkeep.plugins.modules import cilium_config, cilium_pod_ip_pool

from .test_cilium_config import APPS, CONFIG, IMAGE, NS, run

POOLS = "/apis/cilium.io/v2alpha1/ciliumpodippools"
NODES = "/apis/cilium.io/v2/ciliumnodes"
KEY = "cluster-pool-ipv4-cidr"


def container(*words: str) -> dict[str, Any]:
    """A pod's spec with one container of this command line."""
    return {"spec": {"containers": [{"name": "main", "command": list(words)}]}}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A cluster with one neighbour of every kind for a new range."""
    with FakeApi() as running:
        add = running.store.add
        template = {"spec": {"containers": [{"image": IMAGE}]}}
        add(f"{APPS}/daemonsets", {"metadata": {"name": "cilium"}, "spec": {"template": template}})
        data = {"ipam": "cluster-pool", KEY: "10.60.0.0/22 ", "cluster-pool-ipv4-mask-size": "24"}
        data["ipv4-native-routing-cidr"] = "10.0.0.0/8"
        data["enable-ipv6"] = "false"
        fields = [{"manager": "helm", "time": "2026-11-01T06:00:00Z", "fieldsV1": {}}]
        add(f"{NS}/configmaps", {"metadata": {"name": "cilium-config", "managedFields": fields}, "data": data})
        addresses = [{"type": "InternalIP", "address": "10.70.0.7"}]
        add(
            "/api/v1/nodes",
            {"metadata": {"name": "w1"}, "spec": {"podCIDRs": ["10.121.0.0/24"]}, "status": {"addresses": addresses}},
        )
        add(NODES, {"metadata": {"name": "w1"}, "spec": {"ipam": {"podCIDRs": ["10.60.0.0/24"]}}})
        add(NODES, {"metadata": {"name": "w2"}, "spec": {"ipam": {"podCIDRs": ["10.71.0.0/24"]}}})
        component = {"labels": {"component": "kube-controller-manager"}}
        flags = ("kube-controller-manager", "--allocate-node-cidrs", "--cluster-cidr=10.121.0.0/16")
        add(f"{NS}/pods", {"metadata": {"name": "kcm", **component}, **container(*flags)})
        component = {"labels": {"component": "kube-apiserver"}}
        flags = ("kube-apiserver", "--service-cluster-ip-range=10.96.0.0/16")
        add(f"{NS}/pods", {"metadata": {"name": "api", **component}, **container(*flags)})
        cidrs = {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.97.0.0/16"]}}
        add("/apis/networking.k8s.io/v1/servicecidrs", cidrs)
        service = {"metadata": {"name": "lb"}, "spec": {"clusterIPs": ["10.96.0.9", "None"]}}
        service["status"] = {"loadBalancer": {"ingress": [{"ip": "10.72.0.1"}]}}
        add("/api/v1/namespaces/default/services", service)
        blocks = [{"start": "10.73.0.200", "stop": "10.73.1.3"}, {"cidr": "10.74.0.0/24"}]
        pools = "/apis/cilium.io/v2/ciliumloadbalancerippools"
        add(pools, {"metadata": {"name": "lbs"}, "spec": {"blocks": blocks}})
        endpoints = {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}}
        add(
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            {"metadata": endpoints, "endpoints": [{"addresses": ["10.75.0.1"]}]},
        )
        add(POOLS, {"metadata": {"name": "default"}, "spec": {"ipv4": {"cidrs": ["10.60.0.0/22"], "maskSize": 24}}})
        add(POOLS, {"metadata": {"name": "more"}, "spec": {"ipv4": {"cidrs": ["10.76.0.0/22"], "maskSize": 24}}})
        yield running


OVERLAPS = [
    ("10.70.0.0/22", "10.70.0.7, the address of Node w1", ""),
    ("10.96.0.0/20", "the service range 10.96.0.0/16 (kube-apiserver)", ""),
    ("10.97.4.0/22", "the service range 10.97.0.0/16 (ServiceCIDR more)", ""),
    ("10.72.0.0/22", "10.72.0.1 of Service default/lb", ""),
    ("10.73.0.0/24", "10.73.0.200/29 of CiliumLoadBalancerIPPool lbs", ""),
    ("10.74.0.0/24", "10.74.0.0/24 of CiliumLoadBalancerIPPool lbs", ""),
    ("10.75.0.0/22", "10.75.0.1, the address of an API server", ""),
    ("10.121.4.0/22", "the cluster CIDR 10.121.0.0/16 of kube-controller-manager", "in-tree-cluster-cidr"),
    ("172.20.0.0/22", "outside of ipv4-native-routing-cidr (10.0.0.0/8)", "native-routing-cidr"),
]


def test_the_cluster_pool_grows(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there stays as it is written; nothing changes the second time; and it comes back as it was."""
    looked = run(cilium_config, api, capsys, add_pool_cidrs=["10.61.0.0/22"], _ansible_check_mode=True)
    done = run(cilium_config, api, capsys, add_pool_cidrs=["10.61.0.0/22"])
    assert looked["changed"] and done["changed"] and looked["diff"] == done["diff"], done
    assert api.store.objects[CONFIG]["data"][KEY] == "10.60.0.0/22 10.61.0.0/22"
    assert done["components"] == ["operator"]
    assert done["helm_values"] == {
        "ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["10.60.0.0/22", "10.61.0.0/22"]}}
    }
    (grown,) = done["pool_growth"]
    numbers = [grown[key] for key in ("capacity", "capacity_after", "blocks_added", "free", "taken_over")]
    assert numbers == [4, 8, 4, 3, []] and grown["added"] == ["10.61.0.0/22"]
    again = run(cilium_config, api, capsys, add_pool_cidrs=["10.61.0.0/22"])
    assert not again["changed"] and again["components"] == ["operator"] and again["pool_growth"][0]["added"] == []

    # back only while no Node has a block of it
    api.store.objects[f"{NODES}/w2"]["spec"]["ipam"]["podCIDRs"] = ["10.61.1.0/24"]
    refused = run(cilium_config, api, capsys, state="restored")
    assert refused["failed"] and "10.61.0.0/22 out of the pool, of which w2 have blocks" in refused["msg"]
    api.store.objects[f"{NODES}/w2"]["spec"]["ipam"]["podCIDRs"] = []
    assert run(cilium_config, api, capsys, state="restored")["changed"]
    assert api.store.objects[CONFIG]["data"][KEY] == "10.60.0.0/22 "


@pytest.mark.parametrize(("cidr", "words", "risk"), OVERLAPS)
def test_neighbours(cidr: str, words: str, risk: str, api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Of both kinds of pools: refused with the neighbour's name, and written only where that can be accepted."""
    data = api.store.objects[CONFIG]["data"]
    for module, option in ((cilium_config, "add_pool_cidrs"), (cilium_pod_ip_pool, "add_cidrs")):
        data["ipam"] = "cluster-pool" if module is cilium_config else "multi-pool"
        answer = run(module, api, capsys, **{option: [cidr]})
        assert answer["failed"] and words in answer["msg"] and len(answer["refusals"]) == 1, answer
        assert (f"[{risk}]" in answer["msg"]) if risk else ("accepted_risks" not in answer["msg"])
        assert api.count("PATCH") == 0
    data["ipam"] = "cluster-pool"
    taken = run(cilium_config, api, capsys, add_pool_cidrs=[cidr], accepted_risks=[risk or "address-pool"])
    assert taken.get("changed", False) is bool(risk)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"add_pool_cidrs": ["fd00::/104"]}, "enable-ipv6 is off: the operator would not start"),
        ({"add_pool_cidrs": ["10.60.1.0/24"]}, "overlaps 10.60.0.0/22, which the pool has already"),
        ({"add_pool_cidrs": ["10.61.0.0/25"]}, "is smaller than one block of /24"),
        ({"add_pool_cidrs": ["10.60.0.0/16"]}, "overlaps 10.60.0.0/22"),
        ({"values": {KEY: "10.61.0.0/22"}, "accepted_risks": ["address-pool"]}, "of which w1 have blocks"),
        ({"values": {KEY: "10.60.0.0/22 10.61.0.0/22"}}, "append ranges with add_pool_cidrs"),
    ],
)
def test_the_cluster_pool_refuses(
    options: dict[str, Any], words: str, api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """What no name overrides."""
    answer = run(cilium_config, api, capsys, **options)
    assert answer["failed"] and words in answer["msg"] and api.count("PATCH") == 0, answer


def test_other_modes(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no such pool, the sentence names the way."""
    api.store.objects[CONFIG]["data"]["ipam"] = "multi-pool"
    answer = run(cilium_config, api, capsys, add_pool_cidrs=["10.61.0.0/22"])
    assert answer["failed"] and "enlarged by podnet.upkeep.cilium_pod_ip_pool" in answer["msg"]
    api.store.objects[CONFIG]["data"]["ipam"] = "kubernetes"
    answer = run(cilium_config, api, capsys, add_pool_cidrs=["10.61.0.0/22"])
    assert answer["failed"] and "given out by kube-controller-manager" in answer["msg"]
    answer = run(cilium_pod_ip_pool, api, capsys, add_cidrs=["10.61.0.0/22"])
    assert answer["failed"] and "the key ipam of cilium-config is kubernetes" in answer["msg"]


def test_a_pod_ip_pool_grows(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Only its lists change; the second time nothing does."""
    data = api.store.objects[CONFIG]["data"]
    data.update({"ipam": "multi-pool", "auto-create-cilium-pod-ip-pools": "default=ipv4-cidrs:10.60.0.0/22"})
    answer = run(cilium_pod_ip_pool, api, capsys, add_cidrs=["10.61.0.0/22"], _ansible_check_mode=True)
    assert answer["changed"] and "+" not in answer["diff"]["before"]
    answer = run(cilium_pod_ip_pool, api, capsys, add_cidrs=["10.61.0.0/22"])
    assert set(yaml.safe_load(cilium_pod_ip_pool.RETURN)) - {"refusals"} <= set(answer), answer
    lists = {"before": ["10.60.0.0/22"], "after": ["10.60.0.0/22", "10.61.0.0/22"]}
    assert answer["change"] == {"ipv4": lists} and answer["made_by_operator"]
    spec = api.store.objects[f"{POOLS}/default"]["spec"]
    assert spec == {"ipv4": {"cidrs": ["10.60.0.0/22", "10.61.0.0/22"], "maskSize": 24}}
    assert answer["diff"]["after"] == "ipv4: 10.60.0.0/22\nipv4: 10.61.0.0/22\n"
    assert not run(cilium_pod_ip_pool, api, capsys, add_cidrs=["10.61.0.0/22"])["changed"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"add_cidrs": []}, "there is nothing to append"),
        ({"add_cidrs": ["banana"]}, "add_cidrs: 'banana' is not a CIDR"),
        ({"add_cidrs": ["10.61.0.0/22"], "name": "gone"}, "there is no CiliumPodIPPool gone"),
        ({"add_cidrs": ["10.76.0.0/24"]}, "10.76.0.0/22 of CiliumPodIPPool more"),
        ({"add_cidrs": ["10.60.0.0/24"]}, "overlaps 10.60.0.0/22, which the pool has already"),
        ({"add_cidrs": ["fd00::/104"]}, "enable-ipv6 is off"),
    ],
)
def test_a_pod_ip_pool_refuses(
    options: dict[str, Any], words: str, api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and nothing is written."""
    api.store.objects[CONFIG]["data"]["ipam"] = "multi-pool"
    answer = run(cilium_pod_ip_pool, api, capsys, **options)
    assert answer["failed"] and words in answer["msg"] and api.count("PATCH") == 0, answer


def test_a_family_that_the_pool_does_not_have(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """It has no mask size that Nodes know."""
    api.store.objects[CONFIG]["data"].update({"ipam": "multi-pool", "enable-ipv6": "true"})
    answer = run(cilium_pod_ip_pool, api, capsys, add_cidrs=["fd00::/104"])
    assert answer["failed"] and "the pool has no part for IPv6" in answer["msg"]


def test_somebody_else_changes_the_pool_meanwhile(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Between our look and our write: nothing of theirs is lost."""
    api.store.objects[CONFIG]["data"]["ipam"] = "multi-pool"
    pool = api.store.objects[f"{POOLS}/default"]

    def edit(request: Request) -> None:
        if request.method == "PATCH":
            pool["spec"]["ipv4"]["cidrs"].append("10.78.0.0/22")
            pool["metadata"]["resourceVersion"] = "later"

    api.before_request = edit
    answer = run(cilium_pod_ip_pool, api, capsys, add_cidrs=["10.61.0.0/22"])
    assert answer["failed"] and "Somebody else changed CiliumPodIPPool default meanwhile" in answer["msg"]
    assert pool["spec"]["ipv4"]["cidrs"] == ["10.60.0.0/22", "10.78.0.0/22"]
