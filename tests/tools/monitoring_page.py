"""Writes the documentation page of alerts, metrics and thresholds from the data in the code, so that the two cannot differ."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import Alert
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import (
    EVENT,
    METRICS,
    SOURCE,
    Metric,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    API_SERVER,
    COMPONENTS,
    CONTROLLER_MANAGER,
    KUBELET,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.rules import ALERTS, all_alerts
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.thresholds import THRESHOLDS

HEAD = """\
.. This page is written by ``make pages`` from the code: change _monitoring and the text in tests/tools/monitoring_page.py.

.. _ansible_collections.podnet.upkeep.docsite.monitoring:

Monitoring
==========

The role ``install_monitoring`` installs alerts for Prometheus and dashboards for Grafana. Every metric in them exists: it was
scraped from the real program, or read in the source of the releases that are supported. An alert is installed only where the
releases that run serve its metrics and where somebody can scrape them; the run says what it leaves out and why.

.. code-block:: console

   $ ansible-playbook podnet.upkeep.install_monitoring --check --diff
   $ ansible-playbook podnet.upkeep.install_monitoring -e '{"install_monitoring_rule_labels": {"release": "kube-prometheus-stack"}}'
   $ ansible-playbook podnet.upkeep.install_monitoring -e install_monitoring_destination=files
   $ ansible-playbook podnet.upkeep.install_monitoring -e install_monitoring_state=absent

In a cluster
  With the kinds of prometheus-operator (``monitoring.coreos.com/v1``): one PrometheusRule, a ConfigMap for each dashboard, and
  for cilium-operator, agents and kube-controller-manager a headless Service with a ServiceMonitor, unless somebody else's
  monitor scrapes them already. All of them bear the labels ``app.kubernetes.io/managed-by: podnet.upkeep`` and
  ``app.kubernetes.io/component: monitoring``; only what bears them is ever changed or removed.
As files
  A rule file, dashboards, and jobs for ``scrape_config_files``. Rules that ``promtool`` refuses are not installed. A file that
  was not written by the role is neither replaced nor removed.
Where the audit comes in
  Nobody exports how many identity numbers are free, which labels make identities, how many blocks a pool of Cilium has left, or
  which podCIDRs do not fit. The audit does, into a file for the textfile collector of node_exporter
  (``audit_report_prometheus``). One alert is generated for each finding of the catalogue, with its texts and its page. What an
  audit has found stays until the next one: run it on a schedule, and heed ``PodnetAuditOld``. It is judged for each source (job and
  instance) that serves metrics of an audit. Its threshold ``audit_age`` is 26 hours, which is right for an audit each day; set it
  above the time between two audits: ``install_monitoring_thresholds: {audit_age: 2h}`` for one each hour.
How it is tested
  Rules are loaded by a real Prometheus, which scrapes a real kube-apiserver, kube-controller-manager, cilium-operator and an audit;
  the panels of kubelets are asked with what a real kubelet has served, those of the audit with a report that has everything in it.
  No agent of Cilium runs in these tests, and no cloud: the metrics of agents and of addresses from a cloud, and so their alerts and
  panels, are known from the source code alone. The table of metrics says of each how it is known.
Permissions
  The page *Access* lists what detection and installation need; ``podnet.upkeep.install_access`` creates a role with exactly that.
  Files without detection (``install_monitoring_detect: false``) need none.

What the runbook's alerts ask for
---------------------------------

.. list-table::
   :header-rows: 1

   * - in the runbook
     - what there is instead
   * - ``cilium_identity_count``
     - no such metric. ``apiserver_resource_objects{resource="ciliumidentities"}`` counts them, and
       ``cilium_operator_identity_gc_entries{status="alive"}`` those in use at the last collection. ``cilium_identity`` of an agent
       is what one agent knows; its sum over agents means nothing.
   * - ``cilium_identity_allocation_count``
     - no such metric. The trend of the count, or ``podnet_upkeep_identities_created_per_hour`` of the audit
   * - ``cilium_ipam_available_ips``, ``cilium_ipam_total_ips``
     - no such metrics. ``cilium_ip_addresses`` and ``cilium_ipam_capacity`` of each agent; for pools of blocks, the audit
   * - ``cilium_endpoint_state{state="not-ready"}``
     - the label is ``endpoint_state``

"""


def escaped(text: str) -> str:
    """Prose as reStructuredText: characters that begin markup, and an underscore that ends a word, lose their meaning."""
    return re.sub(r"([\\*`|]|_(?!\w))", r"\\\1", text)


def plain(text: str) -> str:
    """The text of an alert without templates: numbers are N, labels are named."""
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"\1", re.sub(r"\{\{ \$value[^}]*\}\}", "N", text))


def release(release_: Release) -> str:
    """1.17"""
    return ".".join(map(str, release_))


def since(metric: Metric) -> str:
    """From which release on it exists, where that is not all of the supported ones."""
    if metric.since <= (1, 14):
        return ""
    kubernetes = metric.component in (API_SERVER, CONTROLLER_MANAGER, KUBELET)
    return f"{'Kubernetes' if kubernetes else 'Cilium'} {release(metric.since)}"


def section(alert: Alert) -> str:
    """One alert as a section; the anchor of its heading is its name in small letters."""
    kind = CATALOGUE.get(alert.finding)
    severity = alert.severity or (kind.severity if kind else "warning")
    lines = [
        alert.name,
        "^" * len(alert.name),
        "",
        f"*{severity}*, after {alert.hold}. {escaped(plain(alert.description))}",
        "",
        "Finding: "
        + (f":ref:`{alert.finding} <ansible_collections.podnet.upkeep.docsite.findings>`" if alert.finding else "none")
        + (f", mended by ``{kind.playbook}``" if kind and kind.playbook else "")
        + f". Needs: {', '.join(alert.needs)}.",
        "",
        ".. code-block:: text",
        "",
        f"   {alert.expr}",
        "",
    ]
    return "\n".join(lines)


def metric_row(metric: Metric) -> str:
    """One row of the table of metrics."""
    known = {EVENT: "scraped; appears with the first event", SOURCE: "read in the source"}.get(
        metric.known_by, "scraped"
    )
    until = f" (until {release(metric.until)})" if metric.until else ""
    cells = [
        f"``{metric.name}``",
        metric.component,
        ", ".join(f"``{one}``" for one in metric.labels) or "none",
        (since(metric) or "all supported releases") + until,
        known,
    ]
    return "   * - " + "\n     - ".join(cells)


def table(columns: tuple[str, ...], rows: list[str]) -> str:
    """A table with a header."""
    head = "   * - " + "\n     - ".join(columns)
    return "\n".join([".. list-table::", "   :header-rows: 1", "", head, *rows, ""])


def page() -> str:
    """The whole page."""
    generated = len(all_alerts()) - len(ALERTS)
    thresholds = [
        f"   * - ``{one.name}``\n     - {one.default}\n     - {escaped(one.text)}" for one in THRESHOLDS.values()
    ]
    components = [f"   * - ``{name}``\n     - {escaped(text)}" for name, text in COMPONENTS.items()]
    return (
        HEAD
        + "Alerts\n------\n\nIn expressions a word in angle brackets is a threshold, ``<capacity>`` the identity numbers of the\n"
        + "cluster, and ``<objects:nodes>`` the API server's count of that kind.\n\n"
        + "\n".join(section(alert) for alert in ALERTS)
        + "\nAlerts of findings\n------------------\n\n"
        + f"There are {generated} more, one for each finding: ``PodnetFinding`` and the id in capitals, such as\n"
        + "``PodnetFindingNodeCidrMissing`` for ``node-cidr-missing``. The severity is that of the finding as reported. By default\n"
        + "they are generated for findings that are usually critical or a warning (``install_monitoring_finding_severities``).\n\n"
        + "Thresholds\n----------\n\nAll of them can be set with ``install_monitoring_thresholds``.\n\n"
        + table(("name", "default", "what it is"), thresholds)
        + "\nComponents\n----------\n\nWhat is detected, and can be stated with ``install_monitoring_components``.\n\n"
        + table(("name", "what it is"), components)
        + "\nMetrics\n-------\n\n"
        + table(
            ("metric", "served by", "labels used", "since", "known by"), [metric_row(one) for one in METRICS.values()]
        )
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
