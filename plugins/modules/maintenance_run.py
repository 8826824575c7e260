#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_run
short_description: Lock a maintenance run, keep its journal, and ask whether it may go on
version_added: 0.1.0
description:
  - A run of a playbook that changes a cluster takes a Lease, so that a second run of the same kind refuses to start and
    names who holds it. Whether a Lease is expired is judged by the clock of the API server alone.
  - Runs of this collection of different kinds keep apart as well, such as a clean-up and one that takes Nodes out of service.
    With O(state=started) the Leases of the other kinds are looked at before the own one is taken, and again when it is. When
    one of them is held then, it is given back, so of two that start at the same moment never both begin. Both may be refused.
  - The Lease knows which ansible-playbook holds it. The same command from the same machine goes on at once with a run that
    was killed, and refuses while that run is alive in another window. Where that cannot be seen, as from another container
    with the same O(state_dir), the Lease has to expire first.
  - The journal of the run is a ConfigMap C(podnet-upkeep-NAME), and before-images of Nodes are in the Secret
    C(podnet-upkeep-NAME-images) beside it. With them the same command goes on where a run was interrupted, also from
    another machine.
  - A person stops a run before its next Node by setting C(stop) to C("true") in the data of that ConfigMap. No run is
    begun until it is set back to C("false").
  - A run also stops before its next Node when its journal was deleted or damaged meanwhile.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written. A Lease that would be refused is refused in check mode as well.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  name:
    description:
      - Name of this kind of run. Runs of the same name exclude each other.
      - V(reassign-pod-cidrs), V(retire-nodes), V(remove-unreachable-nodes), V(stress-identities) and V(maintain-kvstore) are
        begun beside no other run of this collection, and none beside them. V(undo-deletions) keeps apart from
        V(clean-identities), V(clean-endpoints), V(clean-stale-pods) and V(clean-cilium-nodes) too. V(cilium), which restarts
        Cilium, is the last name of this collection. A name of your own keeps apart from none of these.
    type: str
    default: reassign-pod-cidrs
  namespace:
    description: Namespace of Lease, ConfigMap and Secret.
    type: str
    default: kube-system
  state:
    description:
      - V(started) takes the Lease, or goes on with the run that this holder has begun, and writes the journal. It writes
        nothing and fails when another run is under way, the switch C(stop) is set, or the journal is damaged.
      - V(checkpoint) is asked before each Node. It renews the Lease and says in RV(may_continue) whether another Node may be
        begun.
      - V(held) renews the Lease, and fails when it is not this run's any more or the journal is that of another run. Ask it
        before something is done on a host, which no API server guards. With O(node) and O(uid) it also fails when that Node
        is gone or another one.
      - V(recorded) renews the Lease and writes O(entry) for O(node).
      - V(finished) writes the result and releases the Lease.
      - V(stopped) does the same for a run that ended early.
      - V(inspected) only reads.
    type: str
    choices: [started, checkpoint, held, recorded, finished, stopped, inspected]
    required: true
  holder:
    description:
      - Who holds the Lease. By default user and host of this machine with a name that is kept in O(state_dir), so that the
        same command from the same machine goes on with its own run.
      - With O(state=started) the run gets a number of its own that is added to it. Give RV(holder) of that to the other
        states, so that what an earlier run has left behind cannot act in the name of this one.
    type: str
    default: ""
  state_dir:
    description: Folder on this machine in which the holder's name is kept.
    type: path
    default: ~/.local/state/podnet-upkeep
  lease_seconds:
    description:
      - How long the Lease is valid without being renewed, V(30) to V(86400). It is renewed at every step and during long
        waits. With O(state=held) the next step gives it the time of its own again, so that it can be made to last for
        something during which nobody renews it.
    type: int
    default: 300
  take_over:
    description:
      - Take the Lease of another holder, and go on with its run, when that Lease is expired. A Lease that is not expired, or
        whose ansible-playbook is alive on this machine, is never taken.
    type: bool
    default: false
  plan:
    description: What is kept about the plan in the journal, for O(state=started). More than 128 KiB are left out.
    type: dict
    default: {}
  plan_digest:
    description: Digest of the plan, for O(state=started).
    type: str
    default: ""
  healthy:
    description:
      - What was healthy before the run, as M(podnet.upkeep.cluster_health_gate) returns it, for O(state=started). It is kept
        until the run ends, so that a run that is gone on with is held to it.
    type: dict
    default: {}
  window_end:
    description:
      - Until when another Node may be begun, as V(HH:MM) of this machine's clock or as a moment to come with its offset. It
        is written into the journal with O(state=started), and a run that is gone on with gets a new one.
    type: str
    default: ""
  node:
    description: Node that O(entry) or O(uid) is about.
    type: str
    default: ""
  uid:
    description: Uid that the Node must have, for O(state=held). Empty means any.
    type: str
    default: ""
  entry:
    description: Where the Node is, for O(state=recorded), at most 16 KiB; C(step) is required in it.
    type: dict
    default: {}
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38
notes:
  - Everything is in one namespace, so a Role is enough. It must allow C(get) and C(patch) of the Lease and of the ConfigMap
    C(podnet-upkeep-NAME), C(get) of those of the kinds that O(name) keeps apart from, C(get) and C(patch) of the Secret
    C(podnet-upkeep-NAME-images), and C(create) of Leases (C(coordination.k8s.io)), ConfigMaps and Secrets, which RBAC cannot
    limit to a name.
  - To ask for the time of the API server, a Lease is created in a dry run, which stores nothing.
  - With O(uid), C(get) of the Node is needed.
  - Names and times are in the Lease and the ConfigMap, and before-images, which have annotations of Nodes, in the Secret.
    Allow reading of it only to those who repair.
seealso:
  - module: podnet.upkeep.node_registration
"""

EXAMPLES = r"""
- name: Begin, or go on with what was begun
  podnet.upkeep.maintenance_run:
    state: started
    plan_digest: "{{ plan.digest }}"
    window_end: "04:30"
  register: run

- name: Ask before the next Node
  podnet.upkeep.maintenance_run:
    state: checkpoint
    holder: "{{ run.holder }}"
  register: checkpoint

- name: Release the lock
  podnet.upkeep.maintenance_run:
    state: finished
    holder: "{{ run.holder }}"
"""

RETURN = r"""
held_by:
  description: Who has the Lease now, when this run has lost it. Empty when nobody has.
  returned: when the module fails because the Lease is lost
  type: str
  sample: "admin@bastion 1f0c2a #9d3e5a01"
holder:
  description: Who holds the Lease after this; for O(state=inspected), who holds it now (empty when nobody does).
  returned: success
  type: str
  sample: "admin@bastion 1f0c2a #9d3e5a01"
expired:
  description: Whether the Lease is expired; not set when there is none or its time may not be asked for.
  returned: O(state=inspected)
  type: bool
  sample: false
abandoned:
  description:
    - Whether a run was killed when all its Nodes were in service, and has left its Lease or its journal as they were. With
      O(state=started) and then O(state=finished) it is brought to its end.
  returned: O(state=inspected)
  type: bool
  sample: false
interrupted:
  description: Whether the run before this one did not come to its end.
  returned: O(state=started)
  type: bool
  sample: false
healthy:
  description: What was healthy before this run, or before the interrupted one that it goes on with.
  returned: O(state=started)
  type: dict
  sample: {"workloads": {}, "budgets": {}, "nodes": ["w1"], "critical": []}
put_aside:
  description:
    - Sentences about before-images in O(state_dir) that were moved to its folder C(completed), because their Nodes were brought
      back from another machine.
  returned: O(state=started)
  type: list
  elements: str
  sample: []
lease:
  description: Namespace and name of the Lease, which the journal has as well.
  returned: success
  type: str
  sample: kube-system/podnet-upkeep-reassign-pod-cidrs
resumed:
  description: Whether an earlier run is gone on with, because it had begun Nodes that are not back in service.
  returned: success
  type: bool
  sample: false
unfinished_nodes:
  description: Nodes that were begun and are not back in service.
  returned: success
  type: list
  elements: str
  sample: []
may_continue:
  description: Whether another Node may be begun.
  returned: success
  type: bool
  sample: true
reason:
  description: Why no other Node may be begun; empty when one may.
  returned: success
  type: str
  sample: "The window ended at 2026-11-01T04:30:00+01:00."
journal:
  description: What the journal says about the run and its Nodes.
  returned: success
  type: dict
  sample:
    run: {"holder": "admin@bastion 1f0c2a #9d3e5a01", "plan_digest": "sha256:5a1e", "result": ""}
    nodes: {"w1": {"node": "w1", "step": "completed"}}
    stop: false
"""

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.image_store import ImageStore
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_holder import holder_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_process import playbook_process
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

_SHORTEST_LEASE = 30
_LONGEST_LEASE = 86400
# of Lease, ConfigMap and Secret podnet-upkeep-NAME-images, whose names have at most 253 characters
_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$")
_HOLDER = re.compile(r"^[ -~]{1,200}$")


def _check(options: t.Mapping[str, t.Any]) -> None:
    if not _NAME.match(options["name"]):
        raise InputError(
            f"name: '{options['name']}' cannot be part of a name in Kubernetes; give up to 100 lower-case letters, digits "
            "and hyphens."
        )
    if options["holder"] and not _HOLDER.match(options["holder"]):
        raise InputError(
            "holder: it is not a line of up to 200 printable ASCII characters; give a name such as user@host."
        )
    if not _SHORTEST_LEASE <= options["lease_seconds"] <= _LONGEST_LEASE:
        raise InputError(
            f"lease_seconds: {options['lease_seconds']} is shorter than steps of a run may take, or too long to wait for; "
            f"give {_SHORTEST_LEASE} to {_LONGEST_LEASE}, such as 300."
        )
    if options["uid"] and not options["node"]:
        raise InputError(f"uid: {options['uid']} is the uid of a Node; give its name as node.")
    if options["state"] == "recorded" and not (options["node"] and options["entry"].get("step")):
        raise InputError("entry: node and step are needed; give node, and at least {step: NAME}.")


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    _check(options)
    holder = options["holder"] or holder_of(options["state_dir"], write=not module.check_mode)
    run = MaintenanceRun(
        KubeClient.from_options(options),
        RunOptions(
            name=options["name"],
            namespace=options["namespace"],
            holder=holder,
            lease_seconds=options["lease_seconds"],
            take_over=options["take_over"],
            window_end=options["window_end"],
            plan=options["plan"],
            plan_digest=options["plan_digest"],
            healthy=options["healthy"],
            check_mode=module.check_mode,
            process=playbook_process() if options["state"] == "started" else None,
        ),
    )
    acts: dict[str, t.Callable[[], dict[str, t.Any]]] = {
        "started": run.start,
        "checkpoint": run.checkpoint,
        "held": lambda: run.hold(options["node"], options["uid"]),
        "recorded": lambda: run.record(options["node"], options["entry"]),
        "finished": lambda: run.end("finished"),
        "stopped": lambda: run.end("stopped"),
        "inspected": run.info,
    }
    result = acts[options["state"]]()
    if options["state"] == "started":
        result["put_aside"] = [] if module.check_mode else _put_aside(options)
        for sentence in result["put_aside"]:
            module.warn(sentence)
    return result


def _put_aside(options: t.Mapping[str, t.Any]) -> list[str]:
    """Before-images of this machine that another one has finished with."""
    journal = Journal(KubeClient.from_options(options), options["name"], options["namespace"])
    return ImageStore(options["state_dir"], journal).put_aside_finished()


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            "name": {"type": "str", "default": "reassign-pod-cidrs"},
            "namespace": {"type": "str", "default": "kube-system"},
            "state": {
                "type": "str",
                "choices": ["started", "checkpoint", "held", "recorded", "finished", "stopped", "inspected"],
                "required": True,
            },
            "holder": {"type": "str", "default": ""},
            "state_dir": {"type": "path", "default": "~/.local/state/podnet-upkeep"},
            "lease_seconds": {"type": "int", "default": 300},
            "take_over": {"type": "bool", "default": False},
            "plan": {"type": "dict", "default": {}},
            "plan_digest": {"type": "str", "default": "", "no_log": False},
            "healthy": {"type": "dict", "default": {}},
            "window_end": {"type": "str", "default": ""},
            "node": {"type": "str", "default": ""},
            "uid": {"type": "str", "default": ""},
            "entry": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
