#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: stale_pod_cleanup
short_description: Delete pods that have ended and that nobody needs any more
version_added: 0.1.0
description:
  - Deletes pods with the phase C(Succeeded) or C(Failed), such as evicted ones, that ended longer than O(min_age) ago and whose
    controller has made, or will make, another pod instead (ReplicaSet, ReplicationController, StatefulSet, DaemonSet).
  - Pods of Jobs are the history of these Jobs, and pods without controller may be somebody's result; both stay unless asked
    for. So do pods of controllers that are not known here, pods with finalizers, mirror pods of static pods, and pods of which
    a container was still running when their kubelet reported last.
  - Each pod is proved again before its batch, and deleted with its uid and resourceVersion. Nothing is force-deleted. Pods that
    are stuck in their deletion are reported in RV(terminating).
  - This frees no addresses. A kubelet gives the address of a pod back when the pod ends. RV(frees_addresses) says so for this
    cluster, or shows the evidence that it is otherwise.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.deletion
  - podnet.upkeep.run
  - podnet.upkeep.run.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  min_age:
    description:
      - Seconds since the last container of the pod ended. Where no container says when, its conditions, its start or its
        creation count.
    type: int
    default: 3600
  namespaces:
    description: Namespaces to look at. Empty means all.
    type: list
    elements: str
    default: []
  excluded_namespaces:
    description: Namespaces to leave out.
    type: list
    elements: str
    default: []
  label_selector:
    description: Only pods with these labels, such as C(app=web,tier!=cache).
    type: str
    default: ""
  reasons:
    description: Only pods that ended for one of these reasons, such as C(Evicted). The reasons found are in RV(reasons).
    type: list
    elements: str
    default: []
  include_job_pods:
    description: Delete pods of Jobs too. With them goes the log and the exit code of the Job.
    type: bool
    default: false
  include_bare_pods:
    description: Delete pods without controller too.
    type: bool
    default: false
  include_controllers:
    description: Kinds of further controllers whose ended pods may go, such as C(Workflow).
    type: list
    elements: str
    default: []
  ask_agents:
    description:
      - Ask the agents of Cilium on the Nodes of these pods which addresses they hold. Needs the permission for C(pods/exec).
    type: bool
    default: false
  stuck_after:
    description: Seconds after the end of its grace period from which on a pod that is being deleted is reported as stuck.
    type: int
    default: 300
seealso:
  - module: podnet.upkeep.cilium_endpoint_cleanup
  - module: podnet.upkeep.node_removal
"""

EXAMPLES = r"""
- name: Which pods would go, and whether that frees addresses
  podnet.upkeep.stale_pod_cleanup:
    min_age: 86400
  check_mode: true
  diff: true

- name: Delete evicted pods, but those of two namespaces
  podnet.upkeep.stale_pod_cleanup:
    reasons: [Evicted]
    excluded_namespaces: [kube-system, batch]
"""

RETURN = r"""
candidates:
  description: Pods that may go (the first 1,000), with the evidence in words.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "Pod", "namespace": "shop", "name": "cart-1", "uid": "5b0c", "evidence": "Failed (Evicted) 3 days ago, of ReplicaSet cart"}]
counts:
  description: Pods that have ended C(before) and C(after), C(candidates), C(deleted), C(spared), C(remaining), C(finalizing).
  returned: success
  type: dict
  sample: {"before": 40, "candidates": 12, "deleted": 12, "spared": 0, "remaining": 0, "finalizing": 0, "after": 28}
reasons:
  description: Candidates by the reason for which they ended.
  returned: success
  type: dict
  sample: {"Evicted": 11, "OOMKilled": 1}
kept:
  description: Pods that have ended and stay, by the rule that keeps them.
  returned: success
  type: dict
  sample: {"job": 20, "young": 8}
terminating:
  description: Pods that should be gone for a while (the first 100), with the way to mend it.
  returned: success
  type: list
  elements: dict
  sample: [{"pod": "shop/db-0", "node": "w7", "late_seconds": 5400, "finalizers": [], "words": "should be gone for 2 h"}]
frees_addresses:
  description:
    - What the deletion frees. C(expected) addresses (mostly 0), the C(reason) in words, the C(pods) that an agent still holds an
      address for, how many addresses were C(reused) by other pods already, and how many pods have a CiliumEndpoint left.
  returned: success
  type: dict
  sample: {"expected": 0, "reason": "Frees no addresses", "pods": [], "reused": 2, "endpoints_left": 0}
lines:
  description: The plan as text, one line each.
  returned: success
  type: list
  elements: str
  sample: ["40 pods have ended; 12 may go"]
spared:
  description: Candidates that were not deleted, with the reason.
  returned: success
  type: list
  elements: dict
  sample: []
stopped:
  description: Why the run ended early. The module fails then.
  returned: always
  type: str
  sample: ""
limited:
  description: Whether the run ended at O(max_deletions).
  returned: success
  type: bool
  sample: false
journal_path:
  description: File with every pod that was deleted. Empty when none was.
  returned: success
  type: str
  sample: ""
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._deletion_options import answer_of, deletion_argument_spec
from ansible_collections.podnet.upkeep.plugins.module_utils._deletion_run import (
    candidate_lines,
    delete_candidates,
    permission_to_begin,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stale_pod_cleanup import (
    StalePodCleanup,
    StalePodOptions,
    StalePodPlan,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stale_pods import PodRules
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

_SHOWN = 100
_LINES = 20


def options_of(params: dict[str, t.Any]) -> StalePodOptions:
    """Module options as the operation wants them. Raises InputError for a number that makes no sense."""
    for name in ("min_age", "stuck_after"):
        if params[name] < 0:
            raise InputError(f"{name}: {params[name]} is no time; give seconds, 0 or more.")
    return StalePodOptions(
        rules=PodRules(
            min_age=params["min_age"],
            namespaces=tuple(params["namespaces"]),
            excluded_namespaces=tuple(params["excluded_namespaces"]),
            reasons=tuple(params["reasons"]),
            include_job_pods=params["include_job_pods"],
            include_bare_pods=params["include_bare_pods"],
            include_controllers=tuple(params["include_controllers"]),
        ),
        label_selector=params["label_selector"],
        ask_agents=params["ask_agents"],
        stuck_after=params["stuck_after"],
    )


def lines_of(plan: StalePodPlan) -> list[str]:
    """The plan as text for a terminal."""
    found = [f"{plan.ended} pods have ended; {len(plan.candidates)} may go"]
    found += candidate_lines(plan.candidates, _LINES)
    found += [f"stays: {count} by rule {rule}" for rule, count in sorted(plan.kept.items())]
    found += [f"stuck: {one['pod']} {one['words']}" for one in plan.stuck[:_LINES]]
    return [*found, f"addresses: {plan.frees_addresses['reason']}"]


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan, and unless in check mode delete."""
    options = options_of(module.params)
    client = KubeClient.from_options(module.params)
    permission = permission_to_begin(module, client)
    cleanup = StalePodCleanup(client, options, concurrency=module.params["concurrency"])
    plan = cleanup.plan()
    done, path = delete_candidates(module, client, permission, "stale-pods", plan.candidates, cleanup.prove)
    deleted = len(done.deleted) - done.finalizing if done is not None else 0
    return {
        "reasons": dict(plan.by_reason.most_common()),
        "kept": dict(sorted(plan.kept.items())),
        "terminating": plan.stuck[:_SHOWN],
        "frees_addresses": plan.frees_addresses,
        "lines": lines_of(plan),
        **answer_of(plan.candidates, done, before=plan.ended, after=plan.ended - deleted, journal_path=path),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **deletion_argument_spec(),
            "min_age": {"type": "int", "default": 3600},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "excluded_namespaces": {"type": "list", "elements": "str", "default": []},
            "label_selector": {"type": "str", "default": ""},
            "reasons": {"type": "list", "elements": "str", "default": []},
            "include_job_pods": {"type": "bool", "default": False},
            "include_bare_pods": {"type": "bool", "default": False},
            "include_controllers": {"type": "list", "elements": "str", "default": []},
            "ask_agents": {"type": "bool", "default": False},
            "stuck_after": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
