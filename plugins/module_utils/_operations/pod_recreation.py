# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Recreates pods that run without CiliumEndpoint: by eviction, one of each controller, and few at a time.

Such a pod has an address that no other Node knows. It is not broken by being recreated, but its users notice; so
PodDisruptionBudgets are obeyed, and where there are none, one pod of a controller for each run is the limit.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import controller_of


@dataclass
class Recreation:
    """``chosen`` pods as namespace/name; what became of them is in ``evicted`` and ``refused`` ({pod, words})."""

    chosen: list[str] = field(default_factory=list)
    left: int = 0
    evicted: list[str] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {"chosen": self.chosen, "left": self.left, "evicted": self.evicted, "refused": self.refused}


def choose(pods: Collection[Object], limit: int) -> list[Object]:
    """Of the pods with a controller one of each, at most ``limit``."""
    found: dict[tuple[str, str], Object] = {}
    for pod in pods:
        controller = controller_of(pod)
        if controller is not None:
            found.setdefault((str(pod["metadata"].get("namespace")), str(controller.get("uid"))), pod)
    return list(found.values())[:limit]


def recreate(client: KubeClient, pods: Collection[Object], limit: int, *, check_mode: bool) -> Recreation:
    """Evict the chosen ones, each by its uid. A refusal (PodDisruptionBudget, permission) is reported, and others go on.

    Raises ApiError when the API server does not answer.
    """
    chosen = choose(pods, limit)
    done = Recreation(chosen=[_name(pod) for pod in chosen], left=len(pods) - len(chosen))
    if check_mode:
        return done
    for pod in chosen:
        path = f"/apis/cilium.io/v2/namespaces/{pod['metadata']['namespace']}/ciliumendpoints/{pod['metadata']['name']}"
        if client.find(path) is not None:
            done.refused.append({"pod": _name(pod), "words": "it has a CiliumEndpoint now"})
            continue
        try:
            client.evict(
                str(pod["metadata"]["namespace"]), str(pod["metadata"]["name"]), uid=str(pod["metadata"]["uid"])
            )
        except ApiError as error:
            if error.status in (0, 401):
                raise
            if error.status not in (404, 409):  # gone, or another pod: what was to be recreated is not there any more
                told = [str(cause.get("message")) for cause in error.causes if cause.get("message")]
                done.refused.append({"pod": _name(pod), "words": "; ".join(told) or error.server_message or str(error)})
            continue
        done.evicted.append(_name(pod))
    return done


def _name(pod: Object) -> str:
    return f"{pod['metadata'].get('namespace')}/{pod['metadata']['name']}"
