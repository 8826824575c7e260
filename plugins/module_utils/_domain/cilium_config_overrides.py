# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What CiliumNodeConfig objects change for single Nodes.

Source: pkg/option/resolver/resolver.go: objects without defaults or without a nodeSelector change nothing; of several
that select one Node, the one whose name is last in the alphabet wins, key by key.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Labels = Mapping[str, str]


@dataclass(frozen=True)
class NodeOverride:
    """One CiliumNodeConfig: its name, the keys that it sets, and its nodeSelector (None selects no Node)."""

    name: str
    defaults: Mapping[str, str]
    selector: Mapping[str, t.Any] | None


@dataclass(frozen=True)
class OverrideConflict:
    """Two objects that set one key of the same Nodes to different values; ``winner`` is what these Nodes run with."""

    key: str
    winner: str
    loser: str
    winning_value: str
    losing_value: str
    nodes: tuple[str, ...]


def selects(selector: Mapping[str, t.Any] | None, labels: Labels) -> bool:
    """Whether a label selector matches labels, as metav1.LabelSelectorAsSelector does; None matches nothing."""
    return bool(_select(selector, {"": labels}))


def _select(selector: Mapping[str, t.Any] | None, nodes: Mapping[str, Labels]) -> tuple[str, ...]:
    """Names of the Nodes that a selector matches.

    What is no label selector at all matches none (an API server lets none pass, a file may).
    """
    if selector is None:
        return ()
    wanted, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or ()
    if not isinstance(wanted, Mapping) or not isinstance(expressions, Sequence) or isinstance(expressions, str):
        return ()
    found = list(nodes)
    for key, value in wanted.items():
        found = [name for name in found if nodes[name].get(key) == value]
    for one in expressions:
        found = [name for name in found if isinstance(one, Mapping) and _matches(one, nodes[name])]
    return tuple(found)


def _matches(expression: Mapping[str, t.Any], labels: Labels) -> bool:
    key, operator = str(expression.get("key")), expression.get("operator")
    values = expression.get("values")
    if not isinstance(values, Sequence) or isinstance(values, str):
        values = ()
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    return operator == "DoesNotExist" and key not in labels


def selected_nodes(
    overrides: Iterable[NodeOverride], nodes: Mapping[str, Labels]
) -> dict[str, tuple[NodeOverride, tuple[str, ...]]]:
    """{name of the object: (object, Nodes it selects)} of those that set anything, in the order of their names."""
    ordered = sorted((one for one in overrides if one.defaults), key=lambda one: one.name)
    by_name = dict(sorted(nodes.items()))
    return {one.name: (one, _select(one.selector, by_name)) for one in ordered}


def conflicts(selected: Mapping[str, tuple[NodeOverride, Sequence[str]]]) -> list[OverrideConflict]:
    """Every key that two objects set to different values for a common Node, the later name being the winner."""
    found = []
    objects = [(one, nodes, frozenset(nodes)) for one, nodes in selected.values()]
    for at, (loser, losing_nodes, losing_set) in enumerate(objects):
        for winner, _winning_nodes, winning_set in objects[at + 1 :]:
            keys = [key for key, value in loser.defaults.items() if winner.defaults.get(key, value) != value]
            if keys and not losing_set.isdisjoint(winning_set):
                common = tuple(name for name in losing_nodes if name in winning_set)
                for key in sorted(keys):
                    values = winner.defaults[key], loser.defaults[key]
                    found.append(OverrideConflict(key, winner.name, loser.name, *values, common))
    return found
