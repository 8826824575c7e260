#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: workload_rollout
short_description: Restart a Deployment or DaemonSet, and wait until it is healthy again
version_added: 0.1.0
description:
  - With O(method=rollout) restarts as C(kubectl rollout restart) does and waits as C(kubectl rollout status) does, but gives
    up as soon as a container fails again and again, and says which.
  - With O(method=node_by_node) restarts a DaemonSet on one node after the other. Its pod is deleted by uid, and the next node
    begins when the new pod is Ready, the node's CiliumEndpoints that were ready are so again, and the cluster is as healthy
    as it was before the restart.
  - With O(newer_than) only pods that were not created after that moment are restarted, so a second run changes nothing. A
    restart that was begun already is waited for, and not begun again.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
  - podnet.upkeep.run
  - podnet.upkeep.run.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(newer_than). Without it every run restarts all pods.
options:
  kind:
    description: Kind of the workload.
    type: str
    choices: [Deployment, DaemonSet]
    required: true
  name:
    description: Name of the workload.
    type: str
    required: true
  namespace:
    description: Namespace of the workload.
    type: str
    default: kube-system
  newer_than:
    description:
      - Restart only pods that were not created after this moment, such as C(2026-11-01T06:00:00Z). Empty restarts all.
      - Times of the API have whole seconds, so a pod that was created in this very second counts as older.
    type: str
    default: ""
  method:
    description:
      - V(rollout) leaves the pace to the update strategy of the workload.
      - V(node_by_node) is for DaemonSets, also for those with the update strategy C(OnDelete).
    type: str
    choices: [rollout, node_by_node]
    default: rollout
  nodes:
    description:
      - Nodes to restart the pods of, in this order, for O(method=node_by_node). Empty means all that have one.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait for the whole workload with O(method=rollout), or for one node.
    type: int
    default: 600
  max_restarts:
    description: How often a container may fail before waiting is given up. V(0) waits until O(timeout).
    type: int
    default: 3
  leader_lease:
    description:
      - Name of a Lease in O(namespace) that one of the pods has to hold in the end, for O(method=rollout). A program such as the
        cilium-operator is Ready while it waits to lead, and a value may stop it only then. Empty waits for nobody.
    type: str
    default: ""
  settle_seconds:
    description: How long the new holder of O(leader_lease) has to lead.
    type: int
    default: 15
  wait_for_endpoints:
    description:
      - With O(method=node_by_node), wait until the CiliumEndpoints of the node that were ready before are ready again. There
        are none to wait for without Cilium.
    type: bool
    default: true
  health_gate:
    description:
      - Wait after the restart, or after each node, until the cluster is as healthy as before. This reads the workloads, the
        Nodes and what the critical findings of the audit need.
    type: bool
    default: true
  health_timeout:
    description: Seconds to wait for that.
    type: int
    default: 600
seealso:
  - module: podnet.upkeep.cilium_config
  - module: podnet.upkeep.cluster_health_gate
"""

EXAMPLES = r"""
- name: Restart the cilium-operator if it has not read the configuration of now
  podnet.upkeep.workload_rollout:
    kind: Deployment
    name: cilium-operator
    newer_than: "{{ config.changed_at }}"
    leader_lease: cilium-operator-resource-lock

- name: Restart the agents of two nodes
  podnet.upkeep.workload_rollout:
    kind: DaemonSet
    name: cilium
    method: node_by_node
    nodes: [w1, w2]
"""

RETURN = r"""
plan:
  description: In words what is done, or in check mode would be.
  returned: success
  type: str
  sample: "Deployment kube-system/cilium-operator: 2 of its 2 pods are older"
pods:
  description: The pods that were restarted, or in check mode would be.
  returned: success
  type: list
  elements: dict
  sample:
    - name: cilium-operator-6c859f7d4-j2m2c
      node: w1
      uid: 5e3c7a8e-7c6e-4a0a-9e2b-0f1d2c3b4a59
      created: "2026-11-01T05:59:00Z"
nodes_without_pod:
  description: Nodes of O(nodes) on which the DaemonSet has no pod.
  returned: success
  type: list
  elements: str
  sample: []
restarted_nodes:
  description: Nodes whose pod was restarted, for O(method=node_by_node).
  returned: O(method=node_by_node), also on failure
  type: list
  elements: str
  sample: [w1, w2]
remaining_nodes:
  description: Nodes that are left.
  returned: failure of O(method=node_by_node)
  type: list
  elements: str
  sample: [w3]
pods_not_ready:
  description: Pods that do not start, with the reason.
  returned: failure, when pods do not start
  type: list
  elements: dict
  sample: [{"pod": "cilium-operator-6c859f7d4-j2m2c", "node": "w1", "trouble": "CrashLoopBackOff after 3 restarts", "restarts": 3}]
seconds:
  description: How long it took.
  returned: success, not in check mode
  type: float
  sample: 12.5
"""

import datetime
import time
import typing as t
from collections.abc import Callable, Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_readiness import EndpointReadiness
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.health_gate import HealthGate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout import Rollout
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_nodes import NodeByNode
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_pods import (
    WaitSettings,
    Workload,
    node_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    heartbeat_of,
    progress_argument_spec,
    progress_of,
    run_argument_spec,
)

_NODE_BY_NODE = "node_by_node"


def _workload(params: t.Mapping[str, t.Any]) -> Workload:
    """The options as the operation wants them. Raises InputError."""
    text = params["newer_than"].strip()
    newer_than: datetime.datetime | None = moment(text)
    if text and newer_than is None:
        raise InputError(f"newer_than: '{text}' is no moment; write it as 2026-11-01T06:00:00Z.")
    if params["kind"] == "Deployment" and params["method"] == _NODE_BY_NODE:
        raise InputError("method: node_by_node is for a DaemonSet; leave it out for a Deployment.")
    if params["nodes"] and params["method"] != _NODE_BY_NODE:
        raise InputError("nodes: a rollout restarts the pods of all nodes; set method: node_by_node as well.")
    return Workload(params["kind"], params["namespace"], params["name"], newer_than)


def _stop_switch(params: t.Mapping[str, t.Any], client: KubeClient) -> Callable[[], str]:
    """Whether another node may be begun: in words why not."""
    run = params["run"]
    if not run:
        return lambda: ""
    options = RunOptions(run["name"], run["namespace"], run["holder"], run["lease_seconds"])
    lock = MaintenanceRun(client, options)

    def reason() -> str:
        answer = lock.checkpoint()
        return "" if answer["may_continue"] else str(answer["reason"] or "the run is to stop")

    return reason


def _diff(what: Workload, pods: Sequence[JsonObject], *, done: bool) -> dict[str, str]:
    lines = [f"{node_of(pod) or 'no node'}: {_entry(pod)['name']} of {_entry(pod)['created']}\n" for pod in pods]
    after = [f"{node_of(pod) or 'no node'}: a new pod\n" for pod in pods] if done else lines
    return {
        "before_header": f"pods of {what.words}",
        "after_header": f"pods of {what.words}",
        "before": "".join(lines),
        "after": "".join(after),
    }


def _entry(pod: JsonObject) -> dict[str, str]:
    metadata = pod["metadata"]
    created = str(metadata.get("creationTimestamp") or "")
    return {"name": str(metadata["name"]), "node": node_of(pod), "uid": str(metadata["uid"]), "created": created}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan, restart, wait."""
    params = module.params
    what = _workload(params)
    client = KubeClient.from_options(params)
    heartbeat = heartbeat_of(params, client, check_mode=module.check_mode)
    if heartbeat is not None:
        heartbeat()
    progress = progress_of(params, check_mode=module.check_mode)
    settings = WaitSettings(
        params["timeout"],
        params["max_restarts"],
        params["leader_lease"],
        params["settle_seconds"],
        heartbeat=heartbeat,
    )
    if progress is not None:
        settings.progress = progress
    gate = HealthGate(client, audit_settings(params), heartbeat=heartbeat, progress=progress)
    before = gate.capture() if params["health_gate"] and not module.check_mode else None

    def recovered() -> None:
        if before is not None:
            gate.wait(before, params["health_timeout"])

    started = time.monotonic()
    without: Sequence[str] = ()
    more: dict[str, t.Any] = {}
    if params["method"] == _NODE_BY_NODE:
        endpoints = EndpointReadiness(client) if params["wait_for_endpoints"] else None
        nodes = NodeByNode(
            client,
            what,
            settings,
            between=recovered,
            may_continue=_stop_switch(params, client),
            endpoints=endpoints,
        )
        planned = nodes.plan(params["nodes"])
        pods, without, changed = planned.old, planned.without, bool(planned.old)
        words = f"{len(pods)} of {len(planned.pods)} pods are restarted, one node at a time"
        if not module.check_mode:
            more["restarted_nodes"] = nodes.run(planned)
    else:
        rollout = Rollout(client, what, settings)
        plan = rollout.plan()
        pods, words, changed = plan.old, plan.why, plan.restart
        if not module.check_mode:
            rollout.run(plan)
            if plan.old:
                recovered()
    if not module.check_mode:
        more["seconds"] = round(time.monotonic() - started, 1)
    return {
        "changed": changed,
        "plan": f"{what.words}: {words}",
        "pods": [_entry(pod) for pod in pods],
        "nodes_without_pod": list(without),
        "diff": _diff(what, pods, done=changed),
        **more,
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            **run_argument_spec(),
            **progress_argument_spec(),
            "kind": {"type": "str", "choices": ["Deployment", "DaemonSet"], "required": True},
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "default": "kube-system"},
            "newer_than": {"type": "str", "default": ""},
            "method": {"type": "str", "choices": ["rollout", _NODE_BY_NODE], "default": "rollout"},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 600},
            "max_restarts": {"type": "int", "default": 3},
            "leader_lease": {"type": "str", "default": ""},
            "settle_seconds": {"type": "int", "default": 15},
            "wait_for_endpoints": {"type": "bool", "default": True},
            "health_gate": {"type": "bool", "default": True},
            "health_timeout": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
