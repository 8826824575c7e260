"""Checks of Cilium's configuration: each finding happens, and does not happen beside its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from snapshots.provoked_cilium_config import (
    CLEAN,
    PROVOKED,
    agents,
    cluster,
)
from snapshots.small_clusters import context, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import catalogue_cilium_config, cilium_config
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES
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


def test_every_entry_is_provoked() -> None:
    """None is forgotten, none is made up."""
    assert set(PROVOKED) == {kind.id for kind in catalogue_cilium_config.KINDS}


@pytest.mark.parametrize("identifier", PROVOKED)
def test_a_finding_has_everything_an_operator_needs(identifier: str) -> None:
    """Fact, evidence, meaning, why it matters, how to verify, and what mends it."""
    found = [one for one in cilium_config.check(context(**PROVOKED[identifier])) if one.id == identifier]
    assert found
    for one in found:
        result = one.to_dict()
        assert result["severity"] in SEVERITIES
        assert all(result[key] for key in ("title", "summary", "meaning", "why", "verify", "evidence"))
        kind = CATALOGUE[identifier]
        assert kind.playbook or "because" in kind.remedy or result["severity"] == "info"


def test_a_healthy_cluster_has_none() -> None:
    """Nor one without Cilium, nor one of which nothing could be read."""
    assert ids() == set()
    for made in (context(nodes=[node("a", "10.0.0.0/24")]), context()):
        assert not list(cilium_config.check(made))
    unknown = dict.fromkeys(context().state.resources, "forbidden")
    assert not list(cilium_config.check(context(unknown=unknown)))


def test_an_unreadable_configuration_is_not_judged() -> None:
    """Absent data is unknown: not even the version's bugs, which depend on it, are told."""
    made = context(**{**cluster(version="1.14.0", unknown={"configmaps": "forbidden"}), "configmaps": ()})
    assert not list(cilium_config.check(made))


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "version", "stops"),
    [
        ("identity-gc-interval", "600", "1.14.0", ["operator"]),
        ("identity-gc-interval", "10 minutes", CLEAN, ["operator"]),
        ("enable-ipv4", "yes", CLEAN, ["agent", "operator"]),
        ("enable-ipv4", "", CLEAN, ["agent", "operator"]),
        ("unmanaged-pod-watcher-interval", "15s", "1.18.11", ["operator"]),
        ("unmanaged-pod-watcher-interval", "15", "1.19.0", ["operator"]),
        ("cilium-endpoint-gc-interval", "300", "1.20.0", ["operator"]),
        ("max-connected-clusters", "300", CLEAN, ["agent", "operator"]),
        ("cluster-id", "256", CLEAN, ["agent", "operator"]),
        ("identity-allocation-mode", "kubernetes", CLEAN, ["agent", "operator"]),
        ("ipam", "cluster-scope", CLEAN, ["agent"]),
        ("kvstore-lease-ttl", "10s", CLEAN, ["agent", "operator"]),
        ("bpf-policy-map-max", "100", "1.17.0", ["agent"]),
    ],
)
def test_values_that_stop_a_program(key: str, value: str, version: str, stops: list[str]) -> None:
    """Critical, naming who stops; what has to be restarted after the change is in the evidence."""
    found = [one for one in findings({key: value, "cluster-name": "a"}, version) if one.subject.name == key]
    assert [one.id for one in found] == ["cilium-config-value-invalid"]
    assert found[0].severity == "critical" and found[0].evidence["stops"] == stops
    assert found[0].evidence["restart"] == [
        {"agent": "daemonset/cilium", "operator": "deployment/cilium-operator"}[name]
        for name in found[0].evidence["read_by"]
    ]


@pytest.mark.parametrize(
    ("key", "value", "version"),
    [
        ("unmanaged-pod-watcher-interval", "15", "1.18.11"),
        ("unmanaged-pod-watcher-interval", "15s", "1.19.0"),
        ("identity-gc-interval", "15m0s", CLEAN),
        ("cluster-id", "7", CLEAN),
        ("bpf-policy-map-max", "65536", "1.17.0"),
        ("kvstore-lease-ttl", "15m", CLEAN),
        ("etcd-config", "---\nendpoints: []", CLEAN),
        ("clean-cilium-state", "false", CLEAN),
        ("ct-global-max-entries-tcp", "1000", CLEAN),
        ("enable-stale-cilium-endpoint-cleanup", "false", CLEAN),
    ],
)
def test_values_that_charts_and_users_write(key: str, value: str, version: str) -> None:
    """Nothing is said about what is in order."""
    said = [one for one in findings({key: value, "cluster-name": "a"}, version) if one.id != "cilium-known-bug"]
    assert said == []


def test_a_duration_without_unit_depends_on_the_version() -> None:
    """Read loosely up to 1.19 (nanoseconds, and the operator starts), strictly since 1.20 (it does not)."""
    found = only("cilium-config-duration-without-unit", {"cilium-endpoint-gc-interval": "300"}, "1.19.6")
    assert found.summary == 'cilium-endpoint-gc-interval: "300" has no unit and is taken for 300ns'
    assert found.evidence["helm_value"] == "operator.endpointGCInterval"
    assert ids({"cilium-endpoint-gc-interval": "300"}, "1.20.0") == {"cilium-config-value-invalid"}


NO_POLICIES = {
    "enable-policy": "never",
    "enable-k8s-networkpolicy": "false",
    "enable-cilium-network-policy": "false",
    "enable-cilium-clusterwide-network-policy": "false",
}


@pytest.mark.parametrize(
    ("data", "key", "severity"),
    [
        ({"identity-gc-interval": "0"}, "identity-gc-interval", "warning"),
        ({"identity-gc-interval": "-5m"}, "identity-gc-interval", "warning"),
        ({"identity-gc-interval": "2h"}, "identity-gc-interval", "warning"),
        ({"identity-heartbeat-timeout": "1m"}, "identity-heartbeat-timeout", "warning"),
        ({"identity-gc-rate-limit": "100"}, "identity-gc-rate-limit", "warning"),
        ({"cilium-endpoint-gc-interval": "0s"}, "cilium-endpoint-gc-interval", "critical"),
        ({"disable-endpoint-crd": "true"}, "disable-endpoint-crd", "warning"),
        ({"disable-endpoint-crd": "true", **NO_POLICIES}, "disable-endpoint-crd", "critical"),
        ({"disable-endpoint-crd": "true", "kvstore": "etcd"}, "disable-endpoint-crd", "critical"),
        ({"nodes-gc-interval": "0s"}, "nodes-gc-interval", "info"),
        ({"kvstore": "etcd", "kvstore-lease-ttl": "120s"}, "kvstore-lease-ttl", "warning"),
        ({"bpf-policy-map-max": "100"}, "bpf-policy-map-max", "warning"),
        ({"bpf-policy-map-max": "70000"}, "bpf-policy-map-max", "warning"),
        ({"identity-management-mode": "nobody"}, "identity-management-mode", "warning"),
    ],
)
def test_values_that_make_the_trouble_worse(data: dict[str, str], key: str, severity: str) -> None:
    """With what they do and what to set."""
    found = only("cilium-config-value-harmful", data)
    assert (found.subject.name, found.severity) == (key, severity)
    assert found.evidence["wanted"] and found.evidence["effect"] in found.summary


@pytest.mark.parametrize(
    "data",
    [
        {"disable-endpoint-crd": "true", "identity-allocation-mode": "kvstore"},
        {"kvstore-lease-ttl": "120s"},  # no kvstore is used
        {"identity-heartbeat-timeout": "5m"},
        {"identity-gc-interval": "1h"},
    ],
)
def test_values_that_are_meant_so(data: dict[str, str]) -> None:
    """The same keys where they do no harm."""
    assert "cilium-config-value-harmful" not in ids(data)


# -- keys --------------------------------------------------------------------------------------------------------------


def test_keys_of_the_runbook_that_never_existed() -> None:
    """One finding for each, with the key that does what was meant."""
    keys = {"identity-allocation-refresh": "10m", "enable-identity-cache": "true", "enable-endpoint-gc": "true"}
    found = {one.subject.name: one for one in findings(keys) if one.id == "cilium-config-key-invented"}
    assert {name: one.evidence["real_key"] for name, one in found.items()} == {
        "identity-allocation-refresh": "identity-allocation-sync-interval",
        "enable-identity-cache": "",
        "enable-endpoint-gc": "cilium-endpoint-gc-interval",
    }
    assert "cilium-config-key-unknown" not in ids(keys)


def test_unknown_keys_are_one_finding() -> None:
    """Misspelled and former keys first, however many foreign ones there are."""
    foreign = {f"anetd-{number:03}": "x" for number in range(300)}
    keys = {**foreign, "identity-gc-intervall": "15m", "enable-k8s-endpoint-slice": "true"}
    found = only("cilium-config-key-unknown", {**keys, "aa-former": "1"})
    assert found.severity == "info" and found.evidence["count"] == 303 and len(found.evidence["keys"]) == 10
    found = only("cilium-config-key-unknown", {key: keys[key] for key in list(keys)[-2:]})
    former, misspelled = found.evidence["keys"]
    assert former == {"key": "enable-k8s-endpoint-slice", "known": "removed after 1.17", "similar": []}
    assert misspelled["key"] == "identity-gc-intervall" and misspelled["similar"][0] == "identity-gc-interval"
    assert "enable-k8s-endpoint-slice (removed after 1.17)" in found.summary
    assert "identity-gc-intervall (perhaps identity-gc-interval)" in found.summary


def test_a_key_of_a_newer_version() -> None:
    """It has no effect yet."""
    found = only("cilium-config-key-unknown", {"max-connected-clusters": "255"}, "1.14.5")
    assert found.evidence["keys"][0]["known"] == "new in 1.15"


def test_an_unknown_version() -> None:
    """An image by digest: the last form of each key counts, and the sentence says so."""
    daemon_set = agents()
    daemon_set["spec"]["images"] = ["registry.example/cilium/cilium@sha256:0123"]
    found = findings({"identity-gc-interval": "600", "no-such-key": "1"}, daemonsets=[daemon_set])
    assert {one.id for one in found} == {"cilium-config-value-invalid", "cilium-config-key-unknown"}
    assert "the version, which is unknown" in next(one.summary for one in found if "invalid" in one.id)
