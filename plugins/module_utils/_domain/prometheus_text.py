# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The text format in which Prometheus reads metrics, and questions to what was read.

Source of the format: prometheus/docs, content/docs/instrumenting/exposition_formats.md (text format 0.0.4). OpenMetrics
is read too as far as it is the same: exemplars and time stamps after the value are passed over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping

_NAME = re.compile(r"[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*")
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*")[ \t]*(,|(?=\}))')
_END = re.compile(r"[ \t]*\}[ \t]*")
_ESCAPED = re.compile(r"\\(.)")
_PLAIN = {"n": "\n", '"': '"', "\\": "\\"}


def parse(text: str, wanted: Collection[str] | None = None) -> dict[str, float]:
    """{sample: value}; a sample is written ``name{a="b",c="d"}`` with its labels sorted, or ``name`` without labels.

    ``wanted`` names the metrics to keep (None: all). A line that is no sample is passed over, and so is a value that is
    no finite number: it tells nothing. The last of two equal samples counts.
    Raises ValueError when the text has lines, and none of them is a comment or a sample: it is something else.
    """
    found: dict[str, float] = {}
    names = None if wanted is None else frozenset(wanted)
    strange = ""
    known = False
    for line in text.split("\n"):
        match = _NAME.match(line)
        if match is None:
            if line.startswith("#"):
                known = True
            elif not strange:
                strange = line.strip()
            continue
        name = match[1]
        if names is not None and known and name not in names:
            continue
        sample = _sample(name, line, match.end())
        if sample is None:
            strange = strange or line.strip()
            continue
        known = True
        if (names is None or name in names) and math.isfinite(sample[1]):
            found[sample[0]] = sample[1]
    if strange and not known:
        raise ValueError(f"it is not the text of Prometheus metrics: {strange[:80]!r}")
    return found


def _sample(name: str, line: str, position: int) -> tuple[str, float] | None:
    labels: list[str] = []
    if line[position : position + 1] == "{":
        position += 1
        while (label := _LABEL.match(line, position)) is not None:
            labels.append(f"{label[1]}={label[2]}")
            position = label.end()
        end = _END.match(line, position)
        if end is None:
            return None
        position = end.end()
    words = line[position:].split(maxsplit=1)
    if not words:
        return None
    try:
        value = float(words[0])
    except ValueError:
        return None
    return (f"{name}{{{','.join(sorted(labels))}}}" if labels else name), value


def labels_of(sample: str) -> tuple[str, dict[str, str]]:
    """Name and labels of one key of ``parse``: ``'a{b="c"}'`` -> ``("a", {"b": "c"})``."""
    name, brace, _rest = sample.partition("{")
    found: dict[str, str] = {}
    position = len(name) + 1
    while brace and (label := _LABEL.match(sample, position)) is not None:
        found[label[1]] = _ESCAPED.sub(lambda one: _PLAIN.get(one[1], one[0]), label[2][1:-1])
        position = label.end()
    return name, found


def values(samples: Mapping[str, float], name: str) -> Iterator[tuple[dict[str, str], float]]:
    """(labels, value) of every sample of one metric, in the order of the text."""
    for sample, value in samples.items():
        if sample == name or sample.startswith(name + "{"):
            yield labels_of(sample)[1], value
