"""Where a stress test is refused: each rule by a cluster that breaks only it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from snapshots.small_cilium import agent, cilium_context, cilium_node, machine, running

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.production_signs import ClusterFacts, signs
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_leftovers import without
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import (
    Leftovers,
    namespace_object,
    namespace_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_plan import (
    StressOptions,
    plan,
)

SERVER = "https://192.0.2.1:6443"
NOW = "2026-10-31T23:59:55.000000Z"


def node(name: str, **more: Any) -> Any:
    """A Ready Node for 110 pods."""
    made = machine(name, pods="110")
    made["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    made["spec"].update(more.pop("spec", {}))
    made["metadata"].update(more)
    return made


def cluster(
    config: Mapping[str, str] | None = None, image: str = "quay.io/cilium/cilium:v1.18.4", **more: Any
) -> Context:
    """A small cluster in which a test may run; what is given replaces its parts."""
    operator = {
        "metadata": {"name": "cilium-operator", "namespace": "kube-system"},
        "spec": {"replicas": 1, "images": [image.replace("cilium:", "operator-generic:")]},
        "status": {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1},
    }
    lease = {
        "metadata": {"name": "cilium-operator-resource-lock", "namespace": "kube-system"},
        "spec": {"holderIdentity": "op", "renewTime": NOW, "acquireTime": "2026-10-30T00:00:00.000000Z"},
    }
    daemon_set = {
        "metadata": {"name": "cilium", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
        "spec": {"images": [image]},
    }
    role = {"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": ["*"]}
    parts: dict[str, Any] = {
        "nodes": [node("n0"), node("n1")],
        "ciliumnodes": [cilium_node(f"n{number}", f"10.0.{number}.0/24") for number in range(2)],
        "pods": [agent("n0"), agent("n1")],
        "namespaces": [{"metadata": {"name": name}} for name in ("default", "kube-system", "shop")],
        "deployments": [operator],
        "daemonsets": [daemon_set],
        "leases": [lease],
        "clusterroles": [{"metadata": {"name": "cilium-operator"}, "rules": [role]}],
        "ciliumidentities": [],
        "ciliumnodeconfigs": [],
    }
    parts.update(more)
    return cilium_context({"cluster-name": "default", **(config or {})}, **parts)


def test_a_small_cluster_is_tested() -> None:
    """Nothing is refused, and the label is the first of ours; half of the places may be taken."""
    found = plan(cluster(), SERVER, StressOptions(identities=100))
    assert list(found.refusals) == [] and list(found.signs) == []
    assert found.label_key == "podnet-upkeep-stress-pod"
    assert (found.nodes, found.room, found.used, found.capacity) == (2, 218, 0, 65280)
    assert found.to_dict()["recovery_longest_seconds"] == 5400


def identities(count: int) -> list[Any]:
    """So many identities in the range."""
    return [
        {"metadata": {"name": str(256 + number), "uid": str(number)}, "security-labels": {}} for number in range(count)
    ]


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({}, {"identities": 110}, "110 pods are more than half of the 218 places"),
        ({"ciliumidentities": identities(700)}, {"keep_free": 0.99}, "and 700 are in use already"),
        ({"ciliumidentities": identities(600)}, {"keep_free": 0.99}, "so at most 52 more may be made, not 100"),
        ({"config": {"identity-allocation-mode": "kvstore"}}, {}, "identities are kept by kvstore"),
        ({"config": {"identity-gc-interval": "0s"}}, {}, "their collection is off"),
        ({"deployments": [], "leases": []}, {}, "their collection is unknown"),
        ({"config": {"max-connected-clusters": "300"}}, {}, "the use of the identity range is not known"),
        ({"nodes": [node("n0", spec={"unschedulable": True})]}, {}, "no Node takes the pods of the test"),
        (
            {"nodes": [node("n0", spec={"taints": [{"key": "a", "effect": "NoSchedule"}]})]},
            {},
            "no Node takes the pods",
        ),
        ({}, {"node_selector": {"type": "kwok"}}, "no Node takes the pods"),
        ({"pods": []}, {}, "no Node takes the pods"),
        (
            {"ciliumnodes": [cilium_node("n0", "10.0.0.0/28"), cilium_node("n1", "10.0.1.0/28")]},
            {},
            "half of the 28 places",
        ),
        ({"config": {"labels": "k8s:!app k8s:!podnet k8s:!name k8s:!k8s-app"}}, {"label_key": "app"}, "make"),
        ({"config": {"labels": "k8s:team"}}, {"label_key": "app"}, "no label of these makes identities: app"),
        ({"image": "quay.io/cilium/cilium:latest"}, {}, "which labels make identities is not known"),
        ({"namespaces": [{"metadata": {"name": "shop-prod"}}]}, {}, "a name says so: shop-prod"),
        ({"config": {"cluster-name": "production-eu"}}, {}, "a name says so: production-eu"),
        (
            {},
            {"production_cluster": "https://other"},
            f"production_cluster is 'https://other', but this cluster is {SERVER}",
        ),
        ({"nodes": [node(f"n{number}") for number in range(11)]}, {}, "it has 11 Nodes, more than 10"),
        ({"nodes": [node("n0", creationTimestamp="2026-01-01T00:00:00Z")]}, {}, "its oldest Node is 304 days old"),
        ({"pods": [agent("n0"), *(running(f"p{number}", "n0") for number in range(101))]}, {}, "101 pods run outside"),
        ({"unknown": {"pods": "forbidden"}}, {}, "pods could not be read"),
    ],
)
def test_refusals(changes: dict[str, Any], options: dict[str, Any], words: str) -> None:
    """Each by its own sentence."""
    found = plan(cluster(**changes), SERVER, StressOptions(**options))
    assert words in " ".join(found.refusals), found.refusals


def test_what_an_earlier_test_left_takes_no_places_and_no_identities() -> None:
    """The next run deletes it first; what others have, in a namespace with a name like ours too, is counted as ever."""
    run = "0123456789"
    space = namespace_of(run)
    pods = [running(f"stress-{number}", f"n{number % 2}") for number in range(100)]
    for pod in pods:
        pod["metadata"]["namespace"] = space
    other = running("theirs", "n0")
    other["metadata"]["namespace"] = namespace_of("abcdefabcd")
    context = cluster(
        pods=[agent("n0"), agent("n1"), *pods, other],
        namespaces=[namespace_object(run, NOW, "somebody")],
        ciliumidentities=identities(32620),
    )
    options = StressOptions(identities=100)
    words = " ".join(plan(context, SERVER, options).refusals)
    assert "are more than half of the" in words and "at most 20 more may be made, not 100" in words
    left = Leftovers([namespace_object(run, NOW, "somebody")], identities=[str(256 + one) for one in range(100)])
    found = plan(Context(without(context.state, left)), SERVER, options)
    assert (list(found.refusals), found.room, found.used) == ([], 217, 32520)


def test_a_filter_that_is_a_list_gets_a_label_that_is_on_it() -> None:
    """Default includes stay: the second of the keys."""
    assert plan(cluster({"labels": "k8s:team"}), SERVER, StressOptions()).label_key == "app.kubernetes.io/instance"


def test_what_looks_like_production_is_tested_when_it_is_named() -> None:
    """By its server, or by its name in the mesh."""
    context = cluster({"cluster-name": "production-eu"})
    for name in (SERVER, "production-eu"):
        found = plan(context, SERVER, StressOptions(production_cluster=name))
        assert list(found.refusals) == [] and found.signs


def test_where_the_operator_makes_identities_no_agent_is_needed() -> None:
    """Simulated Nodes have none."""
    found = plan(cluster({"identity-management-mode": "operator"}, pods=[]), SERVER, StressOptions())
    assert list(found.refusals) == [] and found.nodes == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"identities": 0}, "identities: 0 is not usable; give 1 to 5000."),
        ({"identities": 5001}, "identities: 5001"),
        ({"keep_free": 0.1}, "keep_free: 0.1 is not usable"),
        ({"rate": 0}, "rate: 0 is not usable"),
        ({"allocation_timeout": 0}, "allocation_timeout: 0"),
        ({"recovery_timeout": -1}, "recovery_timeout: -1"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    """Hard caps are hard."""
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        StressOptions(**options)


def test_signs() -> None:
    """One is enough; what is small, young and named like a test has none; words within words are no names."""
    small = ClusterFacts(
        3, 2.0, ["shop", "reproduction", "delivery", "olive"], 2.0, 20, ["https://staging.example.org:6443"]
    )
    assert signs(small) == []
    assert signs(ClusterFacts(None, None, None, None, None)) == [
        "nodes could not be read",
        "namespaces could not be read",
        "pods could not be read",
    ]
    for name in ("prod", "eu-prod-1", "PRODUCTION", "live.example.org", "https://api.prd.example.org"):
        assert signs(ClusterFacts(1, 1.0, [], None, 1, [name])) == [f"a name says so: {name}"]
    assert len(signs(ClusterFacts(11, 31.0, [f"n{one}" for one in range(11)], 31.0, 101))) == 5
