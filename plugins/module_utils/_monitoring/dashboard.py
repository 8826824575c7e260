# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Dashboards for Grafana 9 and later: the panels whose metrics one cluster has, laid out without overlap."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import absent_metrics, words_of, written
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import MonitoredCluster
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.panels import (
    DASHBOARDS,
    PANELS,
    STAT,
    TABLE,
    Panel,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.thresholds import thresholds

_WIDTH: t.Final = 12
_HEIGHT: t.Final = 8
_COLUMNS: t.Final = 24
_SOURCE: t.Final = {"type": "prometheus", "uid": "${datasource}"}
#: Version of Grafana's dashboard schema; newer Grafana migrates it when it reads it.
_SCHEMA: t.Final = 38
Json = dict[str, t.Any]


def dashboards(cluster: MonitoredCluster, values: Mapping[str, t.Any] | None = None) -> dict[str, Json]:
    """{key: dashboard}; one of which a cluster has no panel is not there."""
    words = words_of(cluster, thresholds(values or {}))
    made = {}
    for key, (title, uid) in DASHBOARDS.items():
        panels = [one for one in PANELS if one.dashboard == key and shown(one, cluster, words)]
        if panels:
            made[key] = _dashboard(title, uid, panels, words)
    return made


def shown(panel: Panel, cluster: MonitoredCluster, words: Mapping[str, str]) -> bool:
    """Whether the cluster has everything that a panel needs."""
    absent = [name for expr, _legend in panel.queries for name in absent_metrics(written(expr, words), cluster)]
    return not absent and not cluster.missing(frozenset(panel.needs))


def _dashboard(title: str, uid: str, panels: Sequence[Panel], words: Mapping[str, str]) -> Json:
    laid_out: list[Json] = []
    y = 0
    for row in dict.fromkeys(one.row for one in panels):
        laid_out.append(_row(row, len(laid_out) + 1, y))
        y += 1
        of_row = [one for one in panels if one.row == row]
        for number, panel in enumerate(of_row):
            place = {"x": number % 2 * _WIDTH, "y": y + number // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
            laid_out.append(_panel(panel, len(laid_out) + 1, place, words))
        y += (len(of_row) + 1) // 2 * _HEIGHT
    return {
        "uid": uid,
        "title": title,
        "tags": ["podnet.upkeep"],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [_data_source()]},
        "panels": laid_out,
    }


def _data_source() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
        "refresh": 1,
        "regex": "",
        "includeAll": False,
        "multi": False,
        "options": [],
        "current": {},
    }


def _row(title: str, number: int, y: int) -> Json:
    place = {"x": 0, "y": y, "w": _COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(panel: Panel, number: int, place: Json, words: Mapping[str, str]) -> Json:
    instant = panel.kind != "timeseries"
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": _SOURCE,
            "expr": written(expr, words),
            "legendFormat": legend,
            "instant": instant,
            "range": not instant,
            **({"format": "table"} if panel.kind == TABLE else {}),
        }
        for index, (expr, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        **({"description": panel.text} if panel.text else {}),
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": _options(panel.kind),
        "targets": targets,
    }


def _options(kind: str) -> Json:
    if kind == STAT:
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value"}
    if kind == TABLE:
        return {"showHeader": True}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
