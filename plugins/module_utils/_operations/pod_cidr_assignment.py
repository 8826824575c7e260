# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Give a Node without podCIDRs blocks of our choice, where nobody else will: allocation is off.

The API takes podCIDRs once, from empty to a valid value, and never another one (kubernetes: pkg/apis/core/validation,
ValidateNodeUpdate). So they are chosen with care: a wrong block can only be mended by a new Node object.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.allocator import find_settings
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import internal_addresses, name_of, pod_cidrs
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool, Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import UNKNOWN
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_cidr_validation import faults
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    get_node,
    node_path,
    require_uid,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

_ATTEMPTS = 5
_LOCK = "node-pod-cidr"
_LOCK_SECONDS = 60


@dataclass(frozen=True)
class Choice:
    """podCIDRs for a Node, in the order of the cluster's families, and how many blocks are left after it."""

    pod_cidrs: list[str]
    left: dict[str, int]


def objections(context: Context) -> list[Objection]:
    """Why nobody may hand out podCIDRs by hand in this cluster."""
    found = []
    shown = find_settings(context.state)
    if context.allocator.allocate_node_cidrs is not False or shown.allocate_node_cidrs is True:
        found.append(
            Objection(
                "allocator-on",
                "kube-controller-manager allocates podCIDRs here, or it is not known that it does not "
                f"({shown.source}): it gives the Node a block as soon as one is free. Where allocation is really off and "
                "not shown, say so with allocator: {allocate_node_cidrs: false}",
            )
        )
    if not context.allocator.known:
        found.append(
            Objection(
                "allocator-unknown",
                "The cluster CIDR and the mask of the Nodes' blocks are not visible; state them with the option allocator",
            )
        )
    model = context.ipam_model
    if model.name == UNKNOWN:
        reason = f"It is not known that pods here get addresses out of Node.spec.podCIDRs ({model.evidence})"
        found.append(Objection("ipam-model-unknown", reason, "ipam-model-unknown"))
    elif not model.node_spec_is_truth:
        reason = f"Pod addresses here do not come from Node.spec.podCIDRs ({model.name}: {model.evidence})"
        found.append(Objection("ipam-model", reason))
    return found


def first_free(pool: BlockPool, taken: Iterable[Network]) -> Network | None:
    """The first block of the pool that none of these networks touches; None when there is none."""
    start = 0
    for first, last in pool.occupied(taken):
        if start < first:
            break
        start = last + 1
    return pool.block(start) if start < pool.capacity else None


def choose(context: Context, name: str) -> Choice:
    """One free block of each family: held by no Node, touched by no service range, by no address of a Node or a pod.

    Pods count because those of a Node that was deleted a moment ago may still run. Raises RefusedError without a block.
    """
    taken = [cidr for other, cidrs in context.node_cidrs.items() if other != name for cidr in cidrs]
    taken += _hosts(address for node in context.state.nodes for address in internal_addresses(node))
    taken += _hosts(str(address) for _pod, addresses in context.network_pods for address in addresses)
    chosen, left = [], {}
    for pool in context.allocator.pools():
        of_family = [one for one in taken if one.version == pool.cluster.version]
        block = first_free(pool, of_family)
        if block is None:
            raise RefusedError(
                f"No block of {pool.cluster} (/{pool.mask_size} each) is free for Node {name}: all {pool.capacity} are "
                "used by Nodes, service ranges or addresses in use. Enlarge the pool or retire a Node first."
            )
        chosen.append(str(block))
        left[f"IPv{pool.cluster.version}"] = pool.free([*of_family, block])
    return Choice(chosen, left)


def validated(context: Context, name: str, wanted: Sequence[str]) -> Choice:
    """The podCIDRs that a user names, when they are fit for this Node. Raises RefusedError saying what is wrong."""
    candidate: JsonObject = {"metadata": {"name": name}, "spec": {"podCIDRs": list(wanted)}}
    found = faults(candidate, context.state.nodes, context.allocator)
    networks = pod_cidrs(candidate)
    for node in context.state.nodes:
        for address in _hosts(internal_addresses(node)):
            found += [
                f"{cidr} contains {address.network_address}, an address of Node {name_of(node)}"
                for cidr in networks
                if cidr.version == address.version and cidr.overlaps(address)
            ]
    if found:
        raise RefusedError(f"pod_cidrs: {', '.join(wanted)} cannot be given to Node {name}: {'; '.join(found)}.", found)
    taken = [cidr for other, cidrs in context.node_cidrs.items() if other != name for cidr in cidrs]
    left = {f"IPv{pool.cluster.version}": pool.free([*taken, *networks]) for pool in context.allocator.pools()}
    return Choice([str(one) for one in networks], left)


class PodCidrAssignment:
    """Writes podCIDRs into one Node; a Lease keeps two of us from choosing the same block."""

    def __init__(self, client: KubeClient, namespace: str, *, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock or Clock()
        holder = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lease = RunLease(client, _LOCK, namespace, holder, _LOCK_SECONDS)

    def __enter__(self) -> PodCidrAssignment:
        def probe() -> bool | Pending:
            try:
                self._lease.acquire(take_over=True)
            except RefusedError as error:
                return Pending(str(error))
            return True

        wait_for("nobody else hands out podCIDRs", probe, timeout=2 * _LOCK_SECONDS, clock=self._clock)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._lease.release()

    def assign(self, name: str, uid: str, wanted: Sequence[str], settings: AllocatorSettings) -> JsonObject:
        """The Node with its podCIDRs. Raises RefusedError when it got others meanwhile, or shares them with a Node."""
        for _attempt in range(_ATTEMPTS):
            node = get_node(self._client, name)
            require_uid(node, uid)
            if pod_cidrs_of(node):
                raise RefusedError(
                    f"Node {name} got podCIDRs {', '.join(pod_cidrs_of(node))} from somebody else meanwhile; nothing was "
                    "changed."
                )
            body = {
                "metadata": {"uid": uid, "resourceVersion": node["metadata"]["resourceVersion"]},
                "spec": {"podCIDR": wanted[0], "podCIDRs": list(wanted)},
            }
            try:
                node = self._client.patch(node_path(name), body)
            except ApiError as error:
                if error.status != 409:
                    raise
                continue
            found = faults(node, self._client.list("/api/v1/nodes"), settings)
            if found:
                raise RefusedError(
                    f"Node {name} has podCIDRs {', '.join(wanted)} now, but {'; '.join(found)}: somebody else took them at "
                    "the same time. Register the Node anew with reassign_pod_cidrs."
                )
            return node
        raise RefusedError(
            f"Node {name} was changed by others {_ATTEMPTS} times while it was to get podCIDRs; try again."
        )


def _hosts(addresses: Iterable[str]) -> list[Network]:
    found: list[Network] = []
    for text in addresses:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            continue
    return found
