# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which CiliumEndpoints are dead, and why each other one is kept. Rules only, without any I/O.

The rules of the operator (operator/endpointgc/gc.go of 1.18.4): an endpoint lives as long as its pod exists and has not ended,
while it is younger than the interval of the collection, or when another object than a pod owns it. Those go with their owner,
as do those whose pod was replaced by another of the same name (by uid): that is the garbage collector's. Unlike it, nothing
is dead here before it was left alone for some minutes, and no pod of its name that lives is ignored.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment, words
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import is_finished
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.object_times import last_written
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stale_pod_addresses import addresses_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stale_pods import finished_at

Object = Mapping[str, t.Any]
# why an endpoint is dead
POD_GONE, POD_REPLACED, POD_ENDED = "pod-gone", "pod-replaced", "pod-ended"
NODE_GONE, OWNER_GONE = "node-gone", "owner-gone"
# why one that looks dead is kept
YOUNG, TERMINATING, IN_USE, AGENT_HAS_IT = "young", "terminating", "address-in-use", "agent-has-it"
NODE_UNSURE, OTHER_OWNER, ELSEWHERE = "node-may-live", "other-owner", "other-namespace"


@dataclass(frozen=True)
class EndpointRules:
    """``min_age``: seconds for which nobody wrote to the endpoint, its pod has ended, or the pod in its place exists.

    ``powered_off``: Nodes that are gone, and whose machines are known to be off: endpoints of their pods are dead.
    """

    min_age: float = 300.0
    namespaces: tuple[str, ...] = ()
    excluded_namespaces: tuple[str, ...] = ()
    powered_off: tuple[str, ...] = ()

    def in_scope(self, namespace: str) -> bool:
        """Whether endpoints of this namespace are looked at."""
        return namespace not in self.excluded_namespaces and (not self.namespaces or namespace in self.namespaces)


@dataclass(frozen=True)
class Surroundings:
    """Names of the Nodes and CiliumNodes that exist; ``agents_have``: endpoints (namespace/name) that agents run."""

    nodes: Collection[str]
    cilium_nodes: Collection[str]
    agents_have: Collection[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class EndpointVerdict:
    """``dead`` is the reason; empty when the endpoint is ``kept`` for another. ``words`` says it to people."""

    dead: str
    kept: str
    words: str


def pod_of(endpoint: Object) -> tuple[str, str, str]:
    """(namespace, name, uid) of the pod it belongs to: by its owner, else by its name and without uid."""
    metadata = endpoint["metadata"]
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == "Pod":
            return str(metadata["namespace"]), str(owner.get("name")), str(owner.get("uid") or "")
    return str(metadata["namespace"]), str(metadata["name"]), ""


def cilium_node_owners(endpoint: Object) -> list[str]:
    """Names of the CiliumNodes that own it."""
    owners = endpoint["metadata"].get("ownerReferences") or ()
    return [str(owner.get("name")) for owner in owners if owner.get("kind") == "CiliumNode"]


def endpoint_addresses(endpoint: Object) -> set[str]:
    """Its addresses."""
    networking = (endpoint.get("status") or {}).get("networking") or {}
    return {one[key] for one in networking.get("addressing") or () for key in ("ipv4", "ipv6") if one.get(key)}


def judge(
    endpoint: Object, pod: Object | None, around: Surroundings, rules: EndpointRules, now: datetime.datetime
) -> EndpointVerdict | None:
    """The verdict; None for an endpoint that lives. ``pod`` is the one that has the name of its pod now."""
    dead, why = _cause(endpoint, pod, around)
    if not dead:
        return None
    metadata = endpoint["metadata"]
    if not rules.in_scope(str(metadata.get("namespace") or "")):
        return EndpointVerdict("", ELSEWHERE, "its namespace is left out")
    if metadata.get("deletionTimestamp"):
        return EndpointVerdict("", TERMINATING, "it is being deleted already")
    if dead == OTHER_OWNER:
        return EndpointVerdict("", OTHER_OWNER, why)
    if dead == POD_REPLACED and pod is not None and endpoint_addresses(endpoint) & set(addresses_of(pod)):
        return EndpointVerdict("", IN_USE, f"{why}, but that one has its address")
    if dead == NODE_GONE and _node_of(pod) not in rules.powered_off:
        return EndpointVerdict("", NODE_UNSURE, f"{why}, but its pod is still there, and the machine may run")
    if f"{metadata['namespace']}/{metadata['name']}" in around.agents_have:
        return EndpointVerdict("", AGENT_HAS_IT, f"{why}, but the agent of its Node still runs the endpoint")
    quiet = _quiet_since(endpoint, pod if dead in (POD_REPLACED, POD_ENDED) else None, dead)
    if quiet is None:
        return EndpointVerdict("", YOUNG, f"{why}, but nothing tells for how long")
    age = (now - quiet).total_seconds()
    if age < rules.min_age:
        return EndpointVerdict("", YOUNG, f"{why}, but the last change is {words(age)} ago")
    return EndpointVerdict(dead, "", f"{why}; the last change is {words(age)} ago")


def _cause(endpoint: Object, pod: Object | None, around: Surroundings) -> tuple[str, str]:
    owners = endpoint["metadata"].get("ownerReferences") or ()
    kinds = {str(owner.get("kind")) for owner in owners}
    of_nodes = cilium_node_owners(endpoint)
    if any(name in around.cilium_nodes for name in of_nodes):
        return "", ""
    namespace, name, uid = pod_of(endpoint)
    if pod is None:
        if kinds - {"Pod", "CiliumNode"}:
            return OTHER_OWNER, f"what its owner {', '.join(sorted(kinds))} makes of it is not known"
        if of_nodes and "Pod" not in kinds:
            return OWNER_GONE, f"its owner CiliumNode {of_nodes[0]} is gone"
        return POD_GONE, f"its pod {namespace}/{name} is gone"
    present = str(pod["metadata"].get("uid") or "")
    if uid and uid != present:
        return (
            POD_REPLACED,
            f"it belongs to an earlier pod {namespace}/{name} (uid {uid}); the pod now has uid {present}",
        )
    if is_finished(pod):
        return POD_ENDED, f"its pod {namespace}/{name} has ended ({(pod.get('status') or {}).get('phase')})"
    node = _node_of(pod)
    if node and node not in around.nodes and node not in around.cilium_nodes:
        return NODE_GONE, f"its pod {namespace}/{name} is bound to Node {node}, which is gone"
    return "", ""


def _node_of(pod: Object | None) -> str:
    return str(((pod or {}).get("spec") or {}).get("nodeName") or "")


def _quiet_since(endpoint: Object, pod: Object | None, dead: str) -> datetime.datetime | None:
    """The last time anything happened that could still lead to a new life of the endpoint."""
    times = [last_written(endpoint)]
    if pod is not None:
        times.append(finished_at(pod) if dead == POD_ENDED else moment(pod["metadata"].get("creationTimestamp")))
    known = [one for one in times if one is not None]
    return max(known) if len(known) == len(times) else None
