# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Lets pods of DaemonSets be of the revision that the real controller has computed, so that restarts are rehearsed as they are.

The hash of a revision follows from a whole template, which a snapshot does not have. Until pods have it, the controller
would take all of them for outdated and replace them.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.etcd_load import load
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.rebuild import Rebuild

HASH: t.Final = "controller-revision-hash"
_REVISIONS: t.Final = "/apis/apps/v1/controllerrevisions"
_DAEMON_SETS: t.Final = "/apis/apps/v1/daemonsets"
_PAUSE: t.Final = 0.3


def align(client: KubeClient, port: int, state: ClusterState, rebuild: Rebuild, seconds: float) -> str:
    """Give pods the hash of their DaemonSet, and let it roll out from now on; a sentence when that is not possible.

    Raises ApiError.
    """
    owned = {str(owner["uid"]) for pod in state.of("pods") for owner in _daemon_sets_of(pod)}
    sets = {str(one["metadata"]["uid"]): one["metadata"] for one in client.list(_DAEMON_SETS)}
    wanted = owned & set(sets)
    hashes = _hashes(client, wanted, seconds)
    load(port, rebuild.pods_with_hashes(hashes))
    for uid in sorted(hashes):
        path = f"/apis/apps/v1/namespaces/{sets[uid]['namespace']}/daemonsets/{sets[uid]['name']}"
        client.patch(path, {"metadata": {"uid": uid}, "spec": {"updateStrategy": {"type": "RollingUpdate"}}})
    lacking = sorted(str(sets[uid]["name"]) for uid in wanted - set(hashes))
    return f"Pods of the DaemonSets {', '.join(lacking)} are taken for outdated here." if lacking else ""


def _daemon_sets_of(pod: Mapping[str, t.Any]) -> list[Mapping[str, t.Any]]:
    return [one for one in pod["metadata"].get("ownerReferences") or () if one.get("kind") == "DaemonSet"]


def _hashes(client: KubeClient, wanted: set[str], seconds: float) -> dict[str, str]:
    """{uid of a DaemonSet: hash of its revision}, as far as they are there in time."""
    end = time.monotonic() + seconds
    while True:
        found = {
            str(owner["uid"]): str((one["metadata"].get("labels") or {}).get(HASH) or "")
            for one in (client.list(_REVISIONS) if wanted else ())
            for owner in one["metadata"].get("ownerReferences") or ()
            if owner.get("uid") in wanted
        }
        if len(found) == len(wanted) or time.monotonic() > end:
            return {uid: text for uid, text in found.items() if text}
        time.sleep(_PAUSE)
