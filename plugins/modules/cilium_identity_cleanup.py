#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_identity_cleanup
short_description: Delete CiliumIdentities that nobody uses, and nothing else
description:
  - Finds identities that no CiliumEndpoint and no CiliumEndpointSlice names, that no pod which may run would get by its
    security labels, that are of the range of this cluster and older than two heartbeat timeouts, and deletes them by the
    protocol of the cilium-operator. Each is marked with the annotation C(io.cilium.heartbeat), stands marked for longer than
    agents take to remove the mark of an identity that they use, is proved again, and is deleted only in the version of its
    mark. An agent that begins to use an identity removes the mark first, so that the deletion fails.
  - The cilium-operator does the same. Where it works, this module refuses, because to make it faster is better
    (O(while_operator_collects) is for an emergency).
  - Refuses where identities are kept in the kvstore or in both places, where modes, range, lists or the computed labels of
    pods are not known, and where the operator manages identities but does not lead.
  - Pods that are being deleted count as users, and so does each pod on a Node that is not Ready, is gone, or has no agent of
    Cilium that is Ready.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
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
  identities:
    description:
      - Numbers of the identities to delete. Empty means every one that is dead. The rules hold for these as for all
        others; RV(kept) says of each that must stay why.
    type: list
    elements: int
    default: []
  grace:
    description:
      - Seconds for which a mark must have stood. Without it, 1.2 times C(identity-allocation-sync-interval) of the cluster,
        which is 360 seconds by default. In each such interval agents remove the marks of all identities that they hold. Less
        is refused.
      - Identities that were marked longer ago, by the operator or by an earlier run, need no further wait. When they were
        marked is taken from what the API server has recorded.
    type: float
  while_operator_collects:
    description:
      - Go on although the cilium-operator collects unused identities. For an emergency in which new pods get no identity
        and the operator, which needs more than two heartbeat timeouts for each, is too slow. All other rules hold.
    type: bool
    default: false
  remove_marks:
    description:
      - Delete nothing, and remove the marks that this module has set in runs which were given up. They may also stay. Each agent
        removes the mark of what it uses, and the operator deletes a marked identity only when nothing names it for a whole
        heartbeat timeout after the mark, as it would do without. A later run need not wait for them again.
    type: bool
    default: false
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38
notes:
  - In check mode nothing is written. RV(candidates) then says what would be marked and deleted, and when.
  - A run that stops leaves marks. The same command goes on, and does not wait again for marks that are old enough.
  - RV(journal_path) names a file with each identity that was deleted; M(podnet.upkeep.deletion_undo) re-creates from it.
seealso:
  - module: podnet.upkeep.cilium_identity_info
  - module: podnet.upkeep.deletion_undo
"""

EXAMPLES = r"""
- name: What could be deleted, and why
  podnet.upkeep.cilium_identity_cleanup:
  check_mode: true
  diff: true
  register: cleanup

- name: Delete what nobody uses, while the operator's collection is broken
  podnet.upkeep.cilium_identity_cleanup:
    rate: 100
    journal_path: /var/lib/podnet-upkeep/production/deletions

- name: Delete two identities, if the rules allow it
  podnet.upkeep.cilium_identity_cleanup:
    identities: [48213, 51002]
  register: cleanup

- name: Say which of them must stay
  ansible.builtin.debug:
    msg: "{{ cleanup.kept }}"

- name: Give a run up for good
  podnet.upkeep.cilium_identity_cleanup:
    remove_marks: true
"""

RETURN = r"""
candidates:
  description: Identities that are dead, with the evidence and what becomes of each; at most 1000.
  returned: success or when the run stopped
  type: list
  elements: dict
  sample:
    - kind: CiliumIdentity
      namespace: ""
      name: "48213"
      uid: 5b0c1f0a-8f0c-4a0a-9e2b-0f1d2c3b4a59
      evidence: >-
        no CiliumEndpoint and no CiliumEndpointSlice names it, no pod that may run has its labels, and it is 3 days old: mark
        it now, delete it 6 min after that
kept:
  description:
    - Identities that must stay although no endpoint names them, and all of O(identities) that must stay, with the reason; at
      most 1000.
  returned: success or when the run stopped
  type: list
  elements: dict
  sample: [{"id": 51002, "reason": "CiliumEndpoint shop/cart-6c9d7-abcde names it"}]
counts:
  description:
    - Numbers of identities. C(before) and C(after) are those there are, C(candidates) the dead, C(marked) marks that were set,
      C(deleted), C(spared) those found in use after all, C(remaining) those not decided, C(kept) as in RV(kept), C(beyond)
      dead ones beyond O(max_deletions).
  returned: success or when the run stopped
  type: dict
  sample:
    before: 65280
    candidates: 61000
    marked: 61000
    deleted: 60994
    spared: 6
    remaining: 0
    finalizing: 0
    kept: 12
    beyond: 0
    after: 4286
spared:
  description: Candidates that were found in use later, with the reason; at most 1000.
  returned: success or when the run stopped
  type: list
  elements: dict
  sample: [{"kind": "CiliumIdentity", "name": "48214", "reason": "its mark was removed, so an agent uses it"}]
gc:
  description: Whether the operator collects, V(off), V(broken), V(slow) or V(healthy), and why; empty with O(remove_marks).
  returned: success or when the run stopped
  type: dict
  sample: {"verdict": "off", "reasons": ["identity-gc-interval is 0, which turns the collection off"]}
grace:
  description: Seconds for which marks must have stood.
  returned: success or when the run stopped
  type: float
  sample: 360.0
stopped:
  description: Why the run stopped before its end; empty when it did not.
  returned: success or when the run stopped
  type: str
  sample: ""
limited:
  description: Whether the run ended at O(max_deletions).
  returned: success or when the run stopped
  type: bool
  sample: false
journal_path:
  description: The journal of this run; empty when nothing was to be deleted.
  returned: success or when the run stopped
  type: str
  sample: /var/lib/podnet-upkeep/production/deletions/identities-20261101T060000Z-1f2e3d4c.deletions.jsonl
refusals:
  description: Why nothing is deleted, one sentence each.
  returned: when the run is refused
  type: list
  elements: str
  sample: ["identity-allocation-mode is doublewrite-readcrd: ..."]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._deletion_options import (
    DeletionStoppedError,
    answer_of,
    complete_journals,
    deletion_argument_spec,
    journal_of,
    limits_of,
    permission_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import DeletionResult
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup import (
    CleanupResult,
    IdentityCleanup,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup_plan import (
    CleanupOptions,
    CleanupPlan,
    Planning,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_picture import IdentityPicture
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import progress_of

_SUBJECT = "identities"
_LARGEST_NUMBER = (1 << 32) - 1
_MOST_LISTED = 1000


def _options(params: t.Mapping[str, t.Any]) -> CleanupOptions:
    wrong = next((number for number in params["identities"] if not 0 < number <= _LARGEST_NUMBER), None)
    if wrong is not None:
        raise InputError(f"identities: {wrong} is no identity; give numbers of 1 to {_LARGEST_NUMBER}.")
    return CleanupOptions(
        identities=tuple(params["identities"]),
        grace=params["grace"],
        beside_collection=params["while_operator_collects"],
        most=params["max_deletions"],
    )


def _answer(plan: CleanupPlan, result: CleanupResult | None, changed: bool) -> dict[str, t.Any]:
    """The result of the module. Raises DeletionStoppedError with it when the run stopped."""
    done = None if result is None else result.deletion
    more: dict[str, t.Any] = {
        "kept": [{"id": number, "reason": reason} for number, reason in plan.kept[:_MOST_LISTED]],
        "gc": {"verdict": plan.verdict, "reasons": list(plan.reasons)} if plan.verdict else {},
        "grace": plan.grace,
    }
    numbers = {"marked": 0 if result is None else result.marked, "kept": len(plan.kept), "beyond": plan.left}
    try:
        answer = answer_of(
            plan.candidates,
            done,
            before=plan.before,
            after=plan.before if result is None else result.after,
            journal_path="" if result is None else result.journal_path,
        )
    except DeletionStoppedError as error:
        found = error.details()
        counts = {**found["counts"], **numbers}
        raise DeletionStoppedError(str(error), {**found, **more, "counts": counts, "changed": changed}) from error
    return {
        **answer,
        **more,
        "counts": {**answer["counts"], **numbers},
        "limited": answer["limited"] or plan.left > 0,
        "changed": changed,
    }


def _clean(module: AnsibleModule, client: KubeClient, planning: Planning, cleanup: IdentityCleanup) -> dict[str, t.Any]:
    plan = planning.plan()
    for reason in plan.reasons if plan.verdict in ("off", "broken", "slow") else ():
        module.warn(f"The cilium-operator's collection is {plan.verdict}: {reason}. What is deleted now leaks again.")
    if module.check_mode:
        return _answer(plan, None, bool(plan.candidates))
    if not plan.candidates:
        complete_journals(module.params, client, _SUBJECT)
        return _answer(plan, None, changed=False)
    result = cleanup.run(plan, lambda: journal_of(module.params, client, _SUBJECT))
    return _answer(plan, result, bool(result.marked or result.deletion.deleted))


def _remove_marks(module: AnsibleModule, planning: Planning, cleanup: IdentityCleanup) -> dict[str, t.Any]:
    plan = planning.marks_of_ours()
    if module.check_mode or not plan.candidates:
        return _answer(plan, None, bool(plan.candidates))
    done = cleanup.remove_marks(plan)
    deletion = DeletionResult(spared=done.spared, stopped=done.stopped)
    deletion.remaining = len(plan.candidates) - len(done.candidates) - len(done.spared)
    answer = _answer(plan, CleanupResult(deletion, after=plan.before), bool(done.candidates))
    left = {one.uid for one in done.candidates}
    lines = [f"{one.words} uid {one.uid}: {one.evidence}\n" for one in plan.candidates if one.uid not in left]
    return {**answer, "diff": {**answer["diff"], "after": "".join(lines)}}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan, and unless in check mode act."""
    params = module.params
    options, limits = _options(params), limits_of(params)
    client = KubeClient.from_options(params)
    permission = permission_of(params, client, check_mode=module.check_mode)
    picture = IdentityPicture(client, cilium_namespace=params["cilium_namespace"])
    planning = Planning(client, options, picture)
    cleanup = IdentityCleanup(
        client,
        limits,
        picture=picture,
        heartbeat=permission,
        progress=progress_of(params, check_mode=module.check_mode),
    )
    if params["remove_marks"]:
        return _remove_marks(module, planning, cleanup)
    return _clean(module, client, planning, cleanup)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **deletion_argument_spec(),
            "identities": {"type": "list", "elements": "int", "default": []},
            "grace": {"type": "float"},
            "while_operator_collects": {"type": "bool", "default": False},
            "remove_marks": {"type": "bool", "default": False},
            "cilium_namespace": {"type": "str", "default": ""},
        },
        mutually_exclusive=[("remove_marks", "grace")],
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
