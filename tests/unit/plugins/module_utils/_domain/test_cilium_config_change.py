"""A change of cilium-config: what is refused and how, what it calls for, and what runs with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import (
    applied,
    helm_values,
    objections,
    restarts,
    start_problems,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_in_force import (
    is_same,
    options_in_log,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import DETAILS, INVENTED, table
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_profiles import PROFILES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.config_owner import owners_of

NOW = (1, 18)
CONFIG = {"identity-gc-interval": "15m0s", "identity-heartbeat-timeout": "30m0s", "cluster-name": "default"}


def said(
    change: dict[str, str | None], release: tuple[int, int] | None = NOW, **config: str
) -> dict[str, tuple[str, str]]:
    """{key: (reason, risk)}."""
    data = {**CONFIG, **{key.replace("_", "-"): value for key, value in config.items()}}
    found: dict[str, tuple[str, str]] = {}
    for one in objections(data, change, release):
        reason, risk = found.get(one.key, ("", one.risk))
        assert risk == one.risk  # of one key here
        found[one.key] = (f"{reason} {one.reason}", risk)
    return found


@pytest.mark.parametrize(
    ("key", "value", "words", "risk"),
    [
        ("identity-gc-interval", "600", "missing unit in duration", ""),
        ("identity-gc-interval", "0", "deletes no identity", "harmful-value"),
        ("identity-gc-interval", "2h", "stay for many hours", "harmful-value"),
        ("identity-heartbeat-timeout", "1m", "before their endpoint is seen", "harmful-value"),
        ("identity-heartbeat-timeout", "10m", "shorter than identity-gc-interval", "harmful-value"),
        ("identity-gc-rate-limit", "many", "invalid syntax", ""),
        ("identity-gc-rate-limit", "", "taken for 0", "harmful-value"),
        ("cilium-endpoint-gc-interval", "300", "taken for 300ns", ""),
        ("cilium-endpoint-gc-interval", "0", "deletes all CiliumEndpoints", ""),
        ("identity-allocation-refresh", "600s", "identity-allocation-sync-interval", ""),
        ("enable-identity-cache", "true", "never had such a key", ""),
        ("identity-gc-intervall", "5m", "the nearest are identity-gc-interval", "unknown-key"),
        ("cluster-id", "3", "another identity", "fixed-at-installation"),
        ("cluster-pool-ipv4-cidr", "10.0.0.0/8", "must stay", "address-pool"),
        ("labels", "k8s:app", "until all pods are renewed", "label-filter"),
        ("kvstore-lease-ttl", "10s", "would not start with it", ""),
    ],
)
def test_what_is_refused(key: str, value: str, words: str, risk: str) -> None:
    """With the reason, and a risk to accept only where there is a way around."""
    found = said({key: value}, cluster_name="east") if key == "cluster-id" else said({key: value})
    assert words in found[key][0]
    assert found[key][1] == risk


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("release", [(1, 14), (1, 17), (1, 18), (1, 20)])
def test_profiles_need_no_risk(name: str, release: tuple[int, int]) -> None:
    """What we recommend passes our own judgement, in every release that has its keys."""
    values = {key: value for key, value in PROFILES[name].values.items() if restarts([key], CONFIG, release)[key]}
    assert len(values) >= 5
    assert objections(CONFIG, values, release) == []
    assert {one for names in restarts(values, CONFIG, release).values() for one in names} == {"operator"}


def test_a_default_is_the_default_of_the_table() -> None:
    """The profile `default` and the table say the same."""
    for key, value in PROFILES["default"].values.items():
        assert DETAILS[key].default == value


def test_what_was_broken_before_is_no_reason() -> None:
    """And what is so already is no change."""
    assert said({"identity-gc-rate-limit": "3000"}, nodes_gc_interval="0", identity_heartbeat_timeout="1m") == {}
    assert said({"identity-gc-interval": "600"}, identity_gc_interval="600") == {}
    assert said({"identity-gc-intervall": None, "enable-identity-cache": None}) == {}


def test_a_key_of_another_release_is_told_from_a_misspelled_one() -> None:
    """By when it was there."""
    assert "new in 1.17" in said({"operator-k8s-client-qps": "200"}, (1, 15))["operator-k8s-client-qps"][0]


def test_what_would_not_start() -> None:
    """By program; a sound configuration has none."""
    assert start_problems(CONFIG, NOW) == {}
    found = start_problems({**CONFIG, "identity-gc-interval": "600", "cluster-name": "EAST"}, NOW)
    assert len(found["operator"]) == 2 and len(found["agent"]) == 1


def test_helm_values() -> None:
    """Where the chart has a value, with the type that it wants; else extraConfig; a default for what is taken out."""
    change: dict[str, str | None] = {
        "identity-gc-interval": None,
        "identity-gc-rate-limit": "5000",
        "operator-k8s-client-qps": "200",
        "enable-cilium-endpoint-slice": "true",
        "cluster-pool-ipv4-cidr": "10.0.0.0/16,10.1.0.0/16",
        "no-such-key": None,
    }
    assert helm_values(change, NOW) == {
        "operator": {"identityGCInterval": "15m0s"},
        "extraConfig": {"identity-gc-rate-limit": "5000"},
        "k8sClientRateLimit": {"operator": {"qps": 200}},
        "ciliumEndpointSlice": {"enabled": True},
        "ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["10.0.0.0/16", "10.1.0.0/16"]}},
    }


def test_restarts() -> None:
    """Each key by who reads it."""
    asked = ["labels", "identity-gc-interval", "bpf-policy-map-max", "kvstore-lease-ttl", "nobody"]
    assert restarts(asked, CONFIG, NOW) == {
        "bpf-policy-map-max": ["agent"],
        "identity-gc-interval": ["operator"],
        "kvstore-lease-ttl": ["agent", "operator"],
        "labels": ["agent"],
        "nobody": [],
    }
    managed = {**CONFIG, "identity-management-mode": "both"}
    assert restarts(["labels"], managed, NOW) == {"labels": ["agent", "operator"]}


KEYS = st.sampled_from([*sorted(table())[::7], *DETAILS, *INVENTED, "nobody-knows-this"])
VALUES = (
    st.none()
    | st.sampled_from(["", "0", "5m0s", "600", "true", "no", "-1", "1e9", "{", "a=b", "\u00b5"])
    | st.text(max_size=8)
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.sampled_from([None, (1, 14), NOW, (1, 20)]),
)
def test_what_is_let_through_starts(config: dict[str, Any], change: dict[str, Any], release: Any) -> None:
    """Whatever the change: without an objection no program that starts now stops because of it."""
    before = {key: value for key, value in config.items() if value is not None}
    after = applied(before, change)
    assert all(after.get(key) == value for key, value in change.items())
    if objections(before, change, release):
        return
    new = {one for found in start_problems(after, release).values() for one in found}
    old = {one for found in start_problems(before, release).values() for one in found}
    assert not {one for one in new - old if one.partition(":")[0] in change}


LOG = (
    "time=2026-11-21T11:27:01Z level=info msg=\"  --identity-gc-interval='15m0s'\" subsys=cilium-operator\n"
    '{"msg":"  --identity-gc-rate-limit=\'2500\'","level":"info"}\n'
    "level=info msg=\"  --labels='k8s:app k8s:!it'\" subsys=cilium-operator\n"
    'level=info msg="  --other=\'1\'"\nlevel=fatal msg="failed to start"\n'
)


def test_options_in_a_log() -> None:
    """Of both formats, and only those that were asked for; a later start wins."""
    asked = ["identity-gc-interval", "identity-gc-rate-limit", "labels", "missing"]
    later = LOG + "level=info msg=\"  --identity-gc-rate-limit='9'\"\n"
    assert options_in_log(later, asked) == {
        "identity-gc-interval": "15m0s",
        "identity-gc-rate-limit": "9",
        "labels": "k8s:app k8s:!it",
    }


@pytest.mark.parametrize(
    ("key", "configured", "running", "same"),
    [
        ("identity-gc-interval", "900s", "15m0s", True),
        ("identity-gc-interval", "900s", "15m1s", False),
        ("identity-gc-interval", "900", "15m0s", None),
        ("identity-gc-rate-limit", "0x10", "16", True),
        ("enable-ipv4", "T", "true", True),
        ("operator-k8s-client-qps", "200", "200.0", True),
        ("cluster-name", "east", "west", False),
        ("cluster-pool-ipv4-cidr", "10.0.0.0/16 10.1.0.0/16", "10.0.0.0/16,10.1.0.0/16", True),
        ("cluster-pool-ipv4-cidr", "10.0.0.0/16 10.1.0.0/16", "10.1.0.0/16,10.0.0.0/16", None),
        ("identity-gc-interval", "fast", "fast", None),
    ],
)
def test_same_value(key: str, configured: str, running: str, same: bool | None) -> None:
    """By meaning; None where texts cannot tell."""
    assert is_same(key, "operator", configured, running, NOW) is same


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, []),
        (
            {"annotations": {"meta.helm.sh/release-name": "cilium", "meta.helm.sh/release-namespace": "kube-system"}},
            [("Helm", "kube-system/cilium", False)],
        ),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, [("Helm", "", False)]),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "net:/ConfigMap:kube-system/cilium-config"}},
            [("Argo CD", "net", True)],
        ),
        (
            {
                "labels": {
                    "kustomize.toolkit.fluxcd.io/name": "infra",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                }
            },
            [("Flux", "flux-system/infra", True)],
        ),
        ({"managedFields": [{"manager": "helm-controller"}, {"manager": "kubectl-edit"}, {}]}, [("Flux", "", True)]),
        (
            {"labels": {"app.kubernetes.io/managed-by": "Helm", "argocd.argoproj.io/instance": "net"}},
            [("Helm", "", False), ("Argo CD", "net", True)],
        ),
    ],
)
def test_owners(metadata: dict[str, Any], expected: list[tuple[str, str, bool]]) -> None:
    """By labels, annotations and field managers; each tool once."""
    assert [(one.tool, one.name, one.reverts_by_itself) for one in owners_of(metadata)] == expected
