# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What retiring Nodes would mean: blocks that become free, pods that move, and what speaks against it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass
class Retirement:
    """What retiring these Nodes at once would mean. ``fits``: every pod that moves finds another Node.

    ``units``: {Node: the systemd unit of its kubelet}, of hosts that were read.
    """

    nodes: list[str]
    uids: list[str]
    machine_ids: list[str]
    providers: list[str]
    frees: dict[str, int]
    moves: list[dict[str, str]]
    ends: list[str]
    cpu_millis: int
    memory_mib: int
    budgets: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether no pod was left over."""
        return all(one["to"] for one in self.moves)

    @property
    def frees_blocks(self) -> int:
        """Nodes that could be served with what becomes free: every family has to give one."""
        return min(self.frees.values(), default=0)

    @property
    def helps(self) -> bool:
        """Whether it may be done and frees a block."""
        return self.fits and not self.refusals and self.frees_blocks > 0

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {**self.__dict__, "fits": self.fits, "frees_blocks": self.frees_blocks, "helps": self.helps}

    def lines(self) -> list[str]:
        """The retirement as text."""
        lines = [
            f"{', '.join(self.nodes)}: frees {self.frees_blocks} blocks, moves {len(self.moves)} pods "
            f"({self.cpu_millis}m CPU, {self.memory_mib} MiB requested), which {'fits' if self.fits else 'does not fit'}"
        ]
        lines += [f"   no place: {one['pod']}: {one['why']}" for one in self.moves if not one["to"]]
        lines += [f"   budget: {one}" for one in self.budgets]
        lines += [f"   warning: {one}" for one in self.warnings]
        lines += [f"   refused: {one}" for one in self.refusals]
        return lines
