#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_drain
short_description: Cordon, drain or uncordon one Kubernetes node
version_added: 0.1.0
description:
  - Drains a node by the rules of C(kubectl drain), with the same filters in the same order and the same messages.
  - Unlike C(kubectl drain), it knows what it will do before it does anything. It shows the plan in check mode, refuses
    before the node is cordoned, and returns what became of each pod. A pod under two PodDisruptionBudgets, whose eviction
    fails for ever, is such a refusal.
  - Evictions run in parallel and carry the uid of the pod that was seen. An eviction that a PodDisruptionBudget forbids
    is tried again until O(timeout) is over, and the message names the budget, how many healthy pods it needs and how many
    there are.
  - The drain has ended when a fresh list of the node's pods holds none to remove, and the volumes of removed pods are
    detached. It stops when the Node is replaced or uncordoned by others meanwhile.
  - When the drain fails, a node that this call cordoned is uncordoned again (see O(uncordon_on_failure)).
  - With the action plugin of this name, lines about a drain that takes longer than ten seconds are shown on the standard
    error stream of the command while it waits, at most one every ten seconds.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.run
attributes:
  check_mode:
    support: full
    details:
      - Reads the node, its pods and the budgets, and returns the plan. Nothing is written, not even as a dry run.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the Node.
    type: str
    required: true
  uid:
    description:
      - Uid that the Node must have. Without it, any Node of this name is taken.
    type: str
  state:
    description:
      - V(drained) cordons the node and removes its pods.
      - V(cordoned) only marks it unschedulable.
      - V(uncordoned) makes it schedulable again.
    type: str
    choices: [drained, cordoned, uncordoned]
    default: drained
  ignore_daemonsets:
    description: Leave pods of DaemonSets alone instead of refusing the drain. Such pods are never removed.
    type: bool
    default: false
  delete_emptydir_data:
    description: Remove pods that have an C(emptyDir) volume, whose data is lost then, instead of refusing the drain.
    type: bool
    default: false
  force:
    description: Remove pods without a controller, which nobody starts again, instead of refusing the drain.
    type: bool
    default: false
  disable_eviction:
    description: Delete pods instead of evicting them. This bypasses PodDisruptionBudgets.
    type: bool
    default: false
  pod_selector:
    description: Label selector. Only pods that it selects are looked at.
    type: str
    default: ""
  grace_period:
    description: Seconds a pod has for its shutdown. V(-1) leaves each pod its own time.
    type: int
    default: -1
  skip_wait_for_delete_timeout:
    description:
      - Leave pods alone that should have been gone more than this many seconds ago, because the end of their grace period
        (C(deletionTimestamp)) is that old. V(0) turns it off.
    type: int
    default: 0
  timeout:
    description: Seconds after which a drain that is not complete fails, at least V(1).
    type: int
    default: 300
  retry_interval:
    description: Seconds between two tries to evict the same pod, at least V(1).
    type: int
    default: 5
  parallel:
    description: How many evictions are asked for at the same time, V(1) to V(100).
    type: int
    default: 10
  wait_for_volumes:
    description: Wait until the volumes of removed pods are detached from the node.
    type: bool
    default: true
  uncordon_on_failure:
    description:
      - When the drain fails, uncordon the node, if it was this call that cordoned it and it is still the same Node.
      - A node stays cordoned in any case when the Lease of O(run) is lost, because another run may be at work on it.
    type: bool
    default: true
  progress_path:
    description:
      - File to which lines about a long drain are appended while it waits, at most one every ten seconds. The action plugin
        of this module sets it by itself.
    type: path
seealso:
  - module: podnet.upkeep.node_registration
"""

EXAMPLES = r"""
- name: Show what a drain of w1 would do
  podnet.upkeep.node_drain:
    name: w1
    ignore_daemonsets: true
  check_mode: true
  register: plan

- name: Drain w1 within ten minutes
  podnet.upkeep.node_drain:
    name: w1
    ignore_daemonsets: true
    delete_emptydir_data: true
    timeout: 600

- name: Make w1 schedulable again
  podnet.upkeep.node_drain:
    name: w1
    state: uncordoned
"""

RETURN = r"""
uid:
  description: Uid of the Node.
  returned: success
  type: str
  sample: 2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e
was_unschedulable:
  description: Whether the node was cordoned before.
  returned: success
  type: bool
  sample: false
cordoned:
  description: Whether this call cordoned the node, or in check mode would cordon it.
  returned: success
  type: bool
  sample: true
pods:
  description: All pods of the node and what became of them.
  returned: O(state=drained), also on failure
  type: list
  elements: dict
  sample:
    - namespace: default
      name: web-6f7c9d5b4-x2x7k
      uid: 5e3c7a8e-7c6e-4a0a-9e2b-0f1d2c3b4a59
      action: remove
      reason: ""
      result: gone
      detail: ""
      budget: null
      seconds: 2.1
  contains:
    namespace:
      description: Namespace of the pod.
      type: str
      returned: always
      sample: default
    name:
      description: Name of the pod.
      type: str
      returned: always
      sample: web-6f7c9d5b4-x2x7k
    uid:
      description: Uid of the pod.
      type: str
      returned: always
      sample: 5e3c7a8e-7c6e-4a0a-9e2b-0f1d2c3b4a59
    action:
      description: What the filters say, V(remove), V(keep) or V(refuse).
      type: str
      returned: always
      sample: remove
    reason:
      description: Message of the filter that decided, as C(kubectl) words it.
      type: str
      returned: always
      sample: ignoring DaemonSet-managed Pods
    result:
      description: V(planned), V(kept), V(waiting), V(terminating), V(gone) or V(failed).
      type: str
      returned: always
      sample: gone
    detail:
      description: What the pod waits for, or why it failed. In check mode what its eviction would be answered now.
      type: str
      returned: always
      sample: "waits: The disruption budget web needs 3 healthy pods and has 3 currently"
    budget:
      description:
        - PodDisruptionBudget that the pod waits or has waited for, with C(name), C(healthy_needed) and C(healthy). Not set
          when there was none.
      type: dict
      returned: always
      sample: {"name": "web", "healthy_needed": 3, "healthy": 3}
    seconds:
      description: Time until the pod was gone.
      type: float
      returned: always
      sample: 2.1
drain_warnings:
  description: Warnings about pods that are removed or left on the node, worded as C(kubectl) does.
  returned: O(state=drained)
  type: list
  elements: str
  sample: ["ignoring DaemonSet-managed Pods: kube-system/cilium-x7x2p"]
exhausted_budgets:
  description: PodDisruptionBudgets that forbade the eviction of pods of the node when the drain began.
  returned: O(state=drained)
  type: list
  elements: str
  sample: ["default/web (allows 0 disruptions now: 3 healthy pods, 3 needed)"]
refusals:
  description: Why the node must not be drained, one sentence each.
  returned: when the drain is refused
  type: list
  elements: str
  sample: ["cannot delete Pods with local storage (use --delete-emptydir-data to override): default/cache-0"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import Drain, DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_cordon import cordon_and_drain
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import FilterOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.progress import Progress, ProgressFile
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_heartbeat import Heartbeat
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    get_node,
    is_unschedulable,
    require_uid,
    set_unschedulable,
    uid_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import heartbeat_of, run_argument_spec

_LIMITS = {
    "timeout": (1, None),
    "retry_interval": (1, None),
    "parallel": (1, 100),
    "grace_period": (-1, None),
    "skip_wait_for_delete_timeout": (0, None),
}


def require_limits(params: t.Mapping[str, t.Any]) -> None:
    """InputError when a number is outside of what it may be."""
    for name, (least, most) in _LIMITS.items():
        value = params[name]
        if value < least or (most is not None and value > most):
            allowed = f"{least} or more" if most is None else f"{least} to {most}"
            raise InputError(f"{name}: {value} cannot be used; give {allowed}.")


def drain_options(params: t.Mapping[str, t.Any]) -> DrainOptions:
    """Module options as the operation wants them."""
    return DrainOptions(
        filters=FilterOptions(
            ignore_daemonsets=params["ignore_daemonsets"],
            delete_emptydir_data=params["delete_emptydir_data"],
            force=params["force"],
            skip_wait_for_delete_timeout=params["skip_wait_for_delete_timeout"],
        ),
        pod_selector=params["pod_selector"],
        grace_period=None if params["grace_period"] < 0 else params["grace_period"],
        disable_eviction=params["disable_eviction"],
        timeout=params["timeout"],
        retry_interval=params["retry_interval"],
        parallel=params["parallel"],
        wait_for_volumes=params["wait_for_volumes"],
    )


def unschedulable_diff(name: str, before: bool, after: bool, pods: t.Sequence[str]) -> dict[str, t.Any]:
    """The change as ``--diff`` shows it."""
    return {
        "before_header": f"Node {name}",
        "after_header": f"Node {name}",
        "before": {"unschedulable": before, "pods_to_remove": list(pods)},
        "after": {"unschedulable": after, "pods_to_remove": []},
    }


def drained(
    module: AnsibleModule, client: KubeClient, node: JsonObject, heartbeat: Heartbeat | None
) -> dict[str, t.Any]:
    """Plan, cordon and drain."""
    params = module.params
    require_limits(params)
    lines = ProgressFile(params["progress_path"]) if params["progress_path"] and not module.check_mode else None
    drain = Drain(
        client,
        params["name"],
        drain_options(params),
        progress=Progress(lines) if lines else None,
        heartbeat=heartbeat,
    )
    plan = drain.plan()
    was_unschedulable = is_unschedulable(node)
    leaving = [decision.reference for decision in plan.removals]
    result: dict[str, t.Any] = {
        "changed": bool(leaving) or not was_unschedulable,
        "uid": uid_of(node),
        "was_unschedulable": was_unschedulable,
        "cordoned": not was_unschedulable,
        "pods": [outcome.to_dict() for outcome in plan.outcomes()],
        "drain_warnings": plan.warnings,
        "exhausted_budgets": plan.exhausted,
        "diff": unschedulable_diff(params["name"], was_unschedulable, True, leaving),
    }
    if module.check_mode:
        return result
    done = cordon_and_drain(client, node, drain, uncordon_on_failure=params["uncordon_on_failure"])
    result["pods"] = [outcome.to_dict() for outcome in done.outcomes]
    result["cordoned"] = done.cordoned
    result["changed"] = done.cordoned or any(outcome.result == "gone" for outcome in done.outcomes)
    if lines and lines.error:
        module.warn(lines.error)
    return result


def scheduled(module: AnsibleModule, client: KubeClient, node: JsonObject, unschedulable: bool) -> dict[str, t.Any]:
    """Only cordon or uncordon."""
    was_unschedulable = is_unschedulable(node)
    changed = was_unschedulable != unschedulable
    if not module.check_mode:
        node, changed = set_unschedulable(client, node, unschedulable)
    return {
        "changed": changed,
        "uid": uid_of(node),
        "was_unschedulable": was_unschedulable,
        "cordoned": changed and unschedulable,
        "diff": unschedulable_diff(module.params["name"], was_unschedulable, unschedulable, []),
    }


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Do what ``state`` says."""
    client = KubeClient.from_options(module.params)
    heartbeat = heartbeat_of(module.params, client, check_mode=module.check_mode)
    if heartbeat is not None:
        heartbeat()
    node = get_node(client, module.params["name"])
    require_uid(node, module.params["uid"])
    state = module.params["state"]
    if state == "drained":
        result = drained(module, client, node, heartbeat)
        if heartbeat is not None:
            heartbeat.prove()  # the kubelet of the drained node may be stopped next
        return result
    return scheduled(module, client, node, state == "cordoned")


def argument_spec() -> dict[str, t.Any]:
    """Options of this module."""
    return {
        **auth_argument_spec(),
        **run_argument_spec(),
        "name": {"type": "str", "required": True},
        "uid": {"type": "str"},
        "state": {"type": "str", "choices": ["drained", "cordoned", "uncordoned"], "default": "drained"},
        "ignore_daemonsets": {"type": "bool", "default": False},
        "delete_emptydir_data": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
        "disable_eviction": {"type": "bool", "default": False},
        "pod_selector": {"type": "str", "default": ""},
        "grace_period": {"type": "int", "default": -1},
        "skip_wait_for_delete_timeout": {"type": "int", "default": 0},
        "timeout": {"type": "int", "default": 300},
        "retry_interval": {"type": "int", "default": 5},
        "parallel": {"type": "int", "default": 10},
        "wait_for_volumes": {"type": "bool", "default": True},
        "uncordon_on_failure": {"type": "bool", "default": True},
        "progress_path": {"type": "path"},
    }


def main() -> None:
    """Entry point."""
    run_module(AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run)


if __name__ == "__main__":
    main()
