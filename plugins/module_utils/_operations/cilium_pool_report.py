# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The blocks of Cilium's pools as an operator that starts now counts them, and CiliumNodes that wait for one.

A block that becomes free serves nobody by itself: the operator of cluster-pool mode tries again only when the spec or the
status of the waiting CiliumNode changes, or when it starts (seen with 1.18.4; it compares neither annotations nor labels). So
the error that it has written into the status is taken away: it looks again, and writes it again where nothing is free.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_demand import lacks, waiting_by_pool
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_pools import summaries
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import operator_error
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_node_picture import (
    CILIUM_NODES,
    NodePicture,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

_SHOWN = 5
_POLL = 0.5


def pool_report(picture: NodePicture) -> dict[str, t.Any]:
    """``free`` blocks (None where there are no pools), ``waiting`` CiliumNodes, those ``servable`` now, and the ``act``."""
    ipam = picture.ipam
    if not ipam.has_pools:
        return {"pools": [], "free": None, "waiting": [], "servable": [], "act": ""}
    waiting = waiting_by_pool(lacks(ipam))
    names = sorted({name for of_pool in waiting.values() for name in of_pool})
    servable = sorted(
        {
            name
            for key, of_pool in waiting.items()
            if key in ipam.books.pools and ipam.books.free(key)
            for name in of_pool
        }
    )
    act = ""
    if servable:
        more = f" and {len(servable) - _SHOWN} more" if len(servable) > _SHOWN else ""
        act = (
            f"Blocks are free, and CiliumNodes wait for one ({', '.join(servable[:_SHOWN])}{more}): the operator tries again "
            "only when the spec or status of such a CiliumNode changes, or when it starts. Restart the operator "
            "(podnet.upkeep.restart_cilium), or have its error cleared in their status (serve_waiting)."
        )
    free = sum(ipam.books.free(key) for key in ipam.books.pools)
    return {"pools": summaries(ipam), "free": free, "waiting": names, "servable": servable, "act": act}


def serve_waiting(
    client: KubeClient,
    names: Sequence[str],
    *,
    timeout: float,
    heartbeat: Callable[[], t.Any] | None = None,
    clock: Clock | None = None,
) -> tuple[list[str], list[str]]:
    """Clear the operator's error of these CiliumNodes and wait; (served, still waiting after ``timeout`` seconds).

    One that has a block by now, or no error yet, is left alone. Raises ApiError.
    """
    clock = clock or Clock()
    asked = [name for name in names if _clear_error(client, name)]
    end = clock.now() + timeout
    left = list(asked)
    while left and clock.now() < end:
        if heartbeat is not None:
            heartbeat()
        clock.sleep(min(_POLL, timeout))
        left = [name for name in left if not _has_block(client.find(f"{CILIUM_NODES}/{name}") or {})]
    return [name for name in asked if name not in left], left


def _clear_error(client: KubeClient, name: str) -> bool:
    path = f"{CILIUM_NODES}/{name}"
    found = client.find(path)
    if found is None or _has_block(found) or not operator_error(found):
        return False
    guard = {"uid": found["metadata"]["uid"], "resourceVersion": found["metadata"]["resourceVersion"]}
    try:
        client.patch(f"{path}/status", {"metadata": guard, "status": {"ipam": {"operator-status": {"error": None}}}})
    except ApiError as error:
        if error.status not in (404, 409):  # whoever changed it has made the operator look as well
            raise
    return True


def _has_block(cilium_node: Mapping[str, t.Any]) -> bool:
    ipam = (cilium_node.get("spec") or {}).get("ipam") or {}
    return bool(ipam.get("podCIDRs") or (ipam.get("pools") or {}).get("allocated"))
