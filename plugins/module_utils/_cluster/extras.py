# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Adds to a state what no object of the API says: answers of agents, metrics, log lines, and facts of hosts."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.agents import collect_agents
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import FEATURE_PERMISSIONS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pod_logs import (
    collect_logs,
    is_cilium_operator,
    pods_to_read,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pod_metrics import collect_metrics
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import is_agent
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.shape import SHAPES, fault
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, ClusterState, Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_metrics import (
    AGENT,
    OPERATOR,
    PORT_KEYS,
    metrics_port,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError

# events and log lines of that time before the audit are looked at
_LATELY = datetime.timedelta(hours=1)


def read_agents(client: KubeClient, state: ClusterState, concurrency: int, *, metrics: bool = True) -> ClusterState:
    """The state with what Cilium's agents and, on request, the metrics of its operator say.

    Without the permission they are unknown. Raises ApiError when the API does not answer.
    """
    agents = [pod for pod in state.of("pods") if is_agent(pod) and _runs(pod)]
    operators = [pod for pod in state.of("pods") if is_cilium_operator(pod) and _runs(pod)]
    namespace = next((str(pod["metadata"].get("namespace")) for pod in agents), "kube-system")
    config = state.config_map("cilium-config") or {}
    ports = {one: metrics_port(one, config.get(PORT_KEYS[one], "")) for one in (OPERATOR, AGENT)}
    readers: dict[str, Callable[[], Sequence[Object]]] = {
        "agents": lambda: collect_agents(client, agents, concurrency=concurrency, namespace=namespace)
    }
    if metrics:
        readers["metrics"] = lambda: collect_metrics(client, operators, concurrency=concurrency, ports=ports)
    return _adding(state, readers)


def read_logs(client: KubeClient, state: ClusterState) -> ClusterState:
    """The state with the log lines that matter (see ``pods_to_read``); without the permission they are unknown."""
    since = state.taken_at - _LATELY
    pods = [pod for pod in state.of("pods") if _runs(pod)]
    chosen = pods_to_read(pods, state.of("leases"), state.of("events"), since)
    seconds = int(_LATELY.total_seconds())
    return _adding(state, {"logs": lambda: collect_logs(client, chosen, since_seconds=seconds)})


def with_hosts(state: ClusterState, hosts: Sequence[Mapping[str, t.Any]]) -> ClusterState:
    """The state with what was read on hosts over SSH; unchanged when that is nothing.

    Raises InputError when an entry has not the shape that the role audit gives it.
    """
    if not hosts:
        return state
    text = fault(list(hosts), [SHAPES["hosts"]], "host_facts")
    if text:
        raise InputError(f"host_facts: {text}; leave it to the role podnet.upkeep.audit, which reads it on the hosts.")
    return dataclasses.replace(state, resources={**state.resources, "hosts": tuple(dict(one) for one in hosts)})


def _runs(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES


def _adding(state: ClusterState, readers: Mapping[str, Callable[[], Sequence[Object]]]) -> ClusterState:
    resources, unknown = dict(state.resources), dict(state.unknown)
    for resource, read in readers.items():
        if "pods" in state.unknown:
            unknown[resource] = f"pods are not known ({state.unknown['pods']})"
            continue
        try:
            resources[resource] = tuple(read())
        except ApiError as error:
            if error.status != 403:
                raise
            words = error.server_message or str(error)
            unknown[resource] = f"the permission to {FEATURE_PERMISSIONS[resource].sentence} is missing ({words})"
    return dataclasses.replace(state, resources=resources, unknown=unknown)
