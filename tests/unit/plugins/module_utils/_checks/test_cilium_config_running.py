"""Checks of what differs from cilium-config, runs with it, or is known of its version; and of the label filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snapshots.provoked_cilium_config import (
    CHANGED,
    CLEAN,
    NEW,
    OLD,
    agent,
    cluster,
    config_map,
    node_config,
    operator,
)
from snapshots.small_clusters import context, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cilium_config
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding


def findings(data: Mapping[str, str] | None = None, version: str = CLEAN, **more: Any) -> list[Finding]:
    """What is said about a cluster, but for bugs that Cilium may have."""
    made = context(**cluster(data, version, **more))
    return [one for one in cilium_config.check(made) if one.id != "cilium-possible-bugs"]


def ids(data: Mapping[str, str] | None = None, version: str = CLEAN, **more: Any) -> set[str]:
    """Ids only."""
    return {one.id for one in findings(data, version, **more)}


def only(identifier: str, *arguments: Any, **more: Any) -> Finding:
    """The only finding with this id."""
    (found,) = [one for one in findings(*arguments, **more) if one.id == identifier]
    return found


# -- label filter ------------------------------------------------------------------------------------------------------


def test_mistakes_in_the_label_filter() -> None:
    """Each with the item, what it does, and what to write instead."""
    found = only("cilium-label-filter-negation-misplaced", {"labels": "!k8s:job-name k8s:!other"})
    assert found.severity == "critical" and found.evidence["instead"] == "k8s:!job-name"
    found = only("cilium-label-filter-source", {"labels": "any:!job-name"})
    assert found.severity == "warning"  # an exclude without effect drops nothing
    found = only("cilium-label-filter-separator", {"labels": "k8s:app,k8s:team"})
    assert found.severity == "critical" and found.evidence["instead"] == "k8s:app k8s:team"
    found = only("cilium-label-filter-loose", {"labels": "k8s:!a.b k8s:!c.d k8s:!e"})
    assert found.evidence["count"] == 2


# -- CiliumNodeConfig --------------------------------------------------------------------------------------------------


def test_an_override_names_its_nodes_and_keys() -> None:
    """With the value of cilium-config beside it; an object without defaults changes nothing."""
    selector = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b", "c"]}]}
    objects = [node_config("one", {"debug": "true", "ipam": "crd"}, selector), node_config("empty", {})]
    found = only("cilium-node-config-override", ciliumnodeconfigs=objects)
    assert found.evidence["nodes"] == ["b"]
    assert found.evidence["keys"]["ipam"] == {"node_config": "crd", "cilium_config": "kubernetes"}
    assert found.summary == "one sets debug, ipam for Node b"


def test_an_invalid_override_is_critical() -> None:
    """Only what agents read counts: an operator has no CiliumNodeConfig."""
    objects = [node_config("one", {"debug": "on", "identity-gc-interval": "600"})]
    found = only("cilium-config-value-invalid", ciliumnodeconfigs=objects)
    assert found.subject.kind == "CiliumNodeConfig" and "the agents of 2 Nodes" in found.summary


def test_the_later_name_wins_a_conflict() -> None:
    """Equal values, other Nodes and other namespaces are no conflict."""
    zone_b = {"matchLabels": {"zone": "b"}}
    objects = [node_config("b", {"debug": "true"}), node_config("a", {"debug": "false"}, zone_b)]
    found = only("cilium-node-config-conflict", ciliumnodeconfigs=objects)
    assert (found.evidence["winner"], found.evidence["nodes"]) == ("b", ["b"])
    for other in (
        node_config("a", {"debug": "true"}),
        node_config("a", {"debug": "false"}, {"matchLabels": {"zone": "c"}}),
        node_config("a", {"debug": "false"}, namespace="elsewhere"),
    ):
        assert "cilium-node-config-conflict" not in ids(ciliumnodeconfigs=[objects[0], other])


# -- what runs ---------------------------------------------------------------------------------------------------------


def test_pods_older_than_the_configuration() -> None:
    """Counted; the operator's own changes do not count, and a restarted operator may have read the change."""
    pods = [agent("a", created=OLD), agent("b", created=NEW), operator(created=OLD)]
    changed = [config_map(changed=CHANGED)]
    found = only("cilium-config-newer-than-agents", configmaps=changed, pods=pods)
    assert found.summary == "1 of 2 agents started before cilium-config was changed at 2026-10-15T12:00:00Z"
    assert found.evidence["by"] == "helm" and found.evidence["agents"][0]["node"] == "a"
    assert "cilium-config-newer-than-operator" in ids(configmaps=changed, pods=pods)
    by_operator = [config_map(changed=CHANGED, by="cilium-operator-generic")]
    assert ids(configmaps=by_operator, pods=[agent("a"), operator()]) == set()
    assert ids(configmaps=changed, pods=[operator(created=OLD, restarts=2)]) == set()
    assert ids(configmaps=[config_map()], pods=pods) == set()


def test_operator_pods_of_older_charts() -> None:
    """They have the label name only."""
    pods = [operator(created=OLD, name="cilium-operator")]
    assert ids(configmaps=[config_map(changed=CHANGED)], pods=pods) == {"cilium-config-newer-than-operator"}


def test_mixed_versions() -> None:
    """The number of Nodes for each image; patches differ as well."""
    pods = [agent("a", "1.20.0"), agent("b", "1.20.1"), agent("c", "1.20.1")]
    found = only("cilium-agent-versions-mixed", pods=pods)
    assert found.summary == "Agents run 2 images: v1.20.1 on 2, v1.20.0 on 1 Nodes"
    assert ids(pods=[agent("a", "1.20.0"), agent("b", "1.20.0"), operator("1.20.3")]) == set()


# -- known bugs --------------------------------------------------------------------------------------------------------


def test_known_bugs_follow_version_and_configuration() -> None:
    """Nothing is said of a version that has the fix, of a mode that is not used, or of older Kubernetes."""

    def numbers(data: Mapping[str, str] | None, version: str) -> set[str]:
        return {one.subject.name for one in findings(data, version) if one.id == "cilium-known-bug"}

    assert numbers(None, CLEAN) == set()
    assert "cilium/cilium#35946" in numbers(None, "1.16.19")
    assert "cilium/cilium#35946" not in numbers(None, "1.17.0")
    assert "cilium/cilium#43723" in numbers(None, "1.18.6")  # the server is of 1.36
    assert "cilium/cilium#43723" not in numbers(None, "1.18.7")
    assert "cilium/cilium#41986" in numbers({"ipam": "multi-pool"}, "1.18.11")
    assert "cilium/cilium#41986" not in numbers({"ipam": "cluster-pool"}, "1.18.11")


def test_what_is_not_certain_is_information() -> None:
    """One finding, with the word may."""
    made = context(**cluster({"identity-management-mode": "operator"}, "1.20.0"))
    (found,) = [one for one in cilium_config.check(made) if one.id == "cilium-possible-bugs"]
    assert found.severity == "info" and " may have " in found.summary
    assert "cilium/cilium#47214" in [one["issue"] for one in found.evidence["issues"]]


def test_a_large_cluster_has_few_findings() -> None:
    """5,000 Nodes, 100 CiliumNodeConfigs, 300 foreign keys, in about a second."""
    nodes = [node(f"n{number:04}", labels={"zone": str(number % 100)}) for number in range(5000)]
    pods = [agent(f"n{number:04}", created=OLD) for number in range(5000)]
    objects = [node_config(f"c{n}", {"debug": "true"}, {"matchLabels": {"zone": str(n)}}) for n in range(100)]
    data = {f"foreign-key-{number}": "x" for number in range(300)}
    configmaps = [config_map(data, changed=CHANGED)]
    made = context(**cluster(nodes=nodes, pods=pods, ciliumnodeconfigs=objects, configmaps=configmaps))
    assert len(list(cilium_config.check(made))) < 110


def test_the_section_of_the_report() -> None:
    """Version and modes; none without Cilium."""
    assert (cilium_config.section(context(**cluster())) or {})["version"] == CLEAN
    assert cilium_config.section(context()) is None
