# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What users may set about alerts: thresholds and windows by name, and how they are checked."""

from __future__ import annotations

import math
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

RATIO: t.Final = "ratio"
NUMBER: t.Final = "number"
DURATION: t.Final = "duration"
# what Prometheus takes; a time without unit is a mistake everywhere
_DURATION = re.compile(r"(?=\d)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?")


@dataclass(frozen=True)
class Threshold:
    """One value that decides about alerts. Where it is not at least ``least``, above ``above`` and below ``below`` (seconds
    for a duration), no series could ever make the alert fire; ``why`` says the reason."""

    name: str
    default: str
    kind: str
    text: str
    least: float = -math.inf
    above: float = -math.inf
    below: float = math.inf
    why: str = ""


def _part_in_use(name: str, default: str, text: str) -> Threshold:
    return Threshold(name, default, RATIO, text, below=1.0, why="no more than all can be in use")


def _window(name: str, default: str, text: str) -> Threshold:
    why = "a shorter time may hold one sample only, which says nothing of a change"
    return Threshold(name, default, DURATION, text, least=60.0, why=why)


_ALL: t.Final = (
    _part_in_use("identities_used_ratio", "0.8", "part of the identity numbers in use that is too much"),
    Threshold(
        "identities_exhausted_within", "24h", DURATION, "how far ahead an end of the identity numbers is announced"
    ),
    _window("identity_trend_window", "6h", "from how long a past the trend of identities is taken"),
    _window(
        "identity_gc_window",
        "1h",
        "in which a collection of identities must have run; above identity-gc-interval",
    ),
    Threshold("identity_gc_seconds", "600", NUMBER, "seconds that a collection of identities may take"),
    Threshold(
        "identity_failures", "10", NUMBER, "identities in a quarter of an hour that the operator could not write"
    ),
    Threshold("label_values", "1000", NUMBER, "distinct values that one label may have among identities"),
    Threshold(
        "endpoint_failures", "10", NUMBER, "CiliumEndpoints in a quarter of an hour that the operator could not delete"
    ),
    _part_in_use("node_addresses_used_ratio", "0.9", "part of a Node's pod addresses in use that is too much"),
    Threshold(
        *("node_addresses_left", "5", NUMBER, "pod addresses that a Node should have left"),
        above=0.0,
        why="no Node has less than none left",
    ),
    Threshold("map_pressure", "0.9", RATIO, "how full a BPF map may be"),
    _part_in_use("pool_used_ratio", "0.9", "part of a pool of node blocks in use that is too much"),
    Threshold("pool_left_ratio", "0.1", RATIO, "part of the blocks of a pool that should be free"),
    Threshold("registrations_per_hour", "20", NUMBER, "Nodes that may come or go in an hour"),
    Threshold(
        "controller_manager_starts", "2", NUMBER, "starts of kube-controller-manager that may be seen in half an hour"
    ),
    Threshold("dangling_objects", "0", NUMBER, "objects of Nodes that are gone which may be there"),
    Threshold("sandbox_failures", "3", NUMBER, "pod sandboxes of one Node that may fail in a quarter of an hour"),
    Threshold(
        "sandbox_seconds",
        "5",
        NUMBER,
        "seconds that 95 of 100 pod sandboxes of a Node may take; below 10, the last bucket",
        below=10.0,
        why="the kubelet's last bucket ends at 10 seconds, so no more is ever seen",
    ),
    Threshold("audit_age", "26h", DURATION, "how old the last audit may be; above the time between two of them"),
)
THRESHOLDS: t.Final[Mapping[str, Threshold]] = {one.name: one for one in _ALL}


def is_duration(text: str) -> bool:
    """Whether Prometheus takes it: 30s, 5m, 1h30m."""
    return bool(text) and _DURATION.fullmatch(text) is not None


def seconds_of(text: str) -> float:
    """Seconds of a duration of Prometheus."""
    sizes = {"y": 31536000.0, "w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(int(number) * sizes[unit] for number, unit in re.findall(r"(\d+)(ms|[ywdhms])", text))


def thresholds(given: Mapping[str, t.Any]) -> dict[str, str]:
    """All thresholds as expressions have them, defaults included. Raises InputError naming the one that cannot be used."""
    unknown = sorted(set(given) - set(THRESHOLDS))
    if unknown:
        raise InputError(f"thresholds: there is no '{unknown[0]}'; known are {', '.join(THRESHOLDS)}.")
    return {name: _checked(one, given.get(name, one.default)) for name, one in THRESHOLDS.items()}


def words_of_thresholds(values: Mapping[str, str]) -> dict[str, str]:
    """What expressions call them: a duration is there as a time (``2h``) and as seconds (``NAME_seconds``)."""
    seconds = {
        f"{name}_seconds": _digits(str(seconds_of(text)))
        for name, text in values.items()
        if THRESHOLDS[name].kind == DURATION
    }
    return {**values, **seconds}


def _digits(text: str) -> str:
    """The number in full, without exponent and without zeros that say nothing."""
    whole = f"{Decimal(text):f}"
    return whole.rstrip("0").rstrip(".") if "." in whole else whole


def _can_fire(threshold: Threshold, value: float, text: str) -> None:
    """Raise InputError where no alert with this value ever could."""
    if value < threshold.least:
        wanted = f"of {_digits(str(threshold.least))} or more"
    elif value <= threshold.above:
        wanted = f"above {_digits(str(threshold.above))}"
    elif value >= threshold.below:
        wanted = f"below {_digits(str(threshold.below))}"
    else:
        return
    unit = " seconds" if threshold.kind == DURATION else ""
    raise InputError(
        f"thresholds: {threshold.name} is '{text}', with which its alert never fires: {threshold.why}; give one {wanted}{unit}."
    )


def _checked(threshold: Threshold, value: t.Any) -> str:
    text = str(value).strip()
    if threshold.kind == DURATION:
        if not is_duration(text) or seconds_of(text) <= 0:
            raise InputError(
                f"thresholds: {threshold.name} is '{text}'; write a time with its unit, such as 30m or 6h."
            )
        _can_fire(threshold, seconds_of(text), text)
        return text
    try:
        number = float(text)
    except ValueError as error:
        raise InputError(f"thresholds: {threshold.name} is '{text}'; it must be a number.") from error
    if not 0 <= number < float("inf"):
        raise InputError(f"thresholds: {threshold.name} is '{text}'; it must be a number of 0 or more.")
    if threshold.kind == RATIO and not 0 < number <= 1:
        raise InputError(f"thresholds: {threshold.name} is '{text}'; it is a part of the whole, above 0 and at most 1.")
    _can_fire(threshold, number, text)
    return _digits(text)
