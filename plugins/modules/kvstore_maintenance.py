#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kvstore_maintenance
short_description: Make room in an etcd, one member after the other
description:
  - Takes a snapshot, forgets old revisions, gives the free room of one member after the other back to its file system, and
    disarms the alarm V(NOSPACE) when all members are below their quota again. The leader comes last, after another member
    leads.
  - Before each step all members are looked at. It refuses without a quorum, when a member does not answer, is behind, is a
    learner or of another version, and when another alarm than V(NOSPACE) is raised. A member that was defragmented must be
    healthy again before the next one.
  - It compacts no newer revision than all members have, and leaves O(keep_revisions), so that clients that watch are not cut
    off.
  - Where nothing is to be gained, nothing is done.
  - What is left to do is seen in the etcd itself, so the same task goes on after a failure.
  - Two tasks on one machine never work on the same etcd at once, by a lock of that machine. From other machines, the Lease of
    O(run) keeps them away.
  - Where Kubernetes is asked, nothing is begun beside another run of this collection whose Lease somebody alive holds, also
    before each further member. Agents that restart, and Nodes that come back, need the store. Leases that may not be listed
    are not seen.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.etcd
  - podnet.upkeep.etcd.maintenance
  - podnet.upkeep.run
  - podnet.upkeep.run.progress
attributes:
  check_mode:
    support: full
    details:
      - Members are looked at and the plan is returned. How much room compaction gives cannot be told before.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state_dir:
    description: Folder on this machine for the lock.
    type: path
    default: ~/.local/state/podnet-upkeep
requirements:
  - urllib3, which kubernetes brings
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38 (where Kubernetes is asked)
seealso:
  - module: podnet.upkeep.kvstore_info
  - module: podnet.upkeep.maintenance_run
"""

EXAMPLES = r"""
- name: What would be done to the kvstore of Cilium
  podnet.upkeep.kvstore_maintenance:
    store: cilium
    etcd_secret: cilium-etcd-secrets
  check_mode: true
  diff: true

- name: Make room in an etcd that is full
  podnet.upkeep.kvstore_maintenance:
    endpoints: [https://10.0.0.1:2379]
    etcd_ca_cert: /etc/upkeep/etcd/ca.crt
    etcd_client_cert: /etc/upkeep/etcd/client.crt
    etcd_client_key: /etc/upkeep/etcd/client.key
    keep_revisions: 100
"""

RETURN = r"""
plan:
  description:
    - What was to be done. C(compact_to) is 0 when nothing is to be forgotten, and C(defragment) has the members in order.
  returned: success
  type: dict
  sample:
    compact_to: 91823
    defragment: [etcd-1, etcd-2, etcd-0]
    disarm: true
    reasons: {"compact": "forgets 90000 revisions up to 91823, and keeps the newest 1000"}
due:
  description: Whether there was anything to do.
  returned: success
  type: bool
  sample: true
steps:
  description: What was done, in order.
  returned: when something was begun, also on failure
  type: list
  elements: dict
  sample:
    - {"step": "snapshot", "member": "etcd-1", "path": "/root/.local/state/podnet-upkeep/kvstore/etcd-1f-9.db", "bytes": 17039392, "sha256": "9f86d0"}
    - {"step": "compact", "revision": 91823}
    - {"step": "defragment", "member": "etcd-1", "bytes_before": 17039360, "bytes_after": 1355776, "seconds": 0.031}
snapshot:
  description: Path of the snapshot; empty when none was taken.
  returned: success
  type: str
  sample: /root/.local/state/podnet-upkeep/kvstore/etcd-1f-9.db
members:
  description: Members afterwards, as M(podnet.upkeep.kvstore_info) returns them.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "etcd-0", "bytes": 1355776}]
"""

import contextlib
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Limits
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import member_name
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._etcd_guards import beside, guards_of
from ansible_collections.podnet.upkeep.plugins.module_utils._etcd_options import (
    cluster_of,
    etcd_argument_spec,
    found_of,
    kubernetes_of,
    limits_of,
    maintenance_argument_spec,
    settings_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_maintenance import EtcdMaintenance
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_plan_report import (
    lines_after,
    lines_of,
    plan_section,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.kvstore_report import members_section
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_lock import exclusive
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    progress_argument_spec,
    run_argument_spec,
)

Result = dict[str, t.Any]


def _run(module: AnsibleModule) -> Result:
    options = module.params
    limits: Limits = limits_of(options)
    settings = settings_of(options)
    client = kubernetes_of(options)
    cluster = cluster_of(options, client, found_of(options, client), module.tmpdir)
    maintenance = EtcdMaintenance(cluster, limits, settings, guards_of(options, client, check_mode=module.check_mode))
    picture, chosen = maintenance.look()
    with contextlib.ExitStack() as held:
        if not module.check_mode and not chosen.empty:
            name = f"kvstore-{member_name(cluster.cluster)}"
            held.enter_context(exclusive(options["state_dir"], name, "the maintenance of this etcd"))
            picture, chosen = maintenance.look()  # again: until now another task may have been at it
        due = not chosen.empty
        result: Result = {
            "changed": due,
            "due": due,
            "plan": plan_section(picture, chosen),
            "steps": [],
            "snapshot": "",
        }
        if module.check_mode or chosen.empty:
            result["members"] = members_section(picture, limits)["members"]
            result["diff"] = {"before": lines_of(picture), "after": lines_after(picture, chosen)}
            return result
        reason = beside(options, client) if client is not None else ""
        if reason:
            raise RefusedError(f"Nothing was done: {reason}")
        steps, after = maintenance.run(picture, chosen)
    result["steps"] = steps
    result["snapshot"] = "".join(one["path"] for one in steps if one["step"] == "snapshot")
    result["changed"] = bool(steps)
    result["members"] = members_section(after, limits)["members"]
    result["diff"] = {"before": lines_of(picture), "after": lines_of(after)}
    return result


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **etcd_argument_spec(),
            **run_argument_spec(),
            **progress_argument_spec(),
            **maintenance_argument_spec(),
            "state_dir": {"type": "path", "default": "~/.local/state/podnet-upkeep"},
        },
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
