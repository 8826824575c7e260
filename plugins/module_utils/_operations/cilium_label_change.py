# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A change of the key ``labels`` of cilium-config: simulated on the cluster as it is, before anything is written."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_result import FilterSimulation
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_simulation import (
    NO_WAY_AROUND,
    RESOURCES,
    simulate,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import (
    LABELS,
    Change,
    ChangeObjection,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release

__all__ = ["KEY", "RESOURCES", "accepts", "label_lines", "label_objections", "simulated_change", "summary_of"]

KEY = "labels"
_SHOWN = 10


def simulated_change(
    context: Context, data: Mapping[str, str], change: Change, release: Release | None
) -> FilterSimulation | None:
    """What the change would do to identities and policies; None where it does not touch the label filter.

    ``release`` is the one that was given by hand; None where the images are to tell it.
    """
    if KEY not in change or data.get(KEY) == change[KEY]:
        return None
    given = None if release is None else (*release, 0)
    return simulate(context, change[KEY] or "", version=given)


def label_objections(simulation: FilterSimulation | None) -> list[ChangeObjection]:
    """The reasons against it, each with its own name to accept it by."""
    if simulation is None:
        return []
    return [
        ChangeObjection(KEY, one.sentence, "" if one.kind in NO_WAY_AROUND else one.kind) for one in simulation.refusals
    ]


def accepts(objection: ChangeObjection, accepted: Collection[str]) -> bool:
    """Whether a risk was accepted; ``label-filter`` stands for all that the simulation says and that can be accepted."""
    if not objection.risk:
        return False
    return objection.risk in accepted or (objection.key == KEY and LABELS in accepted)


def summary_of(simulation: FilterSimulation | None) -> dict[str, t.Any] | None:
    """What a plan shows of it."""
    if simulation is None:
        return None
    said = simulation.to_dict(_SHOWN)
    kept = ("labels", "version", "identities", "pods", "dropped_labels", "new_labels", "policies", "lint", "notes")
    return {
        **{key: said[key] for key in kept},
        "exploding_labels": [one.to_dict() for one in simulation.exploding[:_SHOWN]],
        "not_simulated": simulation.not_simulated,
        "refusals": said["refusals"],
    }


def label_lines(simulation: FilterSimulation | None) -> tuple[str, str]:
    """A line of the diff, before and after: how many identities the pods that live need."""
    if simulation is None:
        return "", ""
    before, after = ("unknown" if count is None else str(count) for count in (simulation.now, simulation.after))
    return f"# identities of live pods: {before}\n", f"# identities of live pods: {after}\n"
