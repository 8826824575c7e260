# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The pods of a node that make its pod network: the agent of the CNI, and kube-proxy.

They read the podCIDRs of the Node once, when they start. One that has started before the new Node was there, or whose own
books say something else, is replaced first, and other pods only when it has taken the new range: a pod that starts earlier
gets an address of the old one. Of Cilium (daemon/cmd, local_node_sync.go) it is known that only a restart changes the range.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    controller_of,
    is_daemonset_pod,
    is_finished,
    is_mirror,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import (
    DEPENDENTS,
    owners,
    parse_time,
    reference,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import uid_of

#: DaemonSets whose pods give pods their addresses, by the names of their manifests; in the order of replacement.
CNI_AGENTS: tuple[str, ...] = (
    "cilium",
    "anetd",
    "kube-flannel-ds",
    "kube-flannel",
    "canal",
    "calico-node",
    "kube-router",
    "antrea-agent",
    "kindnet",
    "netd",
)
KUBE_PROXY = "kube-proxy"
_CILIUM = frozenset({"cilium", "anetd"})
_FROM_NODE = "kubernetes"

Pod = Mapping[str, t.Any]


def agent_name(pod: Pod) -> str:
    """Name of the agent that a pod is; empty for any other pod."""
    if is_mirror(pod):  # static: kube-proxy of RKE2
        name = str(pod["metadata"]["name"])
        return KUBE_PROXY if name.startswith(f"{KUBE_PROXY}-") else ""
    name = str((controller_of(pod) or {}).get("name") or "") if is_daemonset_pod(pod) else ""
    return name if name in CNI_AGENTS or name == KUBE_PROXY else ""


def started_at(pod: Pod) -> datetime.datetime:
    """When the pod, or the youngest of its running containers, started."""
    status = pod.get("status") or {}
    times = [status.get("startTime")]
    for container in status.get("containerStatuses") or []:
        times.append(((container.get("state") or {}).get("running") or {}).get("startedAt"))
    return max(parse_time(text) for text in times)


class NetworkAgents:
    """What the agents of one node know of its podCIDRs."""

    def __init__(self, client: KubeClient, node_name: str) -> None:
        self._client = client
        self._node_name = node_name
        self._cilium_mode: str | None = None

    def outdated(self, node: JsonObject, pods: list[JsonObject]) -> list[tuple[JsonObject, str]]:
        """Agents to replace, with the reason in words, in the order of replacement. Raises ApiError."""
        found = []
        created = parse_time(node["metadata"].get("creationTimestamp"))
        for pod in self.agents(pods):
            # by the clock of the API server as well: a pod made after the Node has started after it, whatever its host says
            older = parse_time(pod["metadata"].get("creationTimestamp")) < created
            if older and parse_time(None) < started_at(pod) < created:
                found.append((pod, "has started before the Node was registered"))
            elif agent_name(pod) in _CILIUM and (books := self.other_books(node)):
                found.append((pod, books))
        return found

    def agents(self, pods: list[JsonObject]) -> list[JsonObject]:
        """Live pods of DaemonSets that are agents, in the order of replacement; a static pod cannot be replaced."""
        order = {name: position for position, name in enumerate((*CNI_AGENTS, KUBE_PROXY))}
        live = [pod for pod in pods if agent_name(pod) and not is_mirror(pod) and not is_finished(pod)]
        return sorted(live, key=lambda pod: (order[agent_name(pod)], reference(pod)))

    def other_books(self, node: JsonObject) -> str:
        """In words how the CiliumNode differs from the Node, where Cilium takes its range from it; empty when it does not."""
        if self._mode_of_cilium() != _FROM_NODE:
            return ""
        name = self._node_name
        found = self._client.find(DEPENDENTS["ciliumnode"].format(name=name))
        if found is None:  # its agent makes it before it is Ready, and a node without agent has none
            return ""
        if owners(found) and uid_of(node) not in owners(found):
            return f"CiliumNode {name} still belongs to another Node"
        books = [str(one) for one in ((found.get("spec") or {}).get("ipam") or {}).get("podCIDRs") or []]
        wanted = pod_cidrs_of(node)
        if sorted(books) != sorted(wanted):
            return f"CiliumNode {name} has {', '.join(books) or 'no podCIDRs'}, the Node {', '.join(wanted) or 'none'}"
        return ""

    def _mode_of_cilium(self) -> str:
        """Cilium's option ipam; empty without Cilium, or where its configuration may not be read."""
        if self._cilium_mode is None:
            try:
                found = self._client.find("/api/v1/namespaces/kube-system/configmaps/cilium-config")
            except ApiError as error:
                if error.status != 403:
                    raise
                found = None
            self._cilium_mode = str(((found or {}).get("data") or {}).get("ipam") or "")
        return self._cilium_mode
