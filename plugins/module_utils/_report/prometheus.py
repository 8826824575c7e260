# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit as metrics for the textfile collector of node_exporter, in the text format of Prometheus.

What is not known has no sample: an alert on a missing series is honest, one on a zero is not.
"""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, REASSIGN
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import (
    SEVERITIES,
    Document,
    cilium_pools,
    missing,
    node_addresses,
    part_of,
    rows_of,
)

_PREFIX = "podnet_upkeep_"
# Nodes with the fewest free addresses that have a series; more would be a load for Prometheus
MOST_NODES = 500
_POOL_VALUES = (("capacity", "in all"), ("used", "in use"), ("free", "that are free"))
Sample = tuple[Mapping[str, str], float]


def prometheus(document: Document) -> str:
    """All metrics, each with HELP and TYPE, in a fixed order. Times are those of the audit, never of the reader."""
    return "".join(
        _family(name, text, samples) for name, text, samples in _families(document) if samples
    )  # a family without samples would say nothing


def _number(value: t.Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _value(value: t.Any, **labels: t.Any) -> list[Sample]:
    """One sample, or none where the value is not known."""
    known = _number(value)
    return [] if known is None else [({name: str(one) for name, one in labels.items()}, known)]


def _timestamp(text: t.Any) -> float | None:
    try:
        return datetime.datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _families(document: Document) -> Iterable[tuple[str, str, list[Sample]]]:
    taken_at = _timestamp(document["taken_at"])
    yield "audit_timestamp_seconds", "When the audited state was read, as Unix time.", _value(taken_at)
    kinds = Counter((finding["id"], finding["severity"]) for finding in document["findings"])
    summary = document["summary"]
    yield (
        "findings",
        "Findings of the audit by id and severity; an id without findings has no sample.",
        [one for (name, severity), count in sorted(kinds.items()) for one in _value(count, id=name, severity=severity)],
    )
    yield (
        "findings_by_severity",
        "Findings of the audit by severity.",
        [one for severity in SEVERITIES for one in _value(summary[severity], severity=severity)],
    )
    yield (
        "unknown_resource",
        "1 for each kind of object that matters and could not be read; what depends on it was not judged.",
        [one for resource in missing(document) for one in _value(1, resource=resource)],
    )
    yield "nodes", "Nodes of the cluster.", [] if "nodes" in document["unknown"] else _value(summary["nodes"])
    yield "drifted_nodes", "Nodes with a finding that a new registration mends.", _drifted(document)
    yield from _pools(document)
    yield from _identities(part_of(document, "identities") or {})
    yield from _origins(part_of(document, "identities") or {})
    yield from _endpoints(part_of(document, "endpoints") or {})
    yield from _addresses(document)


def _pools(document: Document) -> Iterable[tuple[str, str, list[Sample]]]:
    pools = document["pools"]
    for key, words in _POOL_VALUES:
        samples = [
            one for pool in pools for one in _value(pool[key], family=pool["family"], cluster_cidr=pool["cluster_cidr"])
        ]
        yield f"pool_{key}_blocks", f"Blocks of the cluster CIDR {words}.", samples
    waiting = [
        one
        for pool in pools
        for one in _value(pool["waiting_nodes"], family=pool["family"], cluster_cidr=pool["cluster_cidr"])
    ]
    yield "pool_waiting_nodes", "Nodes that wait for a block of the cluster CIDR.", waiting
    for key, words in _POOL_VALUES:
        found: dict[tuple[str, str, str], Sample] = {}
        for pool in cilium_pools(document):
            labels = {name: str(pool.get(name) or "") for name in ("pool", "family", "cidr")}
            for one in _value(pool.get(key), **labels):
                found.setdefault((labels["pool"], labels["family"], labels["cidr"]), one)
        yield f"cilium_pool_{key}_blocks", f"Blocks of the pools of Cilium {words}.", list(found.values())


def _identities(identities: Mapping[str, t.Any]) -> Iterable[tuple[str, str, list[Sample]]]:
    capacity = (part_of(identities, "range") or {}).get("capacity")
    yield "identities_capacity", "Numbers that this cluster can give to identities.", _value(capacity)
    yield "identities_used", "Identities in the range of this cluster.", _value(identities.get("used"))
    yield "identities_free", "Numbers left for new identities.", _value(identities.get("free"))
    classes = part_of(identities, "classes") or {}
    samples = [one for name, count in sorted(classes.items()) for one in _value(count, **{"class": name})]
    yield "identities", "Identities by class.", samples
    verdict = (part_of(identities, "gc") or {}).get("verdict")
    yield (
        "identity_gc_verdict",
        "1 for the verdict on the garbage collection of identities: healthy, off, broken, slow or unknown.",
        _value(1, verdict=verdict) if verdict else [],
    )
    forecast = part_of(identities, "forecast") or {}
    yield (
        "identities_created_per_hour",
        "New identities an hour, as the forecast has it.",
        _value(forecast.get("per_hour")),
    )
    exhausted = _timestamp(forecast["exhausted_at"]) if forecast.get("exhausted_at") else None
    yield "identities_exhausted_timestamp_seconds", "When no identity is left, as Unix time.", _value(exhausted)


def _drifted(document: Document) -> list[Sample]:
    """Nodes whose podCIDR does not fit, each once; a Node that merely waits for a block counts too."""
    if "nodes" in document["unknown"]:
        return []
    mended = {kind.id for kind in CATALOGUE.values() if kind.playbook == REASSIGN}
    return _value(sum(1 for node in document["nodes"] if mended.intersection(node["findings"])))


def _origins(identities: Mapping[str, t.Any]) -> Iterable[tuple[str, str, list[Sample]]]:
    """Where identities come from: the namespaces and label keys with most, as many as the document names."""
    keys, namespaces = rows_of(identities.get("by_label_key")), rows_of(identities.get("by_namespace"))
    for name, field, text in (
        ("identity_label_values", "distinct_values", "Values of a label key among identities, for the keys with most."),
        ("identity_label_identities", "contribution", "Identities that there would not be without a label key."),
    ):
        yield name, text, [one for row in keys for one in _value(row.get(field), key=row["key"])]
    yield (
        "identities_of_namespace",
        "Identities of a namespace, for the namespaces with most.",
        [one for row in namespaces for one in _value(row.get("identities"), namespace=row["namespace"])],
    )


def _endpoints(endpoints: Mapping[str, t.Any]) -> Iterable[tuple[str, str, list[Sample]]]:
    states = part_of(endpoints, "states") or {}
    samples = [one for name, count in sorted(states.items()) for one in _value(count, state=name)]
    yield "endpoints", "Endpoints of Cilium by state.", samples
    yield "endpoints_without_pod", "Endpoints whose pod does not exist.", _value(endpoints.get("without_pod"))
    yield (
        "pods_without_endpoint",
        "Pods of the pod network that have no endpoint.",
        _value(endpoints.get("pods_without_endpoint")),
    )


def _addresses(document: Document) -> Iterable[tuple[str, str, list[Sample]]]:
    free = {
        str(name): found
        for name, addresses in node_addresses(document).items()
        if (found := _number(addresses.get("free"))) is not None
    }
    scarce = sorted(free, key=lambda name: (free[name], name))[:MOST_NODES]
    samples = [one for name in sorted(scarce) for one in _value(free[name], node=name)]
    yield "node_addresses_free", f"Pod addresses left on a Node; the {MOST_NODES} Nodes with the fewest.", samples
    yield (
        "node_addresses_omitted",
        "Nodes with known free addresses that have no sample of their own.",
        _value(len(free) - len(scarce)) if free else [],
    )


# -- text format -----------------------------------------------------------------------------------------------------------


def _family(name: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {_PREFIX}{name} {text}", f"# TYPE {_PREFIX}{name} gauge"]
    lines += [f"{_PREFIX}{name}{_labels(labels)} {_shown(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    """A label value: backslash, quote and line feed are escaped; a lone surrogate would be no UTF-8."""
    safe = value.encode("utf-8", "replace").decode("utf-8")
    return safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", " ")


def _shown(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
