#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: playbook_access
short_description: Give playbooks ServiceAccounts that may do what they need and nothing else
version_added: 0.1.0
description:
  - For each of the O(playbooks) creates a ServiceAccount, a ClusterRole, Roles where a namespace is enough, and the bindings.
    Corrects them when they differ, and removes them.
  - What each playbook needs, and why, is one table in this collection. The page C(access) of its guide shows it.
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
  playbooks:
    description: Names of playbooks, without the namespace of the collection.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(present) creates and corrects. What an earlier call made for one of these names and this one does not ask for is
        removed.
      - V(absent) removes everything that bears the labels of these names, in all namespaces.
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - One ServiceAccount of this name for all of the O(playbooks), with the permissions of all of them.
      - Empty means one for each, named like C(podnet-upkeep-clean-identities).
    type: str
    default: ""
  namespace:
    description: Namespace of the ServiceAccounts. It must exist.
    type: str
    default: kube-system
  cni_namespaces:
    description:
      - Namespaces besides C(kube-system) in which Cilium or flannel have their ConfigMap, Deployment and pods, for example
        C(cilium). They must exist.
    type: list
    elements: str
    default: []
  run_namespace:
    description: Namespace of lock and journal, where it is not that of the playbooks. It must exist.
    type: str
    default: kube-system
  probe_namespace:
    description: Namespace in which C(recover_identities) makes its probe pod. It must exist.
    type: str
    default: default
  install_namespace:
    description: Namespace in which C(install_schedule) and other playbooks install their objects. It must exist.
    type: str
    default: kube-system
  features:
    description:
      - What playbooks are to do besides, by their names in the page C(access), for example V(logs) for C(audit) or V(direct)
        for C(recover_identities).
      - V(agents) allows to run commands in pods (C(pods/exec)). In C(kube-system) that is as much as being an
        administrator.
    type: list
    elements: str
    default: []
seealso:
  - module: podnet.upkeep.playbook_access_info
  - module: podnet.upkeep.audit_access
"""

EXAMPLES = r"""
- name: One ServiceAccount for each of two playbooks
  podnet.upkeep.playbook_access:
    playbooks: [audit, clean_identities]
    namespace: upkeep

- name: One for both
  podnet.upkeep.playbook_access:
    playbooks: [audit, clean_identities]
    name: nightly
    namespace: upkeep

- name: Take it away
  podnet.upkeep.playbook_access:
    playbooks: [audit, clean_identities]
    name: nightly
    namespace: upkeep
    state: absent
"""

RETURN = r"""
users:
  description: The names by which the API server knows the ServiceAccounts, by name.
  returned: success
  type: dict
  sample: {"podnet-upkeep-audit": "system:serviceaccount:upkeep:podnet-upkeep-audit"}
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
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.owned_objects import merged
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    Places,
    PlaybookAccess,
    check_playbooks,
    name_for,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import features_of
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def accesses(params: t.Mapping[str, t.Any]) -> list[PlaybookAccess]:
    """One for each ServiceAccount. Raises InputError."""
    playbooks = list(dict.fromkeys(params["playbooks"]))
    check_playbooks(playbooks, params["features"])
    together = [(params["name"], playbooks)] if params["name"] else [(name_for(one), [one]) for one in playbooks]
    return [
        PlaybookAccess(
            namespace=params["namespace"],
            name=name,
            cni_namespaces=tuple(dict.fromkeys(params["cni_namespaces"])),
            features=tuple(one for one in params["features"] if any(one in features_of(book) for book in books)),
            playbooks=tuple(books),
            chosen=Places(params["run_namespace"], params["probe_namespace"], params["install_namespace"]),
        )
        for name, books in together
    ]


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Bring the objects into the wanted state."""
    params = module.params
    wanted = accesses(params)
    client = KubeClient.from_options(params)
    acts = [AccessObjects(client, one, check_mode=module.check_mode) for one in wanted]
    if params["state"] == "present":
        for one in acts:  # nothing is written for one that would be refused for another
            one.prepare()
    outcome = merged(one.present() if params["state"] == "present" else one.absent() for one in acts)
    return {**outcome.to_result(), "users": {one.name: one.user for one in wanted}}


def argument_spec() -> dict[str, t.Any]:
    """Options of this module."""
    return {
        **auth_argument_spec(),
        "playbooks": {"type": "list", "elements": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str", "default": ""},
        "namespace": {"type": "str", "default": "kube-system"},
        "cni_namespaces": {"type": "list", "elements": "str", "default": []},
        "run_namespace": {"type": "str", "default": "kube-system"},
        "probe_namespace": {"type": "str", "default": "default"},
        "install_namespace": {"type": "str", "default": "kube-system"},
        "features": {"type": "list", "elements": "str", "default": []},
    }


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
