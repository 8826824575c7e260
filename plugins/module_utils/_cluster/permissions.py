# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What an audit must be allowed to read, resource by resource, and what stays unknown without it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES


@dataclass(frozen=True)
class Permission:
    """One rule of a ClusterRole (or of a Role in ``namespace``), and what cannot be said without it.

    ``also_in``: further namespaces in which the objects are looked up, in words. ``feature``: the option of the audit
    that needs it; empty: every audit does. ``more_verbs`` are needed besides.
    """

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    names: tuple[str, ...] = ()
    without: str = ""
    also_in: str = ""
    feature: str = ""
    more_verbs: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The act in words: ``list daemonsets.apps in all namespaces``."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        if self.resource in _CLUSTER_SCOPED:
            return f"{self.verb} {resource}"
        where = f"{self.verb} {resource} in {f'namespace {self.namespace}' if self.namespace else 'all namespaces'}"
        return f"{where} and in {self.also_in}" if self.also_in else where

    def rule(self) -> dict[str, t.Any]:
        """The rule as RBAC writes it."""
        rule: dict[str, t.Any] = {"apiGroups": [self.group], "resources": [self.resource]}
        rule["verbs"] = [self.verb, *self.more_verbs]
        if self.names:
            rule["resourceNames"] = list(self.names)
        return rule


_CLUSTER_SCOPED = frozenset(one.plural or one.name for one in RESOURCES.values() if not one.namespaced)
_WITHOUT: Mapping[str, str] = {
    "nodes": "nothing about Nodes and their podCIDRs",
    "pods": "whether pods have addresses outside their Node's podCIDR, which flags kube-controller-manager has, and "
    "which identities pods need",
    "daemonsets": "which CNI runs, so podCIDRs of Nodes are not judged at all",
    "configmaps": "the IPAM mode of Cilium or Calico, the configuration of Cilium, and whether kubeadm-config agrees with "
    "the running flags",
    "leases": "which of several controller-managers leads, and whether anybody leads",
    "ciliumidentities": "how many identities are used and which are leaked",
    "ciliumendpointslices": "which identities are in use where Cilium keeps endpoints in slices",
    "ciliumendpoints": "which identities are in use, and which pods have no endpoint",
    "namespaces": "which identities pods need, because labels of namespaces are part of them",
    "deployments": "whether the cilium-operator runs, which collects identities",
    "nodeleases": "which Leases are left behind by deleted Nodes",
    "csinodes": "which CSINodes are left behind by deleted Nodes",
    "apiservices": "whether garbage collection is blocked by an API that does not answer",
    "events": "why pods could not start lately",
    "clusterroles": "whether the cilium-operator may delete identities",
    "ciliumnodes": "which blocks Cilium gave to which Node",
    "ciliumnodeconfigs": "which Nodes run another configuration than cilium-config",
    "ciliumpodippools": "the pools of Cilium's multi-pool IPAM",
    "clustercidrs": "the pools of the out-of-tree allocator of podCIDRs",
    "clustercidrs-in-tree": "the pools of the allocator of podCIDRs with ClusterCIDR objects",
    "ippools": "the pools of Calico",
    "blockaffinities": "which blocks Calico gave to which Node",
    "cninodes": "what the VPC CNI of Amazon manages",
    "nodenetworkconfigs": "which addresses Azure CNI gave to which Node",
    "networkpolicies": "which NetworkPolicies select pods by labels that make no identity",
    "ciliumnetworkpolicies": "which policies of Cilium select pods by labels that make no identity",
    "ciliumclusterwidenetworkpolicies": "which policies of Cilium for the whole cluster select pods by labels that make no "
    "identity",
}
_ALSO_IN: Mapping[str, str] = {
    "configmaps": "the namespaces of Cilium and flannel",
    "deployments": "the namespace of Cilium",
}


def _of_resource(name: str) -> Permission:
    kind = RESOURCES[name]
    namespace = kind.namespace or ("kube-system" if kind.names and kind.namespaced else "")
    return Permission(
        "get" if kind.names else "list",
        kind.plural or kind.name,
        kind.group,
        namespace,
        kind.names,
        _WITHOUT[name],
        _ALSO_IN.get(name, ""),
    )


PERMISSIONS: Mapping[str, Permission] = {name: _of_resource(name) for name in RESOURCES}

# what options of the audit need besides
FEATURE_PERMISSIONS: Mapping[str, Permission] = {
    "agents": Permission(
        "create",
        "pods/exec",
        namespace="kube-system",
        without="what the agents of Cilium say",
        also_in="the namespace of Cilium",
        feature="use_agents",
        more_verbs=("get",),  # the WebSocket is a GET; servers from 1.35 on ask for create besides
    ),
    "logs": Permission(
        "get",
        "pods/log",
        namespace="kube-system",
        without="what log lines say about failures",
        also_in="the namespace of the CNI",
        feature="read_logs",
    ),
    "metrics": Permission(
        "get",
        "pods/proxy",
        namespace="kube-system",
        without="what metrics of the cilium-operator say",
        also_in="the namespace of Cilium",
        feature="use_agents",
    ),
}
