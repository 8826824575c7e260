# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Durations exactly as Go reads and prints them: what Cilium, etcd and Kubernetes take for an interval.

Source of every rule: ParseDuration, leadingInt, leadingFraction and Duration.String of src/time/format.go and
src/time/time.go of Go 1.26. Errors are worded as Go words them, so that they can be compared with a log.
"""

from __future__ import annotations

import datetime
import typing as t

NANOSECONDS: t.Mapping[str, int] = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
SMALLEST = -(1 << 63)
LARGEST = (1 << 63) - 1


class DurationError(ValueError):
    """A text is no Go duration; the words are Go's."""


def parse(text: str) -> int:
    """Nanoseconds of ``text``, such as ``15m0s``, ``1.5h`` or ``-3ms``. Raises DurationError with Go's words.

    A number without a unit is an error, but for ``0``.
    """
    negative = text[:1] == "-"
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    if not rest:
        raise _invalid(text)
    total = 0
    while rest:
        value, rest = _term(rest, text)
        total += value
        if total > 1 << 63:
            raise _invalid(text)
    if negative:
        return -total
    if total > LARGEST:
        raise _invalid(text)
    return total


def _term(rest: str, text: str) -> tuple[int, str]:
    """Nanoseconds of one number with its unit, and what follows it."""
    whole, rest = _digits(rest)
    fraction = ""
    if rest[:1] == ".":
        fraction, rest = _digits(rest[1:])
    if not whole and not fraction:
        raise _invalid(text)
    if int(whole or "0") > 1 << 63:
        raise _invalid(text)
    length = next((at for at, char in enumerate(rest) if char == "." or char in _DIGITS), len(rest))
    unit, rest = rest[:length], rest[length:]
    if not unit:
        raise DurationError(f"time: missing unit in duration {quoted(text)}")
    if unit not in NANOSECONDS:
        raise DurationError(f"time: unknown unit {quoted(unit)} in duration {quoted(text)}")
    scale = NANOSECONDS[unit]
    value = int(whole or "0") * scale
    if value > 1 << 63:
        raise _invalid(text)
    if fraction:
        value += _of_fraction(fraction, scale)
        if value > 1 << 63:
            raise _invalid(text)
    return value, rest


_DIGITS = "0123456789"


def _digits(text: str) -> tuple[str, str]:
    """The digits that ``text`` begins with, and the rest."""
    length = next((at for at, char in enumerate(text) if char not in _DIGITS), len(text))
    return text[:length], text[length:]


def _of_fraction(digits: str, scale: int) -> int:
    """Nanoseconds of the digits after the point; digits that overflow 63 bits are ignored, as leadingFraction does."""
    value, power = 0, 1.0
    for digit in digits:
        if value > LARGEST // 10:
            break
        longer = value * 10 + int(digit)
        if longer > 1 << 63:
            break
        value, power = longer, power * 10
    # in floating point as Go computes it, so that rounding is the same
    return int(float(value) * (float(scale) / power))


def format_duration(nanoseconds: int) -> str:
    """The text that Go's Duration.String prints: ``15m0s``, ``1.5s``, ``300ns``, ``0s``."""
    if not SMALLEST <= nanoseconds <= LARGEST:
        raise DurationError(f"{nanoseconds} nanoseconds are no Go duration: it has 64 bits")
    sign = "-" if nanoseconds < 0 else ""
    value = abs(nanoseconds)
    if value < NANOSECONDS["s"]:
        for unit in ("ms", "\u00b5s", "ns"):
            if value >= NANOSECONDS[unit]:
                return f"{sign}{_decimal(value, NANOSECONDS[unit])}{unit}"
        return "0s"
    minutes, rest = divmod(value, NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, NANOSECONDS['s'])}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return sign + (f"{hours}h{text}" if hours else text)


def _decimal(value: int, scale: int) -> str:
    """``value`` divided by ``scale`` (a power of ten) without trailing zeros."""
    whole, fraction = divmod(value, scale)
    digits = str(scale + fraction)[1:].rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


def to_timedelta(nanoseconds: int) -> datetime.timedelta:
    """The same time as Python has it; what is below a microsecond is cut off towards zero."""
    microseconds = abs(nanoseconds) // 1_000
    return datetime.timedelta(microseconds=-microseconds if nanoseconds < 0 else microseconds)


def parse_timedelta(text: str) -> datetime.timedelta:
    """``parse`` as a timedelta. Raises DurationError with Go's words."""
    return to_timedelta(parse(text))


def from_seconds(seconds: float) -> int:
    """Nanoseconds of a number of seconds. Raises DurationError where no Go duration is that long."""
    try:
        nanoseconds = round(seconds * NANOSECONDS["s"])
    except (OverflowError, ValueError) as error:
        raise DurationError(f"{seconds} seconds are no Go duration") from error
    if not SMALLEST <= nanoseconds <= LARGEST:
        raise DurationError(f"{seconds} seconds are no Go duration: the longest is 292 years")
    return nanoseconds


def _invalid(text: str) -> DurationError:
    return DurationError(f"time: invalid duration {quoted(text)}")


def quoted(text: str) -> str:
    """``text`` in quotes as Go's time package prints it in errors: bytes that are not printable ASCII are escaped."""
    made = []
    for char in text:
        if char in '"\\':
            made.append("\\" + char)
        elif " " <= char < "\x7f":
            made.append(char)
        else:
            made.extend(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    return '"' + "".join(made) + '"'
