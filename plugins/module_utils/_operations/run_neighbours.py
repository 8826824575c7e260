# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Runs beside ours: whether somebody alive holds the Lease of one."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease

#: Runs that take Nodes out of service, or judge their silence.
NODE_RUNS = frozenset({"reassign-pod-cidrs", "retire-nodes", "remove-unreachable-nodes"})
#: Makes identities and measures how they are collected; what cleans up or restarts Cilium meanwhile changes both.
STRESS_RUN = "stress-identities"
#: Beside these no clean-up begins (the role cleanup_run has the same list).
NOT_BESIDE_CLEAN_UPS = NODE_RUNS | {STRESS_RUN}
PREFIX = "podnet-upkeep-"


def beside(client: KubeClient, own: str, namespace: str) -> str:
    """In words which other one of the ``NODE_RUNS`` is under way, empty when none is or ``own`` is none of them.

    For a run that has its own Lease already: of two that looked for each other before they took theirs, both stop. Where Leases
    of others may not be read, nobody can be seen. Raises ApiError.
    """
    for name in sorted(NODE_RUNS - {own}) if own in NODE_RUNS else ():
        try:
            reason = alive(client, name, namespace)
        except ApiError as error:
            if error.status != 403:
                raise
            continue
        if reason:
            return f"{reason}."
    return ""


def alive(client: KubeClient, name: str, namespace: str) -> str:
    """Who holds the Lease of this run, in words, when somebody alive does. Raises ApiError."""
    state = RunLease(client, name, namespace, "").state()
    if state is None or not state.holder or state.expired:
        return ""
    return (
        f"{state.holder} holds the Lease {namespace}/{PREFIX}{name} of another run since {state.since} (renewed "
        f"{state.renewed}); wait until that run is over, or finish it"
    )
