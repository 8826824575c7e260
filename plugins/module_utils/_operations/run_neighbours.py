# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Runs that keep apart: which kinds do, and whether one of those is under way beside ours.

Each asks twice, with the same question: before it takes its own Lease, so that one that is refused leaves no trace, and again
when it has it (MaintenanceRun.start). Of two that start at the same moment the one that takes its Lease later sees the other
one, because each kind looks for all that look for it. Both may see each other and give their Leases back; never do both begin.
"""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import LeaseState, RunLease

#: Runs that take Nodes out of service, or judge their silence.
NODE_RUNS = frozenset({"reassign-pod-cidrs", "retire-nodes", "remove-unreachable-nodes"})
#: Makes identities and measures how they are collected; what cleans up or restarts Cilium meanwhile changes both.
STRESS_RUN = "stress-identities"
#: Makes members of the store that agents need answer late.
KVSTORE_RUN = "maintain-kvstore"
#: Restarts Cilium. The stages of recover_identities take locks of clean-ups beside it.
CILIUM_RUN = "cilium"
CLEAN_UPS = frozenset({"clean-cilium-nodes", "clean-endpoints", "clean-identities", "clean-stale-pods"})
#: Brings back what a clean-up has deleted.
UNDO_RUN = "undo-deletions"
#: Beside these no other run of this collection is begun, and they begin beside none.
ALONE = NODE_RUNS | {STRESS_RUN, KVSTORE_RUN}
RUNS = ALONE | CLEAN_UPS | {CILIUM_RUN, UNDO_RUN}
PREFIX = "podnet-upkeep-"
#: A run that died leaves these in the way of nothing but what their own plan finds.
_PASS_DEAD_RUNS = NODE_RUNS | {KVSTORE_RUN}


def not_beside(own: str) -> frozenset[str]:
    """Names of the runs beside which the run ``own`` does not begin. A name that is none of ours keeps apart from none."""
    if own not in RUNS:
        return frozenset()
    found = RUNS if own in ALONE else ALONE
    if own == UNDO_RUN:
        found |= CLEAN_UPS
    elif own in CLEAN_UPS:
        found |= {UNDO_RUN}
    return found - {own}


def in_the_way(client: KubeClient, own: str, namespace: str) -> str:
    """In words which run is under way beside which ``own`` does not begin; empty when none is.

    A run that died is in the way when its journal says that it has left something undone (see ``waits_for_dead``).
    Raises ApiError, also where a Lease may not be read: who cannot look does not begin.
    """
    for name in sorted(not_beside(own)):
        state = RunLease(client, name, namespace, "").state()
        if state is None or not state.holder:
            continue
        if not state.expired:
            return words(name, namespace, state)
        if waits_for_dead(own, name) and _has_left_something(client, name, namespace):
            return (
                f"{state.holder} holds the Lease {namespace}/{PREFIX}{name} of another run, which was interrupted (renewed "
                f"{state.renewed}); finish it first with the command that began it"
            )
    return ""


def beside(client: KubeClient, own: str, namespace: str) -> str:
    """In words which other one of the ``NODE_RUNS`` is under way, empty when none is or ``own`` is none of them.

    For a run that has begun, before each further Node: one whose Lease was expired for a while, because its machine slept,
    is passed by others. Where Leases of others may not be read any more, nobody can be seen. Raises ApiError.
    """
    for name in sorted(NODE_RUNS - {own}) if own in NODE_RUNS else ():
        try:
            state = RunLease(client, name, namespace, "").state()
        except ApiError as error:
            if error.status != 403:
                raise
            continue
        if state is not None and state.holder and not state.expired:
            return f"{words(name, namespace, state)}."
    return ""


def words(name: str, namespace: str, state: LeaseState) -> str:
    """Who holds the Lease of the run ``name``, and what to do about it."""
    return (
        f"{state.holder} holds the Lease {namespace}/{PREFIX}{name} of another run since {state.since} (renewed "
        f"{state.renewed}); wait until that run is over, or finish it"
    )


def waits_for_dead(own: str, other: str) -> bool:
    """Whether a run ``other`` that died is in the way of ``own``, so that its journal has to be read.

    Nodes are not retired while another run has left one out of service; for the rest see ``_PASS_DEAD_RUNS``.
    """
    return own not in _PASS_DEAD_RUNS or (own == "retire-nodes" and other in NODE_RUNS)


def _has_left_something(client: KubeClient, name: str, namespace: str) -> bool:
    """Whether it began, and did not end: one that died between its Lease and its journal has done nothing."""
    known = Journal(client, name, namespace).load()
    if known is None:
        return False
    return bool(known.damaged or known.unfinished() or (known.run and not known.run.get("result")))
