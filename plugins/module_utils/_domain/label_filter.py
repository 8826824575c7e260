# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which labels make the security identity of a pod: the key ``labels`` of cilium-config and the defaults before it.

Source of every rule: pkg/labelsfilter/filter.go of cilium/cilium (1.14 to 1.20). How the value is split was seen with
the real operator 1.18.4: at white space only; a comma belongs to the pattern.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter_pattern import (
    PatternError,
    PatternNotJudgedError,
    compile_go,
)

Version: t.TypeAlias = tuple[int, ...]
_ALWAYS: Version = (0,)
# (pattern, first version that has it by default), in the order of upstream
_DEFAULTS: t.Final[tuple[tuple[str, Version], ...]] = (
    (r"reserved:.*", _ALWAYS),
    (r"io\.kubernetes\.pod\.namespace", _ALWAYS),
    (r"io\.cilium\.k8s\.namespace\.labels", _ALWAYS),
    (r"app\.kubernetes\.io", _ALWAYS),
    (r"io\.cilium\.k8s\.policy\.cluster", (1, 16)),
    (r"io\.cilium\.k8s\.policy\.serviceaccount", (1, 18)),
    (r"!io\.kubernetes", _ALWAYS),
    (r"!kubernetes\.io", _ALWAYS),
    (r"!statefulset\.kubernetes\.io/pod-name", (1, 15)),
    (r"!apps\.kubernetes\.io/pod-index", (1, 15)),
    (r"!batch\.kubernetes\.io/job-completion-index", (1, 15)),
    (r"!batch\.kubernetes\.io/controller-uid", (1, 16)),
    (r"!.*beta\.kubernetes\.io", _ALWAYS),
    (r"!k8s\.io", _ALWAYS),
    (r"!pod-template-generation", _ALWAYS),
    (r"!pod-template-hash", _ALWAYS),
    (r"!controller-revision-hash", _ALWAYS),
    (r"!controller-uid", (1, 16)),
    (r"!annotation.*", _ALWAYS),
    (r"!etcd_node", _ALWAYS),
    # by the sources of the releases: 1.18.7 has it, and so has 1.19.0
    (r"!topology\.kubernetes\.io", (1, 18, 7)),
)


class LabelFilterError(ValueError):
    """An agent does not start with this value; ``item`` is the part that it refuses, the text says why."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(f"'{item}' in labels is no pattern that Cilium can compile: {reason}")
        self.item = item


class LabelFilterNotJudgedError(ValueError):
    """What this value does cannot be simulated here; ``item`` is the part, the text says why."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(f"'{item}' in labels cannot be simulated: {reason}")
        self.item = item


@dataclass(frozen=True)
class LabelPattern:
    """One item ``[source:][!]pattern``: it matches keys from their first character; an empty source is any source."""

    source: str
    text: str
    ignore: bool
    expression: re.Pattern[str]

    def __str__(self) -> str:
        """As the agent's log writes it after ``Final label prefixes to be used for identity evaluation``."""
        return f"{'!' if self.ignore else ''}{self.source}:{self.text}"

    def length(self, source: str, key: str) -> int | None:
        """How many characters of the key it matches; None when it does not match."""
        if self.source and self.source != source:
            return None
        match = self.expression.match(key)
        return None if match is None else match.end()


def _pattern(item: str) -> LabelPattern:
    source, colon, text = item.partition(":")
    if not colon:
        source, text = "", item
    if not text:
        raise LabelFilterError(item, "there is nothing after the source")
    ignore = text.startswith("!")
    text = text[1:] if ignore else text
    try:
        return LabelPattern(source, text, ignore, compile_go(text))
    except PatternError as error:
        raise LabelFilterError(item, str(error)) from error
    except PatternNotJudgedError as error:
        raise LabelFilterNotJudgedError(item, str(error)) from error


def parse(text: str) -> tuple[LabelPattern, ...]:
    """The patterns of a value of the key ``labels``, in its order; none of an empty one.

    Raises LabelFilterError where agents do not start with it, LabelFilterNotJudgedError where it cannot be simulated.
    """
    return tuple(_pattern(item) for item in text.split())


def defaults(version: Version) -> tuple[LabelPattern, ...]:
    """The patterns that Cilium of this version (major, minor, ...) puts before those of the user."""
    return tuple(_pattern(text) for text, since in _DEFAULTS if version >= since)


class LabelFilter:
    """The filter of one cluster: the defaults of ``version`` (major, minor, ...), then the patterns of ``labels``.

    The answer for a key is kept, so that a million labels cost a million look-ups. Raises as ``parse`` does.
    A cluster with the agent option ``label-prefix-file`` has other defaults, which only its agents know.
    """

    def __init__(self, version: Version, labels: str = "") -> None:
        self.user_patterns = parse(labels)
        self.patterns = (*defaults(version), *self.user_patterns)
        # one include of the user turns the whole filter into a list of what is allowed; default includes do not
        self.allow_list = any(not pattern.ignore for pattern in self.user_patterns)
        self._kept: dict[str, dict[str, bool]] = {}

    def keep(self, source: str, key: str) -> bool:
        """Whether the label ``source:key`` makes identities; its value never matters."""
        of_source = self._kept.setdefault(source, {})
        found = of_source.get(key)
        if found is None:
            found = of_source[key] = _decide(self.patterns, self.allow_list, source, key)
        return found

    def deciding(self, source: str, key: str) -> list[LabelPattern]:
        """The patterns that match this label, in their order: why it is kept or dropped."""
        return [pattern for pattern in self.patterns if pattern.length(source, key) is not None]


def _decide(patterns: Iterable[LabelPattern], allow_list: bool, source: str, key: str) -> bool:
    """The longest include against the shortest ignore, as filterLabels counts them (its order of events kept)."""
    included = ignored = 0
    for pattern in patterns:
        length = pattern.length(source, key)
        if length is None:
            continue
        if not pattern.ignore:
            included = max(included, length)
        elif ignored == 0 or length < ignored:
            ignored = length
    return (not allow_list and ignored == 0) or included > ignored


def dropping_line(key: str, source: str = "k8s") -> str:
    """The item for ``labels`` that drops exactly this key."""
    quoted = re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", key)
    return f"{source}:!{quoted}$"
