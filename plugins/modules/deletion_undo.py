#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: deletion_undo
short_description: Create again what a clean-up deleted, from its journal
version_added: 0.1.0
description:
  - Reads the journal that a clean-up module of this collection has written, and creates the objects again that can be.
  - A CiliumIdentity gets its number, labels and security labels back while the number is free and no other identity serves these
    security labels. It comes back without the mark of the operator for deletion, and nothing refers to it, so an operator whose
    garbage collection works deletes it again, after its time-outs, when no endpoint begins to use it.
  - A CiliumNode comes back while the Node with the uid that owned it is there, and none of its blocks belongs to another
    CiliumNode. Else the agent of the new Node creates its own.
  - A CiliumEndpoint is never created here. The agent of a pod that runs creates it again. A pod that has ended cannot be brought
    back.
  - What stays away is listed with the reason and is no failure. Nothing that exists is changed.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
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
  journal_path:
    description: The journal, a file that ends with C(.deletions.jsonl). The module that deleted has returned its path.
    type: path
    required: true
  names:
    description: Names of objects to create again. Empty means all of the journal.
    type: list
    elements: str
    default: []
  rate:
    description: Objects per second on average. V(0) means as fast as the API server takes them.
    type: float
    default: 50.0
  concurrency:
    description: How many requests are sent at the same time, V(1) to V(64).
    type: int
    default: 8
notes:
  - The journal knows its cluster by the uid of the namespace C(kube-system), and is refused for another one.
seealso:
  - module: podnet.upkeep.cilium_identity_cleanup
  - module: podnet.upkeep.cilium_node_cleanup
"""

EXAMPLES = r"""
- name: What could be brought back
  podnet.upkeep.deletion_undo:
    journal_path: ~/.local/state/podnet-upkeep/deletions/identities-20261121T113000Z-5b0c1d2e.deletions.jsonl
  check_mode: true
  diff: true

- name: Bring two identities back
  podnet.upkeep.deletion_undo:
    journal_path: "{{ cleaned.journal_path }}"
    names: ["48213", "48214"]
"""

RETURN = r"""
restored:
  description: Objects that were created, or would be in check mode (the first 1,000).
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "CiliumIdentity", "namespace": "", "name": "48213"}]
not_restored:
  description: Objects that stay away, with the reason (the first 1,000).
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "CiliumIdentity", "namespace": "", "name": "48214", "reason": "The number 48214 was taken for other labels meanwhile."}]
counts:
  description: Entries of the journal that were looked at, and what became of them.
  returned: success
  type: dict
  sample: {"entries": 3, "restored": 1, "present": 1, "not_restored": 1, "remaining": 0}
stopped:
  description: Why the run ended early. The module fails then, and the same command goes on.
  returned: always
  type: str
  sample: ""
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._deletion_options import DeletionStoppedError, permission_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import DeletionLimits
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    Entry,
    JournalContent,
    read_journal,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_reconciliation import cluster_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_undo import (
    DeletionUndo,
    UndoResult,
    require_same_cluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_undo_plan import (
    UndoPlan,
    make_undo_plan,
    name_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    progress_argument_spec,
    progress_of,
    run_argument_spec,
)

_MOST_LISTED = 1000


def _row(entry: Entry) -> dict[str, str]:
    namespace = str((entry.object.get("metadata") or {}).get("namespace") or "")
    return {"kind": entry.kind, "namespace": namespace, "name": name_of(entry)}


def _require_known(names: list[str], content: JournalContent) -> None:
    known = {name_of(entry) for entry in content.entries.values()}
    unknown = [one for one in names if one not in known]
    if unknown:
        raise InputError(
            f"names: {content.path} has no object named {', '.join(unknown[:5])}; give names that it has, or none for all."
        )


def answer_of(plan: UndoPlan, result: UndoResult | None) -> dict[str, t.Any]:
    """The result of the module; ``result`` is None in check mode."""
    restored = plan.restore if result is None else result.restored
    kept = [*plan.kept, *((one.entry, reason) for one, reason in (result.kept if result else []))]
    entries = [one.entry for one in restored]
    return {
        "changed": bool(restored),
        "restored": [_row(one) for one in entries[:_MOST_LISTED]],
        "not_restored": [{**_row(one), "reason": reason} for one, reason in kept[:_MOST_LISTED]],
        "counts": {
            "entries": len(plan.restore) + len(plan.present) + len(plan.kept),
            "restored": len(restored) if result is not None else 0,
            "present": len(plan.present),
            "not_restored": len(kept),
            "remaining": result.remaining if result is not None else len(restored),
        },
        "stopped": result.stopped if result is not None else "",
        "diff": {
            "before_header": "objects of the journal",
            "after_header": "objects of the journal",
            "before": "",
            "after": "".join(f"{one.kind} {name_of(one)}\n" for one in entries),
        },
    }


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan, and unless in check mode create."""
    params = module.params
    DeletionLimits(rate=params["rate"], concurrency=params["concurrency"])  # says what cannot be used
    content = read_journal(params["journal_path"])
    _require_known(params["names"], content)
    client = KubeClient.from_options(params)
    permission = permission_of(params, client, check_mode=module.check_mode)
    require_same_cluster(content, cluster_of(client))
    if not content.cluster:
        module.warn("The journal does not say of which cluster it is; make sure that it is this one.")
    plan = make_undo_plan(client, content, params["names"])
    if module.check_mode or not plan.restore:
        return answer_of(plan, None)
    undo = DeletionUndo(
        client,
        rate=params["rate"],
        concurrency=params["concurrency"],
        heartbeat=permission,
        progress=progress_of(params),
    )
    result = undo.run(plan.restore)
    answer = answer_of(plan, result)
    if result.stopped:
        raise DeletionStoppedError(
            f"Bringing back stopped: {result.stopped} {len(result.restored)} objects were created, {result.remaining} were not "
            "tried or failed. The same command goes on when that is mended.",
            answer,
        )
    return answer


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **run_argument_spec(),
            **progress_argument_spec(),
            "journal_path": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "rate": {"type": "float", "default": 50.0},
            "concurrency": {"type": "int", "default": 8},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
