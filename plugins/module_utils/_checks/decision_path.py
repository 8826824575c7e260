# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Walks the decision path for one cluster, and tells the place of each finding in it."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_path_steps import STEPS
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_step import END, NO, UNKNOWN, YES, Step
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import INFO
from ansible_collections.podnet.upkeep.plugins.module_utils._domain import ipam_model

__all__ = ["END", "STEPS", "place_of", "walk"]

START = STEPS[0].id
_BY_ID: Mapping[str, Step] = {step.id: step for step in STEPS}
_PLACES: Mapping[str, str] = {finding: step.id for step in STEPS for finding in step.findings}


def place_of(finding_id: str) -> str:
    """The step that a finding answers. Raises KeyError for an id that is not in the catalogue."""
    return _PLACES[finding_id]


def walk(context: Context, findings: Iterable[Finding]) -> list[dict[str, t.Any]]:
    """The questions of this cluster in their order: [{"step", "question", "answer", "then", "findings"}].

    ``answer`` is yes, no or unknown; ``then`` is what to do, empty unless it is yes. A step that the path passes over is
    there all the same when it has findings: none is lost.
    """
    held: dict[str, list[Finding]] = {}
    for finding in findings:
        held.setdefault(_PLACES.get(finding.id, ""), []).append(finding)
    path, current = [], START
    while current != END:
        step = _BY_ID[current]
        path.append(step.id)
        current = step.yes if _answer(context, step, held.get(step.id, [])) == YES else step.no
    passed_over = [step.id for step in STEPS if step.id not in path and step.id in held]
    return [_entry(context, _BY_ID[one], held.get(one, [])) for one in (*path, *passed_over)]


def _entry(context: Context, step: Step, findings: list[Finding]) -> dict[str, t.Any]:
    answer = _answer(context, step, findings)
    return {
        "step": step.id,
        "question": step.question,
        "answer": answer,
        "then": step.then if answer == YES else "",
        "findings": sorted({one.id for one in findings}),
    }


def _answer(context: Context, step: Step, findings: list[Finding]) -> str:
    if step.id == "model":
        return _answer_about_model(context)
    if step.id == "cilium":
        return YES if context.cilium.installed else _unless_unread(context, step)
    if any(one.severity != INFO for one in findings) or (step.id == "data" and findings):
        return YES
    return _unless_unread(context, step)


def _answer_about_model(context: Context) -> str:
    name = context.ipam_model.name
    if name == ipam_model.UNKNOWN:
        return UNKNOWN
    return NO if context.ipam_model.node_spec_is_truth else YES


def _unless_unread(context: Context, step: Step) -> str:
    return NO if context.state.knows(*step.needs) else UNKNOWN
