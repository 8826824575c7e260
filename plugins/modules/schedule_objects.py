#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: schedule_objects
short_description: Have the audit and bounded clean-ups run by a CronJob
version_added: 0.1.0
description:
  - Creates, corrects or removes a CronJob that runs the playbook C(podnet.upkeep.scheduled_run), with a ConfigMap of its
    settings, a ConfigMap for the summary of the last run, and a ServiceAccount that may do what these playbooks need.
  - Runs never overlap (C(concurrencyPolicy) is C(Forbid)), have deadlines, are not tried again by themselves, and their pods pass
    the Pod Security level C(restricted).
  - What differs is found by the API server in a dry run, in check mode too.
  - Objects are known by their labels. One that has the name but not the labels is refused, never changed.
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
  name:
    description: Name of the schedule and of its objects, at most 44 characters.
    type: str
    required: true
  namespace:
    description: Namespace of the objects. It must exist.
    type: str
    required: true
  state:
    description: Whether the schedule is to be there. V(absent) ends a run that is under way.
    type: str
    choices: [present, absent]
    default: present
  image:
    description:
      - An execution environment with C(ansible-core), the Python library C(kubernetes) and this collection. Required for
        O(state=present); there is no published one.
    type: str
    default: ""
  schedule:
    description: When to run, as cron writes it. Required for O(state=present).
    type: str
    default: ""
  time_zone:
    description: Name of the time zone of O(schedule), for example C(Etc/UTC). Empty means that of kube-controller-manager.
    type: str
    default: ""
  suspend:
    description: Whether runs are not started for now. One that is under way goes on.
    type: bool
    default: false
  playbooks:
    description: The clean-ups that a run does after the audit. Their bounds are in O(settings).
    type: list
    elements: str
    choices: [clean_stale_pods, clean_endpoints, clean_identities, clean_cilium_nodes]
    default: []
  features:
    description: What the audit is to do besides, as in M(podnet.upkeep.playbook_access).
    type: list
    elements: str
    default: []
  settings:
    description: Variables of the run.
    type: dict
    default: {}
  starting_deadline_seconds:
    description: A run that could not start for so long is left out.
    type: int
    default: 600
  active_deadline_seconds:
    description: A run is ended after so long.
    type: int
    default: 3600
  successful_jobs_kept:
    description: So many Jobs that succeeded are kept.
    type: int
    default: 3
  failed_jobs_kept:
    description: So many Jobs that failed are kept.
    type: int
    default: 3
  reports_claim:
    description: A PersistentVolumeClaim for reports and journals. Empty means that they go with the pod.
    type: str
    default: ""
  push_secret:
    description: A Secret with the key C(token), which is sent as bearer token where results are pushed.
    type: str
    default: ""
  run_as_user:
    description: Numeric user and group of the container.
    type: int
    default: 1000
  resources:
    description: Requests and limits of the container.
    type: dict
    default: {}
  image_pull_policy:
    description: When the image is pulled.
    type: str
    choices: [Always, IfNotPresent, Never]
    default: IfNotPresent
  image_pull_secrets:
    description: Secrets for the registry.
    type: list
    elements: str
    default: []
  node_selector:
    description: Labels of the Nodes on which runs may be.
    type: dict
    default: {}
  tolerations:
    description: Tolerations of the pod.
    type: list
    elements: dict
    default: []
  cni_namespaces:
    description: Namespaces besides C(kube-system) in which Cilium or flannel have their objects. They must exist.
    type: list
    elements: str
    default: []
  run_namespace:
    description: Namespace of lock and journal of clean-ups.
    type: str
    default: kube-system
seealso:
  - module: podnet.upkeep.playbook_access
"""

EXAMPLES = r"""
- name: An audit every night, and at most 200 ended pods deleted
  podnet.upkeep.schedule_objects:
    name: podnet-upkeep
    namespace: upkeep
    image: registry.example.com/podnet-upkeep-ee:0.1.0
    schedule: "15 3 * * *"
    time_zone: Etc/UTC
    playbooks: [clean_stale_pods]
    settings:
      scheduled_run_clean_ups: [clean_stale_pods]
      clean_stale_pods_max_deletions: 200
"""

RETURN = r"""
user:
  description: The name by which the API server knows the ServiceAccount of runs.
  returned: success
  type: str
  sample: system:serviceaccount:upkeep:podnet-upkeep
objects:
  description: Every object with what was done to it, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: CronJob
    namespace:
      description: Its namespace. Empty for one without.
      type: str
      sample: upkeep
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
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.owned_objects import merged
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    Places,
    PlaybookAccess,
    check_playbooks,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.schedule_manifests import (
    CLEAN_UPS,
    ScheduleOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.schedule_objects import Schedule, check
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

_OPTIONS = ("image", "schedule", "time_zone", "reports_claim", "push_secret")
_NUMBERS = {
    "starting_deadline_seconds": 600,
    "active_deadline_seconds": 3600,
    "successful_jobs_kept": 3,
    "failed_jobs_kept": 3,
    "run_as_user": 1000,
}
_POD = ("suspend", "settings", "resources", "image_pull_policy", "image_pull_secrets", "node_selector", "tolerations")


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the objects into the wanted state."""
    params = module.params
    present = params["state"] == "present"
    given = {name: params[name] for name in (*_OPTIONS, *_NUMBERS, *_POD)}
    options = ScheduleOptions(name=params["name"], namespace=params["namespace"], **given)
    check(options, present=present)
    playbooks = ("audit", *dict.fromkeys(params["playbooks"]))
    check_playbooks(playbooks, params["features"])
    access = PlaybookAccess(
        namespace=options.namespace,
        name=options.name,
        cni_namespaces=tuple(dict.fromkeys(params["cni_namespaces"])),
        features=tuple(params["features"]),
        playbooks=(*playbooks, "scheduled_run"),
        chosen=Places(run=params["run_namespace"], install=options.namespace),
    )
    client = KubeClient.from_options(params)
    accounts = AccessObjects(client, access, check_mode=module.check_mode)
    schedule = Schedule(client, options, check_mode=module.check_mode)
    if present:
        # what the API server would refuse is refused before anything is made
        accounts.prepare()
        Schedule(client, options, check_mode=True).present()
        outcomes = [accounts.present(), schedule.present()]
    else:
        outcomes = [schedule.absent(), accounts.absent()]
    outcome = merged(outcomes)
    return {**outcome.to_result(), "user": access.user}


def argument_spec() -> dict[str, t.Any]:
    """Options of this module."""
    return {
        **auth_argument_spec(),
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        **{name: {"type": "str", "default": "", "no_log": False} for name in _OPTIONS},
        **{name: {"type": "int", "default": value} for name, value in _NUMBERS.items()},
        "suspend": {"type": "bool", "default": False},
        "playbooks": {"type": "list", "elements": "str", "choices": list(CLEAN_UPS), "default": []},
        "features": {"type": "list", "elements": "str", "default": []},
        "settings": {"type": "dict", "default": {}},
        "resources": {"type": "dict", "default": {}},
        "image_pull_policy": {"type": "str", "choices": ["Always", "IfNotPresent", "Never"], "default": "IfNotPresent"},
        "image_pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
        "node_selector": {"type": "dict", "default": {}},
        "tolerations": {"type": "list", "elements": "dict", "default": []},
        "cni_namespaces": {"type": "list", "elements": "str", "default": []},
        "run_namespace": {"type": "str", "default": "kube-system"},
    }


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
