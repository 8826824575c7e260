# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keeps of network policies what selects pods by their labels: no ports, no addresses, no names of domains.

Rules and peers that select by something else stay as empty mappings, so that the place of a selector is the one that the
policy has.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import Object, metadata_of, pick

_RULES_OF_CILIUM: t.Final[Mapping[str, tuple[str, ...]]] = {
    "ingress": ("fromEndpoints", "fromRequires"),
    "ingressDeny": ("fromEndpoints", "fromRequires"),
    "egress": ("toEndpoints", "toRequires"),
    "egressDeny": ("toEndpoints", "toRequires"),
}
_SERVICES: t.Final = "toServices"


def _selector(value: Mapping[str, t.Any]) -> Object:
    """A selector; ``null``, which YAML makes of an empty one, is empty."""
    found = pick(value, "matchLabels", "matchExpressions")
    return {key: one for key, one in found.items() if one is not None}


def _selectors(values: t.Any) -> list[Object]:
    return [_selector(one) for one in values or ()]


def prune_network_policy(obj: Mapping[str, t.Any]) -> Object:
    """A NetworkPolicy."""
    source = obj.get("spec") or {}
    spec: Object = {"podSelector": _selector(source.get("podSelector") or {})}
    if source.get("policyTypes"):
        spec["policyTypes"] = list(source["policyTypes"])
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        if direction in source:
            spec[direction] = [
                {peers: [_peer(one) for one in rule[peers]]} if rule.get(peers) else {}
                for rule in source[direction] or ()
            ]
    return {"metadata": metadata_of(obj), "spec": spec}


def _peer(peer: Mapping[str, t.Any]) -> Object:
    keys = ("podSelector", "namespaceSelector")
    return {key: _selector(peer[key]) for key in keys if peer.get(key) is not None}


def prune_cilium_policy(obj: Mapping[str, t.Any]) -> Object:
    """A CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy: ``spec``, ``specs`` or both."""
    kept: Object = {"metadata": metadata_of(obj)}
    if obj.get("spec"):
        kept["spec"] = _rule(obj["spec"])
    if obj.get("specs"):
        kept["specs"] = [_rule(one) for one in obj["specs"]]
    return kept


def _rule(source: Mapping[str, t.Any]) -> Object:
    kept: Object = {
        key: _selector(source[key]) for key in ("endpointSelector", "nodeSelector") if source.get(key) is not None
    }
    for section, keys in _RULES_OF_CILIUM.items():
        if section in source:
            kept[section] = [_peers(rule, keys) for rule in source[section] or ()]
    return kept


def _peers(rule: Mapping[str, t.Any], keys: tuple[str, ...]) -> Object:
    kept: Object = {key: _selectors(rule[key]) for key in keys if rule.get(key)}
    if rule.get(_SERVICES):
        # the pods of a Service are selected by what the Service says: that there are any is all that is kept
        kept[_SERVICES] = [{} for _one in rule[_SERVICES]]
    return kept
