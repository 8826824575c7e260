#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: playbook_access_info
short_description: Ask whether the credentials may do what a playbook needs
version_added: 0.1.0
description:
  - Asks the API server about each rule that a playbook needs, before it begins. So a playbook refuses at its start and names
    what is missing, and does not stop half-way.
  - In check mode only what a plan needs is asked for.
  - Changes nothing. Every authenticated user may ask.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
options:
  playbook:
    description: Name of the playbook, without the namespace of the collection.
    type: str
    required: true
  features:
    description: What the playbook is to do besides, as in M(podnet.upkeep.playbook_access).
    type: list
    elements: str
    default: []
  run_namespace:
    description: Namespace of lock and journal.
    type: str
    default: kube-system
  probe_namespace:
    description: Namespace of the probe pod.
    type: str
    default: default
  install_namespace:
    description: Namespace in which objects are installed.
    type: str
    default: kube-system
  required:
    description: Whether to fail when something is missing.
    type: bool
    default: true
seealso:
  - module: podnet.upkeep.playbook_access
"""

EXAMPLES = r"""
- name: Refuse to start without the permissions
  podnet.upkeep.playbook_access_info:
    playbook: clean_identities

- name: Which are missing for a user of ours
  podnet.upkeep.playbook_access_info:
    playbook: retire_nodes
    impersonate_user: alice
    required: false
  register: access
"""

RETURN = r"""
missing:
  description: What the credentials may not do, in words.
  returned: always
  type: list
  elements: str
  sample: ["delete ciliumidentities.cilium.io", "create leases.coordination.k8s.io in namespace kube-system"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    Places,
    check_playbooks,
    missing_rules,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """What is missing. Raises RefusedError where it is required."""
    params = module.params
    playbook, features = params["playbook"], params["features"]
    check_playbooks([playbook], features, "playbook")
    missing = missing_rules(
        KubeClient.from_options(params),
        playbook,
        features=features,
        places=Places(params["run_namespace"], params["probe_namespace"], params["install_namespace"]),
        planning=module.check_mode,
    )
    if missing and params["required"]:
        raise RefusedError(
            f"The run does not start, and nothing was changed: the credentials may not {', '.join(missing)}. "
            f"podnet.upkeep.install_access gives what {playbook} needs.",
            missing,
        )
    return {"missing": missing}


def main() -> None:
    """Entry point."""
    spec = {
        **auth_argument_spec(),
        "playbook": {"type": "str", "required": True},
        "features": {"type": "list", "elements": "str", "default": []},
        "run_namespace": {"type": "str", "default": "kube-system"},
        "probe_namespace": {"type": "str", "default": "default"},
        "install_namespace": {"type": "str", "default": "kube-system"},
        "required": {"type": "bool", "default": True},
    }
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), run)


if __name__ == "__main__":
    main()
