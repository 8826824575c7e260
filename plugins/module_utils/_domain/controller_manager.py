# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Settings of the node IPAM controller, read from kube-controller-manager's flags.

Source of names and defaults: cmd/kube-controller-manager/app/{core.go,options/nodeipamcontroller.go}.
"""

from __future__ import annotations

import shlex
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    BlockPool,
    CidrError,
    Network,
    parse_networks,
)

DEFAULT_MASK_SIZES: t.Mapping[int, int] = {4: 24, 6: 64}
_FLAGS = frozenset(
    {
        "allocate-node-cidrs",
        "cluster-cidr",
        "service-cluster-ip-range",
        "node-cidr-mask-size",
        "node-cidr-mask-size-ipv4",
        "node-cidr-mask-size-ipv6",
        "controllers",
        "cidr-allocator-type",
    }
)
_NAMES_OF_THE_CONTROLLER = ("node-ipam-controller", "nodeipam")
# the only --cidr-allocator-type that cuts --cluster-cidr into blocks by the rules of cidr_set.go
RANGE_ALLOCATOR = "RangeAllocator"


@dataclass(frozen=True)
class AllocatorSettings:
    """What decides which podCIDRs Nodes get. ``None`` and empty mean *unknown*, never *off*.

    ``cluster_cidrs`` is in the order of families that podCIDRs have. ``source`` says where the values come from.
    """

    allocate_node_cidrs: bool | None = None
    cluster_cidrs: tuple[Network, ...] = ()
    mask_sizes: Mapping[int, int] = field(default_factory=lambda: dict(DEFAULT_MASK_SIZES))
    service_ranges: tuple[Network, ...] = ()
    source: str = "unknown"
    problems: tuple[str, ...] = ()
    allocator_type: str = RANGE_ALLOCATOR

    @property
    def known(self) -> bool:
        """Whether it is known which blocks there are."""
        return bool(self.cluster_cidrs) and self.allocator_type == RANGE_ALLOCATOR

    @property
    def families(self) -> tuple[int, ...]:
        """Families (4, 6) in the order that podCIDRs have."""
        return tuple(network.version for network in self.cluster_cidrs)

    def pools(self) -> list[BlockPool]:
        """One pool for each cluster CIDR, in their order.

        None at all where the blocks are not cut by the range allocator or the controller-manager would not start.
        """
        if not self.known or len(set(self.families)) != len(self.families):
            return []
        made = []
        for cluster in self.cluster_cidrs:
            try:
                made.append(BlockPool(cluster, self.mask_sizes[cluster.version], self.service_ranges))
            except CidrError:
                return []
        return made

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form, for results and reports."""
        return {
            "allocate_node_cidrs": self.allocate_node_cidrs,
            "cluster_cidrs": [str(network) for network in self.cluster_cidrs],
            "node_mask_size_ipv4": self.mask_sizes[4],
            "node_mask_size_ipv6": self.mask_sizes[6],
            "service_ranges": [str(network) for network in self.service_ranges],
            "allocator_type": self.allocator_type,
            "source": self.source,
            "problems": list(self.problems),
        }


def read_flags(words: Iterable[str]) -> dict[str, str]:
    """The node IPAM flags in a command line: {name without dashes: value}; the last of each wins.

    Both ``--flag=value`` and ``--flag value`` are understood; a flag without value is ``true``. Underscores in names
    are dashes (component-base/cli/flag). A whole line of a shell (``sh -c "exec ..."``) is taken apart.
    """
    flags: dict[str, str] = {}
    pending = ""
    for word in _single_words(words):
        if word.startswith("-"):
            name, separator, value = word.lstrip("-").partition("=")
            name = name.replace("_", "-")
            pending = ""
            if name in _FLAGS:
                flags[name] = value if separator else "true"
                pending = "" if separator else name
        elif pending:
            flags[pending] = word
            pending = ""
    return flags


def has_flags(words: Iterable[str]) -> bool:
    """Whether a command line shows any flag: without one, the settings come from where we cannot look."""
    return any(word.startswith("--") for word in _single_words(words))


def _single_words(words: Iterable[str]) -> t.Iterator[str]:
    for word in words:
        if " --" not in word:
            yield word
            continue
        try:
            yield from shlex.split(word)
        except ValueError:
            yield from word.split()


def settings_from_flags(flags: Mapping[str, str], source: str) -> AllocatorSettings:
    """Settings that the controller-manager derives from its flags, its defaults included.

    Values it could not start with are reported in ``problems`` and left at the default.
    """
    problems: list[str] = []

    def networks(name: str) -> tuple[Network, ...]:
        try:
            return parse_networks(flags.get(name, ""))
        except CidrError as error:
            problems.append(f"--{name}: {error}")
            return ()

    def one_of_each_family(name: str, found: Sequence[Network]) -> None:
        if len(found) > len({network.version for network in found}):
            problems.append(f"--{name} has two ranges of one family; it takes one range, or one of each family")

    cluster_cidrs = networks("cluster-cidr")
    text = flags.get("cluster-cidr", "").strip()
    if not text:
        problems.append("--cluster-cidr is not set, but --allocate-node-cidrs needs it")
    elif any(part != part.strip() or not part for part in text.split(",")):
        problems.append(f"--cluster-cidr: '{text}' has a blank or an empty part; separate two ranges by a comma only")
    families = [network.version for network in cluster_cidrs]
    one_of_each_family("cluster-cidr", cluster_cidrs)
    sizes = _mask_sizes(flags, families, problems)
    for cluster in cluster_cidrs:
        try:
            BlockPool(cluster, sizes[cluster.version])
        except CidrError as error:
            problems.append(str(error))
    before = len(problems)
    service_ranges = networks("service-cluster-ip-range")
    del problems[before:]  # the controller-manager only warns about a service range that it cannot read
    one_of_each_family("service-cluster-ip-range", service_ranges)
    allocates = _allocates(flags)
    return AllocatorSettings(
        allocate_node_cidrs=allocates,
        cluster_cidrs=cluster_cidrs,
        mask_sizes=sizes,
        service_ranges=service_ranges,
        source=source,
        problems=tuple(problems) if allocates else (),  # a controller that does not run reads none of it
        allocator_type=flags.get("cidr-allocator-type", RANGE_ALLOCATOR) or RANGE_ALLOCATOR,
    )


def _mask_sizes(flags: Mapping[str, str], families: Sequence[int], problems: list[str]) -> dict[int, int]:
    """Node mask sizes by family, by the rules of setNodeCIDRMaskSizes in core.go; 0 means the default."""
    given = {}
    for suffix in ("", "-ipv4", "-ipv6"):
        value = flags.get(f"node-cidr-mask-size{suffix}", "0")
        if value.isdecimal():
            given[suffix] = int(value)
        else:
            problems.append(f"--node-cidr-mask-size{suffix}: '{value}' is not a number")
            given[suffix] = 0
    sizes = dict(DEFAULT_MASK_SIZES)
    if given[""]:
        if len(families) > 1:
            problems.append("--node-cidr-mask-size is not allowed in dual-stack clusters")
        elif given["-ipv4"] or given["-ipv6"]:
            problems.append("--node-cidr-mask-size and its forms for one family exclude each other")
        sizes.update(dict.fromkeys(families if len(families) == 1 else (), given[""]))
        return sizes
    for family, suffix in ((4, "-ipv4"), (6, "-ipv6")):
        if given[suffix]:
            sizes[family] = given[suffix]
            if len(families) == 1 and families[0] != family:
                problems.append(f"--node-cidr-mask-size{suffix} is not allowed in a cluster of IPv{families[0]} only")
    return sizes


def _allocates(flags: Mapping[str, str]) -> bool:
    """``--allocate-node-cidrs`` (default false), unless ``--controllers`` turns the controller off.

    ``*`` stands for all, a leading dash for not this one; a list that has no ``*`` names all that run.
    """
    if flags.get("allocate-node-cidrs", "false").lower() not in ("true", "t", "1"):
        return False
    chosen = [name.strip() for name in flags.get("controllers", "*").split(",")]
    if any(f"-{name}" in chosen for name in _NAMES_OF_THE_CONTROLLER):
        return False
    return "*" in chosen or any(name in chosen for name in _NAMES_OF_THE_CONTROLLER)


def settings_from_options(options: Mapping[str, t.Any]) -> AllocatorSettings:
    """Settings a user states in the option ``allocator``. Raises CidrError for a value that is no CIDR or no mask."""

    def networks(name: str) -> tuple[Network, ...]:
        values: Sequence[str] = options.get(name) or ()
        return parse_networks(",".join(values))

    sizes = {
        4: int(options.get("node_mask_size_ipv4") or DEFAULT_MASK_SIZES[4]),
        6: int(options.get("node_mask_size_ipv6") or DEFAULT_MASK_SIZES[6]),
    }
    cluster_cidrs = networks("cluster_cidrs")
    if len({network.version for network in cluster_cidrs}) != len(cluster_cidrs):
        raise CidrError("cluster_cidrs has two ranges of one family; give one range, or one of each family")
    for cluster in cluster_cidrs:
        BlockPool(cluster, sizes[cluster.version])
    allocate = options.get("allocate_node_cidrs")
    return AllocatorSettings(
        allocate_node_cidrs=True if allocate is None else bool(allocate),
        cluster_cidrs=cluster_cidrs,
        mask_sizes=sizes,
        service_ranges=networks("service_ranges"),
        source="option allocator",
    )
