#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: reassignment_plan_info
short_description: Plan which Nodes are registered anew for fresh pod CIDRs, and say what speaks against it
version_added: 0.1.0
description:
  - Looks at the whole cluster once and says which Nodes need fresh pod CIDRs and why, in which order they are best
    taken, what each of them keeps and loses, and which of its pods are evicted or replaced.
  - Says also why the run must not start, for the cluster and for each Node. Controllers that do not run, a blocked
    garbage collection, a missing permission, a Node whose deletion would destroy its machine, or a pool without a
    block for it are such reasons.
  - The plan can be written to a file, looked at, and given to the run with O(plan_file) or O(expected_digest). The run
    then refuses when the cluster has changed against it in a way that matters, which heartbeats and pods do not.
  - Never writes to the cluster. The questions about permissions are sent as SelfSubjectAccessReviews, which nothing
    stores.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
  - podnet.upkeep.run.journal
attributes:
  check_mode:
    support: full
    details:
      - O(plan_path) is written in check mode as well, because that is when a plan is looked at.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  nodes:
    description:
      - Names of Nodes. Without any, every Node is planned that has a finding whose remedy is
        C(podnet.upkeep.reassign_pod_cidrs), and every Node on which an earlier run stopped half-way.
      - A named Node with nothing to mend is skipped. A named Node that must not be deleted is a refusal of the whole
        run, any other is skipped.
    type: list
    elements: str
    default: []
  run_nodes:
    description: All Nodes of the run that this plan is a part of. That they are cordoned or not Ready is no objection.
    type: list
    elements: str
    default: []
  control_plane:
    description: Whether Nodes of the control plane may be planned.
    type: bool
    default: false
  even_if_healthy:
    description: Plan named Nodes although nothing is wrong with their pod CIDRs.
    type: bool
    default: false
  accepted_risks:
    description:
      - Names of risks to take. Each refusal that can be overridden names its own.
    type: list
    elements: str
    default: []
  state_dir:
    description: Folder of before-images, see M(podnet.upkeep.node_registration). Unfinished Nodes are planned first.
    type: path
  settle_seconds:
    description:
      - How long kube-controller-manager must have been leading. A younger leader is watched until it is older, because
        one that restarts again and again looks healthy for some seconds.
    type: int
    default: 30
  probe_namespace:
    description: Namespace of the pods that show that the network works. Whether they may be made there is asked.
    type: str
    default: default
  probe_image:
    description:
      - Image of the pods that show that the network works. Empty means an agnhost that a Node has, as for
        M(podnet.upkeep.node_network_probe).
      - The pod is tried as a dry run, so that admission or a quota that refuses it shows before anything is changed. Without
        an image, Nodes that have told of no agnhost are named in RV(warnings_of_plan).
      - Where this option is not given, no probe is planned.
    type: str
  wait_for_allocation:
    description: Seconds to wait for the allocator when a named Node has no pod CIDR, before the plan is made.
    type: int
    default: 0
  delete_emptydir_data:
    description: Plan the drain with this option of M(podnet.upkeep.node_drain).
    type: bool
    default: false
  force:
    description: Plan the drain with this option of M(podnet.upkeep.node_drain).
    type: bool
    default: false
  disable_eviction:
    description: Plan the drain with this option of M(podnet.upkeep.node_drain).
    type: bool
    default: false
  grace_period:
    description: Plan the drain with this option of M(podnet.upkeep.node_drain).
    type: int
    default: -1
  drain_timeout:
    description:
      - Seconds after which the drain gives up. Pods that may take longer to end are named in the warnings of their Node, and
        those that cannot have ended are refused. Not judged where it is not given.
    type: int
  pod_cidrs:
    description:
      - Pod CIDRs that Nodes shall get instead of waiting for an allocator, as a dictionary of Node names with lists. They
        are checked against all other Nodes.
    type: dict
    default: {}
  keep_pod_cidrs:
    description: Plan that Nodes which O(pod_cidrs) does not name keep the pod CIDRs that they have.
    type: bool
    default: false
  plan_path:
    description:
      - File to which the plan is written, with mode 0640, whole or not at all. A plan with the same digest and text that
        is there already is left alone, and any other file is not replaced.
    type: path
  plan_file:
    description:
      - File with a plan that was agreed to, as O(plan_path) has written it. What has changed against it becomes a refusal.
        It holds for the same options only.
      - Once a run of this plan has begun (see O(journal)), Nodes that are done may be missing, and the rest must be as
        it was.
    type: path
  plan:
    description:
      - The same as O(plan_file), given as RV(plan_record) of an earlier call. With O(run_nodes), only what is planned now
        is compared.
    type: dict
    default: {}
  expected_digest:
    description:
      - Digest of the plan that was agreed to. Another plan becomes a refusal. Once a run of this plan has begun, its
        journal knows the plan, and the rest must be as it was.
    type: str
    default: ""
  fail_on_refusal:
    description: Fail when there are refusals, instead of only returning them.
    type: bool
    default: false
seealso:
  - module: podnet.upkeep.audit_info
  - module: podnet.upkeep.node_registration
"""

EXAMPLES = r"""
- name: What would a repair do
  podnet.upkeep.reassignment_plan_info:
    state_dir: /var/lib/podnet-upkeep/production
  register: plan

- name: Show it
  ansible.builtin.debug:
    msg: "{{ plan.lines }}"

- name: Write it to a file for others to look at
  podnet.upkeep.reassignment_plan_info:
    state_dir: /var/lib/podnet-upkeep/production
    plan_path: /var/lib/podnet-upkeep/production/plan.json

- name: Plan again before the run, and fail when the cluster has changed meanwhile
  podnet.upkeep.reassignment_plan_info:
    state_dir: /var/lib/podnet-upkeep/production
    plan_file: /var/lib/podnet-upkeep/production/plan.json
    fail_on_refusal: true
"""

RETURN = r"""
nodes:
  description: The Nodes to register anew, in their order.
  returned: success
  type: list
  elements: dict
  sample:
    - name: w1
      uid: 2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e
      resume_step: ""
      reasons:
        - id: node-cidr-out-of-range
          severity: critical
          summary: "Node w1 has 10.200.7.0/24, outside the cluster CIDR 10.244.0.0/16"
      pod_cidrs: [10.200.7.0/24]
      new_pod_cidrs_from: "the allocator, out of 10.244.0.0/16 (/24 each)"
      control_plane: false
      was_unschedulable: false
      frees_blocks: 0
      waits_for_block: false
      provider_id: ""
      provider_risks: []
      pool_labels: {}
      chosen_pod_cidrs: []
      loses: ["its podCIDRs 10.200.7.0/24, and the addresses of its pods with them"]
      expected_seconds: 60
      keeps:
        labels: [rack=r1]
        annotations: [example.com/note]
        taints: ["dedicated=x:PreferNoSchedule"]
        left_out: [node.alpha.kubernetes.io/ttl]
      pods:
        evict: [default/web-6f7c9d5b4-x2x7k]
        delete: [kube-system/kube-proxy-8rj2z]
        keep: []
      steps: [check that the host is this Node's machine]
      warnings: []
      refusals: []
node_names:
  description: Names of RV(nodes), in their order.
  returned: success
  type: list
  elements: str
  sample: [w1]
refusals:
  description: Why the run must not start, one sentence each, of the cluster and of its Nodes.
  returned: always
  type: list
  elements: str
  sample: []
warnings_of_plan:
  description: What to know although it does not stop the run.
  returned: success
  type: list
  elements: str
  sample: []
skipped_nodes:
  description: Nodes that are left alone, and why.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "cp1", "reason": "it belongs to the control plane; name it and allow that to include it"}]
allocator:
  description: Settings of the allocator that the new pod CIDRs must fit, usable as option O(allocator).
  returned: success
  type: dict
  sample: {"allocate_node_cidrs": true, "cluster_cidrs": ["10.244.0.0/16"], "node_mask_size_ipv4": 24}
pools:
  description: Use of each pool in blocks.
  returned: success
  type: list
  elements: dict
  sample: [{"family": "IPv4", "cluster_cidr": "10.244.0.0/16", "capacity": 256, "used": 12, "free": 244}]
expected_seconds:
  description: How long the run will take when nothing makes it wait, by what was measured and by grace periods of pods.
  returned: success
  type: int
  sample: 60
plan_digest:
  description:
    - SHA-256 of what the plan rests on. It changes when the plan has to change. That is the cluster, the settings of the
      allocator, the options, and of each Node its uid, podCIDRs, provider, taints and labels that choose a pool.
    - Of the plan that was agreed to, where one was given.
  returned: success
  type: str
  sample: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
plan_record:
  description:
    - What the plan rests on, with its digest, for O(plan) of a later call and for C(plan) of
      M(podnet.upkeep.maintenance_run).
  returned: success
  type: dict
  sample: {"nodes": ["w1"], "digest": "sha256:4f53", "basis": {}}
plan_path:
  description: Full path of the file with the plan.
  returned: when O(plan_path) is given
  type: str
  sample: /var/lib/podnet-upkeep/production/plan.json
lines:
  description: The plan as text.
  returned: success
  type: list
  elements: str
  sample: ["1 Node is to be registered anew, one after the other:", "1. Node w1 (10.200.7.0/24)"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import FilterOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_approval import (
    Approved,
    begun_plan,
    given_plan,
    has_begun,
    read_plan,
    refusals_against,
    write_plan,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_basis import same_digest
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import (
    Plan,
    PlanOptions,
    make_plan,
    read_context,
    wait_for_allocation,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import journal_argument_spec, journal_of


def plan_options(params: t.Mapping[str, t.Any], client: KubeClient) -> PlanOptions:
    """Module options as the operation wants them."""
    return PlanOptions(
        nodes=tuple(params["nodes"]),
        run_nodes=tuple(params["run_nodes"]),
        control_plane=params["control_plane"],
        even_if_healthy=params["even_if_healthy"],
        accepted_risks=tuple(params["accepted_risks"]),
        pod_cidrs=_pod_cidrs(params["pod_cidrs"]),
        keep_pod_cidrs=params["keep_pod_cidrs"],
        state_dir=params["state_dir"] or "",
        journal=journal_of(params, client),
        settle_seconds=params["settle_seconds"],
        probe_namespace=params["probe_namespace"],
        probe_image=params["probe_image"],
        drain=DrainOptions(
            filters=FilterOptions(
                ignore_daemonsets=True,
                delete_emptydir_data=params["delete_emptydir_data"],
                force=params["force"],
            ),
            grace_period=None if params["grace_period"] < 0 else params["grace_period"],
            disable_eviction=params["disable_eviction"],
        ),
        drain_timeout=params["drain_timeout"],
    )


def _pod_cidrs(given: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    for node, cidrs in given.items():
        if not isinstance(cidrs, list) or not cidrs or not all(isinstance(cidr, str) for cidr in cidrs):
            raise InputError(f"pod_cidrs: of Node {node} there is no list of CIDRs; give one such as [10.244.7.0/24].")
    return dict(given)


def result_of(plan: Plan) -> dict[str, t.Any]:
    """A plan as the module returns it."""
    return {
        "changed": False,
        "nodes": [node.to_dict() for node in plan.nodes],
        "node_names": [node.name for node in plan.nodes],
        "refusals": plan.all_refusals,
        "warnings_of_plan": plan.warnings,
        "skipped_nodes": plan.skipped,
        "allocator": plan.allocator,
        "pools": plan.pools,
        "expected_seconds": plan.expected_seconds,
        "plan_digest": plan.digest(),
        "plan_record": Approved(plan.basis, "this plan").record(),
        "lines": plan.lines(),
    }


def _approved(params: t.Mapping[str, t.Any], plan: Plan, options: PlanOptions) -> Approved | None:
    """The plan that was agreed to, where one is named; the refusals against it are added to ``plan``."""
    expected = params["expected_digest"]
    approved = read_plan(params["plan_file"]) if params["plan_file"] else None
    if approved is None and params["plan"]:
        approved = given_plan(params["plan"], "plan")
    known = options.journal.load() if options.journal is not None and (approved or expected) else None
    if approved is None and expected and not same_digest(expected, plan.digest()):
        approved = begun_plan(known, expected)
        if approved is None:
            plan.refusals.append(
                f"The plan has the digest {plan.digest()}, not {expected} that was agreed to, so the cluster or the options "
                "have changed. Look at the new plan."
            )
    if approved is not None:
        if expected and not same_digest(expected, approved.digest):
            plan.refusals.append(f"The plan of {approved.source} has the digest {approved.digest}, not {expected}.")
        rest = bool(options.run_nodes) or has_begun(known, approved.digest)
        plan.refusals += refusals_against(approved, plan.basis, rest=rest)
    return approved


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Make the plan, and hold it against the one that was agreed to."""
    params = module.params
    client = KubeClient.from_options(params)
    settings = audit_settings(params)
    options = plan_options(params, client)
    if params["wait_for_allocation"]:
        wait_for_allocation(client, params["nodes"], params["wait_for_allocation"])
    plan = make_plan(client, read_context(client, settings), options)
    approved = _approved(params, plan, options)
    refusals = plan.all_refusals
    if refusals and params["fail_on_refusal"]:
        raise RefusedError(f"The run must not start: {' '.join(refusals)}", refusals)
    result = result_of(plan)
    if params["plan_path"]:
        content = {"digest": plan.digest(), "basis": plan.basis, "lines": plan.lines(), "api": client.host}
        result["plan_path"], before = write_plan(params["plan_path"], content)
        result["changed"] = before != plan.lines()
        result["diff"] = {"before": _text(before or []), "after": _text(plan.lines())}
    if approved is not None:
        result.update(plan_digest=approved.digest, plan_record=approved.record())
    return result


def _text(lines: t.Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            **journal_argument_spec(),
            "nodes": {"type": "list", "elements": "str", "default": []},
            "run_nodes": {"type": "list", "elements": "str", "default": []},
            "control_plane": {"type": "bool", "default": False},
            "even_if_healthy": {"type": "bool", "default": False},
            "accepted_risks": {"type": "list", "elements": "str", "default": []},
            "state_dir": {"type": "path"},
            "settle_seconds": {"type": "int", "default": 30},
            "probe_namespace": {"type": "str", "default": "default"},
            "probe_image": {"type": "str"},
            "wait_for_allocation": {"type": "int", "default": 0},
            "delete_emptydir_data": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "disable_eviction": {"type": "bool", "default": False},
            "grace_period": {"type": "int", "default": -1},
            "drain_timeout": {"type": "int"},
            "pod_cidrs": {"type": "dict", "default": {}},
            "keep_pod_cidrs": {"type": "bool", "default": False},
            "plan_path": {"type": "path"},
            "plan_file": {"type": "path"},
            "plan": {"type": "dict", "default": {}},
            "expected_digest": {"type": "str", "default": "", "no_log": False},
            "fail_on_refusal": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("plan_file", "plan")],
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
