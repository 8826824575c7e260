"""Fields of option.Config against keys of cilium-config, in the notations of both."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_configuration import (
    differences,
    overrides_of,
    selects,
)


@pytest.mark.parametrize(
    ("field", "running", "key", "written", "shown"),
    [
        ("IPAM", "cluster-pool", "ipam", "cluster-pool", None),
        ("IPAM", "kubernetes", "ipam", "cluster-pool", "kubernetes"),
        ("EnablePolicy", "default", "enable-policy", "Default", None),
        ("EnableIPv6", False, "enable-ipv6", "false", None),
        ("EnableIPv6", False, "enable-ipv6", "0", None),
        ("EnableIPv6", False, "enable-ipv6", "TRUE", "false"),
        ("EnableIPv6", False, "enable-ipv6", "perhaps", None),
        ("ClusterID", 3, "cluster-id", "3", None),
        ("ClusterID", 3, "cluster-id", "4", "3"),
        ("KVstoreLeaseTTL", 900 * 10**9, "kvstore-lease-ttl", "15m", None),
        ("KVstoreLeaseTTL", 900 * 10**9, "kvstore-lease-ttl", "15m0s", None),
        ("KVstoreLeaseTTL", 900 * 10**9, "kvstore-lease-ttl", "120s", "15m0s"),
        ("KVstoreLeaseTTL", 900 * 10**9, "kvstore-lease-ttl", "soon", None),
        ("Labels", [], "labels", "", None),
        ("Labels", ["k8s:app", "!io.kubernetes"], "labels", "k8s:app !io.kubernetes ", None),
        ("Labels", ["k8s:app k8s:b"], "labels", "k8s:app,k8s:b", None),
        ("Labels", ["k8s:app"], "labels", "k8s:app k8s:tier", "k8s:app"),
        ("IPAM", None, "ipam", "kubernetes", None),
        ("IPAM", {"odd": 1}, "ipam", "kubernetes", None),
        ("Unknown", "a", "unknown", "b", None),
    ],
)
def test_values(field: str, running: Any, key: str, written: str, shown: str | None) -> None:
    """Different only where both can be read and mean different things."""
    expected = [] if shown is None else [(key, shown, written)]
    assert differences({field: running}, {key: written}) == expected


def test_what_is_not_configured_has_a_default_that_is_not_judged() -> None:
    """The default depends on the version."""
    assert differences({"IPAM": "kubernetes"}, {}) == []


def test_node_configurations_override_the_config_map() -> None:
    """Those that select the Node, in the order of their names."""
    configs = [
        {
            "metadata": {"name": "b"},
            "spec": {"nodeSelector": {"matchLabels": {"gpu": "yes"}}, "defaults": {"ipam": "b"}},
        },
        {"metadata": {"name": "a"}, "spec": {"nodeSelector": {}, "defaults": {"ipam": "a", "mtu": "1"}}},
    ]
    assert overrides_of({}, configs) == {"ipam": "a", "mtu": "1"}
    assert overrides_of({"gpu": "yes"}, configs) == {"ipam": "b", "mtu": "1"}
    running = {"IPAM": "b"}
    assert differences(running, {"ipam": "x"}, overrides_of({"gpu": "yes"}, configs)) == []


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        ("In", ["a"], {"k": "a"}, True),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {"k": "b"}, True),
        ("NotIn", ["a"], {}, True),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("Exists", None, {"k": ""}, True),
        ("Exists", None, {}, False),
        ("DoesNotExist", None, {}, True),
        ("DoesNotExist", None, {"k": ""}, False),
        ("Odd", None, {"k": ""}, False),
    ],
)
def test_selectors(operator: str, values: list[str] | None, labels: dict[str, str], expected: bool) -> None:
    """As LabelSelector of the Kubernetes API."""
    requirement: dict[str, Any] = {"key": "k", "operator": operator}
    if values is not None:
        requirement["values"] = values
    assert selects({"matchExpressions": [requirement]}, labels) is expected
