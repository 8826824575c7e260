# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A checked plan: what people do in which order, what they verify after each step, and what was tested beforehand."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from dataclasses import dataclass, field

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"


@dataclass(frozen=True)
class PlanCheck:
    """One precondition, tested against the live cluster. What could not be tested is unknown, and not passed."""

    what: str
    result: str
    detail: str = ""

    def to_dict(self) -> dict[str, str]:
        """JSON form."""
        return {"what": self.what, "result": self.result, "detail": self.detail}

    @property
    def line(self) -> str:
        """The check in one line."""
        return f"[{self.result}] {self.what}" + (f": {self.detail}" if self.detail else "")


def checked(what: str, fault: str) -> PlanCheck:
    """Passed without a fault, failed with it."""
    return PlanCheck(what, FAILED, fault) if fault else PlanCheck(what, PASSED)


@dataclass(frozen=True)
class PlanStep:
    """One step. ``outage``: while it is not done, the cluster does not work as it should."""

    title: str
    acts: list[str]
    verify: list[str] = field(default_factory=list)
    outage: bool = False

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {"title": self.title, "acts": self.acts, "verify": self.verify, "outage": self.outage}


@dataclass
class RotationPlan:
    """``method`` says which way it is; ``rolling`` whether the Nodes can go one by one while the cluster works."""

    method: str
    rolling: bool
    explanation: list[str]
    checks: list[PlanCheck]
    steps: list[PlanStep]
    nodes: list[dict[str, str]] = field(default_factory=list)
    allocator: dict[str, t.Any] = field(default_factory=dict)

    @property
    def refusals(self) -> list[str]:
        """Preconditions that failed."""
        return [f"{one.what}: {one.detail}." for one in self.checks if one.result == FAILED]

    @property
    def unknowns(self) -> list[str]:
        """Preconditions that could not be tested."""
        return [f"{one.what}: {one.detail}." for one in self.checks if one.result == UNKNOWN]

    @property
    def feasible(self) -> bool:
        """Whether nothing is known that speaks against it."""
        return not self.refusals

    def lines(self) -> list[str]:
        """The plan as text."""
        lines = [*self.explanation, "Preconditions:", *(f"  {one.line}" for one in self.checks)]
        if self.refusals:
            lines.append("Do not begin before every failed precondition is mended.")
        for number, step in enumerate(self.steps, start=1):
            lines.append(f"Step {number}{' (OUTAGE)' if step.outage else ''}: {step.title}")
            lines += [f"  do: {one}" for one in step.acts]
            lines += [f"  verify: {one}" for one in step.verify]
        if self.nodes:
            lines.append(f"Nodes to register anew: {some([one['name'] for one in self.nodes], 20)}")
        return lines


def some(names: Iterable[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
