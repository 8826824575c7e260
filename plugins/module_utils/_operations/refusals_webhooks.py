# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Admission webhooks that would stop a run half-way: what they intercept is refused while nobody answers for them.

The API server asks a webhook for each request that its rules name; with failurePolicy Fail (the default) it refuses the
request when no endpoint of the webhook's Service answers. A Node that was deleted could then not be created again, or its
pods not start. Where all its endpoints are on the Node that is to go, the eviction itself makes it so, and a webhook
for pods then forbids its own new pods. Selectors of namespaces and objects are not followed: a webhook without endpoint is to
be mended anyway, and the risk has a name.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection

_ROOT = "/apis/admissionregistration.k8s.io/v1"
_KINDS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
_SERVICE = "kubernetes.io/service-name"
#: What a re-registration, the kubelet of the Node and controllers write meanwhile: group, resources.
_WRITTEN: tuple[tuple[str, frozenset[str]], ...] = (
    ("", frozenset({"nodes", "nodes/status", "pods", "pods/status", "pods/eviction", "pods/binding"})),
    ("coordination.k8s.io", frozenset({"leases"})),
    ("storage.k8s.io", frozenset({"csinodes"})),
)


@dataclass(frozen=True)
class Webhook:
    """One webhook of which requests of a run depend. ``nodes``: where its ready endpoints are ("" = not on a Node)."""

    name: str
    service: str
    intercepts: tuple[str, ...]
    nodes: tuple[str, ...]


def read_webhooks(client: KubeClient) -> list[Webhook]:
    """Those with failurePolicy Fail and a Service, for objects that a run writes. Raises ApiError."""
    found: list[Webhook] = []
    endpoints: dict[tuple[str, str], tuple[str, ...]] = {}
    for kind in _KINDS:
        for configuration in client.list(f"{_ROOT}/{kind}"):
            for hook in configuration.get("webhooks") or []:
                service = (hook.get("clientConfig") or {}).get("service")
                intercepts = _intercepts(hook)
                if not service or not intercepts or (hook.get("failurePolicy") or "Fail") != "Fail":
                    continue
                key = (str(service.get("namespace") or ""), str(service.get("name") or ""))
                if key not in endpoints:
                    endpoints[key] = _ready_nodes(client, *key)
                found.append(Webhook(str(hook.get("name") or "?"), "/".join(key), intercepts, endpoints[key]))
    return found


def without_endpoint(webhooks: Sequence[Webhook]) -> list[Objection]:
    """Webhooks that nobody answers for."""
    return [
        Objection(
            "webhook-unavailable",
            f"Webhook {hook.name} has to allow each write of {', '.join(hook.intercepts)}, and its Service {hook.service} has "
            "no ready endpoint, so the API server refuses them; mend or remove it first",
            "webhook-unavailable",
        )
        for hook in webhooks
        if not hook.nodes
    ]


def only_on(webhooks: Sequence[Webhook], node_name: str) -> list[Objection]:
    """Webhooks whose every ready endpoint is on this Node."""
    return [
        Objection(
            "webhook-on-node",
            f"Node {node_name}: the only ready endpoints of webhook {hook.name} (Service {hook.service}) are on it, and it has "
            f"to allow each write of {', '.join(hook.intercepts)}, which would be refused while this Node is out; let a pod of "
            "it run on another Node first",
            "webhook-on-node",
        )
        for hook in webhooks
        if hook.nodes and set(hook.nodes) == {node_name}
    ]


def _intercepts(hook: Mapping[str, t.Any]) -> tuple[str, ...]:
    found: set[str] = set()
    for rule in hook.get("rules") or []:
        groups, named = set(rule.get("apiGroups") or ()), set(rule.get("resources") or ())
        for group, resources in _WRITTEN:
            if groups & {group, "*"} and set(rule.get("operations") or ()) - {"CONNECT"}:
                found |= {one for one in resources if named & _names_of(one)}
    return tuple(sorted(found))


def _names_of(resource: str) -> set[str]:
    """How a rule can name it: ``*`` stands for all resources without subresources, ``*/*`` for all."""
    name, _slash, part = resource.partition("/")
    return {resource, f"{name}/*", f"*/{part}", "*/*"} if part else {resource, "*", "*/*", f"{name}/*"}


def _ready_nodes(client: KubeClient, namespace: str, name: str) -> tuple[str, ...]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    nodes: set[str] = set()
    for piece in client.list(path, params={"labelSelector": f"{_SERVICE}={name}"}):
        for endpoint in piece.get("endpoints") or []:
            if (endpoint.get("conditions") or {}).get("ready") is not False:  # absent means ready
                nodes.add(str(endpoint.get("nodeName") or ""))
    return tuple(sorted(nodes))
