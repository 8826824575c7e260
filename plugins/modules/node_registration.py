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
  - podnet.upkeep.run.progress
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
      - V(restored) does the same, if that was not done yet, and puts back what the new Node still lacks.
      - V(completed) puts the before-image aside, into the folder C(completed). See O(uncordon).
    type: str
    choices: [captured, deleted, precreated, registered, restored, completed]
    required: true
  state_dir:
    description:
      - Folder for before-images on the host that runs this module. It is created with mode 0700, its files have 0600.
      - Use one folder for each cluster.
    type: path
    required: true
  host_report:
    description:
      - What the role's C(read_host.sh) has printed on the host that is taken for the Node's machine. With it,
        O(state=captured) fails before anything is written when the host is another machine, when its kubelet could not
        register again, or when it could not be worked on; and it returns RV(host).
    type: dict
    suboptions:
      host:
        description: Name of the host, for messages.
        type: str
        required: true
      text:
        description: The lines that were printed.
        type: str
        required: true
      unit:
        description: Systemd unit of the kubelet. V(auto) takes the one of the known distributions that is there.
        type: str
        default: auto
      min_free_mib:
        description: How much room the file systems of kubelet and container runtime must have, in MiB.
        type: int
        default: 512
      accepted_risks:
        description: Names of risks to take, such as V(fixed-cni-subnet).
        type: list
        elements: str
        default: []
  registration:
    description:
      - V(precreated) creates the Node here, before its kubelet starts, so that it is cordoned and has everything from
        its first moment.
      - V(kubelet) leaves that to the kubelet, where a cloud controller initialises only Nodes that a kubelet has
        created. O(state=precreated) only notes it then, and O(state=registered) cordons and taints the Node in the moment
        in which it appears. Until then pods may be bound to it.
    type: str
    choices: [precreated, kubelet]
    default: precreated
  pod_cidrs:
    description:
      - Give the new Node these pod CIDRs instead of waiting for an allocator. They are checked before anything is deleted.
    type: list
    elements: str
    default: []
  keep_pod_cidrs:
    description: Give the new Node the pod CIDRs of the old one, where O(pod_cidrs) names none.
    type: bool
    default: false
  uncordon:
    description: With O(state=completed), first make the Node schedulable, if it was so when it was captured.
    type: bool
    default: false
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
drain_uid:
  description: Uid of the Node that has to be drained before O(state=deleted). Empty when none has to.
  returned: success
  type: str
  sample: 2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e
host:
  description: How the host is worked on.
  returned: O(state=captured) with O(host_report)
  type: dict
  sample:
    unit: kubelet
    distribution: Kubernetes
    crictl: [crictl]
    cni: bridge
    links: [cni0]
    folders: [/var/lib/cni/networks, /var/lib/cni/results]
    files: [/etc/cni/net.d/10-containerd-net.conflist]
    remove_sandboxes: true
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
    allocator_in_force,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.host_readiness import HostQuestion
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
    progress_argument_spec,
    progress_of,
    run_argument_spec,
)

#: Steps after which something is done on the host, which no API server guards.
_BEFORE_THE_HOST = ("captured", "precreated")


def allocator_settings(module: AnsibleModule, client: KubeClient) -> AllocatorSettings:
    """Which podCIDRs are right: only the steps that look at new ones need to know, and ask the cluster for it."""
    chosen = module.params["pod_cidrs"] or module.params["keep_pod_cidrs"]
    looks = module.params["state"] in ("precreated", "registered", "restored", *(("captured",) if chosen else ()))
    if not looks and module.params["allocator"] is None:
        return AllocatorSettings()
    return allocator_in_force(module.params, client)


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
        "drain_uid": outcome.drain_uid,
        **({"host": outcome.host.to_dict()} if outcome.host is not None else {}),
        "before_image": before_image.path_of(module.params["state_dir"], name),
        "actions": outcome.actions,
        "diff": {
            "before_header": f"Node {name}",
            "after_header": f"Node {name}",
            "before": outcome.before,
            "after": outcome.after,
        },
    }


def host_question(option: t.Mapping[str, t.Any] | None) -> HostQuestion | None:
    """The option as the operation wants it."""
    return None if option is None else HostQuestion(**option)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Do the step that ``state`` names."""
    params = module.params
    client = KubeClient.from_options(params)
    options = RegistrationOptions(
        state_dir=params["state_dir"],
        allocator=allocator_settings(module, client),
        pod_cidrs=tuple(params["pod_cidrs"]),
        keep_pod_cidrs=params["keep_pod_cidrs"],
        by_kubelet=params["registration"] == "kubelet",
        uncordon=params["uncordon"],
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
        progress=progress_of(params, check_mode=module.check_mode),
    )
    steps: dict[str, t.Callable[[], Outcome]] = {
        "captured": lambda: registration.capture(host_question(params["host_report"])),
        "deleted": registration.delete,
        "precreated": registration.precreate,
        "registered": registration.register,
        "restored": registration.restore,
        "completed": registration.complete,
    }
    outcome = steps[params["state"]]()
    if heartbeat is not None and params["state"] in _BEFORE_THE_HOST:
        heartbeat.prove()
    return result_of(module, outcome)


def argument_spec() -> dict[str, t.Any]:
    """Options of this module."""
    return {
        **auth_argument_spec(),
        **allocator_argument_spec(),
        **run_argument_spec(),
        **journal_argument_spec(),
        **progress_argument_spec(),
        "name": {"type": "str", "required": True},
        "state": {
            "type": "str",
            "choices": ["captured", "deleted", "precreated", "registered", "restored", "completed"],
            "required": True,
        },
        "state_dir": {"type": "path", "required": True},
        "host_report": {
            "type": "dict",
            "options": {
                "host": {"type": "str", "required": True},
                "text": {"type": "str", "required": True},
                "unit": {"type": "str", "default": "auto"},
                "min_free_mib": {"type": "int", "default": 512},
                "accepted_risks": {"type": "list", "elements": "str", "default": []},
            },
        },
        "registration": {"type": "str", "choices": ["precreated", "kubelet"], "default": "precreated"},
        "pod_cidrs": {"type": "list", "elements": "str", "default": []},
        "keep_pod_cidrs": {"type": "bool", "default": False},
        "uncordon": {"type": "bool", "default": False},
        "delete_timeout": {"type": "int", "default": 180},
        "cidr_timeout": {"type": "int", "default": 60},
        "ready_timeout": {"type": "int", "default": 300},
    }


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
