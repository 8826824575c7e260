# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The answer of a simulated label filter: counts, costs of labels, policies, reasons against it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_labels import LabelKey
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_agents import AgentVerdict
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_pods import SimulatedPods
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_policies import PolicyImpact
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_suggestion import Suggestion
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_upgrade import Upgrade
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import helm_values
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_label_filter import FilterMistake
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import Version


@dataclass(frozen=True)
class Refusal:
    """A reason against the change. ``kind`` is its name; ``sentence`` says what would happen, to whom, and what to do."""

    kind: str
    sentence: str

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {"kind": self.kind, "sentence": self.sentence}


@dataclass(frozen=True)
class KeyCost:
    """What one label, or a group that changes together, costs in identities; ``state`` is kept, dropped or new."""

    key: LabelKey
    state: str
    explodes: bool

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {**self.key.to_dict(), "state": self.state, "explodes": self.explodes}


@dataclass(frozen=True)
class FilterSimulation:
    """The answer. Counts are of identities that live pods need; None where they cannot be told (see ``not_simulated``).

    ``objects``: CiliumIdentities there are, used or not; ``peak``: how many there are at most while old and new ones exist
    side by side; ``capacity``: how many numbers the cluster has.
    """

    labels_now: str
    labels_after: str
    version_now: Version | None
    version_after: Version | None
    lint: tuple[FilterMistake, ...] = ()
    not_simulated: str = ""
    pods: SimulatedPods | None = None
    now: int | None = None
    after: int | None = None
    objects: int | None = None
    peak: int | None = None
    capacity: int | None = None
    keys: tuple[KeyCost, ...] = ()
    dropped: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    policies: PolicyImpact = field(default_factory=PolicyImpact)
    upgrade: Upgrade | None = None
    agents: AgentVerdict | None = None
    suggestion: Suggestion | None = None
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is to be changed at all: another filter or another version."""
        return self.labels_now.split() != self.labels_after.split() or self.version_now != self.version_after

    @property
    def exploding(self) -> tuple[KeyCost, ...]:
        """Labels that make a large part of the identities afterwards."""
        return tuple(one for one in self.keys if one.explodes and one.state != "dropped")

    def to_dict(self, most: int = 1 << 60) -> dict[str, t.Any]:
        """JSON form with at most ``most`` rows of each list."""
        changed = self.pods.changed() if self.pods is not None else []
        return {
            "labels": {"now": self.labels_now, "after": self.labels_after},
            "version": {"now": _version(self.version_now), "after": _version(self.version_after)},
            "changes": self.changes,
            "not_simulated": self.not_simulated,
            "identities": {
                "now": self.now,
                "after": self.after,
                "objects": self.objects,
                "peak": self.peak,
                "capacity": self.capacity,
            },
            "pods": {
                "judged": self.pods.judged if self.pods else None,
                "changed": sum(one["pods"] for one in changed) if self.pods else None,
                "without_namespace": self.pods.without_namespace if self.pods else None,
            },
            "by_namespace": (self.pods.by_namespace() if self.pods else [])[:most],
            "by_label_key": [one.to_dict() for one in self.keys][:most],
            "dropped_labels": list(self.dropped),
            "new_labels": list(self.new),
            "workloads": changed[:most],
            "workloads_count": len(changed),
            "policies": self.policies.to_dict(most),
            "lint": [
                {"kind": one.kind, "item": one.item, "effect": one.effect, "instead": one.instead} for one in self.lint
            ],
            "upgrade": None if self.upgrade is None else self.upgrade.to_dict(),
            "agents": None if self.agents is None else self.agents.to_dict(),
            "suggestion": None if self.suggestion is None else self.suggestion.to_dict(),
            "refusals": [one.to_dict() for one in self.refusals],
            "notes": list(self.notes),
            "helm_values": helm_values({"labels": self.labels_after}, None),
        }


def _version(version: Version | None) -> str | None:
    return None if version is None else ".".join(map(str, version))
