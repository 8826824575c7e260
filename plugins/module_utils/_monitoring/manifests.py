# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The objects that monitoring needs in a cluster: rules, dashboards, and who is to be scraped."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.scraping import (
    Json,
    ScrapeTarget,
    service,
    service_monitor,
)

OPERATOR_API: t.Final = "/apis/monitoring.coreos.com/v1"
_ROOTS: t.Final = {
    "PrometheusRule": (OPERATOR_API, "prometheusrules"),
    "ServiceMonitor": (OPERATOR_API, "servicemonitors"),
    "PodMonitor": (OPERATOR_API, "podmonitors"),
    "Service": ("/api/v1", "services"),
    "ConfigMap": ("/api/v1", "configmaps"),
}
#: Monitors go before the Services that they look at.
REMOVAL_ORDER: t.Final = ("PrometheusRule", "ServiceMonitor", "Service", "ConfigMap")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_MANAGED_BY: t.Final = "app.kubernetes.io/managed-by"


@dataclass(frozen=True)
class ObjectOptions:
    """How the objects are called and found. ``rule_labels`` are for the ruleSelector and serviceMonitorSelector of Prometheus,
    ``dashboard_labels`` for Grafana's sidecar."""

    namespace: str
    name: str = "podnet-upkeep"
    rule_labels: Mapping[str, str] = field(default_factory=dict)
    dashboard_labels: Mapping[str, str] = field(default_factory=dict)
    dashboard_annotations: Mapping[str, str] = field(default_factory=dict)
    interval: str = ""

    def __post_init__(self) -> None:
        """Raises InputError for a name that the API server would not take."""
        for option, value in (("name", self.name), ("namespace", self.namespace)):
            if not _NAME.fullmatch(value):
                raise InputError(
                    f"{option}: '{value}' cannot be used; give 1 to 40 lower-case letters, digits and inner hyphens."
                )
        for option, labels in (("rule_labels", self.rule_labels), ("dashboard_labels", self.dashboard_labels)):
            if _MANAGED_BY in labels:
                raise InputError(f"{option}: {_MANAGED_BY} says whose the objects are; leave it out.")

    @property
    def labels(self) -> dict[str, str]:
        """By these the objects are found again."""
        return {
            _MANAGED_BY: "podnet.upkeep",
            "app.kubernetes.io/component": "monitoring",
            "app.kubernetes.io/instance": self.name,
        }


def manifests(
    options: ObjectOptions,
    groups: Sequence[Mapping[str, t.Any]],
    boards: Mapping[str, Json],
    targets: Iterable[ScrapeTarget] = (),
) -> list[Json]:
    """All objects, in the order in which they are to be created."""
    made: list[Json] = []
    if groups:
        rule = _head(
            f"{OPERATOR_API.removeprefix('/apis/')}", "PrometheusRule", options.name, options.namespace, options
        )
        made.append({**rule, "spec": {"groups": list(groups)}})
    for target in targets:
        made += _scraped(target, options)
    for key, board in sorted(boards.items()):
        head = _head("v1", "ConfigMap", f"{options.name}-{key}", options.namespace, options, options.dashboard_labels)
        if options.dashboard_annotations:
            head["metadata"]["annotations"] = dict(options.dashboard_annotations)
        made.append({**head, "data": {f"{options.name}-{key}.json": dashboard_text(board)}})
    return made


def dashboard_text(board: Json) -> str:
    """A dashboard as Grafana reads it from a file."""
    return json.dumps(board, indent=2) + "\n"


def _scraped(target: ScrapeTarget, options: ObjectOptions) -> list[Json]:
    name = f"{options.name}-{target.component}"
    own = {"app.kubernetes.io/name": target.component}
    chosen = {**options.labels, **own}
    named = _head("v1", "Service", name, target.namespace, options, own)
    kind = _head(f"{OPERATOR_API.removeprefix('/apis/')}", "ServiceMonitor", name, options.namespace, options, own)
    kind["metadata"]["labels"] |= options.rule_labels
    return [{**named, "spec": service(target)}, {**kind, "spec": service_monitor(target, chosen, options.interval)}]


def _head(
    version: str, kind: str, name: str, namespace: str, options: ObjectOptions, more: Mapping[str, str] | None = None
) -> Json:
    extra = options.rule_labels if kind == "PrometheusRule" else more or {}
    metadata = {"name": name, "namespace": namespace, "labels": {**extra, **options.labels}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def collection_path(kind: str, namespace: str = "") -> str:
    """Path of the collection of a kind; of all namespaces without one."""
    root, plural = _ROOTS[kind]
    return f"{root}{f'/namespaces/{namespace}' if namespace else ''}/{plural}"
