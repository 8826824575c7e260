# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What was in use of each resource that can run out, and when: out of results of audits and of Prometheus metrics.

A resource has a key: ``identities``, ``node-blocks/IPv4``, ``cilium-pool/default/IPv4``, ``node-addresses/w1``. The value of
addresses of a Node is what is free of them with a minus, because the metrics have nothing else.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain import prometheus_text
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.trend import Point

IDENTITIES = "identities"
NODE_BLOCKS = "node-blocks/"
CILIUM_POOL = "cilium-pool/"
NODE_ADDRESSES = "node-addresses/"
_PREFIX = "podnet_upkeep_"
_TIME = f"{_PREFIX}audit_timestamp_seconds"
# metric -> labels that make the key
_METRICS: t.Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    f"{_PREFIX}identities_used": (IDENTITIES, ()),
    f"{_PREFIX}pool_used_blocks": (NODE_BLOCKS, ("family",)),
    f"{_PREFIX}cilium_pool_used_blocks": (CILIUM_POOL, ("pool", "family")),
    f"{_PREFIX}node_addresses_free": (NODE_ADDRESSES, ("node",)),
}
# metric -> the same, and the label with the range that its blocks are of: both tell the size of a block
_SIZES: t.Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    f"{_PREFIX}pool_capacity_blocks": (NODE_BLOCKS, ("family",), "cluster_cidr"),
    f"{_PREFIX}cilium_pool_capacity_blocks": (CILIUM_POOL, ("pool", "family"), "cidr"),
}
METRIC_NAMES: t.Final = frozenset({*_METRICS, *_SIZES, _TIME})
# a time stamp above this is in milliseconds: as seconds it would be the year 5138
_MILLISECONDS = 1e11


@dataclass(frozen=True)
class Usage:
    """``used`` at one moment. ``unit`` is what has to be the same for two of them to be compared; empty is unknown."""

    used: float
    unit: str = ""


@dataclass
class History:
    """Usages by key and time. ``contradictions`` says of a key why its history cannot be used."""

    usages: dict[str, dict[float, Usage]] = field(default_factory=dict)
    contradictions: dict[str, str] = field(default_factory=dict)

    def add(self, time: float, found: Mapping[str, Usage], source: str) -> None:
        """Take what was in use at one moment (POSIX time); the same moment twice must say the same."""
        for key, usage in found.items():
            known = self.usages.setdefault(key, {}).setdefault(time, usage)
            if known.used != usage.used:
                self.contradictions.setdefault(
                    key, f"{source} says {_value(usage)} for a moment for which another file says {_value(known)}"
                )

    def points(self, key: str, until: float) -> list[Point]:
        """Points of one resource until a moment, oldest first."""
        found = self.usages.get(key, {})
        return [(time, found[time].used) for time in sorted(found) if time <= until]

    def contradiction(self, key: str) -> str:
        """Why its points cannot be compared; empty where they can."""
        units = sorted({one.unit for one in self.usages.get(key, {}).values() if one.unit})
        if len(units) > 1:
            return f"the history has {' and '.join(units[:3])}, which cannot be compared"
        return self.contradictions.get(key, "")


def _value(usage: Usage) -> str:
    return f"{abs(usage.used):g}"


def taken_at(document: Mapping[str, t.Any]) -> float | None:
    """When the state of a document was read; None when it does not say."""
    found = moment(str(document.get("taken_at") or ""))
    return None if found is None else found.timestamp()


def usages_of_document(document: Mapping[str, t.Any]) -> dict[str, Usage]:
    """What was in use by the result of an audit (or the parts of one); what is unknown there is left out."""
    found: dict[str, Usage] = {}
    identities = _mapping(document.get("identities"))
    span = _mapping(identities.get("range"))
    if _is_number(identities.get("used")):
        start = span.get("minimum")
        unit = f"identities from {start}" if _is_number(start) else ""
        found[IDENTITIES] = Usage(float(identities["used"]), unit)
    for pool in _rows(document.get("pools")):
        if _is_number(pool.get("used")):
            size = pool.get("node_mask_size")
            found[f"{NODE_BLOCKS}{pool.get('family')}"] = Usage(float(pool["used"]), _blocks(size))
    pools: dict[str, tuple[float, str]] = {}
    for pool in _rows(document.get("cilium_pools")):
        if _is_number(pool.get("used")):
            key = f"{CILIUM_POOL}{pool.get('pool')}/{pool.get('family')}"
            pools[key] = (pools.get(key, (0.0, ""))[0] + float(pool["used"]), _blocks(pool.get("mask_size")))
    found.update((key, Usage(used, unit)) for key, (used, unit) in pools.items())
    for node in _rows(document.get("nodes")):
        free = _mapping(node.get("addresses")).get("free")
        if _is_number(free):
            found[f"{NODE_ADDRESSES}{node.get('name')}"] = Usage(-float(t.cast("float", free)))
    return found


def usages_of_text(text: str) -> dict[float, dict[str, Usage]]:
    """{time: usages} of metrics in the text format of Prometheus. Raises ValueError in words.

    The time is that of the sample, in milliseconds or seconds; without one it is that of the audit, which the file has itself.
    """
    prometheus_text.parse(text, METRIC_NAMES)  # whether it is such a text at all
    samples: dict[str, list[tuple[str, float | None, float]]] = {}
    for line in text.split("\n"):
        if not line.startswith(_PREFIX):
            continue
        for sample, value in prometheus_text.parse(line, METRIC_NAMES).items():
            name = sample.partition("{")[0]
            samples.setdefault(name, []).append((sample, _stamp(line), value))
    audits = [value for _sample, _time, value in samples.pop(_TIME, ())]
    made: dict[float, dict[str, Usage]] = {}
    sizes: dict[tuple[float, str], str] = {}
    for sample, time, value in (one for found in samples.values() for one in found):
        when = time if time is not None else (audits[0] if len(audits) == 1 else None)
        if when is None:
            raise ValueError(f"its samples have no times, and it has {len(audits)} samples of {_TIME}")
        name, labels = prometheus_text.labels_of(sample)
        if name in _SIZES:
            key, unit = _size(name, labels, value)
            sizes[when, key] = unit
        else:
            _count(made.setdefault(when, {}), name, labels, value)
    _with_units(made, sizes)
    return made


def _stamp(line: str) -> float | None:
    """The time after the value of a sample; None where there is none."""
    words = (line[line.rfind("}") + 1 :] if "}" in line else line.partition(" ")[2]).split()
    try:
        time = float(words[1])
    except (IndexError, ValueError):
        return None
    return time / 1000 if time >= _MILLISECONDS else time


def usages_of_query(answer: Mapping[str, t.Any]) -> dict[float, dict[str, Usage]]:
    """{time: usages} of an answer of the HTTP API of Prometheus to query_range or query. Raises ValueError in words."""
    data = _mapping(answer.get("data"))
    if answer.get("status") != "success" or data.get("resultType") not in ("matrix", "vector"):
        raise ValueError("it is no successful answer of Prometheus with series")
    made: dict[float, dict[str, Usage]] = {}
    sizes: dict[tuple[float, str], str] = {}
    seen: dict[tuple[str, str], str] = {}
    for series in _rows(data.get("result")):
        labels = {str(key): str(value) for key, value in _mapping(series.get("metric")).items()}
        name = labels.get("__name__", "")
        if name not in _METRICS and name not in _SIZES:
            continue
        # two exporters, or two clusters, with the same series would be added up
        source = f"{labels.get('job', '')} {labels.get('instance', '')} {labels.get('cluster', '')}".strip()
        own = ",".join(f"{key}={labels.get(key, '')}" for key in ("family", "cluster_cidr", "pool", "cidr", "node"))
        if seen.setdefault((name, own), source) != source:
            raise ValueError(
                f"{name} comes from several sources ({seen[name, own]} and {source}); select one in the query"
            )
        for time, value in _samples(series):
            if name in _SIZES:
                key, unit = _size(name, labels, value)
                sizes[time, key] = unit
            else:
                _count(made.setdefault(time, {}), name, labels, value)
    _with_units(made, sizes)
    return made


def _samples(series: Mapping[str, t.Any]) -> Iterator[tuple[float, float]]:
    pairs = series.get("values") or ([series["value"]] if series.get("value") else [])
    for pair in pairs:
        try:
            time, value = float(pair[0]), float(pair[1])
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise ValueError("a sample is no pair of a time and a number") from error
        if value - value == 0:  # neither infinite nor not a number
            yield time, value


def _count(found: dict[str, Usage], name: str, labels: Mapping[str, str], value: float) -> None:
    """Add one sample; a pool of Cilium has one for each of its CIDRs."""
    start, keys = _METRICS[name]
    key = start + "/".join(labels.get(one, "") for one in keys)
    if start == NODE_ADDRESSES:
        value = -value
    before = found.get(key)
    found[key] = Usage(value + (before.used if before and start == CILIUM_POOL else 0.0))


def _with_units(found: dict[float, dict[str, Usage]], sizes: Mapping[tuple[float, str], str]) -> None:
    """Give blocks of which the size is known their unit, so that those of two sizes are never compared."""
    for (time, key), unit in sizes.items():
        if usage := found.get(time, {}).get(key):
            found[time][key] = Usage(usage.used, unit)


def _size(name: str, labels: Mapping[str, str], capacity: float) -> tuple[str, str]:
    """(key, unit) of a sample of the capacity; the unit is empty where the labels or the number tell no size."""
    start, keys, label = _SIZES[name]
    key = start + "/".join(labels.get(one, "") for one in keys)
    length = labels.get(label, "").rpartition("/")[2]
    blocks = int(capacity) if capacity == int(capacity) else 0
    if not length.isdecimal() or blocks < 1 or blocks & (blocks - 1):
        return key, ""
    return key, _blocks(int(length) + blocks.bit_length() - 1)


def _blocks(size: t.Any) -> str:
    return f"blocks of /{size}" if _is_number(size) else ""


def _is_number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value - value == 0


def _mapping(value: t.Any) -> Mapping[str, t.Any]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: t.Any) -> Iterable[Mapping[str, t.Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
