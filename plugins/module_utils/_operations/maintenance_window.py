# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Until when a run may begin another Node."""

from __future__ import annotations

import contextlib
import datetime
import re

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_MINUTES_OF_LONGEST_DAY = 28 * 60
_CLOCK = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)$")


def window_end(text: str, started: datetime.datetime) -> datetime.datetime | None:
    """The end of the window as a moment after ``started`` (aware); None when no end is given.

    ``text`` is RFC 3339 with its offset, or ``HH:MM`` of this machine's clock: the first such time after ``started``, so
    that 02:00 of a run that started at 22:30 is tomorrow, also in the night in which clocks are changed.
    Raises InputError when it is no time, or over already.
    """
    text = text.strip()
    if not text:
        return None
    match = _CLOCK.match(text)
    if match is not None:
        return _next_time_of_day(int(match[1]), int(match[2]), started)
    end = moment(text)
    if end is None:
        raise InputError(
            f"window_end: '{text}' is no time; give HH:MM of this machine's clock, or a moment with its offset such as "
            "2026-11-01T02:00:00+01:00."
        )
    if end <= started:
        raise InputError(f"window_end: {text} is over already; give a time to come, or HH:MM.")
    return end


def moment(text: str) -> datetime.datetime | None:
    """A moment of RFC 3339 with its offset; None when it is none."""
    with contextlib.suppress(ValueError):
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return found if found.tzinfo is not None else None
    return None


def _next_time_of_day(hour: int, minute: int, started: datetime.datetime) -> datetime.datetime:
    """The first moment after ``started`` at which clocks of this machine's time zone show it, or jump over it.

    Minute by minute, because only the way from a moment to what clocks show is unambiguous in every night.
    """
    wanted = datetime.time(hour, minute)
    before = started.astimezone()
    for minutes in range(1, _MINUTES_OF_LONGEST_DAY):
        now = (started.replace(second=0, microsecond=0) + datetime.timedelta(minutes=minutes)).astimezone()
        jumped = before.date() == now.date() and before.time() < wanted < now.time()
        if (now.hour, now.minute) == (hour, minute) or jumped:
            return now
        before = now
    raise AssertionError("a time of day comes within a day")
