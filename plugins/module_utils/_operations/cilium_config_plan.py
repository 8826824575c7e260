# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a change or a restore of cilium-config would do, and every reason against it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import (
    Change,
    ChangeObjection,
    applied,
    objections,
    start_problems,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import owners
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.config_owner import owners_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_map import (
    ConfigMap,
    real_changes,
    to_restore,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_memory import Memory

GITOPS, CHANGED_SINCE, DOES_NOT_START = "reverted-by-gitops", "changed-since", "does-not-start"


@dataclass(frozen=True)
class ConfigPlan:
    """``wanted`` is the whole request, ``keys`` those that it is about, also where nothing is to change."""

    seen: ConfigMap
    wanted: Change
    keys: Sequence[str]
    objections: Sequence[ChangeObjection]
    restores: bool = False

    def memory(self, change: Change, now: str, reason: str, *, remember: bool) -> Memory:
        """What is remembered afterwards. ``remember`` off forgets the keys: what they get now is how they are to stay."""
        known = self.seen.memory
        if self.restores:
            return known.without(self.keys, now)
        if not remember:
            return known.without(self.keys)
        return known.with_change(self.seen.data, change, now, reason)


def plan_change(seen: ConfigMap, wanted: Change, release: Release | None) -> ConfigPlan:
    """What setting these keys would do."""
    change = real_changes(seen.data, wanted)
    found = objections(seen.data, wanted, release)
    if change:
        found += [*_of_owners(seen), *_of_other_keys(seen.data, change, release)]
    return ConfigPlan(seen, wanted, sorted(wanted), found)


def plan_restore(
    seen: ConfigMap, keys: Sequence[str], release: Release | None, *, spared: Collection[str] = ()
) -> ConfigPlan:
    """What bringing the remembered values back would do: of ``keys``, or of all but those that are spared."""
    change, foreign, chosen = to_restore(seen, keys, spared)
    found = [
        ChangeObjection(
            key,
            f"somebody has changed it since: it is {seen.data.get(key)!r}, and we had set {seen.memory.keys[key].set_to!r}",
            CHANGED_SINCE,
        )
        for key in foreign
    ]
    if change:
        found += _of_owners(seen)
    after = start_problems(applied(seen.data, change), release)
    before = start_problems(seen.data, release)
    for program, reasons in sorted(after.items()):
        new = [one for one in reasons if one not in before.get(program, [])]
        if new:
            reason = (
                f"{program} would not start with what was there before ({'; '.join(new)}); restore the other keys only"
            )
            found.append(ChangeObjection("cilium-config", reason, DOES_NOT_START))
    return ConfigPlan(seen, change, chosen, found, restores=True)


def _of_owners(seen: ConfigMap) -> list[ChangeObjection]:
    return [
        ChangeObjection(
            "cilium-config",
            f"{owner.tool} owns it ({owner.evidence}) and may undo the change at once; change it at its source",
            GITOPS,
        )
        for owner in owners_of(seen.obj["metadata"])
        if owner.reverts_by_itself
    ]


def _of_other_keys(data: Mapping[str, str], change: Change, release: Release | None) -> list[ChangeObjection]:
    """A restart would take in all of the configuration: what else is there and stops the programs that have to restart."""
    restarted = {owner for key in change for owner in owners(key, release)}
    after = start_problems(applied(data, change), release)
    found = []
    for program in sorted(restarted & set(after)):
        others = [one for one in after[program] if one.partition(":")[0] not in change]
        if others:
            reason = f"{program} does not start with what else is there: {'; '.join(others)}; correct that in the same change"
            found.append(ChangeObjection("cilium-config", reason, DOES_NOT_START))
    return found
