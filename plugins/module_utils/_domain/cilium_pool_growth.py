# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A pool of Cilium that gets further CIDRs: what it would be afterwards, and every reason against it.

CIDRs are appended only: elements that are there keep their text and their place, and the mask size stays, because the
operator books the blocks that Nodes have by them (pkg/ipam/allocator/clusterpool, multipool of cilium/cilium).
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import ChangeObjection
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    CiliumPool,
    make_pool,
)

_SHOWN = 5


@dataclass(frozen=True)
class Taken:
    """Addresses that something else uses or may use. ``risk`` is the name by which an overlap can be accepted, if any."""

    network: Network
    what: str
    risk: str = ""


@dataclass(frozen=True)
class Held:
    """A block that a CiliumNode has, and the pool it says it is of."""

    node: str
    pool: str
    network: Network


@dataclass(frozen=True)
class PoolGrowth:
    """One pool in one family: as it is, as it would be, and the CIDRs that make the difference."""

    before: CiliumPool
    after: CiliumPool
    added: tuple[Network, ...]

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.before.version

    @property
    def blocks(self) -> int:
        """Blocks that come with the added CIDRs: in cluster-pool mode each serves one Node."""
        return self.after.capacity - self.before.capacity


def wanted_networks(texts: Iterable[str]) -> list[Network]:
    """The CIDRs that are to be there, each once. Raises CidrError where one is none, or is not written as its network."""
    found: list[Network] = []
    for text in texts:
        network = parse_network(text)
        address = text.strip().partition("/")[0]
        if "/" not in text or parse_network(address).network_address != network.network_address:
            raise CidrError(f"'{text}' is not the beginning of a range; write it as {network}")
        if network not in found:
            found.append(network)
    return found


def grow(name: str, version: int, texts: Sequence[str], mask_size: t.Any, wanted: Iterable[Network]) -> PoolGrowth:
    """The pool of these CIDR texts with those of ``wanted`` that are of its family and not in it yet."""
    before = make_pool(name, version, texts, mask_size)
    there = {network for text in texts if (network := _network(text)) is not None}
    added = tuple(one for one in wanted if one.version == version and one not in there)
    after = make_pool(name, version, [*texts, *map(str, added)], mask_size)
    return PoolGrowth(before, after, added)


def objections(key: str, growth: PoolGrowth, taken: Sequence[Taken], held: Sequence[Held]) -> Iterator[ChangeObjection]:
    """Every reason against appending; ``key`` is what the sentences are about. Nothing to append, nothing against it."""
    if not growth.added:
        return
    for problem in growth.before.problems:
        yield ChangeObjection(key, f"the pool is not sound as it is ({problem}); mend that first")
    for network in growth.added:
        inside = [str(one) for one in growth.before.cidrs if one.overlaps(network)]
        if inside:
            reason = f"{network} overlaps {', '.join(inside)}, which the pool has already"
            yield ChangeObjection(key, f"{reason}; add a range that is apart from it")
    overlapping = {str(one) for one in growth.added if any(one.overlaps(other) for other in growth.before.cidrs)}
    for problem in growth.after.problems:
        if problem not in growth.before.problems and not any(
            problem.startswith(f"{one} in pool") for one in overlapping
        ):
            yield ChangeObjection(key, problem)
    for network in growth.added:
        yield from _of_taken(key, network, taken)
        yield from _of_held(key, network, growth, held)


def _of_taken(key: str, network: Network, taken: Sequence[Taken]) -> Iterator[ChangeObjection]:
    """One objection for each way to accept it."""
    by_risk: dict[str, list[str]] = {}
    for one in taken:
        if one.network.version == network.version and one.network.overlaps(network):
            by_risk.setdefault(one.risk, []).append(one.what)
    for risk, words in sorted(by_risk.items()):
        more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
        yield ChangeObjection(key, f"{network} overlaps {'; '.join(words[:_SHOWN])}{more}", risk)


def _of_held(key: str, network: Network, growth: PoolGrowth, held: Sequence[Held]) -> Iterator[ChangeObjection]:
    """Blocks inside that Nodes have already: the operator takes them over only where they fit, and have one owner."""
    inside = [one for one in held if one.network.version == network.version and one.network.overlaps(network)]
    for one in inside[:_SHOWN]:
        others = [other.node for other in inside if other is not one and other.network.overlaps(one.network)]
        if one.pool != growth.before.name:
            reason = f"{network} overlaps {one.network}, which CiliumNode {one.node} has of pool {one.pool}"
        elif one.network.prefixlen != growth.before.mask_size or one.network.prefixlen < network.prefixlen:
            reason = (
                f"CiliumNode {one.node} has {one.network} in {network}, which is no block of /{growth.before.mask_size}"
            )
        elif others:
            reason = f"{one.network} in {network} is held by CiliumNode {one.node} and by {', '.join(others[:_SHOWN])}"
        else:
            continue
        yield ChangeObjection(key, reason)


def taken_over(growth: PoolGrowth, held: Sequence[Held]) -> list[str]:
    """CiliumNodes that hold blocks of the added CIDRs already, which the operator books for them when it starts."""
    return sorted({one.node for one in held if any(_same_family(one.network, added) for added in growth.added)})


def _same_family(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def removed_in_use(
    key: str, before: Sequence[str], after: Sequence[str], held: Sequence[Held]
) -> Iterator[ChangeObjection]:
    """Against taking CIDRs out of the cluster pool of which Nodes have blocks: they would hold addresses of no pool."""
    kept = {network for text in after if (network := _network(text)) is not None}
    gone = [network for text in before if (network := _network(text)) is not None and network not in kept]
    for network in gone:
        nodes = [one.node for one in held if one.pool == CLUSTER_POOL and _same_family(one.network, network)]
        if nodes:
            more = f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else ""
            yield ChangeObjection(
                key,
                f"it would take {network} out of the pool, of which {', '.join(sorted(nodes)[:_SHOWN])}{more} have blocks; "
                "their pods would keep addresses that the operator does not know",
            )


def _network(text: str) -> Network | None:
    try:
        return parse_network(text)
    except CidrError:
        return None
