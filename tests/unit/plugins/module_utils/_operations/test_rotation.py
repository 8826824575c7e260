"""The way to another range: which one it is, what is tested beforehand, and what people do."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots import providers, small_clusters
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import NODE_CIDR_RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import parse_networks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import RotationPlan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation import cidr_plan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation_checks import relation
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation_pool import manifest, pool_plan

POOLS = "/apis/networking.x-k8s.io/v1/clustercidrs"
NOW = {"cluster_cidrs": ["10.244.0.0/22"], "service_ranges": ["10.96.0.0/16"]}


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """Two Nodes with blocks, flannel, kube-proxy, and a leader that renews."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        for number, name in enumerate(("w1", "w2")):
            node = providers.node(name, cidr=f"10.244.{number}.0/24", labels={"pool": "a"})
            node["status"]["addresses"] = [{"type": "InternalIP", "address": f"192.168.0.{number + 1}"}]
            api.store.add("/api/v1/nodes", node)
        api.store.add(*providers.daemon_set("kube-flannel-ds"))
        api.store.add(*providers.config_map("kube-flannel-cfg", **{"net-conf.json": '{"Network": "10.244.0.0/22"}'}))
        yield api


def context(api: FakeApi, allocator: dict[str, Any] | None = None) -> tuple[KubeClient, Context]:
    """As the module reads it."""
    client = KubeClient.from_options(api.options)
    state = live.collect(client, live.LiveOptions(resources=(*NODE_CIDR_RESOURCES, "clustercidrs", "ippools")))
    return client, Context(state, AuditSettings(settings_from_options(allocator or NOW)))


def plan(api: FakeApi, *cidrs: str, reserved: str = "", **more: Any) -> RotationPlan:
    """The plan for a cluster CIDR."""
    target = settings_from_options({"cluster_cidrs": list(cidrs), "service_ranges": ["10.96.0.0/16"], **more})
    return cidr_plan(*context(api), target, reserved=parse_networks(reserved), settle_seconds=0)


def failed(made: RotationPlan) -> dict[str, str]:
    """{precondition: why it failed}."""
    return {one.what: one.detail for one in made.checks if one.result == "failed"}


@pytest.mark.parametrize(
    ("cidrs", "mask", "expected"),
    [
        (["10.244.0.0/22"], 24, "unchanged"),
        (["10.244.0.0/16"], 24, "superset"),
        (["10.0.0.0/8"], 24, "superset"),
        (["10.244.0.0/16"], 25, "new-mask"),
        (["10.244.0.0/22"], 25, "new-mask"),
        (["10.250.0.0/16"], 24, "disjoint"),
        (["10.244.2.0/23"], 24, "overlapping"),
        (["fd00::/48"], 24, "new-families"),
        (["10.244.0.0/16", "fd00::/48"], 24, "new-families"),
    ],
)
def test_what_the_target_is_to_the_range_in_force(cidrs: list[str], mask: int, expected: str) -> None:
    """Only a superset with the same mask and families can be rolled out."""
    target = settings_from_options({"cluster_cidrs": cidrs, "node_mask_size_ipv4": mask})
    assert relation(settings_from_options(NOW), target) == expected


@given(st.integers(0, 2**24 - 1), st.integers(8, 22), st.integers(8, 22))
def test_relation_of_any_two_ranges(block: int, old: int, new: int) -> None:
    """By plain arithmetic: it is a superset exactly when every old address is in the new range."""
    ours = ipaddress.ip_network((0, old))
    theirs = ipaddress.ip_network(((block << 8) & ~((1 << (32 - new)) - 1) & 0xFFFFFFFF, new))
    found = relation(
        settings_from_options({"cluster_cidrs": [str(ours)]}), settings_from_options({"cluster_cidrs": [str(theirs)]})
    )
    first, last = int(theirs[0]) <= int(ours[0]), int(theirs[-1]) >= int(ours[-1])
    expected = "unchanged" if ours == theirs else "superset" if first and last else ""
    assert found == (expected or ("overlapping" if ours.overlaps(theirs) else "disjoint"))


def test_superset(cluster: FakeApi) -> None:
    """flannel first, then the flags; no Node is touched, and what will be free is said."""
    made = plan(cluster, "10.244.0.0/20")
    assert (made.method, made.rolling, failed(made), made.nodes) == ("superset", True, {}, [])
    assert "ConfigMap kube-flannel-cfg" in made.steps[0].acts[0] and "10.244.0.0/20" in made.steps[0].acts[0]
    acts = [act for step in made.steps for act in step.acts]
    assert any("--cluster-cidr=10.244.0.0/20 --node-cidr-mask-size=24" in act for act in acts)
    assert made.steps[-1].verify == ["14 blocks are free, 0 of them are taken at once by Nodes that wait"]
    assert not any(step.outage for step in made.steps)
    assert made.unknowns and "no Lease kube-system/kube-controller-manager" in made.unknowns[0]
    text = "\n".join(made.lines())
    assert "Step 1: Let everything" in text and "[passed] No service range is in the new range" in text
    writes = [one for one in cluster.requests if one.method != "GET" and "selfsubject" not in one.path]
    assert writes == []


@pytest.mark.parametrize(
    ("cidr", "reserved", "what", "why"),
    [
        ("10.0.0.0/8", "", "No service range is in the new range", "10.0.0.0/8 and 10.96.0.0/16"),
        ("10.240.0.0/12", "10.250.1.0/24", "No network that you named", "10.240.0.0/12 and 10.250.1.0/24"),
    ],
)
def test_ranges_that_are_in_use(cidr: str, reserved: str, what: str, why: str, cluster: FakeApi) -> None:
    """Found before anything is changed."""
    found = failed(plan(cluster, cidr, reserved=reserved))
    assert [why in detail for one, detail in found.items() if one.startswith(what)] == [True], found


def test_addresses_of_nodes(cluster: FakeApi) -> None:
    """A pod with the address of a host would cut it off."""
    cluster.store.objects["/api/v1/nodes/w2"]["status"]["addresses"][0]["address"] = "10.245.0.7"
    found = failed(plan(cluster, "10.244.0.0/15"))
    assert found == {"No address of a Node is in the new range": "10.245.0.7 of Node w2"}


def test_superset_at_which_it_would_exit(cluster: FakeApi) -> None:
    """A Node that is out of range already is out of range afterwards."""
    cluster.store.add("/api/v1/nodes", providers.node("w3", cidr="10.99.0.0/24"))
    found = failed(plan(cluster, "10.244.0.0/20"))
    assert "it exits at Node w3" in found["kube-controller-manager starts with the new range and the Nodes as they are"]
    inside = plan(cluster, "10.244.0.0/20")
    assert [one["name"] for one in inside.nodes] == ["w3"]


def test_nodes_that_are_out_and_masks_that_cannot_be(cluster: FakeApi) -> None:
    """Every Node Ready; IPv6 ranges of no more than 2^16 blocks."""
    cluster.store.objects["/api/v1/nodes/w1"]["status"]["conditions"] = []
    assert failed(plan(cluster, "10.244.0.0/20"))["Every Node is Ready"] == "not Ready: w1"


def test_disjoint_is_an_outage(cluster: FakeApi) -> None:
    """Why there is no rolling way, every Node in it, outage marked, and the way back."""
    made = plan(cluster, "10.60.0.0/16")
    assert (made.method, made.rolling, failed(made)) == ("disjoint", False, {})
    assert "it exits at the first Node that has a block outside" in made.explanation[0]
    assert "ClusterCIDR" in made.explanation[1]
    assert [one["name"] for one in made.nodes] == ["w1", "w2"]
    outage = [number for number, step in enumerate(made.steps) if step.outage]
    assert outage == list(range(outage[0], outage[-1] + 1)), "the outage is in one piece"
    titles = [step.title for step in made.steps]
    order = [
        "Stop kube-controller-manager",
        "Stop the kubelet",
        "Delete every Node",
        "Create every Node again",
        "Clean every",
    ]
    assert [next(i for i, title in enumerate(titles) if title.startswith(one)) for one in order] == sorted(
        next(i for i, title in enumerate(titles) if title.startswith(one)) for one in order
    )
    assert all(step.verify for step in made.steps if step.outage)


def test_disjoint_where_it_cannot_be_done(cluster: FakeApi) -> None:
    """Too few blocks, a Node that must not be deleted, a missing verb."""
    cluster.store.objects["/api/v1/nodes/w1"]["metadata"]["annotations"] = {"etcd.k3s.cattle.io/node-address": "1"}
    cluster.store.denied = {("delete", "nodes")}
    found = failed(plan(cluster, "10.60.0.0/24"))
    assert (
        "embedded etcd member"
        in found["Every Node object may be deleted without destroying a machine or an etcd member"]
    )
    assert "delete nodes" in found["Our credentials may do what is needed"]
    assert "10.60.0.0/24 (/24 each) has 1 free, 2 are needed" in found["There is a block for every Node"]


@pytest.mark.parametrize(
    ("cidr", "mask", "method", "words"),
    [
        ("10.244.0.0/22", 25, "new-mask", "Another mask cannot be introduced"),
        ("10.244.2.0/23", 24, "overlapping", "as good as disjoint"),
        ("fd00::/48", 24, "new-families", "The families of the cluster CIDR change"),
    ],
)
def test_other_ways_that_are_no_rolling_ones(cidr: str, mask: int, method: str, words: str, cluster: FakeApi) -> None:
    """Each says why."""
    made = plan(cluster, cidr, node_mask_size_ipv4=mask)
    assert (made.method, made.rolling) == (method, False) and words in made.explanation[0]
    if method == "overlapping":
        assert "overlap; choose a range beside it" in failed(made)["The new range is apart from the old one"]


def test_nothing_to_do_and_nothing_known(cluster: FakeApi) -> None:
    """Both say so."""
    assert plan(cluster, "10.244.0.0/22").steps == []
    client = KubeClient.from_options(cluster.options)
    blind = Context(small_clusters.state(nodes=[small_clusters.node("w1", "10.0.0.0/24")]), AuditSettings())
    made = cidr_plan(client, blind, settings_from_options(NOW), settle_seconds=0)
    assert made.method == "unknown" and not made.feasible


# -- ClusterCIDR -------------------------------------------------------------------------------------------------------

OLD = {"metadata": {"name": "old"}, "spec": {"perNodeHostBits": 8, "ipv4": "10.244.0.0/22"}}
OFF = {**NOW, "allocate_node_cidrs": False}


def pool(api: FakeApi, **options: Any) -> RotationPlan:
    """The plan for a new ClusterCIDR."""
    given = {
        "name": "new",
        "ipv4": "10.60.0.0/16",
        "ipv6": None,
        "per_node_host_bits": 8,
        "node_selector": {},
        **options,
    }
    return pool_plan(*context(api, OFF), given, settle_seconds=0)


def test_pool_that_is_preferred(cluster: FakeApi) -> None:
    """Its selector has more requirements than the old one's, so the old one may stay."""
    cluster.store.add(POOLS, OLD)
    made = pool(cluster, node_selector={"pool": "a"})
    assert (made.method, made.rolling, failed(made)) == ("cluster-cidr-pool", True, {})
    assert [one["name"] for one in made.nodes] == ["w1", "w2"]
    assert not any(step.title.startswith("Delete the old pools") for step in made.steps)
    assert made.allocator["cluster_cidrs"] == ["10.60.0.0/16"] and made.allocator["node_mask_size_ipv4"] == 24


def test_pool_that_is_not_preferred(cluster: FakeApi) -> None:
    """The old one has to be deleted first: it stays until its last Node is gone, and serves no new one."""
    selector = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "pool", "operator": "In", "values": ["a"]}]}]}
    cluster.store.add(POOLS, {"metadata": {"name": "old"}, "spec": {**OLD["spec"], "nodeSelector": selector}})
    made = pool(cluster)
    assert any("kubectl delete clustercidr old --wait=false" in act for step in made.steps for act in step.acts)
    assert failed(made) == {}


def test_pools_that_cannot_be(cluster: FakeApi) -> None:
    """Not served, too small, too few bits, the name or the range taken, no Node selected."""
    assert "The API serves ClusterCIDR (networking.x-k8s.io/v1)" in failed(pool(cluster))
    cluster.store.add(POOLS, OLD)
    assert "cannot be changed; choose another name" in str(failed(pool(cluster, name="old")))
    assert "less than 4" in str(failed(pool(cluster, per_node_host_bits=3)))
    assert "10.244.1.0/24 and 10.244.0.0/22 of old" in str(failed(pool(cluster, ipv4="10.244.1.0/24")))
    assert "1 blocks for 2 Nodes" in str(failed(pool(cluster, ipv4="10.60.0.0/24")))
    assert "selects no Node" in str(failed(pool(cluster, node_selector={"pool": "b"})))
    assert "No service range" in str(failed(pool(cluster, ipv4="10.96.0.0/15")))


def test_manifest() -> None:
    """What the API takes."""
    made = manifest(
        {
            "name": "n",
            "ipv4": "10.60.0.0/16",
            "ipv6": "",
            "per_node_host_bits": 8,
            "node_selector": {"b": "2", "a": "1"},
        }
    )
    expressions = made["spec"]["nodeSelector"]["nodeSelectorTerms"][0]["matchExpressions"]
    assert [one["key"] for one in expressions] == ["a", "b"] and "ipv6" not in made["spec"]
