# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What speaks against removing a Node whose kubelet is silent: of the cluster, and of the Node.

A Node that is removed although its machine lives loses more than it had: its pods are started a second time, its volumes
are attached twice, and some providers destroy the machine. So silence alone is never enough.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Collection, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.controller_manager_loop import exits_at
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, condition, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import deletion_refusals, is_control_plane
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import cluster_preflight
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.block_budget import sharing_a_block
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import Places
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_permissions import missing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import is_unschedulable

_ZONE = "topology.kubernetes.io/zone"
_DUPLICATE_RELEASES = re.compile(r"^v1\.31\.[0-3]($|[^0-9])")
_REASSIGN = "reassign-pod-cidrs"
_STOP_KUBELETS: Mapping[str, str] = {_REASSIGN: "registers Nodes anew", "retire-nodes": "retires Nodes"}
#: Refusals that stand for a living machine, where a person may know that it does not live any more.
_OVERRIDES: Mapping[str, str] = {"machine-is-terminated": "machine-is-terminated"}


def of_cluster(
    client: KubeClient, context: Context, *, max_share: float, settle_seconds: float, namespace: str
) -> list[Objection]:
    """Why no Node may be removed now. Raises ApiError."""
    found = missing(client, "remove_unreachable_nodes", Places(run=namespace))
    found += cluster_preflight.unreadable(context)
    if found:
        return found
    found += cluster_preflight.garbage_collection(client)
    found += cluster_preflight.controller_manager(client, settle_seconds=settle_seconds, exits_at=exits_at(context))
    found += too_many(context.state.nodes, max_share)
    found += _other_run(client, namespace)
    return found


def too_many(nodes: Sequence[Object], max_share: float) -> list[Objection]:
    """Whether so many Nodes are unreachable that the network, and not their machines, may be what is gone.

    One Node may always be; else at most this share of the cluster. The node lifecycle controller stops to evict for the
    same reason (``--unhealthy-zone-threshold``, and all Nodes of a zone).
    """
    out = [node for node in nodes if condition(node, "Ready") != "True"]
    most = max(1, int(max_share * len(nodes)))
    found = []
    if len(out) > most or (out and len(out) == len(nodes)):
        reason = (
            f"{len(out)} of {len(nodes)} Nodes are not Ready, more than the {most} that may be gone at once (max_share "
            f"{max_share:g}): it is more likely that the control plane or a network is cut off than that their machines "
            "are gone"
        )
        found.append(Objection("too-many-unreachable", reason))
    zones: dict[str, list[Object]] = {}
    for node in nodes:
        zones.setdefault(((node.get("metadata") or {}).get("labels") or {}).get(_ZONE, ""), []).append(node)
    for zone, members in sorted(zones.items()):
        if zone and len(members) > 1 and all(condition(node, "Ready") != "True" for node in members):
            reason = f"No Node of zone {zone} is Ready ({len(members)} Nodes), so the zone may be cut off and not gone"
            found.append(Objection("whole-zone", reason, "whole-zone"))
    return found


def _other_run(client: KubeClient, namespace: str) -> list[Objection]:
    """Runs that stop kubelets on purpose: while one is under way, silence means nothing."""
    found = []
    for name, does in _STOP_KUBELETS.items():
        lease = RunLease(client, name, namespace, "").state()
        if lease is not None and lease.holder and not lease.expired:
            reason = (
                f"{lease.holder} {does} since {lease.since} (Lease {namespace}/podnet-upkeep-{name}), which stops their kubelets "
                "on purpose; wait until that run is over"
            )
            found.append(Objection("other-run", reason))
    return found


def unfinished_nodes(client: KubeClient, namespace: str) -> list[str]:
    """Nodes that a re-registration has begun and not finished. Raises JournalError, ApiError."""
    known = Journal(client, _REASSIGN, namespace).load()
    return known.unfinished() if known is not None else []


def of_node(
    context: Context,
    node: Object,
    pods: Sequence[Object],
    volumes: Collection[str],
    *,
    unfinished: Collection[str],
    powered_off: Collection[str],
) -> list[Objection]:
    """Why this Node must not be removed, its silence left aside. ``pods`` are the pods that are bound to it."""
    name = name_of(node)
    found = [
        Objection(one.code, f"Node {name}: {one.reason}", one.override or _OVERRIDES.get(one.code))
        for one in deletion_refusals(node)
    ]
    etcd = next((pod for pod in pods if _is_etcd(pod)), None)
    if is_control_plane(node) or etcd is not None:
        why = "belongs to the control plane" if etcd is None else f"runs the etcd member {name_of(etcd)}"
        reason = f"Node {name} {why}: remove the member from etcd, and then the Node, by the means of your distribution"
        found.append(Objection("etcd-member", reason))
    if name in unfinished:
        reason = f"Node {name} is being registered anew by a run that did not end; finish it with reassign_pod_cidrs"
        found.append(Objection("unfinished-reassignment", reason))
    if is_unschedulable(node):
        reason = f"Node {name} is cordoned, so somebody may be working on its machine"
        found.append(Objection("cordoned-node", reason, "cordoned-node"))
    found += _of_release(context, node)
    sharing = sharing_a_block(name, context.node_cidrs, context.pools)
    if sharing:
        reason = f"Node {name} shares a block of the allocator with {', '.join(sharing[:5])}, which deleting it frees"
        found.append(Objection("shared-block", reason, "shared-block"))
    if name not in powered_off:
        found += _machine_may_run(name, pods, volumes)
    return found


def _of_release(context: Context, node: Object) -> list[Objection]:
    version = context.state.server_version or ""
    finalizers = (node.get("metadata") or {}).get("finalizers")
    if not finalizers or not _DUPLICATE_RELEASES.match(version):
        return []
    reason = (
        f"Node {name_of(node)} has finalizers, and kube-controller-manager {version} gives its block away while it still "
        "exists (fixed in 1.31.4)"
    )
    return [Objection("duplicate-cidr-release", reason)]


def _machine_may_run(name: str, pods: Sequence[Object], volumes: Collection[str]) -> list[Objection]:
    """What would be there twice if the machine still ran, cut off from the network."""
    single = sorted(f"{pod['metadata'].get('namespace')}/{name_of(pod)}" for pod in pods if _is_stateful(pod))
    if not single and not volumes:
        return []
    parts = []
    if volumes:
        parts.append(f"volumes are attached to it ({_some(sorted(volumes))})")
    if single:
        parts.append(f"it runs pods of StatefulSets ({_some(single)})")
    reason = (
        f"Node {name}: {' and '.join(parts)}. Should its machine still run, cut off from the network, they would be in use "
        f"twice. When you know that it is switched off, say so with powered_off: [{name}]"
    )
    return [Objection("machine-may-run", reason)]


def _is_stateful(pod: Mapping[str, t.Any]) -> bool:
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return any(one.get("controller") and one.get("kind") == "StatefulSet" for one in owners)


def _is_etcd(pod: Mapping[str, t.Any]) -> bool:
    metadata = pod.get("metadata") or {}
    component = (metadata.get("labels") or {}).get("component")
    return metadata.get("namespace") == "kube-system" and (
        component == "etcd" or str(metadata.get("name")).startswith("etcd-")
    )


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
