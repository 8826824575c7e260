# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Runs of other kinds that are under way: no two of them take out Nodes at once, or judge what the other one stops."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import PREFIX, words

_OURS = "app.kubernetes.io/managed-by=podnet.upkeep"


def other_runs(client: KubeClient, own: str, namespace: str) -> list[Objection]:
    """An objection for each Lease of our runs but ``own`` that somebody alive holds. Raises ApiError.

    Whether its holder lives is judged by the server's clock; where that may not be asked, it does. It is asked before the
    first node and before each further one, when our own Lease is taken. Of others it needs ``list`` alone.
    """
    found = []
    leases = client.list(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", params={"labelSelector": _OURS})
    for lease in leases:
        name = str(lease["metadata"]["name"])
        if not name.startswith(PREFIX) or name == f"{PREFIX}{own}":
            continue
        kind = name.removeprefix(PREFIX)
        state = RunLease(client, kind, namespace, "").state_of(lease)
        if state.holder and not state.expired:
            found.append(Objection("other-run", words(kind, namespace, state)))
    return found
