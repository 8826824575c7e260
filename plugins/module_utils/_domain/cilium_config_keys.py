# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The keys of the ConfigMap cilium-config: which program reads each in which release, and how.

A key is a flag of cilium-agent or cilium-operator of the same name. How a value is read (pkg/option/config.go,
validateConfigMap; hive cell/config.go): every value has to pass the loose conversion of its kind; a flag that is decoded
strictly has to pass the decoder too, which wants a unit in a duration. Programs pass over keys that they do not know.
"""

from __future__ import annotations

import difflib
import functools
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain import (
    cilium_config_keys_agent,
    cilium_config_keys_hidden,
    cilium_config_keys_operator,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release, parse_release

AGENT, OPERATOR = "agent", "operator"
RELEASES: tuple[Release, ...] = tuple(parse_release(text) for text in cilium_config_keys_agent.RELEASES)


@dataclass(frozen=True)
class ConfigKey:
    """One key as one program reads it in the releases ``since`` to ``until`` (both included).

    ``kind`` is bool, duration, float, int, int32, uint, uint8, uint16, uint32, list, map or string.
    """

    name: str
    owner: str
    kind: str
    strict: bool
    since: Release
    until: Release


@dataclass(frozen=True)
class KeyDetail:
    """What is known of the keys that decide about identities, endpoints and addresses. ``helm`` is the chart's value."""

    helm: str
    default: str
    unit: str = ""
    choices: tuple[str, ...] = ()


DETAILS: Mapping[str, KeyDetail] = {
    "identity-gc-interval": KeyDetail("operator.identityGCInterval", "15m0s", "duration; 0 turns the GC off"),
    "identity-heartbeat-timeout": KeyDetail("operator.identityHeartbeatTimeout", "30m0s", "duration"),
    "identity-gc-rate-interval": KeyDetail("", "1m0s", "duration"),
    "identity-gc-rate-limit": KeyDetail("", "2500", "identities for each identity-gc-rate-interval"),
    "cilium-endpoint-gc-interval": KeyDetail("operator.endpointGCInterval", "5m0s", "duration"),
    "nodes-gc-interval": KeyDetail("operator.nodeGCInterval", "5m0s", "duration; 0 turns the GC off"),
    "unmanaged-pod-watcher-interval": KeyDetail(
        "operator.unmanagedPodWatcher.intervalSeconds", "15", "seconds without a unit up to 1.18, a duration since 1.19"
    ),
    "endpoint-gc-interval": KeyDetail("", "5m0s", "duration; health of this Node's own endpoints"),
    "identity-allocation-mode": KeyDetail(
        "identityAllocationMode", "crd", choices=("crd", "kvstore", "doublewrite-readkvstore", "doublewrite-readcrd")
    ),
    "identity-management-mode": KeyDetail("identityManagementMode", "agent", choices=("agent", "operator", "both")),
    "identity-change-grace-period": KeyDetail("identityChangeGracePeriod", "5s", "duration"),
    "labels": KeyDetail("labels", "", "patterns with blanks between them"),
    "ipam": KeyDetail(
        "ipam.mode",
        "cluster-pool",
        choices=(
            *("kubernetes", "cluster-pool", "multi-pool", "crd", "eni", "azure", "alibabacloud", "delegated-plugin"),
            "cluster-pool-v2beta",
        ),
    ),
    "cluster-pool-ipv4-cidr": KeyDetail("ipam.operator.clusterPoolIPv4PodCIDRList", "10.0.0.0/8", "CIDRs"),
    "cluster-pool-ipv4-mask-size": KeyDetail("ipam.operator.clusterPoolIPv4MaskSize", "24", "bits"),
    "cluster-pool-ipv6-cidr": KeyDetail("ipam.operator.clusterPoolIPv6PodCIDRList", "fd00::/104", "CIDRs"),
    "cluster-pool-ipv6-mask-size": KeyDetail("ipam.operator.clusterPoolIPv6MaskSize", "120", "bits"),
    "cluster-id": KeyDetail("cluster.id", "0", "0 to max-connected-clusters"),
    "cluster-name": KeyDetail("cluster.name", "default", "at most 32 characters"),
    "max-connected-clusters": KeyDetail("clustermesh.maxConnectedClusters", "255", choices=("255", "511")),
    "bpf-policy-map-max": KeyDetail("bpf.policyMapMax", "16384", "entries for each endpoint, 256 to 65536"),
    "kvstore-lease-ttl": KeyDetail("", "15m0s", "duration, 25s to 24h0m0s"),
    "enable-cilium-endpoint-slice": KeyDetail("ciliumEndpointSlice.enabled", "false"),
    "operator-k8s-client-qps": KeyDetail("k8sClientRateLimit.operator.qps", "100", "requests for each second"),
    "operator-k8s-client-burst": KeyDetail("k8sClientRateLimit.operator.burst", "200", "requests"),
    "disable-endpoint-crd": KeyDetail("disableEndpointCRD", "false"),
}
# keys of runbooks that never existed -> the key that does what was meant, and a remark
INVENTED: Mapping[str, tuple[str, str]] = {
    "identity-allocation-refresh": (
        "identity-allocation-sync-interval",
        "agents refresh their identities every 5m0s by it",
    ),
    "enable-identity-cache": ("", "the cache of identities cannot be turned off"),
    "identity-cache-size": (
        "",
        "the number of identities is limited by their numeric range only: max-connected-clusters",
    ),
    "enable-endpoint-gc": (
        "cilium-endpoint-gc-interval",
        "the operator's clean-up of CiliumEndpoints has an interval only",
    ),
    "enable-identity-gc": ("identity-gc-interval", "0 turns the clean-up of identities off, any other duration on"),
    "identity-allocation-gc-interval": ("identity-gc-interval", "the operator's interval"),
    "lock-key-prefix": ("", "the prefixes of keys in the kvstore are fixed"),
    "lockKeyPrefix": ("", "the prefixes of keys in the kvstore are fixed"),
}


@functools.cache
def table() -> Mapping[str, tuple[ConfigKey, ...]]:
    """{key: its forms, agent before operator, older before newer}."""
    forms: dict[str, list[ConfigKey]] = {}
    for owner, text in (
        (AGENT, cilium_config_keys_agent.TABLE),
        (AGENT, cilium_config_keys_hidden.AGENT),
        (OPERATOR, cilium_config_keys_operator.TABLE),
        (OPERATOR, cilium_config_keys_hidden.OPERATOR),
    ):
        for form in _read(owner, text):
            forms.setdefault(form.name, []).append(form)
    return {name: tuple(sorted(found, key=lambda one: (one.owner, one.since))) for name, found in forms.items()}


def _read(owner: str, text: str) -> t.Iterator[ConfigKey]:
    kind, decoder, since, until = "", "", RELEASES[0], RELEASES[-1]
    for line in text.splitlines():
        words = line.split()
        if line.startswith(" "):
            yield from (ConfigKey(name, owner, kind, decoder == "strict", since, until) for name in words)
        elif words:
            kind, decoder = words[:2]
            since, until = parse_release(words[2]), parse_release(words[3])


def nearest_release(release: Release | None) -> Release:
    """The release of the table that stands for ``release``: newer ones are read as the newest, unknown ones too."""
    if release is None or release > RELEASES[-1]:
        return RELEASES[-1]
    return max(release, RELEASES[0])


def forms_in(name: str, release: Release | None) -> tuple[ConfigKey, ...]:
    """How the programs of one release read a key: none, one, or agent and operator.

    Where the release is unknown, the last form of each program.
    """
    every = table().get(name, ())
    if release is None:
        return tuple({form.owner: form for form in every}.values())
    at = nearest_release(release)
    return tuple(form for form in every if form.since <= at <= form.until)


def owners(name: str, release: Release | None) -> tuple[str, ...]:
    """Which programs read a key (agent, operator): those have to be restarted after a change."""
    return tuple(dict.fromkeys(form.owner for form in forms_in(name, release)))


@functools.cache
def _chart_keys() -> Mapping[str, tuple[ConfigKey, ...]]:
    found: dict[str, list[ConfigKey]] = {}
    for form in _read("chart", cilium_config_keys_hidden.CHART):
        found.setdefault(form.name, []).append(form)
    return {name: tuple(forms) for name, forms in found.items()}


def is_written_by_charts(name: str, release: Release | None) -> bool:
    """Whether the chart of a release writes a key that its programs do not read, or read under another name."""
    spans = _chart_keys().get(name, ())
    at = nearest_release(release)
    written = any(form.since <= at <= form.until for form in spans) or (release is None and bool(spans))
    return written or name in cilium_config_keys_hidden.DEPRECATED_NAMES


def history(name: str, release: Release | None) -> str:
    """Why a key that a release does not know was one before or after it; empty when it never was one."""
    every = table().get(name, ())
    if not every or release is None:
        return ""
    first, last = min(form.since for form in every), max(form.until for form in every)
    if release < first:
        return f"new in {first[0]}.{first[1]}"
    return f"removed after {last[0]}.{last[1]}"


def near_matches(name: str, release: Release | None) -> list[str]:
    """At most three keys that a release has and that are spelled alike, the nearest first."""
    at = nearest_release(release)
    known = [key for key, forms in table().items() if any(form.since <= at <= form.until for form in forms)]
    return difflib.get_close_matches(name, known, n=3, cutoff=0.8)
