# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reasons against another label filter, each with a name by which it can be accepted where that is offered."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_policies import PolicyImpact
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_result import FilterSimulation, Refusal
from ansible_collections.podnet.upkeep.plugins.module_utils._domain import cilium_config_label_filter as mistakes

#: Names of refusals; those of NO_WAY_AROUND cannot be accepted.
INVALID, MISTAKE, NOT_SIMULATED = "label-filter-invalid", "label-filter-mistake", "label-filter-not-simulated"
POLICIES_AFFECTED, POLICIES_UNKNOWN = "policies-affected", "policies-unknown"
RANGE_EXCEEDED, AGENTS_DISAGREE = "identity-range-exceeded", "agents-disagree"
NO_WAY_AROUND = frozenset({INVALID})
_SERIOUS = frozenset({mistakes.NEGATION, mistakes.SEPARATOR, mistakes.SOURCE})
_NAMES_SHOWN = 5


def refusals(made: FilterSimulation) -> Iterator[Refusal]:
    """Reasons against the change; none for a filter that is there already."""
    if not made.changes:
        return
    for one in made.lint:
        if one.kind in _SERIOUS:
            instead = f"; write {one.instead}" if one.instead else ""
            yield Refusal(MISTAKE, f"'{one.item}' in labels: {one.effect}{instead}")
    yield from _policy_refusals(made.policies)
    if made.peak is not None and made.capacity is not None and made.peak > made.capacity:
        yield Refusal(
            RANGE_EXCEEDED,
            f"while old and new identities exist side by side there would be {made.peak} of them, and the cluster has numbers for "
            f"{made.capacity}; clean up unused identities before",
        )
    if made.agents is not None and made.agents.different:
        first = made.agents.different[0]
        yield Refusal(
            AGENTS_DISAGREE,
            f"agents treat {len(made.agents.different)} labels otherwise than the filter that is configured, for example "
            f"{first['label']} (predicted {first['predicted']}, agents: {first['agents']}), so this simulation may be wrong; "
            "restart the agents if labels was changed since they started",
        )


def _policy_refusals(policies: PolicyImpact) -> Iterator[Refusal]:
    if policies.effects:
        names: dict[str, None] = {}
        for one in policies.effects:
            selector = one.effect.selector
            where = f"{selector.namespace}/" if selector.namespace else ""
            names[f"{selector.kind} {where}{selector.name}"] = None
        shown = ", ".join(list(names)[:_NAMES_SHOWN]) + (
            f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        )
        opens = sum(1 for one in policies.effects if one.effect.opens)
        labels = sorted({key for one in policies.effects for key in one.effect.keys})
        yield Refusal(
            POLICIES_AFFECTED,
            f"{len(policies.effects)} selector{'s' * (len(policies.effects) > 1)} of {len(names)} "
            f"polic{'ies' if len(names) > 1 else 'y'} select by labels whose part in identities changes "
            f"({', '.join(labels[:_NAMES_SHOWN])}), {opens} of them in a way that lets traffic pass which is refused now: {shown}; "
            "keep these labels, or change the policies first",
        )
    if policies.unknown:
        reasons = sorted({why.split("; not known is")[0] for why in policies.unknown.values()})
        yield Refusal(
            POLICIES_UNKNOWN,
            f"{', '.join(policies.unknown)} could not be read ({'; '.join(reasons)}), so nobody knows which of these policies would "
            "be affected",
        )
