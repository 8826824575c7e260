# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Others who take Nodes out, or who must be there: kured, a Cluster Autoscaler, the allocator of ClusterCIDR objects."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import (
    ABSENT,
    STABLE,
    Objection,
    watched_leader,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_node import NodePlan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

# kured: pkg/daemonsetlock
_KURED_LOCKS = ("weave.works/kured-node-lock", "kured.dev/node-lock")
_AUTOSCALER = "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status"
_OF_AUTOSCALER = "cluster-autoscaler"
# of its Helm chart, and where its manifests may be put
_ALLOCATOR_NAMESPACES = ("nodeipam", "kube-system")


def reboots(client: KubeClient, context: Context) -> list[Objection]:
    """Whether kured has the lock of a reboot now: two Nodes would be out at once."""
    found = []
    for known in context.state.of("daemonsets"):
        if "kured" not in name_of(known):
            continue
        name, namespace = name_of(known), known["metadata"].get("namespace")
        daemon_set = client.find(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}")
        holder = _kured_holder(daemon_set) if daemon_set is not None else ""
        if holder:
            reason = f"kured (DaemonSet {name}) holds its lock for Node {holder}, which it restarts"
            found.append(Objection("reboot-under-way", reason, "reboot-under-way"))
    return found


def _kured_holder(daemon_set: Object) -> str:
    annotations = daemon_set["metadata"].get("annotations") or {}
    for key in _KURED_LOCKS:
        if annotations.get(key):
            try:
                lock = json.loads(annotations[key])
            except ValueError:
                return "of an unreadable lock"
            return (
                str(lock.get("nodeID") or "of an unknown name") if isinstance(lock, dict) else "of an unreadable lock"
            )
    return ""


def cluster_autoscaler(client: KubeClient, plans: Sequence[NodePlan]) -> tuple[list[Objection], list[str]]:
    """A risk where a Cluster Autoscaler runs and could remove one of these machines, a warning where it cannot.

    It removes a machine whose Node is away for --max-node-provision-time (15 minutes), and one whose Node stands empty
    for --scale-down-unneeded-time (10 minutes): a run that stops half-way leaves both behind.
    """
    where = _autoscaler(client)
    if where is None:
        return [], []
    windows = (
        "it removes a machine whose Node is absent for longer than its --max-node-provision-time (15 minutes), or is empty "
        "for longer than its --scale-down-unneeded-time (10 minutes)"
    )
    removable = [plan.name for plan in plans if "cloud-provider" in plan.provider_risks]
    if not removable:
        return [], [f"A Cluster Autoscaler runs ({where}): {windows}, so do not leave a run half-way."]
    reason = (
        f"A Cluster Autoscaler runs ({where}): {windows}; pause it, because a run may stop half-way on "
        f"{', '.join(removable[:5])}"
    )
    return [Objection("cluster-autoscaler", reason, "cluster-autoscaler")], []


def _autoscaler(client: KubeClient) -> str | None:
    """What shows that one runs: its status, which it may have in another namespace or not write, or a Deployment of it."""
    if client.find(_AUTOSCALER) is not None:
        return "ConfigMap kube-system/cluster-autoscaler-status"
    try:
        deployments = client.list("/apis/apps/v1/deployments")
    except ApiError as error:
        if error.status != 403:
            raise
        return None  # the refusal that names what the credentials lack has it
    for one in deployments:
        spec = one.get("spec") or {}
        pod = (spec.get("template") or {}).get("spec") or {}
        images = [str(container.get("image") or "") for container in pod.get("containers") or ()]
        if spec.get("replicas") != 0 and any(_OF_AUTOSCALER in text for text in (name_of(one), *images)):
            return f"Deployment {one['metadata'].get('namespace')}/{name_of(one)}"
    return None


def cluster_cidr_allocator(client: KubeClient, *, settle_seconds: float, clock: Clock | None = None) -> list[Objection]:
    """Whether node-ipam-controller leads: without it nobody gives podCIDRs out of ClusterCIDRs."""
    verdicts = []
    for namespace in _ALLOCATOR_NAMESPACES:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/node-ipam-controller"
        verdict = watched_leader(client, path, settle_seconds=settle_seconds, clock=clock)
        if verdict == STABLE:
            return []
        verdicts.append(verdict)
    if set(verdicts) == {ABSENT}:
        reason = (
            f"There is no Lease node-ipam-controller in namespace {' or '.join(_ALLOCATOR_NAMESPACES)}, so it is unknown "
            "whether anybody gives podCIDRs out of the ClusterCIDRs"
        )
    else:
        reason = "node-ipam-controller does not lead, or restarts again and again, so nobody gives podCIDRs"
    return [Objection("cluster-cidr-allocator", reason, "cluster-cidr-allocator")]
