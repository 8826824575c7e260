#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: monitoring_objects
short_description: Put alert rules, dashboards and monitors into a cluster
version_added: 0.1.0
description:
  - Applies a PrometheusRule, ConfigMaps with dashboards, and for each target a headless Service with a ServiceMonitor, by
    server-side apply with the field manager C(podnet.upkeep). Removes them again.
  - Objects are known by their labels. One that has the name but not the labels is refused, never changed. What others have
    added to an object of ours, such as a group of rules, stays in it.
  - All objects are tried before the first is written. What the API server would make of them decides whether anything
    changes.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) creates and corrects. What an earlier call made and this one does not ask for is removed.
      - V(absent) removes everything that bears the labels of this O(name), in all namespaces.
    type: str
    choices: [present, absent]
    default: present
  namespace:
    description: Namespace of rules, monitors and dashboards. It must exist.
    type: str
    default: monitoring
  name:
    description: Name of the PrometheusRule, and beginning of the names of all other objects.
    type: str
    default: podnet-upkeep
  groups:
    description: Groups of rules, as RV(podnet.upkeep.monitoring_rules_info#module:groups). Without any there is no PrometheusRule.
    type: list
    elements: dict
    default: []
  dashboards:
    description: Dashboards by key, as RV(podnet.upkeep.monitoring_rules_info#module:dashboards).
    type: dict
    default: {}
  targets:
    description: Who is to be scraped, as RV(podnet.upkeep.monitoring_rules_info#module:targets).
    type: list
    elements: dict
    default: []
    suboptions:
      component:
        description: Name of the component.
        type: str
        required: true
      namespace:
        description: Namespace of its pods.
        type: str
        required: true
      selector:
        description: Labels of its pods.
        type: dict
        required: true
      port:
        description: Port at which metrics are served.
        type: int
        required: true
      https:
        description: Whether they are served by HTTPS to who may read them.
        type: bool
        default: false
      scraped_by:
        description: Somebody else's monitor that scrapes it already. Such a target gets none.
        type: str
        default: ""
  rule_labels:
    description: Further labels of rules and monitors, for the selectors of Prometheus.
    type: dict
    default: {}
  dashboard_labels:
    description: Further labels of dashboards, for Grafana's sidecar.
    type: dict
    default:
      grafana_dashboard: "1"
  dashboard_annotations:
    description: Annotations of dashboards, for example C(grafana_folder) for Grafana's sidecar.
    type: dict
    default: {}
  scrape_interval:
    description: How often the targets are scraped. Empty means as Prometheus does it.
    type: str
    default: ""
seealso:
  - module: podnet.upkeep.monitoring_rules_info
"""

EXAMPLES = r"""
- name: Choose rules
  podnet.upkeep.monitoring_rules_info:
  register: monitoring

- name: Apply them for a kube-prometheus-stack
  podnet.upkeep.monitoring_objects:
    groups: "{{ monitoring.groups }}"
    dashboards: "{{ monitoring.dashboards }}"
    targets: "{{ monitoring.targets }}"
    rule_labels:
      release: kube-prometheus-stack

- name: Take it all away
  podnet.upkeep.monitoring_objects:
    state: absent
"""

RETURN = r"""
objects:
  description: Every object with what was done to it, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: PrometheusRule
    namespace:
      description: Its namespace.
      type: str
      sample: monitoring
    name:
      description: Its name.
      type: str
      sample: podnet-upkeep
    action:
      description: C(created), C(changed), C(deleted) or C(unchanged).
      type: str
      sample: created
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.manifests import ObjectOptions, manifests
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.scraping import ScrapeTarget
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.monitoring_objects import MonitoringObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the objects into the wanted state."""
    params = module.params
    options = ObjectOptions(
        namespace=params["namespace"],
        name=params["name"],
        rule_labels=_texts(params["rule_labels"]),
        dashboard_labels=_texts(params["dashboard_labels"]),
        dashboard_annotations=_texts(params["dashboard_annotations"]),
        interval=params["scrape_interval"],
    )
    targets = [
        ScrapeTarget(
            one["component"], one["namespace"], tuple(_texts(one["selector"]).items()), one["port"], https=one["https"]
        )
        for one in params["targets"]
        if not one["scraped_by"]
    ]
    objects = MonitoringObjects(KubeClient.from_options(params), options, check_mode=module.check_mode)
    wanted = manifests(options, params["groups"], params["dashboards"], targets)
    outcome = objects.present(wanted) if params["state"] == "present" else objects.absent()
    return outcome.to_result()


def _texts(given: dict[t.Any, t.Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in given.items()}


def argument_spec() -> dict[str, t.Any]:
    """Options of this module."""
    return {
        **auth_argument_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "namespace": {"type": "str", "default": "monitoring"},
        "name": {"type": "str", "default": "podnet-upkeep"},
        "groups": {"type": "list", "elements": "dict", "default": []},
        "dashboards": {"type": "dict", "default": {}},
        "targets": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "component": {"type": "str", "required": True},
                "namespace": {"type": "str", "required": True},
                "selector": {"type": "dict", "required": True},
                "port": {"type": "int", "required": True},
                "https": {"type": "bool", "default": False},
                "scraped_by": {"type": "str", "default": ""},
            },
        },
        "rule_labels": {"type": "dict", "default": {}},
        "dashboard_labels": {"type": "dict", "default": {"grafana_dashboard": "1"}},
        "dashboard_annotations": {"type": "dict", "default": {}},
        "scrape_interval": {"type": "str", "default": ""},
    }


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
