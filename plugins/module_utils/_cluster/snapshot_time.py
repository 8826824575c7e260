# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""When a snapshot was taken, from what is in it; the clock of the reader is never asked."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

_HOURS = (*range(-12, 15),)
# every zone of the world that is not whole hours (and -3:30, -9:30 in winter; -2:30 in summer)
_PARTS = (-9.5, -3.5, -2.5, 3.5, 4.5, 5.5, 5.75, 6.5, 8.75, 9.5, 10.5, 12.75, 13.75)
_OFFSETS = tuple(datetime.timedelta(hours=hours) for hours in (*_HOURS, *_PARTS))
# how far the newest time in the data may be from the start of a sysdump to tell the zone of its name
_NEAR = datetime.timedelta(minutes=30)
_NO_TIME = datetime.timedelta()


def start_of_sysdump(written: str, hints: Iterable[datetime.datetime | None]) -> datetime.datetime | None:
    """The instant in the name of a sysdump (``20260301-101112``); None when it is none.

    The name has the local time of the machine that took it, without its zone (cilium-cli sysdump.go, replaceTimestamp).
    The zone follows from times near it that are certain, ``hints`` in the order of trust: renewals of Leases, heartbeats
    and events are in UTC and seconds old. Without a hint that is near in any zone the name is taken for UTC.
    """
    try:
        named = datetime.datetime.strptime(written, "%Y%m%d-%H%M%S").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    for hint in hints:
        if hint is None:
            continue
        # data is collected after the start, so of two zones that are equally near the one that started earlier
        apart = named - hint
        offset = min(_OFFSETS, key=lambda one: (abs(apart - one), -one))
        if abs(apart - offset) <= _NEAR:
            try:
                return named - offset
            except OverflowError:
                return named
    return named


def skew_of(start: datetime.datetime, newest: datetime.datetime | None) -> datetime.timedelta:
    """How long after its start a sysdump still collected data, as far as the data tells."""
    return max(newest - start, _NO_TIME) if newest is not None and newest - start <= 2 * _NEAR else _NO_TIME


def spread(moments: Iterable[datetime.datetime | None]) -> datetime.timedelta:
    """Time between the first and the last file; zero when that is days, which files of one dump are not apart."""
    known = [moment for moment in moments if moment is not None]
    between = max(known) - min(known) if known else _NO_TIME
    return between if between < datetime.timedelta(days=1) else _NO_TIME
