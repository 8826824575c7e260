"""Sandbox failures: which count, and which finding or text explains them."""

from __future__ import annotations

from typing import Any

from snapshots.kubernetes_objects import ago, host, leader_lease, log_line, node_event, sandbox_event, waiting_pod
from snapshots.small_clusters import config_map, context, daemon_set, node, pod

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import events, sandbox_causes
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain import log_pattern

FULL = {"cluster_cidrs": ["10.0.0.0/24"]}
NOT_READY = (
    "network is not ready: container runtime network not ready: NetworkReady=false ... cni plugin not initialized"
)
HOST_LOCAL = "no IP addresses available in range set: 10.0.0.1-10.0.0.254"


def failures(**cluster: Any) -> list[Finding]:
    """Findings about sandboxes."""
    return [one for one in run_checks(context(**cluster)) if one.id.startswith("sandbox")]


def failing(*messages: str, nodes: Any = None, **more: Any) -> list[Finding]:
    """One waiting pod on Node a for each message."""
    pods = [waiting_pod(f"p{index}", "a") for index, _message in enumerate(messages)]
    said = [sandbox_event(f"p{index}", "a", message) for index, message in enumerate(messages)]
    return failures(nodes=nodes or [node("a", "10.0.0.0/24")], pods=pods, events=said, **more)


def causes(finding: Finding) -> list[str]:
    """Ids of the chain of causes."""
    return [one["id"] for one in finding.evidence["causes"]]


def test_every_cause_of_a_message_is_known() -> None:
    """To the table of findings; and the findings in both tables exist."""
    declared = {value for name, value in vars(log_pattern).items() if name.isupper() and isinstance(value, str)}
    components = {"kube-controller-manager", "cilium-operator", "cilium-agent", "flannel", "kubelet"}
    assert set(sandbox_causes.CAUSED_BY) == {"", *(declared - components)}
    named = {one for many in sandbox_causes.CAUSED_BY.values() for one in many}
    named |= {one for many in sandbox_causes.ROOTS.values() for one in many} | set(sandbox_causes.ROOTS)
    named |= set(sandbox_causes.FINDING_OF_CAUSE.values())
    assert named <= set(CATALOGUE)


def test_no_pod_cidr_because_the_pool_is_full() -> None:
    """The chain of the runbook, in one sentence."""
    nodes = [node("a"), node("b", "10.0.0.0/24")]
    (only,) = failing(NOT_READY, nodes=nodes, allocator=FULL)
    assert (only.id, str(only.subject), only.severity) == ("sandbox-failures-explained", "Node a", "critical")
    assert causes(only) == ["node-cidr-missing", "pod-cidr-pool-exhausted"]
    assert only.summary.startswith(
        "1 pod on 1 Node (a) got no sandbox. Cause (node-cidr-missing): Node a has no podCIDR"
    )


def test_no_pod_cidr_because_nobody_leads() -> None:
    """With free blocks, the missing leader is behind it."""
    (only,) = failing(NOT_READY, nodes=[node("a")], leases=[leader_lease(renewed=900)])
    assert causes(only) == ["node-cidr-missing", "controller-manager-lease-stale"]


def test_an_unknown_text_on_a_node_without_pod_cidr() -> None:
    """What runbooks say: the missing podCIDR is the likely cause."""
    (only,) = failing("something new", nodes=[node("a")])
    assert causes(only) == ["node-cidr-missing"]


def test_flannel_with_another_network() -> None:
    """One finding of the cluster explains the failures of all Nodes."""
    nodes = [node(name, cidr) for name, cidr in (("a", "10.0.0.0/24"), ("b", "10.0.1.0/24"))]
    message = "loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file or directory"
    (only,) = failures(
        nodes=nodes,
        pods=[waiting_pod("p", "a"), waiting_pod("q", "b")],
        events=[sandbox_event("p", "a", message), sandbox_event("q", "b", message)],
        daemonsets=[daemon_set("kube-flannel-ds")],
        configmaps=[config_map("kube-flannel-cfg", **{"net-conf.json": '{"Network": "10.244.0.0/16"}'})],
    )
    assert causes(only) == ["flannel-network-mismatch"] and only.evidence["nodes"] == ["a", "b"]
    assert only.subject.kind == "ConfigMap" and only.evidence["count"] == 2


def test_an_old_bridge_is_explained_by_what_the_host_shows() -> None:
    """And without a look at the host it is a finding of its own, that the playbook mends."""
    message = '"cni0" already has an IP address different from 10.0.0.1/24'
    (own,) = failing(message)
    assert own.id == "sandbox-failures-old-bridge" and own.remedy()["variables"] == {"reassign_pod_cidrs_nodes": ["a"]}
    (explained,) = failing(message, hosts=[host("a", "10.0.0.0/24", bridge=["10.0.9.1/24"])])
    assert causes(explained) == ["host-bridge-address-drift"]


def test_a_full_node() -> None:
    """Explained where pods hold all addresses; where they do not, leases of dead pods may."""
    (own,) = failing(HOST_LOCAL)
    assert own.id == "sandbox-failures-addresses"
    small = node("a", "10.0.0.0/28")
    small["status"]["allocatable"] = {"pods": "110"}
    pods = [pod(f"x{index}", "a", f"10.0.0.{index}") for index in range(2, 15)]
    (explained,) = failures(
        nodes=[small],
        pods=[*pods, waiting_pod("p", "a")],
        events=[sandbox_event("p", "a", HOST_LOCAL)],
        allocator={"cluster_cidrs": ["10.0.0.0/16"], "node_mask_size_ipv4": 28},
    )
    assert causes(explained) == ["node-addresses-exhausted"]


def test_log_lines_explain_what_objects_do_not_show() -> None:
    """The agent's log says why its endpoints time out."""
    line = log_line('msg="Key allocation attempt failed" error="timeout"', node="a")
    (only,) = failing("Unable to create endpoint: Cilium API client timeout exceeded", logs=[line])
    assert causes(only) == ["component-log-trouble"]


def test_two_causes_on_one_node_are_two_findings() -> None:
    """And two pods with one cause are one."""
    found = failing("something new", "something else", 'failed to get sandbox image "pause:3.8"')
    assert sorted((one.id, one.evidence["count"]) for one in found) == [
        ("sandbox-failures-not-network", 1),
        ("sandbox-failures-unexplained", 2),
    ]


def test_many_nodes_with_one_unknown_text_are_one_finding() -> None:
    """A broken CNI on every Node is one fault, not thousands."""
    names = [f"n{index:03}" for index in range(60)]
    (only,) = failures(
        nodes=[node(name, f"10.0.{index}.0/24") for index, name in enumerate(names)],
        pods=[waiting_pod(name, name) for name in names],
        events=[sandbox_event(name, name, "something new") for name in names],
    )
    assert str(only.subject) == "Cluster cluster"
    assert (only.evidence["nodes_count"], len(only.evidence["nodes"])) == (60, 10)
    assert "and 50 more" in only.summary


def test_what_counts_no_more() -> None:
    """Older than an hour, of an earlier Node, of another pod of the name, of a pod that is gone, runs or ends."""
    a, event = node("a", "10.0.0.0/24"), sandbox_event("p", "a", "something new")
    waits = {"nodes": [a], "pods": [waiting_pod("p", "a")]}
    assert len(failures(**waits, events=[event])) == 1
    assert failures(**waits, events=[sandbox_event("p", "a", "something new", seconds_ago=3700)]) == []
    young = node("a", "10.0.0.0/24", created=ago(30))
    assert failures(nodes=[young], pods=waits["pods"], events=[event]) == []
    other = sandbox_event("p", "a", "something new", uid="1")
    assert failures(nodes=[a], pods=[waiting_pod("p", "a", uid="2")], events=[other]) == []
    assert failures(nodes=[a], pods=[], events=[event]) == []
    assert failures(nodes=[a], pods=[pod("p", "a", "10.0.0.7")], events=[event]) == []
    ending = waiting_pod("p", "a")
    ending["metadata"]["deletionTimestamp"] = ago(5)
    assert failures(nodes=[a], pods=[ending], events=[event]) == []


def test_of_one_pod_the_latest_message_counts() -> None:
    """The network was not ready at first; now it is, and something else is wrong."""
    said = [
        sandbox_event("p", "a", 'failed to get sandbox image "pause:3.8"', seconds_ago=20),
        sandbox_event("p", "a", NOT_READY, seconds_ago=50, reason="NetworkNotReady"),
    ]
    for order in (said, said[::-1]):
        found = failures(nodes=[node("a", "10.0.0.0/24")], pods=[waiting_pod("p", "a")], events=order)
        assert [one.id for one in found] == ["sandbox-failures-not-network"]


def test_without_pods_events_alone_count() -> None:
    """Pods may be unreadable; the kubelet that wrote the event is known."""
    (only,) = failures(
        nodes=[node("a")], unknown={"pods": "forbidden"}, events=[sandbox_event("p", "a", "something new")]
    )
    assert causes(only) == ["node-cidr-missing"]


def test_events_of_the_allocator() -> None:
    """The Node decides: with its podCIDR, or of an earlier Node, or long ago, an event is nothing."""
    healthy, without = node("a", "10.0.0.0/24"), node("b")

    def found(*said: Any, nodes: Any = (healthy, without), **more: Any) -> list[str]:
        checked = events.check(context(nodes=list(nodes), events=list(said), **more))
        return [one.id for one in checked if one.id.startswith("cidr-")]

    assert found(node_event("CIDRAssignmentFailed", "a"), node_event("CIDRNotAvailable", "a")) == []
    assert found(node_event("CIDRNotAvailable", "b", 3700)) == []
    assert found(node_event("CIDRNotAvailable", "gone")) == []
    assert found(node_event("CIDRNotAvailable", "b"), nodes=[healthy, node("b", created=ago(30))]) == []
    assert found(node_event("CIDRNotAvailable", "b"), node_event("CIDRAssignmentFailed", "b"), allocator=FULL) == [
        "cidr-not-available"
    ]
    assert found(node_event("CIDRNotAvailable", "b")) == ["cidr-blocks-leaked"]
    unknown = {"allocator": None, "daemonsets": [daemon_set("kube-flannel-ds")]}
    assert found(node_event("CIDRNotAvailable", "b"), **unknown) == ["cidr-not-available"]


def test_the_service_range_is_named_where_it_eats_the_pool() -> None:
    """All Nodes without a block, and the pool is not small: kubernetes/kubernetes 103898."""
    stated = {"cluster_cidrs": ["10.96.0.0/16"], "service_ranges": ["10.96.0.0/12"]}
    made = context(nodes=[node("b")], allocator=stated, events=[node_event("CIDRNotAvailable", "b")])
    (only,) = [one for one in events.check(made) if one.id == "cidr-not-available"]
    assert "all 256 blocks of 10.96.0.0/16 are taken, 256 of them by the service range" in only.summary
