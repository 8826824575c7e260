# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What an audit must be allowed to read, resource by resource, and what stays unknown without it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

CONFIG_MAPS = ("kubeadm-config", "cilium-config", "calico-config")
LEASES = ("kube-controller-manager",)


@dataclass(frozen=True)
class Permission:
    """One rule of a ClusterRole (or of a Role in ``namespace``), and what cannot be said without it."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    names: tuple[str, ...] = ()
    without: str = ""

    @property
    def sentence(self) -> str:
        """The act in words: ``list daemonsets.apps in all namespaces``."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        if self.resource == "nodes":
            return f"{self.verb} {resource}"
        return f"{self.verb} {resource} in {f'namespace {self.namespace}' if self.namespace else 'all namespaces'}"

    def rule(self) -> dict[str, t.Any]:
        """The rule as RBAC writes it."""
        rule: dict[str, t.Any] = {"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb]}
        if self.names:
            rule["resourceNames"] = list(self.names)
        return rule


PERMISSIONS: Mapping[str, Permission] = {
    "nodes": Permission("list", "nodes", without="nothing about Nodes and their podCIDRs"),
    "pods": Permission(
        "list",
        "pods",
        without="whether pods have addresses outside their Node's podCIDR, and which flags kube-controller-manager has",
    ),
    "daemonsets": Permission(
        "list", "daemonsets", "apps", without="which CNI runs, so podCIDRs of Nodes are not judged at all"
    ),
    "configmaps": Permission(
        "get",
        "configmaps",
        namespace="kube-system",
        names=CONFIG_MAPS,
        without="the IPAM mode of Cilium or Calico, and whether kubeadm-config agrees with the running flags",
    ),
    "leases": Permission(
        "get",
        "leases",
        "coordination.k8s.io",
        "kube-system",
        LEASES,
        without="which of several controller-managers leads",
    ),
}
