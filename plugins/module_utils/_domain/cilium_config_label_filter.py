# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Mistakes in a label filter (key ``labels`` of cilium-config) that Cilium takes without a word.

Source of the syntax: parseLabelPrefix and filterLabels of pkg/labelsfilter/filter.go; reference of the mistakes: what users
of cilium/cilium ran into (#7008, #11540, #18878, #36923, #33743).
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import (
    LabelFilterError,
    LabelFilterNotJudgedError,
    LabelPattern,
    Version,
    defaults,
    parse,
)

# kinds of mistakes
UNREADABLE, NOT_JUDGED, NEGATION, SEPARATOR, SOURCE, ALLOW_LIST, NO_EFFECT, LOOSE = (
    "unreadable",
    "not-judged",
    "negation",
    "separator",
    "source",
    "allow-list",
    "no-effect",
    "loose",
)
# sources that labels of pods can have here
POD_SOURCES = frozenset({"", "k8s"})
OTHER_SOURCES = frozenset({"reserved", "gen", "cidr", "container", "unspec", "fqdn", "ingress", "node"})
_UNESCAPED_DOT = re.compile(r"(?<!\\)(?:\\\\)*\.(?![*+?{])")
_KEY = re.compile(r"\\(.)")


@dataclass(frozen=True)
class FilterMistake:
    """One item of the value that does something else than its writer thinks; ``effect`` says what it does."""

    kind: str
    item: str
    effect: str
    instead: str = ""


def lint(labels: str, version: Version) -> t.Iterator[FilterMistake]:
    """All mistakes in a value, item by item; ``version`` (major, minor) decides which defaults come before it."""
    includes = []
    for item in labels.split():
        mistakes = list(_of_item(item, version))
        yield from mistakes
        if not any(one.kind in (UNREADABLE, NEGATION, SOURCE, SEPARATOR) for one in mistakes) and _includes(item):
            includes.append(item)
    if includes:
        effect = (
            "includes turn the filter into an allow-list: every other label but the default includes makes no identity"
        )
        yield FilterMistake(ALLOW_LIST, " ".join(includes), effect)


def _includes(item: str) -> bool:
    return not _split(item)[1].startswith("!")


def _split(item: str) -> tuple[str, str]:
    source, colon, pattern = item.partition(":")
    return (source, pattern) if colon else ("", item)


def _of_item(item: str, version: Version) -> t.Iterator[FilterMistake]:
    source, pattern = _split(item)
    if source.startswith("!"):
        right = f"{source[1:]}:!{pattern.removeprefix('!')}"
        effect = (
            f"the ! before the source is part of the source, so it includes {pattern} of a source that no label has"
        )
        yield FilterMistake(NEGATION, item, f"{effect}, and drops all labels but the default includes", right)
        return
    if "," in item and ("," in source or re.search(r",($|!?[a-z0-9]+:|!)", item)):
        effect = "commas separate nothing in the ConfigMap: the whole is one pattern, which no label matches"
        if "!" not in pattern[:1]:
            effect += ", and drops all labels but the default includes"
        yield FilterMistake(SEPARATOR, item, effect, " ".join(part for part in item.split(",") if part))
        return
    try:
        (parsed,) = parse(item)
    except LabelFilterError as error:
        yield FilterMistake(UNREADABLE, item, f"agents do not start with it: {error}")
        return
    except LabelFilterNotJudgedError as error:
        yield FilterMistake(NOT_JUDGED, item, str(error))
        return
    if source not in POD_SOURCES | OTHER_SOURCES:
        if parsed.ignore:
            effect = f"no label of a pod has the source {source}, so it drops nothing"
        else:
            effect = f"no label of a pod has the source {source}: it includes nothing, and drops all labels but the default includes"
        yield FilterMistake(SOURCE, item, effect, f"k8s:{pattern}")
        return
    yield from _shape(parsed, item, version)


def _shape(parsed: LabelPattern, item: str, version: Version) -> t.Iterator[FilterMistake]:
    if parsed.ignore and parsed.source in POD_SOURCES:
        for default in defaults(version):
            key = _literal(default.text)
            length = parsed.length("k8s", key) if key and not default.ignore and not default.source else None
            # k8s:!app means the label app; one that goes beyond the first dot means the default include
            if length and length < len(key) and "." in key[:length]:
                effect = f"it is shorter than the default include {key}, which wins for that label"
                yield FilterMistake(NO_EFFECT, item, effect, f"k8s:!{default.text}")
            elif length and _excluded_by_less(key, length, version):
                effect = f"a shorter default exclude counts in its place, so the default include {key} wins: nothing drops that label"
                yield FilterMistake(NO_EFFECT, item, effect)
    if _UNESCAPED_DOT.search(parsed.text):
        escaped = _UNESCAPED_DOT.sub(lambda match: match[0][:-1] + r"\.", parsed.text)
        right = f"{parsed.source + ':' if parsed.source else ''}{'!' if parsed.ignore else ''}{escaped}"
        yield FilterMistake(LOOSE, item, "a dot without a backslash stands for any character", right)
    elif not parsed.ignore and not parsed.text.endswith(("$", "*", "/", r"\z")):
        yield FilterMistake(LOOSE, item, "it also includes every longer key that begins so", item + "$")


def _excluded_by_less(key: str, length: int, version: Version) -> bool:
    """Whether a default exclude matches fewer characters of a key: of all excludes only the shortest counts."""
    lengths = [one.length("k8s", key) for one in defaults(version) if one.ignore]
    return any(one is not None and one < length for one in lengths)


def _literal(pattern: str) -> str:
    """The key that a default pattern without operators stands for; empty for any other pattern."""
    text = _KEY.sub(r"\1", pattern)
    return "" if re.search(r"(?<!\\)[.*+?()|\[\]{}^$]", pattern.replace(r"\.", "")) else text
