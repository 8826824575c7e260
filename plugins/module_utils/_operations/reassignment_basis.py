# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a plan rests on: what of a cluster must not change between the plan that people agreed to and the run.

Heartbeats, pods, findings that come and go with them, and labels that decide nothing are not part of it.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.new_pod_cidrs import objects_in_use
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_node import (
    NodePlan,
    PlanOptions,
    some,
)

Basis = dict[str, t.Any]
_PREFIX = "sha256:"
_WORDS: t.Final = {
    "uid": "uid",
    "pod_cidrs": "podCIDRs",
    "chosen_pod_cidrs": "chosen podCIDRs",
    "provider_id": "providerID",
    "provider_risks": "risks of its provider",
    "control_plane": "being of the control plane",
    "cordoned": "being cordoned",
    "taints": "taints",
    "pool_labels": "labels that choose its pool",
}


def basis_of(cluster: str, context: Context, options: PlanOptions, nodes: Sequence[NodePlan]) -> Basis:
    """The basis of a plan, as JSON values; ``cluster`` is the uid of namespace kube-system."""
    settings = context.allocator.to_dict()
    return {
        "cluster": cluster,
        "allocator": {key: value for key, value in settings.items() if key not in ("source", "problems")},
        "ipam_model": context.ipam_model.name,
        "cluster_cidrs": {one.name: [*map(str, one.networks), one.selector] for one in objects_in_use(context)},
        "options": {
            "control_plane": options.control_plane,
            "even_if_healthy": options.even_if_healthy,
            "accepted_risks": sorted(set(options.accepted_risks)),
            "delete_emptydir_data": options.drain.filters.delete_emptydir_data,
            "force": options.drain.filters.force,
            "disable_eviction": options.drain.disable_eviction,
            "keep_pod_cidrs": options.keep_pod_cidrs,
        },
        "nodes": [{"name": node.name, **_of_node(node)} for node in nodes],
    }


def _of_node(node: NodePlan) -> Basis:
    return {
        "uid": node.uid,
        "pod_cidrs": node.pod_cidrs,
        "chosen_pod_cidrs": node.chosen_pod_cidrs,
        "provider_id": node.provider_id,
        "provider_risks": node.provider_risks,
        "control_plane": node.control_plane,
        "cordoned": node.was_unschedulable,
        "taints": sorted(node.keeps["taints"]),
        "pool_labels": node.pool_labels,
    }


def digest_of(basis: Mapping[str, t.Any]) -> str:
    """``sha256:`` and the digest of a basis."""
    return _PREFIX + hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def same_digest(one: str, other: str) -> bool:
    """Whether two texts are the same digest; people leave the prefix out."""
    return one.strip().lower().removeprefix(_PREFIX) == other.strip().lower().removeprefix(_PREFIX)


def differences(approved: Mapping[str, t.Any], now: Mapping[str, t.Any], *, rest: bool = False) -> list[str]:
    """What is not as it was when the plan was made, one clause each; empty when nothing that matters is.

    ``rest``: the run has begun, so Nodes of the plan may be done, or need nothing any more since others are.
    """
    if approved["cluster"] != now["cluster"]:
        return ["it was made for another cluster"]
    found = (
        [] if approved["ipam_model"] == now["ipam_model"] else [_changed("the IPAM model", approved, now, "ipam_model")]
    )
    for part, words in (("allocator", "the allocator's"), ("options", "the option"), ("cluster_cidrs", "ClusterCIDR")):
        for key in sorted({*approved[part], *now[part]}):
            if approved[part].get(key) != now[part].get(key):
                found.append(_changed(f"{words} {key}", approved[part], now[part], key))
    before = {str(one["name"]): one for one in approved["nodes"]}
    after = {str(one["name"]): one for one in now["nodes"]}
    found += [f"Node {name} is to be registered anew as well" for name in after if name not in before]
    if not rest:
        found += [f"Node {name} is not to be registered anew any more" for name in before if name not in after]
        if set(before) == set(after) and list(before) != list(after):
            found.append(f"the order is {some(list(after))}, it was {some(list(before))}")
    for name in (name for name in after if name in before):
        found += _differences_of_node(name, before[name], after[name])
    return found


def _differences_of_node(name: str, before: Basis, after: Basis) -> list[str]:
    return [
        _changed(f"of Node {name} {words}", before, after, key)
        for key, words in _WORDS.items()
        if before.get(key) != after.get(key)
    ]


def _changed(words: str, before: Mapping[str, t.Any], after: Mapping[str, t.Any], key: str) -> str:
    return f"{words}: was {_shown(before.get(key))}, is {_shown(after.get(key))}"


def _shown(value: t.Any) -> str:
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={one}" for key, one in sorted(value.items()))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
