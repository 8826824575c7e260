#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_registration
short_description: Take one Node out of the cluster and in again, losing nothing
version_added: 0.1.0
description:
  - A Node gets its pod CIDRs once. Others are only to be had by deleting the Node object and registering it anew, and
    whatever administrators had put on the Node would be lost that way, its cordon included.
  - This module does it step by step. Each O(state) is one step and can be repeated. What has been reached is kept in a
    file in O(state_dir), so the same calls go on where a crash has stopped them. With O(journal) it is kept in the
    cluster as well, and another machine can go on.
  - The kubelet is not touched by this module. It must be stopped before O(state=deleted) and started before
    O(state=registered).
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
  - podnet.upkeep.run
  - podnet.upkeep.run.journal
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the Node.
    type: str
    required: true
  state:
    description:
      - V(captured) saves the before-image. It holds the Node, its DaemonSet pods and the uids of what depends on it. An
        existing before-image of the same Node is kept.
      - V(deleted) deletes the Node if it is still the captured one, is cordoned and is drained. It deletes pods
        that are still bound to it, and waits until its Lease, CSINode, CiliumNode and pods are gone.
      - V(precreated) creates the Node with its labels, annotations, taints and provider id, cordoned from its first
        moment, and waits for pod CIDRs that are fit for use.
      - V(registered) waits until the kubelet has taken the new Node over and is Ready.
      - V(restored) puts back what the new Node still lacks.
      - V(completed) puts the before-image aside, into the folder C(completed).
    type: str
    choices: [captured, deleted, precreated, registered, restored, completed]
    required: true
  state_dir:
    description:
      - Folder for before-images on the host that runs this module. It is created with mode 0700, its files have 0600.
      - Use one folder for each cluster.
    type: path
    required: true
  host_identity:
    description:
      - What was read on the host that is taken for the Node's machine. With it, O(state=captured) fails before anything
        is written when the host is another machine, or when its kubelet could not register again.
    type: dict
    suboptions:
      host:
        description: Name of the host, for messages.
        type: str
        required: true
      machine_id:
        description: Content of C(/etc/machine-id).
        type: str
        required: true
      boot_id:
        description: Content of C(/proc/sys/kernel/random/boot_id).
        type: str
        default: ""
      client_certificate:
        description:
          - The kubelet's client certificate in PEM form. A key in the same text is ignored.
          - Without it, its validity is not checked.
        type: str
        default: ""
  pod_cidrs:
    description:
      - Give the new Node these pod CIDRs instead of waiting for an allocator.
    type: list
    elements: str
    default: []
  delete_timeout:
    description: Seconds to wait until everything that belonged to the deleted Node is gone.
    type: int
    default: 180
  cidr_timeout:
    description: Seconds to wait for pod CIDRs.
    type: int
    default: 60
  ready_timeout:
    description: Seconds to wait until the kubelet is Ready.
    type: int
    default: 300
seealso:
  - module: podnet.upkeep.node_drain
  - module: podnet.upkeep.reassignment_plan_info
"""

EXAMPLES = r"""
- name: Save what w1 is now
  podnet.upkeep.node_registration:
    name: w1
    state: captured
    state_dir: /var/lib/podnet-upkeep/production
  register: captured

- name: Delete the drained Node and wait for its remains to go (its kubelet is stopped)
  podnet.upkeep.node_registration:
    name: w1
    state: deleted
    state_dir: /var/lib/podnet-upkeep/production

- name: Create it anew, cordoned, and wait for its pod CIDR
  podnet.upkeep.node_registration:
    name: w1
    state: precreated
    state_dir: /var/lib/podnet-upkeep/production
"""

RETURN = r"""
step:
  description: The step that has been reached, as the before-image says.
  returned: success
  type: str
  sample: precreated
was_unschedulable:
  description: Whether the Node was cordoned when it was captured.
  returned: success
  type: bool
  sample: false
old_uid:
  description: Uid of the captured Node.
  returned: success
  type: str
  sample: 2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e
uid:
  description: Uid of the Node as it is now. Empty without one.
  returned: success
  type: str
  sample: 7d2f8f1e-2f0b-4b8e-a1f0-93f8b0a5c111
old_pod_cidrs:
  description: Pod CIDRs of the captured Node.
  returned: success
  type: list
  elements: str
  sample: [10.200.7.0/24]
pod_cidrs:
  description: Pod CIDRs of the Node as it is now.
  returned: success
  type: list
  elements: str
  sample: [10.244.3.0/24]
machine_id:
  description: The machine id that the captured Node reported.
  returned: success
  type: str
  sample: 4c4c4544004d3510804fb7c04f4d3132
ready_daemonsets:
  description: DaemonSets that had a Ready pod on the node when it was captured.
  returned: success
  type: list
  elements: str
  sample: [kube-system/kube-proxy]
before_image:
  description: Path of the before-image.
  returned: success
  type: str
  sample: /var/lib/podnet-upkeep/production/w1.json
actions:
  description: What was done, or in check mode would be done.
  returned: success
  type: list
  elements: str
  sample: [create Node w1, "delete pod kube-system/kube-proxy-x7x2k that is bound to the deleted Node"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_identity import HostIdentity
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration import (
    Outcome,
    Registration,
    RegistrationOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import uid_of
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    heartbeat_of,
    journal_argument_spec,
    journal_of,
    run_argument_spec,
)


def allocator_settings(module: AnsibleModule, client: KubeClient) -> AllocatorSettings:
    """Which podCIDRs are right: only the steps that look at new ones need to know, and ask the cluster for it."""
    settings = audit_settings(module.params)
    if settings.allocator is not None:
        return settings.allocator
    if module.params["state"] not in ("precreated", "registered"):
        return AllocatorSettings()
    return Context(live.collect(client), settings).allocator


def result_of(module: AnsibleModule, outcome: Outcome) -> dict[str, t.Any]:
    """An outcome as the module returns it."""
    name, node = module.params["name"], outcome.node or {}
    for warning in outcome.warnings:
        module.warn(warning)
    info = (outcome.image.node.get("status") or {}).get("nodeInfo") or {}
    return {
        "changed": outcome.changed,
        "step": outcome.image.step,
        "was_unschedulable": outcome.image.was_unschedulable,
        "old_uid": outcome.image.uid,
        "uid": uid_of(node),
        "old_pod_cidrs": outcome.image.pod_cidrs,
        "pod_cidrs": before_image.pod_cidrs_of(node),
        "machine_id": str(info.get("machineID") or ""),
        "ready_daemonsets": outcome.image.ready_daemonsets,
        "before_image": before_image.path_of(module.params["state_dir"], name),
        "actions": outcome.actions,
        "diff": {
            "before_header": f"Node {name}",
            "after_header": f"Node {name}",
            "before": outcome.before,
            "after": outcome.after,
        },
    }


def host_identity(option: t.Mapping[str, str] | None) -> HostIdentity | None:
    """The option as the operation wants it."""
    if option is None:
        return None
    return HostIdentity(**{key: (value or "").strip() for key, value in option.items()})


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Do the step that ``state`` names."""
    params = module.params
    client = KubeClient.from_options(params)
    options = RegistrationOptions(
        state_dir=params["state_dir"],
        allocator=allocator_settings(module, client),
        pod_cidrs=tuple(params["pod_cidrs"]),
        delete_timeout=params["delete_timeout"],
        cidr_timeout=params["cidr_timeout"],
        ready_timeout=params["ready_timeout"],
    )
    heartbeat = heartbeat_of(params, client, check_mode=module.check_mode)
    if heartbeat is not None:
        heartbeat()
    registration = Registration(
        client,
        params["name"],
        options,
        check_mode=module.check_mode,
        journal=journal_of(params, client),
        heartbeat=heartbeat,
    )
    steps: dict[str, t.Callable[[], Outcome]] = {
        "captured": lambda: registration.capture(host_identity(params["host_identity"])),
        "deleted": registration.delete,
        "precreated": registration.precreate,
        "registered": registration.register,
        "restored": registration.restore,
        "completed": registration.complete,
    }
    return result_of(module, steps[params["state"]]())


def argument_spec() -> dict[str, t.Any]:
    """Options of this module."""
    return {
        **auth_argument_spec(),
        **allocator_argument_spec(),
        **run_argument_spec(),
        **journal_argument_spec(),
        "name": {"type": "str", "required": True},
        "state": {
            "type": "str",
            "choices": ["captured", "deleted", "precreated", "registered", "restored", "completed"],
            "required": True,
        },
        "state_dir": {"type": "path", "required": True},
        "host_identity": {
            "type": "dict",
            "options": {
                "host": {"type": "str", "required": True},
                "machine_id": {"type": "str", "required": True},
                "boot_id": {"type": "str", "default": ""},
                "client_certificate": {"type": "str", "no_log": True, "default": ""},
            },
        },
        "pod_cidrs": {"type": "list", "elements": "str", "default": []},
        "delete_timeout": {"type": "int", "default": 180},
        "cidr_timeout": {"type": "int", "default": 60},
        "ready_timeout": {"type": "int", "default": 300},
    }


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
