#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: cilium_node_cleanup
short_description: Delete CiliumNodes that have outlived their Node, so that their blocks become free
version_added: 0.1.0
description:
  - A CiliumNode without Node goes on to hold its blocks of the pool, and other Nodes keep routes and tunnels to it. So does one
    that belongs to an earlier Node of its name (by the uid in its owner reference) while no agent runs there.
  - A CiliumNode stays when it was written to within O(quarantine), when an agent is there, when pods are bound to a Node of its
    name, when pods or CiliumEndpoints have addresses of its blocks, and when its Node is just being registered again. For
    O(settle_seconds) it is watched that no Node comes back.
  - CiliumNodes that no Node was to own stay unless the risk is accepted by its name. So do all without owner where
    C(nodes-gc-interval) is 0, and those with the annotation C(cilium.io/do-not-gc).
  - A new picture of the cluster is made before each batch, and each is deleted with its uid and resourceVersion.
  - CiliumNodes that hold the same addresses are in RV(conflicts), with the side to drain first. That is a plan only.
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
    details:
      - Watches the CiliumNodes for O(settle_seconds) in check mode as well.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  nodes:
    description: Names of CiliumNodes. Empty means every one that may go. A named one that must stay is an error.
    type: list
    elements: str
    default: []
  quarantine:
    description: Seconds for which nobody has written to the CiliumNode.
    type: int
    default: 1800
  settle_seconds:
    description: Seconds for which the CiliumNodes are watched. One whose Node appears, or that somebody writes to, stays.
    type: int
    default: 30
  max_share:
    description: Share of all CiliumNodes that may go at once unless they are named. One always may.
    type: float
    default: 0.5
  accepted_risks:
    description:
      - Names of risks to take. V(external-node) deletes CiliumNodes that another object than a Node owned, V(kept) those with
        the annotation, V(nodes-gc-off) those without owner although the operator was told to keep such, V(shares-block) one
        whose block another CiliumNode holds too, V(ipam-mode-unknown) judges although it is not known how Cilium does IPAM.
    type: list
    elements: str
    default: []
  serve_waiting:
    description:
      - Afterwards clear the operator's error in the status of CiliumNodes that wait although a block is free, so that the operator
        looks at them again. It does not by itself when a block becomes free. Needs the permission to patch
        C(ciliumnodes/status).
    type: bool
    default: false
  serve_timeout:
    description: Seconds to wait until they have a block.
    type: int
    default: 30
  namespace:
    description: Namespace of the journals of maintenance runs.
    type: str
    default: kube-system
seealso:
  - module: podnet.upkeep.cilium_endpoint_cleanup
  - module: podnet.upkeep.node_removal
"""

EXAMPLES = r"""
- name: Which CiliumNodes would go, and which blocks they hold
  podnet.upkeep.cilium_node_cleanup:
  check_mode: true
  diff: true

- name: Free the blocks, and let the operator serve the CiliumNodes that wait for one
  podnet.upkeep.cilium_node_cleanup:
    serve_waiting: true
"""

RETURN = r"""
candidates:
  description: CiliumNodes that may go (the first 1,000), with the evidence in words.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "CiliumNode", "namespace": "", "name": "w7", "uid": "5b0c", "evidence": "its owner is gone; holds 10.0.3.0/24"}]
counts:
  description: CiliumNodes C(before) and C(after), C(candidates), C(deleted), C(spared), C(remaining), C(finalizing).
  returned: success
  type: dict
  sample: {"before": 9, "candidates": 1, "deleted": 1, "spared": 0, "remaining": 0, "finalizing": 0, "after": 8}
kept:
  description: CiliumNodes that have outlived their Node and stay, with whose business they are and the reasons.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "w9", "cause": "operator", "blocks": ["10.0.9.0/24"], "reasons": ["CiliumNode w9: it was written 20 s ago"]}]
pool_before:
  description: Blocks of the pools before, as an operator that starts now counts them, and the CiliumNodes that wait for one.
  returned: success
  type: dict
  sample: {"free": 0, "waiting": ["w10"], "servable": [], "act": "", "pools": []}
pool_after:
  description:
    - The same afterwards; in check mode as before. C(servable) are CiliumNodes that wait although a block is free, and C(act) says
      what serves them.
  returned: success
  type: dict
  sample: {"free": 1, "waiting": ["w10"], "servable": ["w10"], "act": "restart the operator", "pools": []}
served:
  description: With O(serve_waiting), the CiliumNodes that got a block.
  returned: success
  type: list
  elements: str
  sample: ["w10"]
still_waiting:
  description: With O(serve_waiting), the CiliumNodes that got none in time.
  returned: success
  type: list
  elements: str
  sample: []
conflicts:
  description: Pairs of CiliumNodes that hold the same addresses, the side to drain first, the reasons, and what to do.
  returned: success
  type: list
  elements: dict
  sample: [{"nodes": ["w1", "w2"], "cidrs": {"w1": ["10.0.1.0/24"], "w2": ["10.0.1.0/24"]}, "pods": {"w1": 3, "w2": 0},
            "drain_first": "w2", "reasons": ["3 pods of w1"], "act": "drain Node w2"}]
notes:
  description: Why nobody else has deleted them, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
lines:
  description: The plan as text, one line each.
  returned: success
  type: list
  elements: str
  sample: ["9 CiliumNodes; 1 may go"]
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
  description: File with every CiliumNode that was deleted. Empty when none was.
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
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_block_conflicts import block_conflicts
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_node_cleanup import (
    NodeCleanup,
    NodeOptions,
    NodePlan,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_node_picture import (
    CILIUM_NODES,
    read_picture,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pool_report import (
    pool_report,
    serve_waiting,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.dangling_cilium_nodes import causes_in_words
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import progress_of

_LINES = 20


def options_of(params: dict[str, t.Any]) -> NodeOptions:
    """Module options as the operation wants them. Raises InputError for one that cannot be used."""
    if params["serve_timeout"] < 1:
        raise InputError(f"serve_timeout: {params['serve_timeout']} is not usable; give seconds, 1 or more.")
    return NodeOptions(
        nodes=tuple(params["nodes"]),
        quarantine=params["quarantine"],
        settle_seconds=params["settle_seconds"],
        max_share=params["max_share"],
        accepted_risks=tuple(params["accepted_risks"]),
        namespace=params["namespace"],
    )


def lines_of(plan: NodePlan, found: dict[str, t.Any]) -> list[str]:
    """The plan as text for a terminal; ``found`` is the result so far."""
    lines = [f"{len(plan.picture.whole)} CiliumNodes; {len(plan.candidates)} have outlived their Node and may go"]
    lines += candidate_lines(plan.candidates, _LINES)
    lines += [f"stays: {' '.join(one['reasons'])}" for one in plan.kept[:_LINES]]
    lines += [
        f"share addresses: {' and '.join(one['nodes'])}: {one['act']} ({'; '.join(one['reasons'])})"
        for one in found["conflicts"][:_LINES]
    ]
    pool = found["pool_before"]
    if pool["free"] is not None:
        waiting = f"; waiting: {', '.join(pool['waiting'][:_LINES])}" if pool["waiting"] else ""
        lines.append(f"pool: {pool['free']} blocks are free{waiting}")
    return [*lines, *found["notes"], *([pool["act"]] if pool["act"] else [])]


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan, and unless in check mode delete, and have waiting CiliumNodes served where that was asked for."""
    options = options_of(module.params)
    client = KubeClient.from_options(module.params)
    permission = permission_to_begin(module, client)
    progress = progress_of(module.params, check_mode=module.check_mode)
    cleanup = NodeCleanup(client, options, progress=progress, heartbeat=permission)
    plan = cleanup.plan()
    before = len(plan.picture.whole)
    pool = pool_report(plan.picture)
    result: dict[str, t.Any] = {
        "kept": plan.kept,
        "conflicts": block_conflicts(plan.picture),
        "pool_before": pool,
        "notes": causes_in_words(plan.examined, plan.picture),
    }
    result["lines"] = lines_of(plan, result)
    done, path = delete_candidates(module, client, permission, "cilium-nodes", plan.candidates, cleanup.prove)
    after = count_of(client, CILIUM_NODES) if done is not None and done.deleted else before
    result.update(answer_of(plan.candidates, done, before=before, after=after, journal_path=path))
    if done is not None and done.deleted:
        pool = pool_report(read_picture(client, options.namespace))
    served: list[str] = []
    left: list[str] = []
    asked = pool["servable"] if module.params["serve_waiting"] else []
    if asked and module.check_mode:
        result["changed"] = True
    elif asked:
        served, left = serve_waiting(client, asked, timeout=module.params["serve_timeout"], heartbeat=permission)
        result["changed"] |= bool(served or left)
        pool = pool_report(read_picture(client, options.namespace))
    result["diff"]["before"] += "".join(f"CiliumNode {name} waits for a block\n" for name in asked)
    result["diff"]["after"] += "".join(f"CiliumNode {name} waits for a block\n" for name in left)
    return {**result, "pool_after": pool, "served": served, "still_waiting": left}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **deletion_argument_spec(),
            "nodes": {"type": "list", "elements": "str", "default": []},
            "quarantine": {"type": "int", "default": 1800},
            "settle_seconds": {"type": "int", "default": 30},
            "max_share": {"type": "float", "default": 0.5},
            "accepted_risks": {"type": "list", "elements": "str", "default": []},
            "serve_waiting": {"type": "bool", "default": False},
            "serve_timeout": {"type": "int", "default": 30},
            "namespace": {"type": "str", "default": "kube-system"},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
