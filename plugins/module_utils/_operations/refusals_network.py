# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether the pod network works elsewhere: with agents of the CNI that are down already, no second Node is taken out."""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import controller_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_agents import CNI_AGENTS, KUBE_PROXY
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import is_ready

_MOST = 5


def network_agents(client: KubeClient, context: Context, ours: Collection[str]) -> list[Objection]:
    """Agents of the CNI and kube-proxies that are not ready on Nodes but ``ours``. Raises ApiError.

    Nodes that only wait for a podCIDR are left out as well: their agents cannot be ready. Pods are listed only for a
    DaemonSet that says itself that some are missing.
    """
    exempt = {*ours, *context.waiting}
    found = []
    for daemon_set in context.state.of("daemonsets"):
        name, namespace = name_of(daemon_set), str(daemon_set["metadata"].get("namespace") or "")
        status = daemon_set.get("status") or {}
        wanted, ready = int(status.get("desiredNumberScheduled") or 0), int(status.get("numberReady") or 0)
        if name not in (*CNI_AGENTS, KUBE_PROXY) or ready >= wanted:
            continue
        pods = client.list(f"/api/v1/namespaces/{namespace}/pods")
        down = sorted(
            str((pod.get("spec") or {}).get("nodeName") or "no Node yet")
            for pod in pods
            if (controller_of(pod) or {}).get("uid") == daemon_set["metadata"].get("uid") and not is_ready(pod)
        )
        others = [node for node in down if node not in exempt]
        if others:
            more = f" and {len(others) - _MOST} more" if len(others) > _MOST else ""
            reason = (
                f"DaemonSet {namespace}/{name} gives pods their network, and it is not ready on {', '.join(others[:_MOST])}{more}; "
                "mend it before another Node goes out"
            )
            found.append(Objection("network-agent-not-ready", reason, "network-agent-not-ready"))
    return found
