"""Identities of a cluster: range, classes, duplicates, what is missing, and what may not be judged."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.identity_clusters import (
    ago,
    cilium,
    endpoint,
    endpoint_slice,
    identity,
    labelled_pod,
    security_labels,
)
from snapshots.small_clusters import context

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import identities
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding


def built(config: dict[str, str] | None = None, unknown: dict[str, str] | None = None, **resources: Any) -> Context:
    """A cluster with a Cilium that works, but for what is said."""
    installed = cilium(**(config or {}))
    made = {**installed, **resources}
    return context(unknown=unknown, **{key: value for key, value in made.items() if key not in (unknown or {})})


def found(cluster: Context) -> dict[str, Finding]:
    """{id: finding}; each id comes once here."""
    made = list(identities.check(cluster))
    assert len({one.id for one in made}) == len(made)
    return {one.id: one for one in made}


def part(cluster: Context) -> dict[str, Any]:
    """The section of the document."""
    made = identities.section(cluster)
    assert made is not None
    return made


def test_no_cilium() -> None:
    """Nothing is said about clusters without it."""
    cluster = context()
    assert list(identities.check(cluster)) == [] and identities.section(cluster) is None


def test_nothing_wrong() -> None:
    """A few identities that are in use give no finding."""
    cluster = built(
        ciliumidentities=[identity(300), identity(301)], ciliumendpoints=[endpoint("a", 300), endpoint("b", 301)]
    )
    assert found(cluster) == {}
    made = part(cluster)
    assert made["range"] == {"minimum": 256, "maximum": 65535, "capacity": 65280, "cluster_id": 0}
    assert (made["used"], made["free"]) == (2, 65278)
    assert made["gc"] == {
        "verdict": "healthy",
        "reasons": [],
        "interval": "15m0s",
        "heartbeat_timeout": "30m0s",
        "longest_life": "1h30m0s",
    }


CLASSES = {
    "ciliumidentities": [
        identity(300),
        identity(301),
        identity(302, mark=20),
        identity(303, age=20),
        identity(304),
        identity(305, labels=security_labels("shop", app="cart")),
        identity(70000),
        identity("word"),
    ],
    "ciliumendpoints": [endpoint("a", 300), endpoint("b", None)],
    "ciliumendpointslices": [endpoint_slice(301)],
    "pods": [labelled_pod("cart-1", "shop", app="cart"), labelled_pod("a", app="x")],
}


def test_classes() -> None:
    """Each identity has one class; where the collection works nothing is leaked."""
    made = part(built(**CLASSES))
    assert made["classes"] == {
        **{"in-use": 2, "pending": 1, "marked": 1, "aging": 2, "leaked": 0, "out-of-range": 2, "duplicate": 0}
    }
    assert made["used"] == 6 and made["objects"] == 8 and made["classes_unknown"] == []
    made = part(built({"identity_gc_interval": "0s"}, **CLASSES))
    assert (made["classes"]["leaked"], made["classes"]["marked"], made["classes"]["aging"]) == (2, 0, 1)


def test_pods_that_wait_for_nothing() -> None:
    """hostNetwork and terminal pods need no identity, and a pod with an endpoint has one."""
    pods = [
        labelled_pod("cart-1", "shop", spec={"hostNetwork": True}, app="cart"),
        labelled_pod("cart-2", "shop", phase="Succeeded", app="cart"),
        labelled_pod("cart-3", "shop", app="cart"),
    ]
    others = [identity(305, labels=security_labels("shop", app="cart"))]
    for kind in ({"ciliumendpoints": [endpoint("cart-3", 999, "shop")]}, {"ciliumendpointslices": [_slice("cart-3")]}):
        assert part(built(ciliumidentities=others, pods=pods, **kind))["classes"]["pending"] == 0
    assert part(built(ciliumidentities=others, pods=pods))["classes"]["pending"] == 1


def _slice(name: str) -> Any:
    made = endpoint_slice(999, namespace="shop")
    made["endpoints"][0]["name"] = name
    return made


@pytest.mark.parametrize(
    ("config", "changed"),
    [
        ({"labels": "k8s:(a+)+"}, {}),
        ({"labels": "k8s:!(?=x)"}, {}),
        ({"label_prefix_file": "/x"}, {}),
        ({}, {"ciliumnodeconfigs": [{"metadata": {"name": "n"}, "spec": {"defaults": {"labels": "k8s:app"}}}]}),
        ({}, {"namespaces": []}),
        ({"version": "latest"}, {}),
    ],
)
def test_pods_whose_labels_cannot_be_told(config: dict[str, str], changed: dict[str, Any]) -> None:
    """Any identity of their namespace may be awaited: it is not called leaked."""
    cluster = built(
        {**config, "identity_gc_interval": "0s"},
        ciliumidentities=[identity(300, namespace="shop"), identity(301)],
        pods=[labelled_pod("p", "shop", app="other")],
        **changed,
    )
    classes = part(cluster)["classes"]
    assert (classes["pending"], classes["leaked"]) == (1, 1)


@pytest.mark.parametrize(("version", "expected"), [("1.17.2", 0), ("1.18.4", 1), ("1.19.0", 1), ("1.20.0", 1)])
def test_versions_that_cannot_be_told_apart(version: str, expected: int) -> None:
    """Late patches of 1.18 and 1.19 may drop topology labels as 1.20 does."""
    pod = labelled_pod("p", **{"app": "x", "topology.kubernetes.io/zone": "a"})
    cluster = built({"version": version}, ciliumidentities=[identity(300, app="x")], pods=[pod])
    assert part(cluster)["classes"]["pending"] == expected


def test_named_ports_of_older_endpoints() -> None:
    """Since 1.20 a pod may have its identity with or without them."""
    pod = labelled_pod("p", app="x", spec={"namedPorts": [["http", "TCP", 80]]})
    labels = security_labels(app="x")
    both = [
        identity(300, labels=labels),
        identity(301, labels={**labels, "gen:io.cilium.k8s.named-ports": "http.TCP.80"}),
    ]
    assert part(built({"version": "1.20.1"}, ciliumidentities=both, pods=[pod]))["classes"]["pending"] == 2
    assert part(built({"version": "1.19.1"}, ciliumidentities=both, pods=[pod]))["classes"]["pending"] == 1


NO_POLICIES = {
    "enable_policy": "never",
    "enable_k8s_networkpolicy": "false",
    "enable_cilium_network_policy": "false",
    "enable_cilium_clusterwide_network_policy": "false",
}


@pytest.mark.parametrize(
    ("config", "unknown", "reason"),
    [
        ({}, "ciliumendpoints", "ciliumendpoints could not be read"),
        ({}, "pods", "pods could not be read"),
        ({}, "configmaps", "cilium-config could not be read"),
        ({"enable_cilium_endpoint_slice": "true"}, "ciliumendpointslices", "ciliumendpointslices could not be read"),
        ({"identity_allocation_mode": "kvstore"}, "", "kept in the kvstore"),
        ({"disable_endpoint_crd": "true", "kvstore": "etcd"}, "", "disable-endpoint-crd is on"),
        ({"disable_endpoint_crd": "true", **NO_POLICIES}, "", "disable-endpoint-crd is on"),
    ],
)
def test_what_may_not_be_judged(config: dict[str, str], unknown: str, reason: str) -> None:
    """Classes are null with the reason, and nothing is leaked, missing or behind."""
    missing = {unknown: "forbidden"} if unknown else {}
    resources = {key: value for key, value in CLASSES.items() if key != unknown}
    cluster = built({"identity_gc_interval": "0s", **config}, missing, **resources)
    made = part(cluster)
    assert made["classes"] is None and made["forecast"] is None and made["turnover"] is None
    assert any(reason in one for one in made["classes_unknown"])
    ids = found(cluster)
    assert reason in ids["identity-classes-unknown"].summary
    # whether unused ones are collected does not depend on who uses what
    assert ("identity-gc-off" in ids) is (unknown != "configmaps") and not (
        unknown != "configmaps" and ids["identity-gc-off"].evidence["oldest_unused"]
    )
    assert not {"identities-leaked", "identity-missing", "identities-out-of-range", "identity-gc-slow"} & set(ids)
    if config.get("identity_allocation_mode") == "kvstore":
        assert made["used"] is None and made["free"] is None


def test_a_key_that_cilium_does_not_obey() -> None:
    """Without a kvstore, policies need CiliumEndpoints: those that are there tell of use. Where none is, nobody knows."""
    asked = {"disable_endpoint_crd": "true", "enable_policy": "never"}
    assert part(built(asked, **CLASSES))["classes"] == part(built({}, **CLASSES))["classes"]
    none = {**CLASSES, "ciliumendpoints": [], "ciliumendpointslices": []}
    assert part(built(asked, **none))["classes"] is None


def test_slices_that_nobody_uses_may_be_unreadable() -> None:
    """Without enable-cilium-endpoint-slice they say nothing."""
    resources = {key: value for key, value in CLASSES.items() if key != "ciliumendpointslices"}
    assert part(built({}, {"ciliumendpointslices": "forbidden"}, **resources))["classes"]["in-use"] == 1


def test_unreadable_identities() -> None:
    """Nothing is said; data-missing says why."""
    cluster = built({}, {"ciliumidentities": "forbidden"})
    assert found(cluster) == {} and identities.section(cluster) is None


def test_leaked() -> None:
    """The count, the oldest first, and why nothing collects them; a few are no alarm."""
    many = [identity(1000 + number, age=600 + number) for number in range(700)]
    ids = found(built({"identity_gc_interval": "0s"}, ciliumidentities=many))
    leaked = ids["identities-leaked"]
    assert leaked.severity == "warning" and leaked.evidence["count"] == 700
    assert leaked.evidence["oldest"][:2] == ["1699", "1698"] and len(leaked.evidence["oldest"]) == 10
    assert ids["identity-gc-off"].evidence["oldest_unused"] == "22 h"
    ids = found(built({"identity_gc_interval": "600"}, ciliumidentities=many[:3]))
    assert ids["identities-leaked"].severity == "info" and "missing unit" in ids["identity-gc-broken"].summary


def test_slow_collection() -> None:
    """Marks that are older than the collection takes; pending ones do not count."""
    ids = found(built(ciliumidentities=[identity(300, mark=200), identity(301, mark=30)]))
    assert "1 unused identities were marked for deletion up to 3 h ago" in ids["identity-gc-slow"].summary
    assert ids["identities-leaked"].evidence["oldest"] == ["300"]
    awaited = identity(300, mark=200, labels=security_labels(app="x"))
    assert found(built(ciliumidentities=[awaited], pods=[labelled_pod("p", app="x")])) == {}


def test_metrics_tell_of_failures() -> None:
    """Rounds that all fail are a broken collection."""
    samples = {'cilium_operator_identity_gc_runs{identity_type="crd",outcome="fail"}': 3.0}
    metrics = [{"component": "operator", "pod": "o", "node": "", "samples": samples}]
    assert (
        "all 3 rounds" in found(built(ciliumidentities=[identity(300)], metrics=metrics))["identity-gc-broken"].summary
    )


def test_unmarked() -> None:
    """Many old ones without a mark although the collection works."""
    many = [identity(1000 + number) for number in range(100)]
    assert found(built(ciliumidentities=many))["identities-unmarked"].evidence["count"] == 100
    marked = [identity(3000 + number, mark=10) for number in range(26)]
    assert found(built(ciliumidentities=[*many, *marked])) == {}
    assert found(built(ciliumidentities=many[1:])) == {}


def of_agent(least: int, most: int) -> Any:
    """An agent's answer: a small range makes small tests."""
    return [{"node": "n", "pod": "p", "status": {"identity-range": {"min-identity": least, "max-identity": most}}}]


@pytest.mark.parametrize(
    ("count", "identifier", "severity"),
    [
        (160, "", ""),
        (161, "identity-range-nearly-exhausted", "warning"),
        (191, "identity-range-nearly-exhausted", "critical"),
        (200, "identity-range-exhausted", "critical"),
    ],
)
def test_range(count: int, identifier: str, severity: str) -> None:
    """More than 80 %, more than 95 %, and none left; a range that is full makes a missing collection critical."""
    resources = {
        "ciliumidentities": [identity(256 + number, labels={"k8s:app": "x"}) for number in range(count)],
        "ciliumendpoints": [endpoint(f"p{number}", 256 + number) for number in range(count)],
        "agents": of_agent(256, 455),
    }
    ids = found(built(**resources))
    ids.pop("identities-duplicate")
    assert {key: one.severity for key, one in ids.items()} == ({identifier: severity} if identifier else {})
    if identifier:
        words = f"{count} of 200 identity numbers (256 to 455) are taken, {count} of them in use"
        assert ids[identifier].summary.startswith(words)
        assert found(built({"identity_gc_interval": "0"}, **resources))["identity-gc-off"].severity == "critical"


def test_range_by_agent_and_unknown_range() -> None:
    """An agent knows best; settings without a range are named."""
    assert part(built({"cluster_id": "x"}, agents=of_agent(256, 299)))["range"]["capacity"] == 44
    cluster = built({"cluster_id": "x"}, ciliumidentities=[identity(300)])
    assert "cluster-id is 'x'" in found(cluster)["identity-range-unknown"].summary
    assert part(cluster)["range"] is None and part(cluster)["used"] is None


def test_out_of_range() -> None:
    """How many, and whether they are in use."""
    made = found(built(ciliumidentities=[identity(65536), identity(5)], ciliumendpoints=[endpoint("a", 65536)]))
    assert (
        made["identities-out-of-range"].evidence["count"] == 2
        and made["identities-out-of-range"].evidence["in_use"] == 1
    )


def test_duplicates() -> None:
    """Oldest first; one identity may have many."""
    same = security_labels(app="x")
    three = [identity(300 + number, age=100 - number, labels=same) for number in (2, 0, 1)]
    cluster = built(ciliumidentities=[*three, identity(400)])
    assert found(cluster)["identities-duplicate"].evidence == {
        "count": 2,
        "groups": 1,
        "identities": [["300", "301", "302"]],
    }
    assert part(cluster)["classes"]["duplicate"] == 2


def test_missing() -> None:
    """Of the range only, of endpoints that are not new only, and none where an endpoint has no identity."""
    endpoints = [
        endpoint("gone", 400),
        endpoint("health", 4),
        endpoint("local", 1 << 24),
        endpoint("new", 401, age=1),
        endpoint("none", None),
        endpoint("fine", 300),
    ]
    ids = found(built(ciliumidentities=[identity(300)], ciliumendpoints=endpoints))
    assert ids["identity-missing"].evidence == {
        "endpoints": ["default/gone"],
        "count": 1,
        "identities": [400],
        "missing": 1,
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"identity_management_mode": "operator"}, set()),
        ({"identity_management_mode": "operator", "version": "1.17.4"}, {"identity-management-unsupported"}),
        (
            {"identity_management_mode": "both", "identity_allocation_mode": "kvstore"},
            {"identity-management-unsupported"},
        ),
        ({"identity_management_mode": "agent", "version": "1.17.4"}, set()),
    ],
)
def test_management_mode(config: dict[str, str], expected: set[str]) -> None:
    """Who creates identities must be able to."""
    assert set(found(built(config))) == expected


def test_creation_forbidden() -> None:
    """The operator needs the verb create where it creates identities."""
    role = {
        "metadata": {"name": "cilium-operator"},
        "rules": [{"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": ["delete", "update"]}],
    }
    assert set(found(built({"identity_management_mode": "operator"}, clusterroles=[role]))) == {
        "identity-creation-forbidden"
    }
    assert found(built(clusterroles=[role])) == {}


def test_odd_objects() -> None:
    """What a file may hold and no API server would."""
    odd = [
        {"metadata": {"name": "300"}},
        {"metadata": {"name": "301", "creationTimestamp": "yesterday"}, "security-labels": None},
        {"metadata": {"name": "9" * 30, "creationTimestamp": ago(5), "annotations": {"io.cilium.heartbeat": "x"}}},
    ]
    made = part(built(ciliumidentities=odd, ciliumendpoints=[{"metadata": {"name": "e"}}]))
    assert made["classes"]["aging"] == 2 and made["classes"]["out-of-range"] == 1
