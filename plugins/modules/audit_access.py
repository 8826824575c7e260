#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: audit_access
short_description: Give an audit a ServiceAccount that may only read what it needs
version_added: 0.1.0
description:
  - Creates a ServiceAccount, a ClusterRole and Roles with one rule for each kind of object that
    M(podnet.upkeep.audit_info) reads, and the bindings between them. Corrects them when they differ, and removes them.
  - None of the rules allows a write. With O(features=agents) the ServiceAccount may run commands in pods, which is more
    than reading.
  - Objects are known by their labels. One that has the name but not the labels is refused, never changed.
  - Whoever runs this must have all of these permissions, or the verbs C(escalate) and C(bind) on roles. Whether the API server
    lets him is tried as a dry run of everything before anything is written, outside of check mode.
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
    description: Namespace of the ServiceAccount. It must exist.
    type: str
    default: kube-system
  name:
    description: Name of all the objects.
    type: str
    default: podnet-upkeep-audit
  cni_namespaces:
    description:
      - Namespaces besides C(kube-system) in which Cilium or flannel have their ConfigMap, Deployment and pods, for example
        C(cilium) or C(kube-flannel). They must exist.
    type: list
    elements: str
    default: []
  features:
    description:
      - What the audit is to do besides reading objects. Each adds a rule in C(kube-system) and O(cni_namespaces).
      - V(agents) allows to run commands in pods (C(pods/exec)). In C(kube-system) that is as much as being an
        administrator.
      - V(logs) allows to read logs of pods.
      - V(metrics) allows to ask pods for their metrics (C(pods/proxy)), and so for anything else that they serve.
    type: list
    elements: str
    choices: [agents, logs, metrics]
    default: []
seealso:
  - module: podnet.upkeep.audit_info
"""

EXAMPLES = r"""
- name: Let an audit read what it needs
  podnet.upkeep.audit_access:
    namespace: monitoring

- name: Logs too, and Cilium is in a namespace of its own
  podnet.upkeep.audit_access:
    cni_namespaces: [cilium]
    features: [logs]

- name: Take it all away
  podnet.upkeep.audit_access:
    state: absent
"""

RETURN = r"""
user:
  description: The name by which the API server knows the ServiceAccount.
  returned: success
  type: str
  sample: system:serviceaccount:kube-system:podnet-upkeep-audit
objects:
  description: Every object with what was done to it, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: Kind of the object.
      type: str
      sample: ClusterRole
    namespace:
      description: Its namespace. Empty for one without.
      type: str
      sample: ""
    name:
      description: Its name.
      type: str
      sample: podnet-upkeep-audit
    action:
      description: C(created), C(changed), C(deleted) or C(unchanged).
      type: str
      sample: created
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import AccessOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the objects into the wanted state."""
    params = module.params
    options = AccessOptions(
        namespace=params["namespace"],
        name=params["name"],
        cni_namespaces=tuple(dict.fromkeys(params["cni_namespaces"])),
        features=tuple(params["features"]),
    )
    access = AccessObjects(KubeClient.from_options(params), options, check_mode=module.check_mode)
    outcome = access.present() if params["state"] == "present" else access.absent()
    return {**outcome.to_result(), "user": options.user}


def argument_spec() -> dict[str, t.Any]:
    """Options of this module."""
    return {
        **auth_argument_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "namespace": {"type": "str", "default": "kube-system"},
        "name": {"type": "str", "default": "podnet-upkeep-audit"},
        "cni_namespaces": {"type": "list", "elements": "str", "default": []},
        "features": {
            "type": "list",
            "elements": "str",
            "choices": ["agents", "logs", "metrics"],
            "default": [],
        },
    }


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
