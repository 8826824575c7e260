# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Charts of identities as inline SVG: use of the range by class, and what was created over time with the forecast."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._report.markup import escaped
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import Part, number, part_of

_WIDTH = 1000
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 70, 960, 16, 204, 236
# (name of the segment, its style, the classes it adds up); what is used beyond them is "other"
_SEGMENTS: t.Final = (
    ("in use", "used", ("in-use",)),
    ("waiting for a pod or for collection", "second", ("pending", "marked", "aging")),
    ("leaked", "shared", ("leaked",)),
)


def use_bar(identities: Part) -> str:
    """Use of the range as one bar with a key that has the numbers; empty where the numbers are not known."""
    capacity = (part_of(identities, "range") or {}).get("capacity")
    used = identities.get("used")
    if not isinstance(capacity, int) or not isinstance(used, int) or capacity <= 0:
        return ""
    segments = _segments(used, part_of(identities, "classes") or {})
    segments.append(("free", "free", max(0, capacity - used)))
    scale = _WIDTH / max(capacity, used)
    rects, keys, x = "", "", 0.0
    for name, style, count in segments:
        width = count * scale
        rects += f'<rect class="{style}" x="{x:.1f}" width="{width:.1f}" height="22"><title>{name}: {number(count)}</title></rect>'
        keys += f'<span><i class="{style}"></i>{name}: {number(count)}</span>'
        x += width
    label = f"{number(used)} of {number(capacity)} identities used"
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} 22" role="img" aria-label="{label}">{rects}</svg>'
        f'<figcaption class="key">{keys}</figcaption></figure>'
    )


def _segments(used: int, classes: Mapping[str, t.Any]) -> list[tuple[str, str, int]]:
    """Parts of what is used; classes that overlap never make the bar longer than what is used."""
    made, left = [], used
    for name, style, members in _SEGMENTS:
        count = min(left, sum(classes[one] for one in members if isinstance(classes.get(one), int)))
        if count > 0:
            made.append((name, style, count))
            left -= count
    if left:
        made.append(("other" if made else "used", "reserved" if made else "used", left))
    return made


def _moment(text: t.Any) -> float | None:
    try:
        found = datetime.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo else None


def _points(identities: Part) -> list[tuple[float, float]]:
    points = []
    for entry in identities.get("history") or ():
        if isinstance(entry, (list, tuple)) and len(entry) == 2 and isinstance(entry[1], (int, float)):
            moment = _moment(entry[0])
            if moment is not None:
                points.append((moment, float(entry[1])))
    return sorted(points)


def history_chart(identities: Part, taken_at: str) -> str:
    """Identities of today by when they were created, and the forecast; empty with fewer than two points."""
    points = _points(identities)
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return ""
    forecast = _ahead(identities, points, _moment(taken_at))
    capacity = (part_of(identities, "range") or {}).get("capacity")
    everything = [*points, *forecast]
    start, end = everything[0][0], everything[-1][0]
    highest = max(count for _moment_of, count in everything)
    limit = capacity if isinstance(capacity, int) and highest >= capacity / 5 else None
    top = float(max(limit or 0, highest)) * (1.0 if limit else 1.15) or 1.0

    def place(moment: float, count: float) -> str:
        x = _LEFT + (moment - start) / (end - start) * (_RIGHT - _LEFT)
        return f"{x:.1f},{_BOTTOM - count / top * (_BOTTOM - _TOP):.1f}"

    parts = [_axes(start, end, top, limit)]
    parts.append(f'<polyline class="line" points="{" ".join(place(*one) for one in points)}"/>')
    if forecast:
        parts.append(f'<polyline class="ahead" points="{" ".join(place(*one) for one in (points[-1], *forecast))}"/>')
    ending = "; dashed: forecast" if forecast else ""
    outside = (
        f"; the capacity of {number(capacity)} is far above" if isinstance(capacity, int) and limit is None else ""
    )
    label = f"Identities that exist now, by when they were created{ending}{outside}"
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escaped(label)}">{"".join(parts)}</svg>'
        f"<figcaption>{escaped(label)}.</figcaption></figure>"
    )


def _ahead(identities: Part, points: list[tuple[float, float]], now: float | None) -> list[tuple[float, float]]:
    """The forecast as further points, at most as long as the history; empty where there is none."""
    forecast = part_of(identities, "forecast") or {}
    rate = forecast.get("per_hour")
    begin, count = points[-1]
    begin = max(begin, now or begin)
    if not isinstance(rate, (int, float)) or rate <= 0:
        return []
    end = _moment(forecast.get("exhausted_at"))
    horizon = begin + (begin - points[0][0])
    end = horizon if end is None or end <= begin else min(end, horizon)
    return [(begin, count), (end, count + rate * (end - begin) / 3600)]


def _axes(start: float, end: float, top: float, limit: int | None) -> str:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _BOTTOM - share * (_BOTTOM - _TOP)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{number(round(top * share))}</text>')
        moment = datetime.datetime.fromtimestamp(start + share * (end - start), tz=datetime.timezone.utc)
        x = _LEFT + share * (_RIGHT - _LEFT)
        anchor = ("start", "mid", "end")[round(2 * share)]
        parts.append(f'<text class="{anchor}" x="{x:.1f}" y="{_HEIGHT - 8}">{moment:%Y-%m-%d %H:%M}</text>')
    if limit is not None:
        y = _BOTTOM - limit / top * (_BOTTOM - _TOP)
        parts.append(f'<line class="limit" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT + 6}" y="{y + 13:.1f}">capacity {number(limit)}</text>')
    return "".join(parts)
