# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The IPAM model of one Node, where a cluster has several: Fargate beside EC2, virtual kubelets, Windows, hybrid nodes.

Source of the labels: documentation of EKS (compute types), virtual-kubelet and Kubernetes (kubernetes.io/os). Otherwise the
CNI is the one whose DaemonSet has a pod on the Node.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Collection, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import (
    NODE_SPEC,
    UNKNOWN,
    IpamEvidence,
    IpamModel,
    cni_daemon_sets,
    detect,
)

COMPUTE_TYPE: t.Final = "eks.amazonaws.com/compute-type"
_OF_COMPUTE_TYPE: Mapping[str, str] = {"fargate": "aws-fargate", "auto": "aws-auto"}
_OS: t.Final = "kubernetes.io/os"


def model_of_node(
    labels: Mapping[str, str], daemon_sets: Collection[str] | None, cluster: IpamModel, found: IpamEvidence
) -> IpamModel:
    """The model of a Node.

    ``daemon_sets``: names of the DaemonSets with a pod on it, None when that is not known. ``cluster`` is the model of the
    cluster and ``found`` what that was detected from.
    """
    if labels.get("type") == "virtual-kubelet":
        return IpamModel("virtual-kubelet", "label type=virtual-kubelet")
    compute = labels.get(COMPUTE_TYPE, "")
    if compute in _OF_COMPUTE_TYPE:
        return IpamModel(_OF_COMPUTE_TYPE[compute], f"label {COMPUTE_TYPE}={compute}")
    if labels.get(_OS) == "windows":
        return _of_windows(cluster)
    own = cni_daemon_sets(daemon_sets or ())
    if own:
        return _of_daemon_sets(own, cluster, found)
    if compute == "hybrid" and cluster.name == "aws-vpc-cni":
        return IpamModel(UNKNOWN, f"label {COMPUTE_TYPE}=hybrid: the VPC CNI does not run there, and no other was seen")
    return cluster


def _of_windows(cluster: IpamModel) -> IpamModel:
    """Cilium has no agent for Windows, and Amazon's addresses come from the control plane there."""
    if cluster.name == "aws-vpc-cni":
        return IpamModel("aws-windows", f"label {_OS}=windows beside the VPC CNI")
    if cluster.name.startswith("cilium-") or (cluster.name, cluster.cni) == (NODE_SPEC, "cilium"):
        return IpamModel(UNKNOWN, f"label {_OS}=windows: Cilium does not run there")
    return cluster


def _of_daemon_sets(own: Collection[str], cluster: IpamModel, found: IpamEvidence) -> IpamModel:
    cilium = found.cilium_config if any(name in ("cilium", "anetd") for name in own) else {}
    model = detect(dataclasses.replace(found, daemon_sets=own, cilium_config=cilium))
    if model.name == UNKNOWN or (model.name, model.cni) == (cluster.name, cluster.cni):
        # what is known of all Nodes is known of this one, unless its own pods say something else
        return cluster
    return model
