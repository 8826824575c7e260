# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a change would do to the blocks and addresses of Nodes and to the range of identities, before it is made.

A question gets one answer: ``possible`` (None: it cannot be told), sentences, and numbers. Sources: kubernetes/kubernetes
cidr_set.go and range_allocator.go for kube-controller-manager, the documentation of cluster-pool and multi-pool for Cilium.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.block_supply import CiliumBlocks, NodeBlocks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    MULTI_POOL,
    usable_addresses,
)

# network and broadcast address and the gateway of host-local
_NOT_FOR_PODS = 3
CONTROLLER_MANAGER, CILIUM = "kube-controller-manager", "cilium-operator"


@dataclass(frozen=True)
class Answer:
    """The answer to one question. ``further_nodes`` get blocks; the Node after them is the first that gets none."""

    question: str
    allocator: str
    possible: bool | None
    sentences: Sequence[str]
    further_nodes: int | None = None
    rows: Sequence[Mapping[str, t.Any]] = ()
    numbers: Mapping[str, t.Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "question": self.question,
            "allocator": self.allocator,
            "possible": self.possible,
            "further_nodes": self.further_nodes,
            "first_node_without": None if self.further_nodes is None else self.further_nodes + 1,
            "sentences": list(self.sentences),
            "pools": [dict(row) for row in self.rows],
            **self.numbers,
        }


def of_nodes(supply: NodeBlocks | CiliumBlocks, wanted: int | None) -> Answer:
    """Whether ``wanted`` more Nodes get blocks; without a number, how many would."""
    who = CONTROLLER_MANAGER if isinstance(supply, NodeBlocks) else CILIUM
    question = "How many more Nodes get a block?" if wanted is None else f"Do {wanted} more Nodes get a block?"
    left = supply.further_nodes()
    if left is None:
        problems = supply.problems() if isinstance(supply, CiliumBlocks) else []
        return Answer(question, who, None, problems or ["it is not known what a new Node needs"])
    sentences = [_supply_sentence(left)]
    if isinstance(supply, NodeBlocks) and len(supply.pools) > 1:
        free = [row.free for row in supply.rows()]
        if min(free) != max(free):
            scarce = min(supply.rows(), key=lambda row: row.free)
            sentences.append(
                f"{scarce.family} ends first; from then on each try for a waiting Node loses a block of the other family "
                "until kube-controller-manager starts again"
            )
    if isinstance(supply, CiliumBlocks) and supply.mode == MULTI_POOL:
        asked = ", ".join(f"{number} of pool {pool}" for pool, number in supply.asked.items())
        sentences.append(f"a new Node asks for these addresses at its start: {asked}; more pods ask for more")
    waiting = supply.waiting if isinstance(supply, NodeBlocks) else max(supply.waiting.values(), default=0)
    if waiting:
        sentences.append(
            "one Node waits already, and comes first"
            if waiting == 1
            else f"{waiting} Nodes wait already, and come first"
        )
    possible = None if wanted is None else wanted <= left
    return Answer(question, who, possible, sentences, left, [row.to_dict() for row in supply.rows()])


def _supply_sentence(left: int) -> str:
    if not left:
        return "the next Node gets no block"
    return f"{left} more {'Node gets' if left == 1 else 'Nodes get'} a block, number {left + 1} gets none"


def of_masks(supply: NodeBlocks, sizes: Mapping[int, int], limits: Mapping[str, int]) -> Answer:
    """What other node masks of kube-controller-manager would mean. Nodes that exist keep what they have."""
    masks = ", ".join(f"/{size} for IPv{version}" for version, size in sorted(sizes.items()))
    question = f"What if new Nodes got blocks of {masks}?"
    families = {pool.cluster.version for pool in supply.pools}
    missing = sorted(set(sizes) - families)
    if missing:
        return Answer(question, CONTROLLER_MANAGER, False, [f"the cluster CIDR has no IPv{missing[0]}"])
    try:
        changed = supply.with_masks(sizes)
    except CidrError as error:
        return Answer(question, CONTROLLER_MANAGER, False, [str(error)])
    left, sharing = changed.further_nodes(), changed.sharing()
    others = changed.of_other_size()
    sentences = [
        f"{_supply_sentence(left)}; with the present masks {supply.further_nodes()} would",
        f"{others} podCIDRs of existing Nodes keep their size, because podCIDRs cannot be changed; only a Node that is "
        "registered again gets the new size",
    ]
    numbers: dict[str, t.Any] = {"existing_of_other_size": others, "nodes_sharing_a_block": sharing}
    if sharing:
        sentences.append(
            f"unsafe: {sharing} Nodes would share a larger block with another Node; when one of them is deleted, the whole "
            "block counts as free, and a new Node gets addresses that are in use"
        )
    room = {pool.cluster.version: _addresses(pool.cluster.max_prefixlen - pool.mask_size) for pool in changed.pools}
    numbers["addresses_per_new_node"] = {f"IPv{version}": count for version, count in room.items()}
    most = max(limits.values(), default=None)
    if most is not None and min(room.values()) < most:
        sentences.append(
            f"a new Node has {min(room.values())} addresses for pods, and kubelets here take {most} pods: lower maxPods"
        )
    return Answer(
        question,
        CONTROLLER_MANAGER,
        not sharing,
        sentences,
        left,
        [row.to_dict() for row in changed.rows()],
        numbers,
    )


def _addresses(bits: int) -> int:
    return max((1 << bits) - _NOT_FOR_PODS, 0)


def of_cilium_masks(supply: CiliumBlocks, sizes: Mapping[int, int]) -> Answer:
    """Other masks of Cilium's pools: never of a pool that is in use."""
    masks = ", ".join(f"/{size} for IPv{version}" for version, size in sorted(sizes.items()))
    question = f"What if new Nodes got blocks of {masks}?"
    if supply.mode == CLUSTER_POOL:
        text = (
            "the mask size of cluster-pool must not be changed while Nodes exist: it holds for all CIDRs of the pool, and "
            "the operator would count existing blocks anew"
        )
    else:
        text = "maskSize of a CiliumPodIPPool cannot be changed; create another pool, and let pods ask for it by annotation"
    return Answer(question, CILIUM, False, [text])


def of_ranges(supply: NodeBlocks | CiliumBlocks, cidrs: Sequence[Network], pool: str) -> Answer:
    """What further ranges would give: a larger cluster CIDR, or more CIDRs of a pool of Cilium."""
    who = CONTROLLER_MANAGER if isinstance(supply, NodeBlocks) else CILIUM
    question = f"What if {', '.join(map(str, cidrs))} were added?"
    before = supply.further_nodes()
    changed: NodeBlocks | CiliumBlocks = supply
    try:
        for cidr in cidrs:
            if isinstance(changed, NodeBlocks):
                changed = changed.with_range(cidr)
            else:
                changed = changed.with_range(cidr, CLUSTER_POOL if changed.mode == CLUSTER_POOL else pool or "default")
    except CidrError as error:
        return Answer(question, who, False, [str(error)])
    left = changed.further_nodes()
    rows = [row.to_dict() for row in changed.rows()]
    if left is None:
        problems = changed.problems() if isinstance(changed, CiliumBlocks) else []
        return Answer(question, who, None, problems or ["it is not known what a new Node needs"], None, rows)
    sentences = [f"{_supply_sentence(left)}; without the change {'it is not known' if before is None else before}"]
    if isinstance(changed, NodeBlocks):
        sentences.append(
            "the new cluster CIDR contains the old one and has the same mask, so kube-controller-manager can be restarted "
            "with it (podnet.upkeep.plan_pod_cidr_relief has the steps); routes, firewalls and the CNI must know it first"
        )
    elif changed.mode == CLUSTER_POOL:
        sentences.append("append it to the list, never change an element of it, and restart the operator")
    else:
        sentences.append("append it to the CIDRs of the CiliumPodIPPool; the operator takes it without a restart")
    return Answer(question, who, True, sentences, left, rows)


def of_new_pool(supply: NodeBlocks | CiliumBlocks, cidrs: Sequence[Network], name: str, mask_size: int) -> Answer:
    """What a further CiliumPodIPPool of these ranges would give. Nodes get a block of it when pods on them ask for it."""
    question = f"What if there were a pool {name} of {', '.join(map(str, cidrs))} in blocks of /{mask_size}?"
    if isinstance(supply, NodeBlocks):
        text = "kube-controller-manager has no pools; leave out the mask size to ask for a larger cluster CIDR"
        return Answer(question, CONTROLLER_MANAGER, False, [text])
    try:
        changed = supply.with_pool(name, cidrs, mask_size)
    except CidrError as error:
        return Answer(question, CILIUM, False, [str(error)])
    rows = [row.to_dict() for row in changed.rows()]
    sentences = []
    for pool in changed.pools:
        if pool.name != name:
            continue
        block = parse_network(f"{pool.cidrs[0].network_address}/{mask_size}")
        sentences.append(
            f"{pool.family}: {pool.capacity} blocks with {usable_addresses(block)} addresses each; a Node takes one, and more when "
            "it needs them, as soon as a pod on it asks for the pool (annotation ipam.cilium.io/ip-pool of the pod or its namespace)"
        )
    before, left = supply.further_nodes(), changed.further_nodes()
    if left is not None:
        sentences.append(
            f"{_supply_sentence(left)}; without the change {'it is not known' if before is None else before}"
        )
    if name not in changed.asked:
        sentences.append(
            "new Nodes ask for nothing of it at their start, because ipam-multi-pool-pre-allocation does not name it"
        )
    return Answer(question, CILIUM, None if changed.problems() else True, [*changed.problems(), *sentences], left, rows)
