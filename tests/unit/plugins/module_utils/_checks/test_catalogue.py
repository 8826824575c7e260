"""The catalogue: every entry can happen, and says all it has to say."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from snapshots.small_clusters import audited, config_map, controller_manager, daemon_set, node, pod

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import catalogue_pod_cidrs
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES

FLAGS = ("--allocate-node-cidrs=true", "--cluster-cidr=10.0.0.0/16")
DUAL = {"cluster_cidrs": ["10.0.0.0/16", "fd00::/48"]}
A = node("a", "10.0.0.0/24")
# one cluster for each finding
PROVOKED: dict[str, dict[str, Any]] = {
    "node-cidr-missing": {"nodes": [node("a")]},
    "node-cidr-partial-family": {"nodes": [A], "allocator": DUAL},
    "node-cidr-family-order": {"nodes": [node("a", "fd00::/64", "10.0.0.0/24")], "allocator": DUAL},
    "node-cidr-out-of-range": {"nodes": [node("a", "10.1.0.0/24")]},
    "node-cidr-overlap": {"nodes": [A, node("b", "10.0.0.0/24")]},
    "node-cidr-mask-mismatch": {"nodes": [node("a", "10.0.0.0/25")]},
    "node-cidr-overlaps-service-range": {"nodes": [node("a", "10.96.0.0/24")]},
    "node-cidr-overlaps-node-address": {"nodes": [node("a", "10.0.0.0/24", address="10.0.0.9")]},
    "pod-address-outside-node-cidr": {"nodes": [A], "pods": [pod("p", "a", "10.0.9.9")]},
    "pod-address-duplicate": {"nodes": [A], "pods": [pod(name, "a", "10.0.0.9") for name in "pq"]},
    "pod-cidr-pool-exhausted": {"nodes": [A], "allocator": {"cluster_cidrs": ["10.0.0.0/24"]}},
    "pod-cidr-headroom-low": {"nodes": [A], "headroom_factor": 300.0},
    "service-range-inside-cluster-cidr": {
        "allocator": {"cluster_cidrs": ["10.0.0.0/16"], "service_ranges": ["10.0.0.0/20"]}
    },
    "allocator-off": {
        "allocator": None,
        "pods": [controller_manager("cp1", "--v=2")],
        "daemonsets": [daemon_set("canal")],
    },
    "allocator-settings-unknown": {"allocator": None},
    "allocator-settings-invalid": {
        "allocator": None,
        "pods": [controller_manager("cp1", "--allocate-node-cidrs=true")],
    },
    "controller-manager-replicas-disagree": {
        "allocator": None,
        "pods": [controller_manager("a", *FLAGS), controller_manager("b", "--allocate-node-cidrs=false")],
    },
    "kubeadm-config-differs": {
        "allocator": None,
        "pods": [controller_manager("a", *FLAGS)],
        "configmaps": [config_map("kubeadm-config", ClusterConfiguration="networking: {podSubnet: 10.7.0.0/16}")],
    },
    "ipam-model-not-node-spec": {"allocator": None, "daemonsets": [daemon_set("aws-node")]},
    "data-missing": {"unknown": {"leases": "forbidden"}},
}


def provoked_anywhere() -> list[str]:
    """Keys of every table PROVOKED below tests: each subject has one, with the clusters of its own findings."""
    found = []
    for path in Path(__file__).parents[4].rglob("*.py"):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "PROVOKED":
                assert isinstance(statement.value, ast.Dict), path
                found += [str(ast.literal_eval(key)) for key in statement.value.keys if key is not None]
    return found


def test_every_entry_is_provoked() -> None:
    """None is forgotten, none is made up. Each table is held to its subject by the tests beside it."""
    assert set(PROVOKED) == {kind.id for kind in catalogue_pod_cidrs.KINDS}
    assert set(provoked_anywhere()) == set(CATALOGUE)


@pytest.mark.parametrize("identifier", PROVOKED)
def test_a_finding_has_everything_an_operator_needs(identifier: str) -> None:
    """Fact, evidence, meaning, why it matters, how to verify, and what mends it."""
    result = audited(**PROVOKED[identifier])
    findings = [one for one in result["findings"] if one["id"] == identifier]
    assert findings
    for one in findings:
        assert one["severity"] in SEVERITIES
        assert all(one[key] for key in ("title", "summary", "meaning", "why", "verify", "evidence"))
        assert one["remedy"]["text"]
        if one["remedy"]["playbook"]:
            name = one["subject"]["name"]
            assert one["remedy"]["command"] == (
                "ansible-playbook -i INVENTORY podnet.upkeep.reassign_pod_cidrs "
                f"""-e '{{"reassign_pod_cidrs_nodes": ["{name}"]}}'"""
            )
            assert name in {known["name"] for known in result["nodes"]}


@pytest.mark.parametrize("identifier", CATALOGUE)
def test_where_there_is_no_playbook_it_says_why(identifier: str) -> None:
    """Or what to do by hand."""
    kind = CATALOGUE[identifier]
    if kind.playbook is None and kind.severity != "info":
        assert "because" in kind.remedy or "delete one of the pods" in kind.remedy


def test_texts_have_no_markup() -> None:
    """They are shown as they are, in a terminal and in HTML: a backtick would be shown, too."""
    shown = [(kind.id, text) for kind in CATALOGUE.values() for text in vars(kind).values() if isinstance(text, str)]
    assert [one for one in shown if "`" in one[1]] == []
