# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A plan as lines for a terminal, a diff and the file."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_node import NodePlan


def head_lines(nodes: Sequence[NodePlan]) -> list[str]:
    """How many Nodes, in which time."""
    if not nodes:
        return ["No Node has to be registered anew."]
    count = len(nodes)
    head = f"{count} {'Node is' if count == 1 else 'Nodes are'} to be registered anew, one after the other:"
    total = sum(node.expected_seconds for node in nodes)
    return [head, f"expected: about {_duration(total)}, and longer where a PodDisruptionBudget makes a drain wait"]


def node_lines(position: int, node: NodePlan) -> list[str]:
    """One Node: why, what it loses and gets back, and what becomes of its pods."""
    lines = [f"{position}. Node {node.name} ({', '.join(node.pod_cidrs) or 'no podCIDR'})"]
    if node.control_plane:
        lines.append("   belongs to the control plane")
    if node.resume_step:
        lines.append(f"   goes on after the step '{node.resume_step}' of an earlier run")
    lines += [f"   because: {reason['summary']}" for reason in node.reasons]
    if node.waits_for_block:
        lines.append("   is left alone if it gets a podCIDR before its turn")
    lines.append(f"   new podCIDRs from: {node.new_pod_cidrs_from}")
    lines += [f"   loses: {one}" for one in node.loses]
    for what in ("labels", "annotations", "taints"):
        if node.keeps[what]:
            lines.append(f"   gets back {what}: {', '.join(node.keeps[what])}")
    if node.keeps["left_out"]:
        lines.append(f"   written anew by their owners: {', '.join(node.keeps['left_out'])}")
    for what, word in (("evict", "evicts"), ("delete", "replaces"), ("keep", "keeps")):
        if node.pods[what]:
            lines.append(f"   {word} pods: {', '.join(node.pods[what])}")
    lines.append(f"   in the end: {node.steps()[-1]}")
    lines.append(f"   expected: about {_duration(node.expected_seconds)}")
    lines += [f"   warning: {warning}" for warning in node.warnings]
    return lines


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
