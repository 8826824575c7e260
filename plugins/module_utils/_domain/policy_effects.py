# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What becomes of a policy's selector when other labels make identities: it dies, it widens, or it comes to life.

A label that makes no identity is as if no pod had it. ``In``, ``Exists`` and ``matchLabels`` then match nothing, and the whole
selector with them; ``NotIn`` and ``DoesNotExist`` then always hold, and the selector selects more than it says.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.policy_selectors import (
    ALLOW,
    DENY,
    REQUIRE,
    SUBJECT,
    PolicySelector,
    Requirement,
)

#: What a selector becomes; OTHER: wider by one label and narrower by another.
DEAD, WIDER, ALIVE, NARROWER, OTHER = "dead", "wider", "alive", "narrower", "other"
#: {what it selects: {what it becomes: what follows}}; a text that begins with + lets traffic pass that is refused now.
_CONSEQUENCES: t.Final[Mapping[str, Mapping[str, str]]] = {
    SUBJECT: {
        DEAD: "+it applies to no pod any more: what it refuses now passes, unless another policy refuses it",
        WIDER: "it applies to more pods: traffic of those that it does not allow is refused",
        ALIVE: "it begins to apply to pods: traffic of those that it does not allow is refused",
        NARROWER: "+it applies to fewer pods: what it refuses to the others now passes, unless another policy refuses it",
        OTHER: "+it applies to other pods: what it refuses to some now passes, and it begins to restrict others",
    },
    ALLOW: {
        DEAD: "what it allows now is refused, unless another rule allows it",
        WIDER: "+it allows traffic with more pods than it says",
        ALIVE: "+it begins to allow what it says",
        NARROWER: "it allows traffic with fewer pods: what it allowed with the others is refused, unless another rule allows it",
        OTHER: "+it allows traffic with other pods",
    },
    DENY: {
        DEAD: "+what it denies now passes where another rule allows it, or nothing is refused",
        WIDER: "it denies traffic with more pods than it says",
        ALIVE: "it begins to deny what it says",
        NARROWER: "+it denies traffic with fewer pods: the others pass where another rule allows them",
        OTHER: "+it denies traffic with other pods",
    },
    REQUIRE: {
        DEAD: "nobody fulfils it: all traffic of the rule is refused",
        WIDER: "+more pods fulfil it than it says",
        ALIVE: "+pods begin to fulfil it",
        NARROWER: "fewer pods fulfil it: traffic with the others is refused",
        OTHER: "+other pods fulfil it",
    },
}
_RESERVED: t.Final = frozenset(
    {"all", "fixed-identity", "health", "host", "ingress", "init", "kube-apiserver", "none", "overlay-router"}
    | {"remote-node", "unknown", "unmanaged", "world", "world-ipv4", "world-ipv6"}
)
Keeps: t.TypeAlias = Callable[[str], bool]


@dataclass(frozen=True)
class SelectorEffect:
    """What a change of the label filter does to one selector. ``keys`` are the labels because of which it does."""

    selector: PolicySelector
    becomes: str
    keys: tuple[str, ...]
    requirements: tuple[Requirement, ...]

    @property
    def opens(self) -> bool:
        """Whether traffic may pass that is refused now."""
        return _CONSEQUENCES[self.selector.use][self.becomes].startswith("+")

    @property
    def consequence(self) -> str:
        """What follows, in words."""
        return _CONSEQUENCES[self.selector.use][self.becomes].removeprefix("+")


def is_filtered(requirement: Requirement) -> bool:
    """Whether the label filter decides about what it looks at: labels of pods, not those of reserved identities."""
    if requirement.source == "any":
        return requirement.key not in _RESERVED
    return requirement.source == "k8s"


def effect(selector: PolicySelector, now: Keeps, after: Keeps) -> SelectorEffect | None:
    """What the change does to it; None: nothing. ``now`` and ``after`` say of a key whether it makes identities."""
    judged = [(one, now(one.key), after(one.key)) for one in selector.requirements if is_filtered(one)]
    dies = [one for one, _before, later in judged if one.positive and not later]
    dead = [one for one, before, _later in judged if one.positive and not before]
    if dies:
        return None if dead else _made(selector, DEAD, dies)
    if dead:
        return _made(selector, ALIVE, dead)
    widens = [one for one, before, later in judged if not one.positive and before and not later]
    narrows = [one for one, before, later in judged if not one.positive and later and not before]
    if widens and narrows:
        return _made(selector, OTHER, [*widens, *narrows])
    if widens:
        return _made(selector, WIDER, widens)
    return _made(selector, NARROWER, narrows) if narrows else None


def present_effect(selector: PolicySelector, now: Keeps) -> SelectorEffect | None:
    """What is wrong with it already: it is dead, or selects more than it says, as if the label had been dropped."""
    return effect(selector, lambda key: True, now)


def _made(selector: PolicySelector, becomes: str, requirements: list[Requirement]) -> SelectorEffect:
    keys = tuple(dict.fromkeys(one.key for one in requirements))
    return SelectorEffect(selector, becomes, keys, tuple(requirements))
