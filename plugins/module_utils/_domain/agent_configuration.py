# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether an agent runs with what the ConfigMap cilium-config says.

Agents read their configuration once, when they start. ``cilium-dbg config -a -o json`` gives the fields of option.Config
by their Go names; durations come as nanoseconds. Options that moved out of option.Config into a cell of their own in
newer versions are simply not there, and are not judged. Source: pkg/option/config.go, cilium-dbg/cmd/config.go.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import mapping, objects, sequence, text
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import (
    DurationError,
    format_duration,
    parse,
)

# field of option.Config -> key of cilium-config
COMPARED: t.Final[Mapping[str, str]] = {
    "IPAM": "ipam",
    "IdentityAllocationMode": "identity-allocation-mode",
    "IdentityChangeGracePeriod": "identity-change-grace-period",
    "IdentityRestoreGracePeriod": "identity-restore-grace-period",
    "ClusterID": "cluster-id",
    "ClusterName": "cluster-name",
    "MaxConnectedClusters": "max-connected-clusters",
    "EnableIPv4": "enable-ipv4",
    "EnableIPv6": "enable-ipv6",
    "EnablePolicy": "enable-policy",
    "EnableHealthChecking": "enable-health-checking",
    "EnableCiliumEndpointSlice": "enable-cilium-endpoint-slice",
    "DisableCiliumEndpointCRD": "disable-endpoint-crd",
    "EndpointGCInterval": "endpoint-gc-interval",
    "KVStore": "kvstore",
    "KVstoreLeaseTTL": "kvstore-lease-ttl",
    "KVstorePeriodicSync": "kvstore-periodic-sync",
    "AllocatorListTimeout": "allocator-list-timeout",
    "Labels": "labels",
    "RoutingMode": "routing-mode",
    "PolicyMapEntries": "bpf-policy-map-max",
    "PolicyMapMaxEntries": "bpf-policy-map-max",
}
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


def differences(
    running: Mapping[str, t.Any], configured: Mapping[str, str], overrides: Mapping[str, str] | None = None
) -> list[tuple[str, str, str]]:
    """[(key, what runs, what is configured)] in the order of the keys.

    ``running`` is the pruned answer of ``config -a``, ``configured`` the data of cilium-config, and ``overrides`` what
    CiliumNodeConfig objects say for this Node. A key that is not configured has a default that depends on the version
    and is not judged; neither is a value that cannot be read.
    """
    wanted = {**configured, **(overrides or {})}
    found = {}
    for field, key in COMPARED.items():
        if field in running and key in wanted:
            shown = _disagreement(running[field], str(wanted[key]).strip())
            if shown is not None:
                found[key] = (key, shown, str(wanted[key]))
    return [found[key] for key in sorted(found)]


def _disagreement(value: t.Any, written: str) -> str | None:
    """What runs, in the notation of the ConfigMap, when it is not what is written."""
    if isinstance(value, bool):
        lowered = written.lower()
        known = lowered in (*_TRUE, *_FALSE)
        return None if not known or value == (lowered in _TRUE) else str(value).lower()
    if isinstance(value, int):
        if written.lstrip("-").isdecimal():
            return None if int(written) == value else str(value)
        return _other_duration(value, written)
    if isinstance(value, str):
        return None if value.lower() == written.lower() else value
    if isinstance(value, list):
        # viper splits on white space, hive on commas too
        wanted_parts = [part for part in re.split(r"[\s,]+", written) if part]
        parts = [piece for part in value for piece in re.split(r"[\s,]+", str(part)) if piece]
        return None if parts == wanted_parts else " ".join(parts)
    return None


def _other_duration(value: int, written: str) -> str | None:
    try:
        return None if parse(written) == value else format_duration(value)
    except DurationError:
        return None


def overrides_of(node_labels: Mapping[str, str], node_configs: Iterable[Mapping[str, t.Any]]) -> dict[str, str]:
    """What CiliumNodeConfig objects set on a Node with these labels.

    They are merged in the order of their names (``cilium-dbg build-config`` reads them so), the last one wins.
    """
    found: dict[str, str] = {}
    for one in sorted(node_configs, key=lambda config: text(mapping(config.get("metadata")).get("name"))):
        spec = mapping(one.get("spec"))
        if selects(mapping(spec.get("nodeSelector")), node_labels):
            found.update({key: text(value) for key, value in mapping(spec.get("defaults")).items()})
    return found


def selects(selector: Mapping[str, t.Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects what has these labels; an empty one selects everything."""
    if any(labels.get(key) != value for key, value in mapping(selector.get("matchLabels")).items()):
        return False
    return all(_holds(one, labels) for one in objects(selector.get("matchExpressions")))


def _holds(requirement: Mapping[str, t.Any], labels: Mapping[str, str]) -> bool:
    key, values = text(requirement.get("key")), sequence(requirement.get("values"))
    match requirement.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
