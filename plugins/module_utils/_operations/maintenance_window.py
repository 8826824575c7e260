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

_CLOCK = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)$")


def window_end(text: str, started: datetime.datetime) -> datetime.datetime | None:
    """The end of the window as a moment; None when no end is given.

    ``text`` is RFC 3339 with its offset, or ``HH:MM`` of the time zone of ``started``: the first such time after it, so
    that 02:00 of a run that started at 22:30 is tomorrow. Raises InputError.
    """
    text = text.strip()
    if not text:
        return None
    match = _CLOCK.match(text)
    if match is not None:
        end = started.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
        return end if end > started else end + datetime.timedelta(days=1)
    end: datetime.datetime | None = None
    with contextlib.suppress(ValueError):  # said below, together with a time that has no offset
        end = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if end is None or end.tzinfo is None:
        raise InputError(
            f"window_end: '{text}' is no time; give HH:MM of this machine's clock, or a moment with its offset such as "
            "2026-11-01T02:00:00+01:00."
        )
    return end
