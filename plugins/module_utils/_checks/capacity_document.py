# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The whole forecast as one document: what runs out when, and what changes would do."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity import Present
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.capacity_forecast import (
    Forecast,
    Rules,
    forecast,
    limits_of,
    node_limits,
    order,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.capacity_what_if import (
    Answer,
    of_cilium_masks,
    of_masks,
    of_new_pool,
    of_nodes,
    of_ranges,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_churn import churn
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import CollectionTimes
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.usage_history import History

_MOST_NODES = 20


@dataclass(frozen=True)
class WhatIf:
    """Changes to think through; what is None or empty is not asked. ``times`` are settings of the collection to try.

    ``pool_mask_size``: ``added_cidrs`` are those of a new CiliumPodIPPool ``pool`` with blocks of this size.
    """

    nodes: int | None = None
    mask_sizes: Mapping[int, int] = field(default_factory=dict)
    added_cidrs: Sequence[Network] = ()
    pool: str = ""
    identities_per_hour: float | None = None
    times: t.Callable[[CollectionTimes], CollectionTimes] = lambda times: times
    pool_mask_size: int | None = None


def forecast_document(
    present: Present, history: History, rules: Rules, what_if: WhatIf, sources: Sequence[Mapping[str, t.Any]] = ()
) -> dict[str, t.Any]:
    """Everything that the module returns and the reports show. ``sources``: what the history was read from."""
    resources = order([forecast(one, history, rules) for one in limits_of(present.document)])
    nodes = order([forecast(one, history, rules) for one in node_limits(present.document)])
    answers = list(_answers(present, what_if))
    unread = present.document.get("unknown") or {}
    unknown = {**{name: f"could not be read: {why}" for name, why in unread.items()}, **(present.why or {})}
    return {
        "taken_at": present.document["taken_at"],
        "origin": present.document.get("origin") or "",
        "resources": [one.to_dict() for one in resources],
        "node_addresses": _node_addresses(nodes, len(present.document.get("nodes") or ())),
        "what_if": [one.to_dict() for one in answers],
        "churn": _churn(present, what_if, unknown),
        "identities_single_state": None if present.single is None else dict(present.single),
        "unknown": unknown,
        "history": {"sources": list(sources), "least_days": rules.least_days, "horizon_days": rules.horizon_days},
    }


def _node_addresses(found: Sequence[Forecast], nodes: int) -> dict[str, t.Any]:
    """Counts, and the Nodes that run out first: rows for all of them would hide these."""
    verdicts: dict[str, int] = {}
    for one in found:
        verdicts[one.verdict] = verdicts.get(one.verdict, 0) + 1
    soonest = [one for one in found if one.days is not None][:_MOST_NODES]
    return {
        "nodes": nodes,
        "nodes_known": len(found),
        "verdicts": dict(sorted(verdicts.items())),
        "soonest": [one.to_dict() for one in soonest],
    }


def _answers(present: Present, what_if: WhatIf) -> t.Iterator[Answer]:
    supplies = [one for one in (present.nodes, present.cilium) if one is not None]
    for supply in supplies:
        yield of_nodes(supply, what_if.nodes)
    if what_if.mask_sizes:
        if present.nodes is not None:
            yield of_masks(present.nodes, what_if.mask_sizes, present.limits or {})
        if present.cilium is not None:
            yield of_cilium_masks(present.cilium, what_if.mask_sizes)
    if what_if.added_cidrs and what_if.pool_mask_size is not None:
        # where Cilium gives out addresses, only its pools are meant
        for supply in supplies if present.cilium is None else (present.cilium,):
            yield of_new_pool(supply, what_if.added_cidrs, what_if.pool, what_if.pool_mask_size)
    elif what_if.added_cidrs:
        for supply in supplies:
            yield of_ranges(supply, what_if.added_cidrs, what_if.pool)


def _churn(present: Present, what_if: WhatIf, unknown: dict[str, str]) -> dict[str, t.Any] | None:
    """What the range of identities stands: of the rate that is asked about, else of the present one."""
    identities = present.document.get("identities") or {}
    capacity, used = (identities.get("range") or {}).get("capacity"), identities.get("used")
    measured = (present.turnover or {}).get("per_hour")
    rate = what_if.identities_per_hour if what_if.identities_per_hour is not None else measured
    if "identities" in unknown:
        return None
    if capacity is None or used is None or present.identities_in_use is None or present.times is None or rate is None:
        unknown.setdefault("churn", "it is not known how many identities are in use, or how they are collected")
        return None
    times = what_if.times(present.times)
    answer = churn(capacity, present.identities_in_use, used, rate, times).to_dict()
    return {
        **answer,
        "assumed": what_if.identities_per_hour is not None,
        "measured_per_hour": measured,
        "collects": present.collects,
        "identities_in_use": present.identities_in_use,
        "capacity": capacity,
        "interval_seconds": times.interval.total_seconds(),
        "heartbeat_timeout_seconds": times.timeout.total_seconds(),
    }
