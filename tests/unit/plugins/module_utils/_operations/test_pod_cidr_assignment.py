"""podCIDRs of our choice, where nobody allocates."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots import providers
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_cidr_assignment import (
    PodCidrAssignment,
    choose,
    first_free,
    objections,
    validated,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context

from .conftest import PODS, bound_pod

OFF = {"cluster_cidrs": ["10.244.0.0/21"], "allocate_node_cidrs": False, "service_ranges": ["10.244.0.0/24"]}


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """flannel without an allocator: the first block is of services, the second of w1; w2 has none."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        api.store.add(*providers.daemon_set("kube-flannel-ds"))
        api.store.add("/api/v1/nodes", providers.node("w1", cidr="10.244.1.0/24"))
        api.store.add("/api/v1/nodes", providers.node("w2", cidr=""))
        yield api


def context(api: FakeApi, **changes: Any) -> Context:
    """The cluster as it is."""
    return read_context(KubeClient.from_options(api.options), AuditSettings(settings_from_options({**OFF, **changes})))


def test_first_free_block(cluster: FakeApi) -> None:
    """Of no service range, of no Node."""
    choice = choose(context(cluster), "w2")
    assert (choice.pod_cidrs, choice.left) == (["10.244.2.0/24"], {"IPv4": 5})


def test_addresses_in_use_take_their_blocks(cluster: FakeApi) -> None:
    """A pod that still runs with an address of a deleted Node, and the address of a host."""
    pod = bound_pod("web", node_name="w1")
    pod["status"]["podIPs"] = [{"ip": "10.244.2.9"}]
    cluster.store.add(PODS, pod)
    host = [{"type": "InternalIP", "address": "10.244.3.1"}]
    cluster.store.objects["/api/v1/nodes/w1"]["status"]["addresses"] = host
    assert choose(context(cluster), "w2").pod_cidrs == ["10.244.4.0/24"]


def test_both_families(cluster: FakeApi) -> None:
    """In the order of the cluster."""
    choice = choose(context(cluster, cluster_cidrs=["fd00::/48", "10.244.0.0/21"]), "w2")
    assert choice.pod_cidrs == ["fd00::/64", "10.244.2.0/24"]


def test_no_block_is_left(cluster: FakeApi) -> None:
    """One sentence."""
    with pytest.raises(RefusedError, match=r"No block of 10\.244\.0\.0/23 .* is free for Node w2: all 2 are used"):
        choose(context(cluster, cluster_cidrs=["10.244.0.0/23"]), "w2")


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (["10.244.1.0/24"], "overlaps 10.244.1.0/24 of Node w1"),
        (["10.99.0.0/24"], "is outside the cluster CIDR"),
        (["10.244.2.0/25"], "has the mask /25"),
        (["fd00::/64"], "its families are IPv6"),
        (["10.244.0.0/24"], "overlaps the service range"),
        (["nonsense"], "'nonsense' is not a CIDR"),
    ],
)
def test_blocks_that_a_user_names(wanted: list[str], why: str, cluster: FakeApi) -> None:
    """Validated before anything is written: the API takes only the first value."""
    with pytest.raises(RefusedError, match="cannot be given to Node w2") as raised:
        validated(context(cluster), "w2", wanted)
    assert why in str(raised.value)
    assert validated(context(cluster), "w2", ["10.244.7.0/24"]).pod_cidrs == ["10.244.7.0/24"]


def codes(made: Context) -> list[str]:
    """Codes of the objections."""
    return [one.code for one in objections(made)]


def test_where_it_is_not_for_us(cluster: FakeApi) -> None:
    """An allocator runs, pods do not use Node.spec, or nobody knows."""
    assert codes(context(cluster)) == []
    assert codes(context(cluster, allocate_node_cidrs=True)) == ["allocator-on"]
    flags = ["kube-controller-manager", "--allocate-node-cidrs=true", "--cluster-cidr=10.244.0.0/21"]
    container = {"name": "kube-controller-manager", "command": flags}
    pod = {
        "metadata": {"name": "kube-controller-manager-cp1", "labels": {"component": "kube-controller-manager"}},
        "spec": {"nodeName": "cp1", "containers": [container]},
        "status": {"phase": "Running"},
    }
    cluster.store.add("/api/v1/namespaces/kube-system/pods", pod)
    assert codes(context(cluster)) == ["allocator-on"], "what is shown counts more than what is stated"
    del cluster.store.objects["/api/v1/namespaces/kube-system/pods/kube-controller-manager-cp1"]
    del cluster.store.objects[f"{providers.DAEMON_SETS}/kube-flannel-ds"]
    assert codes(context(cluster)) == ["ipam-model-unknown"]
    for path, obj in providers.cilium("cluster-pool"):
        cluster.store.add(path, obj)
    assert codes(context(cluster)) == ["ipam-model"]


def assign(api: FakeApi, *wanted: str) -> dict[str, Any]:
    """Write them to w2."""
    client = KubeClient.from_options(api.options)
    uid = api.store.objects["/api/v1/nodes/w2"]["metadata"]["uid"]
    with PodCidrAssignment(client, "kube-system") as assignment:
        return assignment.assign("w2", uid, list(wanted), settings_from_options(OFF))


def test_written_once_and_under_a_lock(cluster: FakeApi) -> None:
    """With uid and resourceVersion; a conflict is tried again, somebody else's podCIDRs are kept."""
    conflict = status_body(409, "Conflict", "modified")
    cluster.faults.append(Fault("PATCH", "/api/v1/nodes/w2$", 409, conflict))
    assert assign(cluster, "10.244.2.0/24")["spec"]["podCIDRs"] == ["10.244.2.0/24"]
    patch = next(one for one in cluster.requests if one.method == "PATCH" and one.path == "/api/v1/nodes/w2")
    assert set(patch.body["metadata"]) == {"uid", "resourceVersion"}
    lease = cluster.store.objects[
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-node-pod-cidr"
    ]
    assert lease["spec"]["holderIdentity"] == ""
    with pytest.raises(RefusedError, match=r"got podCIDRs 10\.244\.2\.0/24 from somebody else"):
        assign(cluster, "10.244.3.0/24")


def test_somebody_took_them_at_the_same_time(cluster: FakeApi) -> None:
    """It cannot be undone, so it is said loudly."""
    with pytest.raises(RefusedError, match="somebody else took them at the same time"):
        assign(cluster, "10.244.1.0/24")


@given(st.sets(st.integers(0, 63), max_size=64))
def test_first_free_is_free_and_the_first(taken: set[int]) -> None:
    """Against a plain search."""
    pool = BlockPool(ipaddress.ip_network("10.0.0.0/18"), 24)
    found = first_free(pool, [pool.block(index) for index in taken])
    expected = next((index for index in range(64) if index not in taken), None)
    assert found == (None if expected is None else pool.block(expected))
