"""The checks on whole states: the bundled sick cluster, and small ones for each rule."""

from __future__ import annotations

import json
from typing import Any

import pytest
from snapshots.make_sick_small import EXPECTED, state

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._report_html import render
from ansible_collections.podnet.upkeep.plugins.module_utils._report_text import markdown, summary_lines


def audited(nodes: dict[str, list[str]], **more: Any) -> dict[str, Any]:
    """The audit of a cluster with these podCIDRs; `more` replaces resources, `allocator` the user's statement."""
    allocator = more.pop("allocator", {"cluster_cidrs": ["10.0.0.0/16"], "service_ranges": ["10.96.0.0/16"]})
    content = {
        "format": 1,
        "taken_at": "2026-11-01T00:00:00+00:00",
        "resources": {
            "nodes": [
                {"metadata": {"name": name}, "spec": {"podCIDRs": cidrs} if cidrs else {}}
                for name, cidrs in nodes.items()
            ],
            **{
                kind: []
                for kind in ("pods", "daemonsets", "configmaps", "leases")
                if kind not in more.get("unknown", {})
            },
            **more.pop("resources", {}),
        },
        **more,
    }
    settings = AuditSettings(settings_from_options(allocator) if allocator else None)
    return document(Context(ClusterState.from_json(content), settings))


def found(result: dict[str, Any]) -> set[tuple[str, str]]:
    """(id, subject) of all findings that are no information only."""
    return {(one["id"], one["subject"]["name"]) for one in result["findings"] if one["severity"] != "info"}


def test_bundled_sick_cluster() -> None:
    """Everything that is wrong with it is found."""
    result = document(Context(ClusterState.from_json(state())))
    assert found(result) >= EXPECTED
    assert {entry[1] for entry in found(result)} & {"worker-1", "control-1", "control-2"} == set()


def test_saved_state_gives_identical_findings() -> None:
    """Through JSON and back."""
    first = ClusterState.from_json(state())
    second = ClusterState.from_json(json.loads(json.dumps(first.to_json())))
    assert document(Context(first)) == document(Context(second))


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        (["10.0.1.0/24"], set()),
        ([], {"node-cidr-missing"}),
        (["10.1.0.0/24"], {"node-cidr-out-of-range"}),
        (["10.0.0.0/15"], {"node-cidr-mask-mismatch"}),
        (["10.0.2.0/23"], {"node-cidr-mask-mismatch"}),
        (["10.0.2.0/25"], {"node-cidr-mask-mismatch"}),
        (["10.96.1.0/24"], {"node-cidr-out-of-range", "node-cidr-overlaps-service-range"}),
    ],
)
def test_one_node(cidrs: list[str], expected: set[str]) -> None:
    """Each rule about a single Node."""
    result = audited({"w1": cidrs})
    assert {one for one, subject in found(result) if subject == "w1"} == expected


def test_dual_stack_rules() -> None:
    """A lacking family, and families in another order."""
    allocator = {"cluster_cidrs": ["10.0.0.0/16", "fd00::/48"]}
    nodes = {"a": ["10.0.0.0/24", "fd00::/64"], "b": ["10.0.1.0/24"], "c": ["fd00:0:0:2::/64", "10.0.2.0/24"]}
    result = audited(nodes, allocator=allocator)
    assert found(result) == {("node-cidr-partial-family", "b"), ("node-cidr-family-order", "c")}


def test_overlap_names_both() -> None:
    """Both Nodes are named, each with the other."""
    result = audited({"a": ["10.0.4.0/22"], "b": ["10.0.5.0/24"], "c": ["10.0.9.0/24"]})
    assert {("node-cidr-overlap", "a"), ("node-cidr-overlap", "b")} <= found(result)
    assert ("node-cidr-overlap", "c") not in found(result)


def test_exhausted_pool_is_critical_only_when_nodes_wait() -> None:
    """Severity follows the facts."""
    allocator = {"cluster_cidrs": ["10.0.0.0/23"]}
    full = {"a": ["10.0.0.0/24"], "b": ["10.0.1.0/24"]}
    for nodes, severity in ((full, "warning"), ({**full, "c": []}, "critical")):
        result = audited(nodes, allocator=allocator)
        exhausted = [one for one in result["findings"] if one["id"] == "pod-cidr-pool-exhausted"]
        assert [one["severity"] for one in exhausted] == [severity]


@pytest.mark.parametrize("config_map", [{"ipam": "cluster-pool"}, {"ipam": "eni"}])
def test_no_false_alarm_where_node_spec_is_not_the_truth(config_map: dict[str, str]) -> None:
    """Empty podCIDRs are normal there."""
    resources = {"configmaps": [{"metadata": {"name": "cilium-config"}, "data": config_map}]}
    result = audited({"a": [], "b": ["192.168.0.0/24"]}, resources=resources, allocator=None)
    assert found(result) == set()
    assert "ipam-model-not-node-spec" in {one["id"] for one in result["findings"]}


def test_invisible_control_plane_is_unknown_not_off() -> None:
    """A managed control plane shows nothing: no finding says that the allocator is off."""
    resources = {"daemonsets": [{"metadata": {"name": "kube-flannel-ds"}}]}
    result = audited({"a": ["10.0.0.0/24"]}, resources=resources, allocator=None)
    ids = {one["id"] for one in result["findings"]}
    assert "allocator-settings-unknown" in ids and "allocator-off" not in ids
    assert result["allocator"]["allocate_node_cidrs"] is None


def test_missing_permission_is_named() -> None:
    """Unknown is said, with the permission."""
    result = audited({"a": ["10.0.0.0/24"]}, unknown={"pods": "the permission to list pods is missing"})
    missing = [one for one in result["findings"] if one["id"] == "data-missing"]
    assert "list pods" in missing[0]["summary"] and result["summary"]["unknown"] == 1


def pod(name: str, address: str, **spec: Any) -> dict[str, Any]:
    """A running pod on Node a."""
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": "a", **spec},
        "status": {"phase": spec.pop("phase", "Running"), "podIPs": [{"ip": address}]},
    }


def test_foreign_and_duplicate_addresses() -> None:
    """Only pods of the pod network that run count."""
    pods = [
        pod("inside", "10.0.0.7"),
        pod("foreign", "10.0.9.7"),
        pod("machine", "192.0.2.1", hostNetwork=True),
        pod("finished", "10.0.9.8", phase="Succeeded"),
        pod("twin", "10.0.0.7"),
    ]
    result = audited({"a": ["10.0.0.0/24"]}, resources={"pods": pods})
    assert found(result) == {("pod-address-outside-node-cidr", "a"), ("pod-address-duplicate", "10.0.0.7")}
    finding = next(one for one in result["findings"] if one["id"] == "pod-address-outside-node-cidr")
    assert finding["evidence"]["pods"] == [{"pod": "default/foreign", "addresses": ["10.0.9.7"]}]


def test_node_address_inside_a_pod_cidr() -> None:
    """The machine network and the pod network collide."""
    content = state()
    content["resources"]["nodes"][2]["status"]["addresses"] = [{"type": "InternalIP", "address": "10.244.3.77"}]
    result = document(Context(ClusterState.from_json(content)))
    assert ("node-cidr-overlaps-node-address", "worker-2") in found(result)


def test_hostile_names_stay_text() -> None:
    """Nothing from the cluster becomes markup in the report."""
    result = audited({"<script>alert(1)</script>": ["10.1.0.0/24"], "a' onload='x": []})
    page = render(result)
    assert "<script>alert(1)" not in page and "a' onload='x" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_reports_are_the_same_for_the_same_facts() -> None:
    """So that a difference between two reports means something."""
    one, other = (document(Context(ClusterState.from_json(state()))) for _again in range(2))
    assert render(one) == render(other)
    assert markdown(one) == markdown(other)
    assert summary_lines(one)[0] == "12 Nodes: 7 critical, 4 warning, 0 info"


def test_catalogue_is_complete() -> None:
    """Every entry has all its texts, and one that has no playbook says why."""
    for kind in CATALOGUE.values():
        assert kind.severity in SEVERITIES
        assert all((kind.title, kind.meaning, kind.why, kind.verify, kind.remedy))
        if kind.playbook is None and kind.severity != "info":
            assert "because" in kind.remedy or "delete one of the pods" in kind.remedy, kind.id
