# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Rules for Prometheus: the alerts whose metrics one cluster has, as groups of a rule file or of a PrometheusRule."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import NEED_ANSWERS
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring import (
    alerts_addresses,
    alerts_audit,
    alerts_identities,
    alerts_node_cidrs,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import (
    Alert,
    absent_metrics,
    words_of,
    written,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import METRICS
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import MonitoredCluster
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.thresholds import is_duration, thresholds

RUNBOOK_URL: t.Final = "https://github.com/podnet/upkeep/blob/main/docs/docsite/rst/{page}.rst#{anchor}"
#: Alerts that are not generated from the catalogue, in the order of pages and files.
ALERTS: t.Final[tuple[Alert, ...]] = (
    *alerts_identities.ALERTS,
    *alerts_addresses.ALERTS,
    *alerts_node_cidrs.ALERTS,
    *alerts_audit.ALERTS,
)
_OVERRIDES: t.Final = ("enabled", "severity", "for")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True)
class RuleOptions:
    """What a user may decide. ``hold`` and ``interval`` are of every alert and group; empty: each alert's own, Prometheus's own."""

    thresholds: Mapping[str, t.Any] = field(default_factory=dict)
    hold: str = ""
    interval: str = ""
    runbook_url: str = RUNBOOK_URL
    labels: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, t.Any] = field(default_factory=dict)
    finding_severities: tuple[str, ...] = ("critical", "warning")


@dataclass(frozen=True)
class Rules:
    """``groups`` as Prometheus has them, and {why: alerts} for what the cluster cannot have."""

    groups: list[dict[str, t.Any]]
    left_out: dict[str, list[str]]

    @property
    def alerts(self) -> list[dict[str, t.Any]]:
        """All rules, without their groups."""
        return [rule for group in self.groups for rule in group["rules"]]


def all_alerts(severities: Iterable[str] = SEVERITIES) -> list[Alert]:
    """Every alert there is, those of findings of these severities included."""
    return [*ALERTS, *alerts_audit.alerts_of_findings(tuple(severities))]


def why_not(alert: Alert, cluster: MonitoredCluster, words: Mapping[str, str]) -> str:
    """Why a cluster cannot have an alert; empty when it can."""
    reason = cluster.missing(frozenset(alert.needs))
    if reason:
        return reason
    absent = absent_metrics(written(alert.expr, words), cluster)
    if not absent:
        return ""
    metric = METRICS[absent[0]]
    major, minor = metric.since
    program = "Cilium" if metric.name.startswith("cilium_") else "Kubernetes"
    known = cluster.cilium if program == "Cilium" else cluster.kubernetes
    runs = f"{known[0]}.{known[1]} runs" if known else "the release that runs is unknown"
    return f"{metric.name} is served by {program} {major}.{minor} and later; {runs}"


def rules(cluster: MonitoredCluster, options: RuleOptions | None = None) -> Rules:
    """The rules of one cluster. Raises InputError for an option that cannot be used."""
    chosen = options or RuleOptions()
    words = words_of(cluster, thresholds(chosen.thresholds))
    _check(chosen)
    groups: dict[str, list[dict[str, t.Any]]] = {}
    left_out: dict[str, list[str]] = {}
    for alert in all_alerts(chosen.finding_severities):
        override = chosen.overrides.get(alert.name) or {}
        reason = why_not(alert, cluster, words)
        if not override.get("enabled", True):
            reason = "turned off by the option alerts"
        if reason:
            left_out.setdefault(reason, []).append(alert.name)
        else:
            groups.setdefault(alert.group, []).append(_rule(alert, chosen, override, words))
    interval = {"interval": chosen.interval} if chosen.interval else {}
    made = [{"name": f"podnet-upkeep-{name}", **interval, "rules": found} for name, found in groups.items()]
    return Rules(made, left_out)


def _rule(
    alert: Alert, options: RuleOptions, override: Mapping[str, t.Any], words: Mapping[str, str]
) -> dict[str, t.Any]:
    kind = CATALOGUE.get(alert.finding)
    labels = {"severity": override.get("severity") or alert.severity or (kind.severity if kind else "warning")}
    if alert.finding:
        labels["finding"] = alert.finding
    annotations = {
        "summary": written(alert.summary, words),
        "description": written(alert.description, words),
        "runbook_url": _url(alert, options.runbook_url),
    }
    if kind is not None and kind.playbook and kind.playbook not in NEED_ANSWERS:
        annotations["playbook"] = kind.playbook
    return {
        "alert": alert.name,
        "expr": written(alert.expr, words),
        "for": override.get("for") or options.hold or alert.hold,
        "labels": {**labels, **options.labels},
        "annotations": annotations,
    }


def _url(alert: Alert, pattern: str) -> str:
    """The page that says what to do: that of the finding, else that of the alerts, where each has a section."""
    page, anchor = ("findings", alert.finding) if alert.finding else ("monitoring", alert.name.lower())
    return pattern.replace("{page}", page).replace("{anchor}", anchor)


def _check(options: RuleOptions) -> None:
    for name, text in (("for", options.hold), ("interval", options.interval)):
        if text and not is_duration(text):
            raise InputError(f"{name}: '{text}' is no time for Prometheus; write it with its unit, such as 30s or 5m.")
    for name in options.labels:
        if not _LABEL.fullmatch(name) or name in ("severity", "finding", "alertname"):
            raise InputError(
                f"labels: '{name}' cannot be added; use a name of letters, digits and underscores that is not ours."
            )
    if "{anchor}" not in options.runbook_url:
        raise InputError(
            f"runbook_url: '{options.runbook_url}' has no {{anchor}}; put it where the id of a finding belongs."
        )
    known = {alert.name for alert in all_alerts()}
    for name, override in options.overrides.items():
        if name not in known:
            raise InputError(
                f"alerts: there is no alert '{name}'; the page monitoring of the documentation lists them all."
            )
        if not isinstance(override, Mapping) or set(override) - set(_OVERRIDES):
            raise InputError(f"alerts: {name} may have {', '.join(_OVERRIDES)}, and nothing else.")
        if not isinstance(override.get("enabled", True), bool):
            raise InputError(f"alerts: enabled of {name} is '{override['enabled']}'; write true or false.")
        hold = str(override.get("for") or "")
        if hold and not is_duration(hold):
            raise InputError(f"alerts: for of {name} is '{hold}'; write a time with its unit, such as 30s or 5m.")
