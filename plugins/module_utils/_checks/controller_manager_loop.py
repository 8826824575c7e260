# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Finds a controller-manager that starts again and again while its Lease stays fresh.

It wins the Lease first and exits 15 to 20 s later, so renewTime is never older than seconds (measured with 1.36). What shows
it in one picture: a Node at which it exits and that was there before the present leader took over; a pod in
CrashLoopBackOff; or a leader of minutes together with many restarts or changes of leader.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import pod_cidrs
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import counted, first, listed
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import CRITICAL, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.leader_leases import LeaderLease, find
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import is_controller_manager
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment, words

_COMPONENT = "kube-controller-manager"
# the present leader took over so shortly before its last renewal
_YOUNG = datetime.timedelta(minutes=10)
# one that exits at a Node does so in its first seconds; who leads for longer did not exit, whatever the settings seem to say
_EXITS_WITHIN = datetime.timedelta(minutes=2)
_MANY_RESTARTS = 5
# changes of leader: so many, and so often over the life of the Lease
_MANY_TRANSITIONS, _PER_HOUR = 5, 2.0
#: Findings at which kube-controller-manager exits when it starts (range_allocator.go).
EXITS = frozenset({"node-cidr-out-of-range", "node-cidr-family-order"})


def check(context: Context) -> Iterator[Finding]:
    """One finding, or none; a stale Lease has a finding of its own, and then a pod in CrashLoopBackOff is still said."""
    lease = find(context, _COMPONENT)
    crashing, restarts = _pods(context)
    culprits = _culprits(context, lease)
    young = lease is not None and _within(lease, _YOUNG)
    reasons = []
    if culprits:
        reasons.append(f"it exits at {counted(len(culprits), 'Node')} ({listed(culprits)})")
    if crashing:
        reasons.append(f"{counted(len(crashing), 'pod')} in CrashLoopBackOff ({listed(crashing)})")
    if young and restarts >= _MANY_RESTARTS:
        reasons.append(f"{restarts} restarts")
    if lease is not None and young and _often(lease):
        reasons.append(f"{lease.transitions} changes of leader since {lease.created:%Y-%m-%d %H:%M}")
    if not reasons:
        return
    summary = f"kube-controller-manager does not stay up: {'; '.join(reasons)}"
    if lease is not None and lease.led_for is not None:
        summary += f"; the last leader had led for {words(lease.led_for)}"
    yield Finding(
        "controller-manager-crash-loop",
        Subject("Lease", _COMPONENT, "kube-system"),
        summary,
        _evidence(lease, restarts, crashing, culprits),
        CRITICAL if culprits or crashing else WARNING,
    )


def exits_at(context: Context) -> list[str]:
    """Names of Nodes at which a kube-controller-manager exits when it starts, in their order; none where it does not allocate.

    One that has been running since before such a Node came goes on working, until it is started again.
    """
    if context.allocator.allocate_node_cidrs is not True:
        return []
    return sorted(
        {one.subject.name for one in pod_cidrs.check(context) if one.id in EXITS and one.severity == CRITICAL}
    )


def _within(lease: LeaderLease, span: datetime.timedelta) -> bool:
    return lease.led_for is not None and lease.led_for <= span.total_seconds()


def _often(lease: LeaderLease) -> bool:
    life = lease.age(lease.created)
    if not life or lease.transitions < _MANY_TRANSITIONS:
        return False
    return lease.transitions / (life / 3600) >= _PER_HOUR


def _pods(context: Context) -> tuple[list[str], int]:
    """Controller-manager pods that crash, and the restarts of all of them."""
    crashing, restarts = [], 0
    for pod in context.state.marked_pods:
        status = pod.get("status") or {}
        if is_controller_manager(pod) and status.get("phase") not in TERMINAL_PHASES:
            restarts += int(status.get("restarts") or 0)
            if status.get("waiting") == "CrashLoopBackOff":
                crashing.append(name_of(pod))
    return crashing, restarts


def _culprits(context: Context, lease: LeaderLease | None) -> list[str]:
    """Those of `exits_at` that were there when the present leader took over: it has exited or is about to."""
    if lease is None or lease.acquired is None or not _within(lease, _EXITS_WITHIN):
        return []
    created = {name_of(node): moment(node["metadata"].get("creationTimestamp")) for node in context.state.nodes}
    return [name for name in exits_at(context) if (born := created[name]) is not None and born < lease.acquired]


def _evidence(lease: LeaderLease | None, restarts: int, crashing: list[str], culprits: list[str]) -> dict[str, t.Any]:
    return {
        "lease": None if lease is None else lease.to_dict(),
        "restarts": restarts,
        "crashing_pods": first(crashing),
        "exits_at": first(culprits),
        "count": len(culprits),
    }
