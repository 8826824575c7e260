# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about the control plane that bookkeeping depends on."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CONTROLLER_MANAGER_FLAGS,
    CRITICAL,
    NODE_CIDRS,
    WARNING,
    FindingKind,
)

_LEASE = "kubectl -n kube-system get lease {} -o yaml"
_CONTROLLER_MANAGER = _LEASE.format("kube-controller-manager")

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "controller-manager-lease-stale",
        CRITICAL,
        "No controller-manager leads",
        "The Lease of kube-controller-manager has not been renewed for a minute or more.",
        "No podCIDR is assigned, nothing is garbage-collected, no pod of a lost Node is replaced, no ReplicaSet or DaemonSet follows.",
        _CONTROLLER_MANAGER,
        "No safe automatic remedy, because it is the control plane: read the log of kube-controller-manager on each control plane host, "
        "and see critical findings about Nodes, at which it exits.",
    ),
    FindingKind(
        "controller-manager-crash-loop",
        CRITICAL,
        "The controller-manager starts again and again",
        "kube-controller-manager takes the Lease, exits and starts again. Its Lease looks fresh all the while.",
        "Controllers run for seconds at a time: assignment of podCIDRs, garbage collection and rollouts stand still.",
        _CONTROLLER_MANAGER
        + " | grep -E 'acquireTime|leaseTransitions|holderIdentity' (again after 40 s: they must be equal); "
        "kubectl -n kube-system get pods -l component=kube-controller-manager; " + NODE_CIDRS,
        "No safe automatic remedy, because deleting a Node in a cluster without controllers leaves its pods behind: delete or correct the "
        "Nodes that are named, or set the flags back to the former range; see the log of kube-controller-manager.",
    ),
    FindingKind(
        "scheduler-lease-stale",
        WARNING,
        "No scheduler leads",
        "The Lease of kube-scheduler has not been renewed for a minute or more.",
        "New pods stay Pending.",
        _LEASE.format("kube-scheduler"),
        "No safe automatic remedy, because it is the control plane: read the log of kube-scheduler on each control plane host.",
    ),
    FindingKind(
        "api-service-unavailable",
        WARNING,
        "An aggregated API is not available",
        "An APIService that another server answers for is not Available.",
        "The garbage collector cannot list everything: objects of deleted Nodes and pods stay, CiliumNodes among them, until a "
        "pool is exhausted; namespaces do not end.",
        "kubectl get apiservices",
        "No safe automatic remedy, because the service behind it belongs to somebody: mend it, or delete the APIService if it is no longer wanted.",
    ),
    FindingKind(
        "kubelet-version-skew",
        WARNING,
        "Kubelets are of a version that the API server does not support",
        "A kubelet is newer than the API server, or more than three minor versions older.",
        "What such a kubelet writes about its Node may not be understood; registering it again may fail.",
        "kubectl version; kubectl get nodes",
        "No safe automatic remedy, because it is an upgrade: bring kubelets and control plane within the supported skew.",
    ),
    FindingKind(
        "controller-manager-duplicates-cidrs",
        WARNING,
        "This release of the controller-manager gives one block to two Nodes",
        "kube-controller-manager 1.31.0 to 1.31.3 frees a block as soon as a Node is being deleted, although finalizers keep the Node.",
        "The next Node gets the same block: two Nodes route the same addresses (kubernetes/kubernetes 127792).",
        CONTROLLER_MANAGER_FLAGS + "; kubectl version; " + NODE_CIDRS,
        "No safe automatic remedy, because it is an upgrade: go to 1.31.4 or later before any Node is deleted.",
    ),
)
