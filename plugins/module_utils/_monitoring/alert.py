# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What an alert is, and how its expression is written for one cluster."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import METRICS, object_counts
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import MonitoredCluster
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.thresholds import words_of_thresholds

_WORD = re.compile(r"<([a-z_]+(?::[a-z]+)?)>")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


@dataclass(frozen=True)
class Alert:
    """One alert. In ``expr`` and ``description`` a word in angle brackets is a threshold, ``<capacity>`` the identity numbers
    of the cluster, and ``<objects:nodes>`` what the API server counts. ``finding`` is the id whose page says what to do;
    empty where there is none. An empty ``severity`` is that of the finding. ``needs`` names components of the cluster."""

    name: str
    group: str
    finding: str
    expr: str
    hold: str
    needs: tuple[str, ...]
    summary: str
    description: str
    severity: str = ""


def names_in(expr: str, metrics: Iterable[str] = METRICS) -> list[str]:
    """The metrics that an expression names, in their order."""
    known = set(metrics)
    without_texts = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expr)
    return list(dict.fromkeys(word for word in _NAME.findall(without_texts) if word in known))


def words_of(cluster: MonitoredCluster, thresholds: Mapping[str, str]) -> dict[str, str]:
    """{word in angle brackets: what stands for it in this cluster}."""
    return {**words_of_thresholds(thresholds), "capacity": str(cluster.identity_capacity), **object_counts(cluster)}


def written(text: str, words: Mapping[str, str]) -> str:
    """The text with its words replaced; one that is none of ours stays as it is."""
    return _WORD.sub(lambda match: words.get(match[1], match[0]), text)


def absent_metrics(expr: str, cluster: MonitoredCluster) -> list[str]:
    """The metrics of a written expression that the cluster's releases do not have."""
    return [name for name in names_in(expr) if not METRICS[name].exists_in(cluster)]


def camel_case(identifier: str) -> str:
    """``node-cidr-missing`` -> ``NodeCidrMissing``."""
    return "".join(word.capitalize() for word in identifier.split("-"))


PREFIX: t.Final = "Podnet"
