# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about ranges that CNI and kube-proxy take for the pod network."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CONTROLLER_MANAGER_FLAGS,
    CRITICAL,
    NODE_CIDRS,
    WARNING,
    FindingKind,
)

_FLANNEL = "kubectl get configmaps -A --field-selector metadata.name=kube-flannel-cfg -o yaml"

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "flannel-network-mismatch",
        WARNING,
        "flannel's Network does not contain the pod CIDRs",
        "Network or IPv6Network of net-conf.json does not contain the cluster CIDR, or podCIDRs of Nodes.",
        "flannel does not start on a Node whose podCIDR is outside: its pods get no network.",
        _FLANNEL + "; " + NODE_CIDRS,
        "No safe automatic remedy, because only you know which of the two ranges is meant: make net-conf.json contain the cluster "
        "CIDR, then restart flannel.",
    ),
    FindingKind(
        "flannel-config-invalid",
        CRITICAL,
        "flannel's configuration cannot be used",
        "net-conf.json of ConfigMap kube-flannel-cfg is not JSON or has no valid Network.",
        "flannel does not start again anywhere.",
        _FLANNEL,
        "No safe automatic remedy, because the ConfigMap belongs to flannel's installer: correct it and restart flannel.",
    ),
    FindingKind(
        "calico-pool-mismatch",
        WARNING,
        "Calico's IPPools do not contain the pod CIDRs",
        "Pods get addresses of podCIDRs (host-local), and no enabled IPPool contains these.",
        "Calico takes traffic to such pods for traffic to the outside: other encapsulation, other address translation.",
        "kubectl get ippools.crd.projectcalico.org -o yaml; " + NODE_CIDRS,
        "No safe automatic remedy, because IPPools decide about routing: make one contain the cluster CIDR.",
    ),
    FindingKind(
        "kube-proxy-range-mismatch",
        WARNING,
        "kube-proxy's clusterCIDR does not contain the pod CIDRs",
        "clusterCIDR of ConfigMap kube-proxy does not contain the cluster CIDR, or podCIDRs of Nodes.",
        "kube-proxy takes pods outside of it for clients outside the cluster and gives their traffic to Services the Node's address: "
        "network policies and logs see the wrong source.",
        "kubectl -n kube-system get configmap kube-proxy -o yaml | grep -E 'clusterCIDR|detectLocalMode'; "
        + CONTROLLER_MANAGER_FLAGS,
        "No safe automatic remedy, because the ConfigMap belongs to the cluster's installer: correct clusterCIDR and restart kube-proxy.",
    ),
    FindingKind(
        "cilium-native-routing-mismatch",
        WARNING,
        "Cilium's native routing CIDR does not contain the pod CIDRs",
        "ipv4-native-routing-cidr or ipv6-native-routing-cidr does not contain the ranges that pods get addresses of.",
        "Traffic to pods outside of it leaves with the Node's address: network policies of the receiver see the wrong source.",
        "kubectl -n kube-system get configmap cilium-config -o yaml | grep -E 'native-routing|cluster-pool'; "
        + NODE_CIDRS,
        "No safe automatic remedy, because routes outside the cluster have to fit: widen the CIDR in Helm's values and restart Cilium.",
    ),
)
