"""Checks of IPAM models other than Node.spec, the notes on Nodes, and the page "our IPAM model"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshots.model_clusters import (
    agent_pod,
    block_affinity,
    cluster_cidr,
    daemon_set,
    ip_pool,
    model_context,
    network_pod,
    node_of,
    term,
)

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import catalogue_ipam_models, ipam_models
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

FLANNEL, AWS = [daemon_set("kube-flannel-ds")], [daemon_set("aws-node")]
AZURE, OVN = [daemon_set("azure-cns")], [daemon_set("ovnkube-node")]
CALICO, KUBE_ROUTER = [daemon_set("calico-node")], [daemon_set("kube-router")]
RANGE = {"cluster_cidrs": ["10.0.0.0/16"]}
POOL_A = cluster_cidr("a", 8, term(("pool", "In", ["a"])), ipv4="10.0.0.0/23")
ANY = cluster_cidr("any", ipv4="10.9.0.0/16")
M5 = {"node.kubernetes.io/instance-type": "m5.large"}
OVN_KEY = "k8s.ovn.org/node-subnets"


def found(context: Context) -> list[Finding]:
    """Findings of this subject."""
    return list(ipam_models.check(context))


def ids(context: Context) -> set[str]:
    """Their ids."""
    return {one.id for one in found(context)}


def only(context: Context, identifier: str) -> Finding:
    """The only finding with this id."""
    (one,) = [one for one in found(context) if one.id == identifier]
    return one


def pods_on(node: str, count: int) -> list[Any]:
    """This many pods of the pod network on a Node."""
    return [network_pod(f"{node}-{index}", node, f"10.7.{index // 250}.{index % 250}") for index in range(count)]


def azure_config(name: str, outcome: str = "", status: str = "Updated", containers: int = 1) -> Any:
    """A NodeNetworkConfig."""
    container = {"subnetName": "pods", "type": "vnet", **({"status": outcome} if outcome else {})}
    return {
        "metadata": {"name": name, "namespace": "kube-system"},
        "status": {"status": status, "networkContainers": [container] * containers},
    }


# one cluster for each finding of the catalogue of this subject
PROVOKED: dict[str, dict[str, Any]] = {
    "ipam-models-mixed": {
        "daemonsets": AWS,
        "nodes": [node_of("a"), node_of("f", labels={"eks.amazonaws.com/compute-type": "fargate"})],
    },
    "cni-agent-missing": {
        "daemonsets": AWS,
        "nodes": [node_of("a"), node_of("b")],
        "pods": [agent_pod("aws-node", "a"), agent_pod("aws-node", "b", waiting="CrashLoopBackOff")],
    },
    "cluster-cidr-two-allocators": {"allocator": RANGE, "daemonsets": FLANNEL, "clustercidrs": [ANY]},
    "cluster-cidr-invalid": {"daemonsets": FLANNEL, "clustercidrs": [cluster_cidr("x", 64, ipv6="fd00::/40")]},
    "cluster-cidr-selector-terms": {
        "daemonsets": FLANNEL,
        "clustercidrs": [
            cluster_cidr("x", 8, term(("a", "Exists", [])), term(("b", "Exists", [])), ipv4="10.0.0.0/16")
        ],
    },
    "cluster-cidr-exhausted": {
        "daemonsets": FLANNEL,
        "clustercidrs": [POOL_A],
        "nodes": [node_of("a", "10.0.0.0/24", labels={"pool": "a"}), node_of("b", "10.0.1.0/24", labels={"pool": "a"})],
    },
    "cluster-cidr-overlap": {
        "daemonsets": FLANNEL,
        "clustercidrs": [ANY],
        "clustercidrs_in_tree": [cluster_cidr("old", ipv4="10.9.1.0/24")],
    },
    "node-without-cluster-cidr": {"daemonsets": FLANNEL, "clustercidrs": [POOL_A], "nodes": [node_of("a")]},
    "cluster-cidr-not-recorded": {
        "daemonsets": FLANNEL,
        "clustercidrs": [POOL_A, ANY],
        "nodes": [node_of("a", "10.0.0.0/24")],
    },
    "calico-pool-low": {
        "daemonsets": CALICO,
        "ippools": [ip_pool("p", "10.0.0.0/26")],
        "blockaffinities": [block_affinity("a", "10.0.0.0/26")],
        "nodes": [node_of("a")],
    },
    "calico-pool-overlap": {
        "daemonsets": CALICO,
        "ippools": [ip_pool("p", "10.0.0.0/16"), ip_pool("q", "10.0.128.0/24")],
    },
    "calico-block-stale": {
        "daemonsets": CALICO,
        "ippools": [ip_pool("p", "10.0.0.0/16")],
        "blockaffinities": [block_affinity("gone", "10.0.0.0/26")],
    },
    "calico-block-outside-pools": {
        "daemonsets": CALICO,
        "ippools": [ip_pool("p", "10.0.0.0/16")],
        "blockaffinities": [block_affinity("a", "10.1.0.0/26")],
        "nodes": [node_of("a")],
    },
    "aws-max-pods-above-addresses": {"daemonsets": AWS, "nodes": [node_of("a", labels=M5, max_pods=110)]},
    "aws-addresses-used-up": {
        "daemonsets": AWS,
        "nodes": [node_of("a", labels=M5, max_pods=29)],
        "pods": pods_on("a", 27),
    },
    "aws-instance-type-unknown": {
        "daemonsets": AWS,
        "nodes": [node_of("a", labels={"node.kubernetes.io/instance-type": "q1.huge"})],
    },
    "aws-cninode-missing": {
        "daemonsets": AWS,
        "nodes": [node_of("a"), node_of("b")],
        "cninodes": [{"metadata": {"name": "a"}, "spec": {}}],
    },
    "azure-subnet-full": {
        "daemonsets": AZURE,
        "nodes": [node_of("a")],
        "nodenetworkconfigs": [azure_config("a", "NCUpdateSubnetFullError")],
    },
    "azure-network-config-failed": {
        "daemonsets": AZURE,
        "nodes": [node_of("a"), node_of("b")],
        "nodenetworkconfigs": [azure_config("a")],
    },
    "gke-range-small": {
        "daemonsets": [daemon_set("netd")],
        "nodes": [node_of("a", "10.0.0.0/25", max_pods=110)],
    },
    "ovn-subnet-missing": {"daemonsets": OVN, "nodes": [node_of("a")]},
    "ovn-subnet-overlap": {
        "daemonsets": OVN,
        "nodes": [node_of(name, annotations={OVN_KEY: '{"default": ["10.128.0.0/23"]}'}) for name in "ab"],
    },
    "kube-router-annotation-differs": {
        "daemonsets": KUBE_ROUTER,
        "nodes": [node_of("a", "10.0.0.0/24", annotations={"kube-router.io/pod-cidr": "10.5.0.0/24"})],
    },
}


def test_every_finding_of_the_subject_is_provoked() -> None:
    """None is forgotten, none is made up."""
    assert set(PROVOKED) == {kind.id for kind in catalogue_ipam_models.KINDS}


@pytest.mark.parametrize("identifier", PROVOKED)
def test_a_finding_is_found_with_facts(identifier: str) -> None:
    """And its sentence and evidence are there."""
    matching = [one for one in found(model_context(**PROVOKED[identifier])) if one.id == identifier]
    assert matching and all(one.summary and one.evidence for one in matching)


@pytest.mark.parametrize(
    "resources",
    [
        {"daemonsets": FLANNEL, "nodes": [node_of("a", "10.0.0.0/24")]},
        {"daemonsets": AWS, "nodes": [node_of("a", labels=M5, max_pods=29)], "pods": [agent_pod("aws-node", "a")]},
        {
            "daemonsets": FLANNEL,
            "clustercidrs": [POOL_A, ANY],
            "nodes": [node_of("a", "10.0.0.0/24", labels={"pool": "a"}), node_of("b", "10.9.0.0/24"), node_of("c")],
        },
        {
            "daemonsets": CALICO,
            "ippools": [ip_pool("p", "10.0.0.0/16")],
            "blockaffinities": [
                block_affinity("a", "10.0.0.0/26"),
                block_affinity("gone", "10.0.1.0/26", deleted="true"),
            ],
            "nodes": [node_of("a")],
        },
        {"daemonsets": AZURE, "nodes": [node_of("a")], "nodenetworkconfigs": [azure_config("a", "NCUpdateSuccess")]},
        {
            "daemonsets": CALICO,
            "nodes": [node_of("a"), node_of("w", labels={"kubernetes.io/os": "windows"})],
            "pods": [agent_pod("calico-node", "a")],
        },
        {"daemonsets": AZURE, "nodes": [node_of("a")]},  # node subnet mode has no such objects
        {"daemonsets": OVN, "nodes": [node_of("a", annotations={OVN_KEY: '{"default": "10.128.0.0/23"}'})]},
        {"daemonsets": [daemon_set("netd")], "nodes": [node_of("a", "10.0.0.0/24", max_pods=110)]},
        {
            "daemonsets": KUBE_ROUTER,
            "nodes": [node_of("a", "10.0.0.0/24", "fd00::/64", annotations={"kube-router.io/pod-cidr": "10.0.0.0/24"})],
        },
    ],
)
def test_a_sound_cluster_has_no_findings(resources: dict[str, Sequence[Any]]) -> None:
    """Each model as it should be."""
    assert ids(model_context(**resources)) == set()


@pytest.mark.parametrize(
    ("cni_node", "used", "max_pods", "expected"),
    [
        # m5.large: 3 interfaces of 10 addresses: 27 for pods, 18 with custom networking
        ("", 0, 29, set()),
        ("", 0, 30, {"aws-max-pods-above-addresses"}),
        ("", 26, 29, set()),
        ("", 27, 29, {"aws-addresses-used-up"}),
        ("", 28, 110, set()),  # more pods than addresses: prefix delegation is on
        ("CustomNetworking", 0, 20, set()),
        ("CustomNetworking", 0, 29, {"aws-max-pods-above-addresses"}),
        ("CustomNetworking", 18, 20, {"aws-addresses-used-up"}),
    ],
)
def test_addresses_of_an_ec2_instance(cni_node: str, used: int, max_pods: int, expected: set[str]) -> None:
    """By interfaces, addresses of each, and custom networking as CNINode says."""
    features = [{"name": cni_node}] if cni_node else []
    context = model_context(
        daemonsets=AWS,
        nodes=[node_of("a", labels=M5, max_pods=max_pods)],
        pods=pods_on("a", used),
        cninodes=[{"metadata": {"name": "a"}, "spec": {"features": features}}],
    )
    assert ids(context) == expected


def test_ipv6_and_unreadable_pods_are_not_judged() -> None:
    """A prefix of IPv6 is larger than any Node needs; without pods nothing is known about their number."""
    nodes = [node_of("a", labels=M5, max_pods=110)]
    assert ids(model_context(daemonsets=AWS, nodes=nodes, pods=[network_pod("p", "a", "2600::1")])) == set()
    assert ids(model_context(daemonsets=AWS, nodes=nodes, unknown={"pods": "forbidden"})) == set()


@pytest.mark.parametrize(("waiting", "severity"), [([], "warning"), ([node_of("c", labels={"pool": "a"})], "critical")])
def test_an_exhausted_cluster_cidr_is_critical_when_nodes_wait(waiting: list[Any], severity: str) -> None:
    """Unless another one serves them."""
    given = PROVOKED["cluster-cidr-exhausted"]
    nodes = [*given["nodes"], *waiting]
    one = only(model_context(**{**given, "nodes": nodes}), "cluster-cidr-exhausted")
    assert one.severity == severity and one.evidence["capacity"] == 2
    assert one.evidence["waiting"] == [node["metadata"]["name"] for node in waiting]
    with_another = model_context(**{**given, "nodes": nodes, "clustercidrs": [POOL_A, ANY]})
    assert only(with_another, "cluster-cidr-exhausted").severity == "warning"


def test_a_foreign_range_is_information_only() -> None:
    """The allocator leaves Nodes of another allocator alone (node-ipam-controller issue 27)."""
    context = model_context(daemonsets=FLANNEL, clustercidrs=[ANY], nodes=[node_of("a", "172.16.0.0/24")])
    assert only(context, "cluster-cidr-not-recorded").severity == "info"


def test_cluster_cidrs_do_not_matter_to_cilium() -> None:
    """Node.spec is not the truth there."""
    config = {"metadata": {"name": "cilium-config", "namespace": "kube-system"}, "data": {"ipam": "cluster-pool"}}
    context = model_context(
        daemonsets=[daemon_set("cilium")], configmaps=[config], clustercidrs=[POOL_A], nodes=[node_of("a")]
    )
    assert ids(context) == set()


def test_calico_without_its_objects_is_not_judged() -> None:
    """Unreadable is not empty: no block is called lost."""
    context = model_context(
        daemonsets=CALICO, blockaffinities=[block_affinity("gone", "10.0.0.0/26")], unknown={"ippools": "forbidden"}
    )
    assert ids(context) == set()
    page = ipam_models.section(context)
    assert page is not None and any("could not be read" in text for text in page["paragraphs"])


def test_a_pool_of_calico_with_another_beside_it() -> None:
    """Nodes go on with the other one: worth a word only."""
    given = PROVOKED["calico-pool-low"]
    pools = [*given["ippools"], ip_pool("q", "10.1.0.0/16")]
    assert only(model_context(**given), "calico-pool-low").severity == "warning"
    assert only(model_context(**{**given, "ippools": pools}), "calico-pool-low").severity == "info"


def test_notes_on_nodes() -> None:
    """Provider, what deleting does, and the model, of every Node."""
    nodes = [
        node_of("cp", labels={"node-role.kubernetes.io/control-plane": ""}),
        node_of("f", labels={"eks.amazonaws.com/compute-type": "fargate"}),
        node_of("g", labels={"eks.amazonaws.com/nodegroup": "n"}, provider_id="aws:///a/i-1"),
        node_of("v", labels={"type": "virtual-kubelet"}),
    ]
    notes = ipam_models.node_notes(model_context(daemonsets=AWS, nodes=nodes))
    assert {name: (one["provider"], one["model"]) for name, one in notes.items()} == {
        "cp": ("own machine", "Amazon VPC CNI"),
        "f": ("EKS Fargate", "EKS Fargate"),
        "g": ("EKS managed node group", "Amazon VPC CNI"),
        "v": ("virtual kubelet", "Virtual kubelet"),
    }
    assert "The machine stays" in notes["cp"]["if_deleted"] and "etcd member" in notes["cp"]["if_deleted"]
    assert "terminates the machine" in notes["f"]["if_deleted"]
    assert "no machine behind it" in notes["v"]["if_deleted"]


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        (
            {"allocator": RANGE, "daemonsets": FLANNEL, "nodes": [node_of("a", "10.0.0.0/24")]},
            [
                "flannel",
                "10.0.0.0/16 is cut into 256 blocks /24; 1 are used and 255 free",
                "cluster-cidr is 10.0.0.0/16",
            ],
        ),
        (
            PROVOKED["cluster-cidr-exhausted"],
            ["ClusterCIDR a (networking.x-k8s.io) serves pool in (a)", "2 blocks /24, 0 free"],
        ),
        (PROVOKED["calico-pool-low"], ["IPPool p 10.0.0.0/26 is cut into 1 blocks /26; 1 are used"]),
        (PROVOKED["aws-addresses-used-up"], ["3 interfaces of 10 addresses: 27 for pods, 432 with prefix delegation"]),
        (PROVOKED["azure-subnet-full"], ["Mode of Azure CNI: pod subnet, single addresses."]),
        ({}, ["Not known", "Flags of kube-controller-manager: not known"]),
    ],
)
def test_the_page_has_the_values_of_the_cluster(resources: dict[str, Any], words: list[str]) -> None:
    """Not only the words of the model."""
    page = ipam_models.section(model_context(**resources))
    assert page is not None
    text = "\n".join([page["title"], *page["paragraphs"]])
    assert all(word in text for word in words), text
    assert all(len(row) == len(page["table"]["columns"]) for row in page["table"]["rows"])


def test_the_page_counts_nodes_by_model_and_provider() -> None:
    """One row for Nodes that are alike, most Nodes first."""
    nodes = [node_of(f"n{index}") for index in range(3)] + [node_of("v", labels={"type": "virtual-kubelet"})]
    page = ipam_models.section(model_context(daemonsets=FLANNEL, nodes=nodes))
    assert page is not None
    assert [row[:3] for row in page["table"]["rows"]] == [
        ["flannel", "own machine", "3"],
        ["Virtual kubelet", "virtual kubelet", "1"],
    ]


def mutated(value: Any, path: int, new: Any) -> Any:
    """A copy of a JSON value in which the leaf or branch number `path` (counted depth first) is `new`."""
    counter = iter(range(10**6))

    def copy(inner: Any) -> Any:
        if next(counter) == path:
            return new
        if isinstance(inner, dict):
            return {key: copy(item) for key, item in inner.items()}
        return [copy(item) for item in inner] if isinstance(inner, list) else inner

    return copy(value)


@settings(max_examples=1500, deadline=None)
@given(
    identifier=st.sampled_from(sorted(PROVOKED)),
    path=st.integers(0, 80),
    new=st.sampled_from(
        [None, True, -1, 0, 10**9, 1.5, "", "x", "::/0", "0.0.0.0/0", "10.0.0.0/32", [], {}, [None], [{}], {"a": 1}]
    ),
)
def test_a_file_that_was_edited_is_refused_or_judged(identifier: str, path: int, new: Any) -> None:
    """Nothing but the refusal of the reader; what it lets pass every check bears."""
    given_context = model_context(**PROVOKED[identifier])
    content = given_context.state.to_json()
    content["resources"] = mutated(content["resources"], path + 24, new)
    try:
        context = Context(ClusterState.from_json(content), given_context.settings)
    except ValueError:
        return
    found(context)
    ipam_models.node_notes(context)
    ipam_models.section(context)


def test_a_large_cluster_costs_about_a_second() -> None:
    """5,000 Nodes and 100,000 pods, all subjects at once."""
    nodes = [node_of(f"n{index:04}", f"10.{index // 256}.{index % 256}.0/24", labels=M5) for index in range(5000)]
    pods = [
        network_pod(f"p{index}", f"n{index % 5000:04}", f"10.{index % 5000 // 256}.{index % 256}.{index % 200}")
        for index in range(100_000)
    ]
    context = model_context(
        daemonsets=CALICO,
        nodes=nodes,
        pods=pods,
        ippools=[ip_pool("p", "10.0.0.0/8")],
        blockaffinities=[block_affinity(node["metadata"]["name"], node["spec"]["podCIDR"]) for node in nodes],
    )
    assert context.network_pods and context.node_cidrs  # derived once for all subjects
    found(context)
    ipam_models.node_notes(context)
    ipam_models.section(context)
