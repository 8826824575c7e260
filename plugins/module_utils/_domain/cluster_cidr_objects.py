# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""ClusterCIDR objects: which Node is served by which of them, as their allocator decides it.

Source: kubernetes-sigs/node-ipam-controller, pkg/controller/ipam/multi_cidr_range_allocator.go and
multi_cidr_priority_queue.go (networking.x-k8s.io/v1); the in-tree allocator of Kubernetes 1.25 to 1.28
(networking.k8s.io/v1alpha1) is its origin and does the same. Two of its rules surprise:

* All terms of a nodeSelector must match, not one of them, and matchFields are looked up among the labels.
* A ClusterCIDR without nodeSelector serves Nodes only when no other one can.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    BlockPool,
    CidrError,
    Network,
    parse_network,
)

_BITS = {4: 32, 6: 128}
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Requirement:
    """One expression of a selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """As labels.Requirement of apimachinery does: NotIn holds for a label that is not there."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value in self.values
        if self.operator == "NotIn":
            return value not in self.values
        if self.operator == "Exists":
            return value is not None
        if self.operator == "DoesNotExist":
            return value is None
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        try:
            have, limit = int(value or ""), int(self.values[0])
        except (ValueError, IndexError):
            return False
        return have > limit if self.operator == "Gt" else have < limit if self.operator == "Lt" else False

    def __str__(self) -> str:
        """In the words of a label selector."""
        if self.operator in ("Exists", "DoesNotExist"):
            return self.key if self.operator == "Exists" else f"!{self.key}"
        if self.operator in ("Gt", "Lt"):
            return f"{self.key}{'>' if self.operator == 'Gt' else '<'}{','.join(self.values)}"
        word = "in" if self.operator == "In" else "notin"
        return f"{self.key} {word} ({','.join(sorted(self.values))})"


@dataclass(frozen=True)
class ClusterCidr:
    """One ClusterCIDR. ``requirements`` is None without a nodeSelector: it then serves what no other one can.

    ``terms`` counts the terms of its nodeSelector. ``problem`` says in words why the allocator cannot use it.
    """

    name: str
    pools: tuple[BlockPool, ...] = ()
    requirements: tuple[Requirement, ...] | None = None
    terms: int = 0
    deleting: bool = False
    problem: str = ""

    @property
    def capacity(self) -> int:
        """Number of Nodes it can serve at most: every family gives a Node one block."""
        return min((pool.capacity for pool in self.pools), default=0)

    @property
    def networks(self) -> tuple[Network, ...]:
        """Its ranges."""
        return tuple(pool.cluster for pool in self.pools)

    @property
    def selector(self) -> str:
        """The nodeSelector in words, as the allocator reads it."""
        if self.requirements is None:
            return "Nodes that no other ClusterCIDR serves"
        return ", ".join(sorted(map(str, self.requirements))) or "all Nodes"

    def selects(self, labels: Labels) -> bool:
        """Whether its nodeSelector matches; never without one."""
        return self.requirements is not None and all(one.matches(labels) for one in self.requirements)

    def contains(self, networks: Iterable[Network]) -> bool:
        """Whether the allocator takes all of these for its own (``Occupy`` of every family)."""
        return all(any(pool.touches(network) for pool in self.pools) for network in networks)

    def used(self, held: Iterable[Network]) -> int:
        """Blocks that are taken, of the family that has fewest left."""
        networks = list(held)
        return self.capacity - min((pool.free(networks) for pool in self.pools), default=0)

    def free(self, held: Iterable[Network]) -> int:
        """Number of further Nodes it can serve."""
        return self.capacity - self.used(held)


def parse(obj: Mapping[str, t.Any], service_ranges: Iterable[Network] = ()) -> ClusterCidr:
    """The ClusterCIDR of an API object; what its allocator would reject is kept with a ``problem``."""
    metadata, spec = obj.get("metadata") or {}, obj.get("spec") or {}
    selector = spec.get("nodeSelector")
    terms = mappings(selector.get("nodeSelectorTerms")) if isinstance(selector, Mapping) else []
    made = functools.partial(
        ClusterCidr,
        name=str(metadata.get("name", "")),
        requirements=None if selector is None else _requirements(terms),
        terms=len(terms),
        deleting=bool(metadata.get("deletionTimestamp")),
    )
    try:
        pools = tuple(_pools(spec, tuple(service_ranges)))
    except CidrError as error:
        return made(problem=str(error))
    return made(pools=pools, problem="" if pools else "it has neither an IPv4 nor an IPv6 range")


def _requirements(terms: Iterable[Mapping[str, t.Any]]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(str(one.get("key")), str(one.get("operator")), _texts(one.get("values")))
        for term in terms
        for kind in ("matchExpressions", "matchFields")
        for one in mappings(term.get(kind))
    )


def mappings(value: object) -> list[Mapping[str, t.Any]]:
    """The objects of a list; nothing where a file has something else there."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _pools(spec: Mapping[str, t.Any], service_ranges: tuple[Network, ...]) -> Iterable[BlockPool]:
    host_bits = spec.get("perNodeHostBits")
    if not isinstance(host_bits, int) or isinstance(host_bits, bool):
        raise CidrError("perNodeHostBits is not a number")
    for family, key in ((4, "ipv4"), (6, "ipv6")):
        if spec.get(key):
            cluster = parse_network(str(spec[key]))
            if cluster.version != family:
                raise CidrError(f"{key} has {cluster}, a range of the other family")
            yield BlockPool(cluster, _BITS[family] - host_bits, service_ranges)


def ordered_for(labels: Labels, objects: Iterable[ClusterCidr]) -> list[ClusterCidr]:
    """Those that may serve a new Node with these labels, in the order in which the allocator tries them.

    Most requirements first; then the smallest capacity (not what is left of it); then the smallest blocks; then selector
    and range in the order of their texts. Those without nodeSelector come last. One that is being deleted serves nobody.
    """
    usable = [one for one in objects if not one.deleting and not one.problem]
    selecting = [one for one in usable if one.selects(labels)]
    selecting.sort(
        key=lambda one: (
            -len(one.requirements or ()),
            one.capacity,
            -one.pools[0].mask_size,
            one.selector,
            str(one.pools[0].cluster),
        )
    )
    return [*selecting, *(one for one in usable if one.requirements is None)]
