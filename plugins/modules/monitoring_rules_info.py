#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: monitoring_rules_info
short_description: Alert rules and dashboards with metrics that the cluster really has
version_added: 0.1.0
description:
  - Gives alert rules for Prometheus, dashboards for Grafana and configuration to scrape, for identities of Cilium, addresses
    and podCIDRs. One alert is generated for each finding that an audit may report.
  - An alert is given only when its metrics exist in the releases that run and somebody serves them. What is left out is
    returned with the reason.
  - Nothing is written. The role P(podnet.upkeep.install_monitoring#role) does that.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
options:
  detect:
    description:
      - Whether releases and components are read from the cluster. With V(false) no cluster is asked, and what
        O(components), O(cilium_version) and O(kubernetes_version) do not state is not there.
    type: bool
    default: true
  cilium_namespace:
    description: Namespace of Cilium. Empty means where its DaemonSet is.
    type: str
    default: ""
  cilium_version:
    description: Release of Cilium, such as V(1.18). Empty means that of the agents' image.
    type: str
    default: ""
  kubernetes_version:
    description: Release of Kubernetes, such as V(1.34). Empty means that of the API server.
    type: str
    default: ""
  components:
    description:
      - What is there and served to Prometheus, whatever the cluster shows, as C(NAME=true) or C(NAME=false). Names are
        V(kube-apiserver), V(kube-controller-manager), V(kubelet), V(cilium), V(cilium-operator), V(cilium-agent),
        V(crd-identities), V(operator-identities), V(kvstore), V(cloud-ipam), V(drift-checker) and V(audit).
    type: dict
    default: {}
  thresholds:
    description: What is too much or too little, by name. The page C(monitoring) of the documentation lists names and defaults.
    type: dict
    default: {}
  for:
    description: How long an alert must hold before it fires, for all alerts. Empty means each alert's own time.
    type: str
    default: ""
  interval:
    description: How often the rules are evaluated. Empty means as often as Prometheus evaluates rules.
    type: str
    default: ""
  scrape_interval:
    description: How often the targets of RV(scrape_configs) are scraped. Empty means as Prometheus does it.
    type: str
    default: ""
  labels:
    description: Labels that all alerts get besides C(severity) and C(finding).
    type: dict
    default: {}
  alerts:
    description:
      - Changes of single alerts by name. Each may have C(enabled), C(severity) and C(for).
    type: dict
    default: {}
  finding_severities:
    description: An alert is generated for findings whose usual severity is one of these.
    type: list
    elements: str
    choices: [critical, warning, info]
    default: [critical, warning]
  runbook_url:
    description:
      - Where people find what to do. C({anchor}) stands for the id of the finding, C({page}) for the page of the
        documentation (C(findings), or C(monitoring) for an alert without a finding).
    type: str
    default: https://github.com/podnet/upkeep/blob/main/docs/docsite/rst/{page}.rst#{anchor}
seealso:
  - module: podnet.upkeep.monitoring_objects
  - module: podnet.upkeep.audit_info
"""

EXAMPLES = r"""
- name: Rules for the cluster of the kubeconfig
  podnet.upkeep.monitoring_rules_info:
  register: monitoring

- name: Rules for a cluster that cannot be asked
  podnet.upkeep.monitoring_rules_info:
    detect: false
    cilium_version: "1.18"
    kubernetes_version: "1.34"
    components:
      audit: true
      cilium: true
      cilium-operator: true
    thresholds:
      identities_used_ratio: 0.7
    alerts:
      PodnetIdentityGcAbsent:
        severity: critical
        for: 10m
  register: monitoring
"""

RETURN = r"""
groups:
  description: Groups of a rule file, or of C(spec.groups) of a PrometheusRule.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the group.
      type: str
      sample: podnet-upkeep-identities
    rules:
      description: Its alerts.
      type: list
      elements: dict
alerts:
  description: Names of the alerts in RV(groups).
  returned: success
  type: list
  elements: str
left_out:
  description: Alerts that this cluster cannot have.
  returned: success
  type: list
  elements: dict
  contains:
    reason:
      description: Why not.
      type: str
      sample: cilium_operator_identity_gc_latency is served by Cilium 1.17 and later; 1.15 runs
    alerts:
      description: Their names.
      type: list
      elements: str
dashboards:
  description: Dashboards of Grafana by key.
  returned: success
  type: dict
scrape_configs:
  description: Jobs for C(scrape_configs) of a Prometheus that runs in the cluster.
  returned: success
  type: list
  elements: dict
targets:
  description: Who is to be scraped, for O(podnet.upkeep.monitoring_objects#module:targets).
  returned: success
  type: list
  elements: dict
  contains:
    component:
      description: Name of the component.
      type: str
      sample: cilium-operator
    namespace:
      description: Namespace of its pods.
      type: str
      sample: kube-system
    selector:
      description: Labels of its pods.
      type: dict
      sample: {io.cilium/app: operator}
    port:
      description: Port at which metrics are served.
      type: int
      sample: 9963
    https:
      description: Whether they are served by HTTPS to who may read them.
      type: bool
      sample: false
    scraped_by:
      description: Somebody else's monitor that scrapes it already. Empty where there is none.
      type: str
      sample: ""
components:
  description: What the cluster has, of the names of O(components).
  returned: success
  type: list
  elements: str
not_there:
  description: Components that the cluster does not have, each with the reason.
  returned: success
  type: dict
  sample: {kube-controller-manager: "kube-controller-manager listens at 127.0.0.1 only (--bind-address): nobody on another host can scrape it"}
cilium_version:
  description: Release of Cilium that metrics were chosen for. Empty when unknown; then the oldest supported one counts.
  returned: success
  type: str
  sample: "1.18"
kubernetes_version:
  description: Release of Kubernetes that metrics were chosen for. Empty when unknown; then the oldest supported one counts.
  returned: success
  type: str
  sample: "1.34"
identity_capacity:
  description: Numbers that the cluster can give to identities.
  returned: success
  type: int
  sample: 65280
"""

import typing as t
from collections.abc import Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release, parse_version
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.dashboard import dashboards
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    COMPONENTS,
    MonitoredCluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.rules import RUNBOOK_URL, RuleOptions, rules
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.scraping import scrape_configs
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.thresholds import is_duration
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.monitoring_discovery import (
    Discovery,
    discover,
    with_statements,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Look at the cluster, and choose."""
    params = module.params
    releases = _release(params, "cilium_version"), _release(params, "kubernetes_version")
    components = _components(params["components"])
    interval = params["scrape_interval"]
    if interval and not is_duration(interval):
        raise InputError(
            f"scrape_interval: '{interval}' is no time for Prometheus; write it with its unit, such as 30s."
        )
    if params["detect"]:
        found = discover(KubeClient.from_options(params), params["cilium_namespace"])
    else:
        found = Discovery(MonitoredCluster(frozenset()), (), {}, params["cilium_namespace"] or "kube-system")
    cluster = with_statements(found.cluster, cilium=releases[0], kubernetes=releases[1], components=components)
    made = rules(
        cluster,
        RuleOptions(
            thresholds=params["thresholds"],
            hold=params["for"],
            interval=params["interval"],
            runbook_url=params["runbook_url"],
            labels={str(key): str(value) for key, value in params["labels"].items()},
            overrides=params["alerts"],
            finding_severities=tuple(params["finding_severities"]),
        ),
    )
    targets = [one for one in found.targets if one.component in cluster.components]
    return {
        "changed": False,
        "groups": made.groups,
        "alerts": [one["alert"] for one in made.alerts],
        "left_out": [{"reason": reason, "alerts": names} for reason, names in made.left_out.items()],
        "dashboards": dashboards(cluster, params["thresholds"]),
        "scrape_configs": scrape_configs(targets, interval),
        "targets": [
            {
                "component": one.component,
                "namespace": one.namespace,
                "selector": dict(one.selector),
                "port": one.port,
                "https": one.https,
                "scraped_by": found.scraped_by.get(one.component, ""),
            }
            for one in targets
        ],
        "components": [name for name in COMPONENTS if name in cluster.components],
        "not_there": {
            name: cluster.missing(frozenset({name})) for name in COMPONENTS if name not in cluster.components
        },
        "cilium_version": _text(cluster.cilium),
        "kubernetes_version": _text(cluster.kubernetes),
        "identity_capacity": cluster.identity_capacity,
    }


def _release(params: Mapping[str, t.Any], option: str) -> Release | None:
    text = params[option].strip()
    if not text:
        return None
    found = parse_version(text)
    if found is None:
        raise InputError(f"{option}: '{text}' is not a release; write it as 1.18.")
    return found[:2]


def _components(given: Mapping[str, t.Any]) -> dict[str, bool]:
    for name, value in given.items():
        if name not in COMPONENTS:
            raise InputError(f"components: there is no component '{name}'; known are {', '.join(COMPONENTS)}.")
        if not isinstance(value, bool):
            raise InputError(f"components: {name} is '{value}'; write true or false.")
    return dict(given)


def _text(release: Release | None) -> str:
    return "" if release is None else ".".join(map(str, release))


def argument_spec() -> dict[str, t.Any]:
    """Options of this module."""
    return {
        **auth_argument_spec(),
        "detect": {"type": "bool", "default": True},
        "cilium_namespace": {"type": "str", "default": ""},
        "cilium_version": {"type": "str", "default": ""},
        "kubernetes_version": {"type": "str", "default": ""},
        "components": {"type": "dict", "default": {}},
        "thresholds": {"type": "dict", "default": {}},
        "for": {"type": "str", "default": ""},
        "interval": {"type": "str", "default": ""},
        "scrape_interval": {"type": "str", "default": ""},
        "labels": {"type": "dict", "default": {}},
        "alerts": {"type": "dict", "default": {}},
        "finding_severities": {
            "type": "list",
            "elements": "str",
            "choices": ["critical", "warning", "info"],
            "default": ["critical", "warning"],
        },
        "runbook_url": {"type": "str", "default": RUNBOOK_URL},
    }


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
