#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cilium_endpoint_cleanup
short_description: Delete CiliumEndpoints whose pod is gone, replaced or has ended
version_added: 0.1.0
description:
  - A CiliumEndpoint is dead when its pod does not exist, when another pod has its name now (by the uid in its owner reference),
    when its pod has ended, or when it has no pod and the CiliumNode that owned it is gone. It holds an identity until then, and
    other Nodes take its address for that identity.
  - Nothing is judged where the pods, Nodes or CiliumNodes cannot be read completely. An endpoint that a CiliumNode owns that
    exists is never touched, and none that somebody wrote to within O(min_age).
  - The pod of each is read again before its batch, and each is deleted with its uid and resourceVersion. An agent that takes an
    endpoint over changes it, and so saves it.
  - Whether the operator does the same by itself is in RV(collection).
  - What no deletion mends is reported. Endpoints that stay unready lead to the agents in RV(agents_to_restart), pods without
    endpoint are in RV(pods_without_endpoint) with the safe act. CiliumEndpointSlices are never changed, see RV(slices).
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
    details:
      - With O(recreate_pods) the next run goes on with further pods, as long as there are any without endpoint.
options:
  min_age:
    description:
      - Seconds for which nobody has written to the endpoint, for which its pod has ended, and for which the pod that has its name
        now exists.
    type: int
    default: 300
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
  powered_off:
    description:
      - Nodes that do not exist any more and whose machines are known to be switched off. Endpoints of pods that are still bound
        to them are dead. Without that they stay, because such a machine may run and come back.
    type: list
    elements: str
    default: []
  stuck_after:
    description: Seconds from which on an endpoint that is not ready counts as stuck.
    type: int
    default: 600
  ask_agents:
    description:
      - Ask every agent of Cilium for its own endpoints. Then the time of a bad state is known exactly, and an endpoint that an
        agent still runs stays. Needs the permission for C(pods/exec).
    type: bool
    default: false
  recreate_pods:
    description:
      - Evict running pods without CiliumEndpoint that have a controller, one of each controller and at most O(recreate_limit)
        in each run. PodDisruptionBudgets are obeyed.
    type: bool
    default: false
  recreate_limit:
    description: How many pods O(recreate_pods) evicts at most.
    type: int
    default: 10
seealso:
  - module: podnet.upkeep.cilium_node_cleanup
  - module: podnet.upkeep.stale_pod_cleanup
"""

EXAMPLES = r"""
- name: Which endpoints are dead, and what else is wrong with endpoints
  podnet.upkeep.cilium_endpoint_cleanup:
  check_mode: true
  diff: true

- name: Delete endpoints that were left alone for ten minutes
  podnet.upkeep.cilium_endpoint_cleanup:
    min_age: 600
"""

RETURN = r"""
candidates:
  description: Dead endpoints (the first 1,000), with the evidence in words.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "CiliumEndpoint", "namespace": "shop", "name": "cart-1", "uid": "5b0c", "evidence": "its pod shop/cart-1 is gone"}]
counts:
  description: CiliumEndpoints C(before) and C(after), C(candidates), C(deleted), C(spared), C(remaining), C(finalizing).
  returned: success
  type: dict
  sample: {"before": 900, "candidates": 12, "deleted": 12, "spared": 0, "remaining": 0, "finalizing": 0, "after": 888}
reasons:
  description: Candidates by reason, which is C(pod-gone), C(pod-replaced), C(pod-ended), C(node-gone) or C(owner-gone).
  returned: success
  type: dict
  sample: {"pod-gone": 11, "pod-ended": 1}
kept:
  description: Endpoints that look dead and stay, by the rule that keeps them.
  returned: success
  type: dict
  sample: {"young": 2}
kept_examples:
  description: Some of them, with the rule in words.
  returned: success
  type: list
  elements: dict
  sample: [{"endpoint": "shop/cart-2", "words": "its pod shop/cart-2 is gone, but the last change is 20 s ago"}]
identities_released:
  description: Identities that no CiliumEndpoint names any more without the candidates. The operator collects them.
  returned: success
  type: int
  sample: 7
collection:
  description: Whether the operator deletes dead endpoints itself (C(healthy), C(off), C(broken), C(unknown)), and why it is said.
  returned: success
  type: dict
  sample: {"verdict": "healthy", "reasons": ["the operator looks every 5 min"], "trap": ""}
agents_to_restart:
  description: Nodes with endpoints that stay unready, the worst first. Restarting the agent is the remedy, not a deletion.
  returned: success
  type: list
  elements: dict
  sample: [{"node": "w7", "agent": "cilium-x7k2p", "agent_runs": true, "endpoints": 3, "states": {"not-ready": 3},
            "longest_seconds": 1800, "example": "shop/cart-3", "words": "3 endpoints are not ready"}]
pods_without_endpoint:
  description: Running pods without CiliumEndpoint (the first 100), with the safe act.
  returned: success
  type: list
  elements: dict
  sample: [{"namespace": "shop", "name": "cart-4", "uid": "77aa", "node": "w7", "controller": "ReplicaSet/cart", "act": "recreate the pod"}]
recreated:
  description: With O(recreate_pods), the pods that were C(chosen), C(evicted) and C(refused), and how many are C(left).
  returned: success
  type: dict
  sample: {"chosen": [], "left": 0, "evicted": [], "refused": []}
slices:
  description: Entries of CiliumEndpointSlices whose endpoint is gone or dead. They are the operator's to take out.
  returned: success
  type: dict
  sample: {"enabled": false, "stale_entries": 0, "examples": [], "words": ""}
notes:
  description: What to know beside the numbers, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
lines:
  description: The plan as text, one line each.
  returned: success
  type: list
  elements: str
  sample: ["900 CiliumEndpoints; 12 are dead"]
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
  description: File with every endpoint that was deleted. Empty when none was.
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
    count_of,
    delete_candidates,
    permission_to_begin,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import endpoint_attention
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.dead_endpoints import EndpointRules
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_cleanup import (
    EndpointCleanup,
    EndpointOptions,
    EndpointPlan,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_picture import ENDPOINTS
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_recreation import Recreation, recreate
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

_SHOWN = 100
_LINES = 20


def options_of(params: dict[str, t.Any]) -> EndpointOptions:
    """Module options as the operation wants them. Raises InputError for a number that makes no sense."""
    for name in ("min_age", "stuck_after"):
        if params[name] < 0:
            raise InputError(f"{name}: {params[name]} is no time; give seconds, 0 or more.")
    if params["recreate_limit"] < 1:
        raise InputError(f"recreate_limit: {params['recreate_limit']} is not usable; give 1 or more.")
    rules = EndpointRules(
        min_age=params["min_age"],
        namespaces=tuple(params["namespaces"]),
        excluded_namespaces=tuple(params["excluded_namespaces"]),
        powered_off=tuple(params["powered_off"]),
    )
    return EndpointOptions(rules, stuck_after=params["stuck_after"], ask_agents=params["ask_agents"])


def lines_of(plan: EndpointPlan, found: dict[str, t.Any]) -> list[str]:
    """The plan as text for a terminal; ``found`` is the result so far."""
    candidates = plan.candidates
    lines = [
        f"{plan.before} CiliumEndpoints; {len(candidates)} are dead, and name {found['identities_released']} identities alone"
    ]
    lines += candidate_lines(candidates, _LINES)
    lines += [f"stays: {one['endpoint']}: {one['words']}" for one in plan.kept_examples[:_LINES]]
    lines += [f"restart the agent of Node {one['node']}: {one['words']}" for one in found["agents_to_restart"][:_LINES]]
    lines += [
        f"without CiliumEndpoint: pod {one['namespace']}/{one['name']} on {one['node']}: {one['act']}"
        for one in found["pods_without_endpoint"][:_LINES]
    ]
    lines += [found["slices"]["words"]] if found["slices"]["words"] else []
    return [*lines, *found["notes"], *([plan.collection.trap] if plan.collection.trap else [])]


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan, and unless in check mode delete, and recreate pods where that was asked for."""
    options = options_of(module.params)
    client = KubeClient.from_options(module.params)
    permission = permission_to_begin(module, client)
    cleanup = EndpointCleanup(client, options, concurrency=module.params["concurrency"])
    plan = cleanup.plan()
    if plan.collection.trap:
        module.warn(plan.collection.trap)
    rows = endpoint_attention.agents_to_restart(plan.picture, options.stuck_after)
    missing = endpoint_attention.pods_without_endpoint(plan.picture)
    dead = {(one.namespace, one.name) for one in plan.candidates}
    result: dict[str, t.Any] = {
        "reasons": dict(plan.by_reason.most_common()),
        "kept": dict(sorted(plan.kept.items())),
        "kept_examples": plan.kept_examples,
        "identities_released": plan.identities_released(),
        "collection": plan.collection.to_dict(),
        "agents_to_restart": rows,
        "pods_without_endpoint": endpoint_attention.missing_rows(missing)[:_SHOWN],
        "slices": endpoint_attention.slice_leftovers(plan.picture, dead),
        "notes": plan.notes(rows),
    }
    result["lines"] = lines_of(plan, result)
    done, path = delete_candidates(module, client, permission, "cilium-endpoints", plan.candidates, cleanup.prove)
    after = count_of(client, ENDPOINTS) if done is not None and done.deleted else plan.before
    result.update(answer_of(plan.candidates, done, before=plan.before, after=after, journal_path=path))
    recreated = Recreation(left=len(missing))
    if module.params["recreate_pods"]:
        recreated = recreate(client, missing, module.params["recreate_limit"], check_mode=module.check_mode)
        result["changed"] |= bool(recreated.chosen if module.check_mode else recreated.evicted)
        result["diff"]["before"] += "".join(f"Pod {one} without CiliumEndpoint\n" for one in recreated.chosen)
    return {**result, "recreated": recreated.to_dict()}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **deletion_argument_spec(),
            "min_age": {"type": "int", "default": 300},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "excluded_namespaces": {"type": "list", "elements": "str", "default": []},
            "powered_off": {"type": "list", "elements": "str", "default": []},
            "stuck_after": {"type": "int", "default": 600},
            "ask_agents": {"type": "bool", "default": False},
            "recreate_pods": {"type": "bool", "default": False},
            "recreate_limit": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
