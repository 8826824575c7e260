# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads JSON whose shape nobody promised: answers of agents of any version, and saved states that somebody edited.

Each function gives the value if it is of the type that is asked for, and the type's empty value otherwise.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping, Sequence

_FRACTION = re.compile(r"\.(\d{6})\d+")
# Go writes a time that never was as year 1
_NEVER = "0001-01-01"


def mapping(value: t.Any) -> Mapping[str, t.Any]:
    """``value`` as an object."""
    return value if isinstance(value, dict) else {}


def sequence(value: t.Any) -> Sequence[t.Any]:
    """``value`` as a list."""
    return value if isinstance(value, list) else []


def objects(value: t.Any) -> list[Mapping[str, t.Any]]:
    """The objects of a list."""
    return [one for one in sequence(value) if isinstance(one, dict)]


def text(value: t.Any) -> str:
    """``value`` as a text."""
    return value if isinstance(value, str) else ""


def whole(value: t.Any) -> int | None:
    """``value`` as a whole number; None when it is none. In Python, True is an int."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def count(value: t.Any) -> int:
    """``value`` as a number of things; Go leaves a zero out."""
    return max(whole(value) or 0, 0)


def moment(value: t.Any) -> datetime.datetime | None:
    """A time of RFC 3339 with its zone; None when there is none, or when it says that it never was."""
    written = text(value)
    if not written or written.startswith(_NEVER):
        return None
    try:
        found = datetime.datetime.fromisoformat(_FRACTION.sub(r".\1", written))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
