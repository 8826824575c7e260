# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Every kind of object that an audit reads: where the API serves it, and what files call it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# the reasons for which events are read; nothing else of them is
EVENT_REASONS = ("CIDRNotAvailable", "CIDRAssignmentFailed", "FailedCreatePodSandBox", "NetworkNotReady")
CONFIG_MAPS = ("kubeadm-config", "cilium-config", "calico-config", "kube-flannel-cfg", "kube-proxy")
LEASES = ("kube-controller-manager", "kube-scheduler", "cilium-operator-resource-lock")
DEPLOYMENTS = ("cilium-operator",)
CLUSTER_ROLES = ("cilium-operator",)
NODE_LEASES_NAMESPACE = "kube-node-lease"


@dataclass(frozen=True)
class Resource:
    """One kind of object. ``versions`` are tried in their order; a group that is not served makes it absent.

    ``names``: only these objects are looked up, in kube-system and in the namespaces of the CNI; otherwise all are
    listed. ``namespace``: only there.
    """

    name: str
    kind: str
    group: str = ""
    versions: tuple[str, ...] = ("v1",)
    plural: str = ""
    namespace: str = ""
    names: tuple[str, ...] = ()
    namespaced: bool = False

    def path(self, version: str, namespace: str = "") -> str:
        """Path of the collection."""
        root = f"/apis/{self.group}/{version}" if self.group else f"/api/{version}"
        inside = f"/namespaces/{namespace or self.namespace}" if namespace or self.namespace else ""
        return f"{root}{inside}/{self.plural or self.name}"


_CILIUM = "cilium.io"
_CALICO = "crd.projectcalico.org"
# where policies select pods by labels that make no identity
POLICIES = ("networkpolicies", "ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies")
# The order is the order of reading: identities before the endpoints and pods that use them, so that one that is in use is
# not taken for unused because its pod is younger than the picture.
_ALL = (
    Resource("nodes", "Node"),
    Resource("daemonsets", "DaemonSet", "apps", namespaced=True),
    Resource("configmaps", "ConfigMap", names=CONFIG_MAPS, namespaced=True),
    Resource("leases", "Lease", "coordination.k8s.io", namespace="kube-system", names=LEASES, namespaced=True),
    Resource("ciliumidentities", "CiliumIdentity", _CILIUM, ("v2",)),
    Resource("ciliumendpointslices", "CiliumEndpointSlice", _CILIUM, ("v2alpha1", "v2")),
    Resource("ciliumendpoints", "CiliumEndpoint", _CILIUM, ("v2",), namespaced=True),
    Resource("pods", "Pod", namespaced=True),
    Resource("namespaces", "Namespace"),
    Resource("deployments", "Deployment", "apps", names=DEPLOYMENTS, namespaced=True),
    Resource(
        "nodeleases",
        "Lease",
        "coordination.k8s.io",
        plural="leases",
        namespace=NODE_LEASES_NAMESPACE,
        namespaced=True,
    ),
    Resource("csinodes", "CSINode", "storage.k8s.io"),
    Resource("apiservices", "APIService", "apiregistration.k8s.io"),
    Resource("events", "Event", namespaced=True),
    Resource("clusterroles", "ClusterRole", "rbac.authorization.k8s.io", names=CLUSTER_ROLES),
    Resource("ciliumnodes", "CiliumNode", _CILIUM, ("v2",)),
    Resource("ciliumnodeconfigs", "CiliumNodeConfig", _CILIUM, ("v2", "v2alpha1"), namespaced=True),
    Resource("ciliumpodippools", "CiliumPodIPPool", _CILIUM, ("v2alpha1", "v2")),
    Resource("clustercidrs", "ClusterCIDR", "networking.x-k8s.io"),
    Resource("clustercidrs-in-tree", "ClusterCIDR", "networking.k8s.io", ("v1alpha1",), plural="clustercidrs"),
    Resource("ippools", "IPPool", _CALICO),
    Resource("blockaffinities", "BlockAffinity", _CALICO),
    Resource("cninodes", "CNINode", "vpcresources.k8s.aws", ("v1alpha1",)),
    Resource("nodenetworkconfigs", "NodeNetworkConfig", "acn.azure.com", ("v1alpha",), namespaced=True),
    Resource("networkpolicies", "NetworkPolicy", "networking.k8s.io", namespaced=True),
    Resource("ciliumnetworkpolicies", "CiliumNetworkPolicy", _CILIUM, ("v2",), namespaced=True),
    Resource("ciliumclusterwidenetworkpolicies", "CiliumClusterwideNetworkPolicy", _CILIUM, ("v2",)),
)
RESOURCES: Mapping[str, Resource] = {one.name: one for one in _ALL}

# what is not an object of the API: answers, lines, samples, facts; read on request only
EXTRAS = ("agents", "logs", "metrics", "hosts", "kvstore")

# what judging podCIDRs of Nodes needs, and no more
NODE_CIDR_RESOURCES = ("nodes", "pods", "daemonsets", "configmaps", "leases")
