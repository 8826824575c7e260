# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What CNI plugins and container runtimes answer when a pod sandbox cannot be made.

The kubelet writes the answer into its log and into the message of the events FailedCreatePodSandBox and NetworkNotReady.
Texts are those of containernetworking/plugins, cilium-cni, Calico, the AWS VPC CNI, containerd and CRI-O.
"""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_pattern import (
    AGENT_DOWN,
    CLOUD_ADDRESSES,
    CNI_MISSING,
    IDENTITY_PENDING,
    KUBELET,
    NO_POD_CIDR,
    NODE_FULL,
    NOT_NETWORK,
    OLD_BRIDGE,
    LogPattern,
)

# the first that matches wins: the more exact text stands above the more general one
SANDBOX_TEXTS: tuple[LogPattern, ...] = (
    LogPattern(
        "calico-no-pod-cidr",
        KUBELET,
        NO_POD_CIDR,
        "no podCidr for node",
        "The CNI plugin takes the Node's podCIDR, and there is none.",
    ),
    LogPattern(
        "kubenet-no-pod-cidr",
        KUBELET,
        NO_POD_CIDR,
        "Kubenet does not have netConfig",
        "kubenet has no podCIDR to work with.",
    ),
    LogPattern(
        "bridge-has-other-address",
        KUBELET,
        OLD_BRIDGE,
        "already has an IP address different from",
        "The bridge still has the gateway address of an earlier podCIDR.",
    ),
    LogPattern(
        "host-local-full",
        KUBELET,
        NODE_FULL,
        "no IP addresses available in range set",
        "Every address of the Node's block is leased (leases of dead pods included).",
    ),
    LogPattern(
        "cilium-range-full",
        KUBELET,
        NODE_FULL,
        "range is full",
        "Every address of the CIDR that Cilium has on the Node is taken.",
    ),
    LogPattern(
        "cilium-ranges-exhausted",
        KUBELET,
        NODE_FULL,
        "all CIDR ranges are exhausted",
        "Every address of the CIDRs that Cilium has on the Node is taken.",
    ),
    LogPattern(
        "cloud-no-address",
        KUBELET,
        CLOUD_ADDRESSES,
        "no IPs currently available on the node",
        "The machine's network interfaces have no free address; the operator is to attach more.",
    ),
    LogPattern(
        "cilium-no-more-addresses",
        KUBELET,
        NODE_FULL,
        "No more IPs available",
        "Cilium has no address left on the Node.",
    ),
    LogPattern(
        "aws-no-address",
        KUBELET,
        CLOUD_ADDRESSES,
        "failed to assign an IP address to container",
        "The machine's network interfaces, or their subnet, have no free address.",
    ),
    LogPattern(
        "aws-agent-down",
        KUBELET,
        AGENT_DOWN,
        "127.0.0.1:50051",
        "The agent of the AWS VPC CNI (aws-node) does not answer.",
        also=("connection refused",),
    ),
    LogPattern(
        "calico-pools-empty",
        KUBELET,
        CLOUD_ADDRESSES,
        "requested IPv4 addresses",
        "No IPPool of Calico has a free address.",
        also=("Assigned 0 out of",),
    ),
    LogPattern(
        "calico-agent-down",
        KUBELET,
        AGENT_DOWN,
        "/var/lib/calico/nodename",
        "calico-node does not run on the Node, or has not come up yet.",
        also=("no such file",),
    ),
    LogPattern(
        "cilium-agent-down",
        KUBELET,
        AGENT_DOWN,
        "unable to connect to Cilium",
        "The Cilium agent of the Node does not answer.",
    ),
    LogPattern(
        "cilium-socket-missing",
        KUBELET,
        AGENT_DOWN,
        "cilium.sock: connect:",
        "The Cilium agent of the Node does not answer.",
    ),
    LogPattern(
        "flannel-state-missing",
        KUBELET,
        AGENT_DOWN,
        "/run/flannel/subnet.env",
        "flannel has not come up on the Node, so the CNI plugin does not know the subnet.",
        also=("no such file",),
    ),
    LogPattern(
        "endpoint-create-timeout",
        KUBELET,
        IDENTITY_PENDING,
        "Cilium API client timeout exceeded",
        "The Cilium agent did not finish the endpoint in time, as it happens when it waits for an identity.",
    ),
    LogPattern(
        "endpoint-create-limited",
        KUBELET,
        IDENTITY_PENDING,
        "putEndpointIdTooManyRequests",
        "The Cilium agent refuses further endpoints for now, as too many are being made or wait.",
    ),
    LogPattern(
        "cni-uninitialized",
        KUBELET,
        CNI_MISSING,
        "cni plugin not initialized",
        "The container runtime has no CNI configuration.",
    ),
    LogPattern(
        "cni-config-uninitialized",
        KUBELET,
        CNI_MISSING,
        "cni config uninitialized",
        "The container runtime has no CNI configuration.",
    ),
    LogPattern(
        "cni-config-absent",
        KUBELET,
        CNI_MISSING,
        "No CNI configuration file in",
        "The container runtime has no CNI configuration.",
    ),
    LogPattern(
        "cni-networks-absent",
        KUBELET,
        CNI_MISSING,
        "no networks found in",
        "The container runtime has no CNI configuration.",
    ),
    LogPattern(
        "cni-plugin-absent",
        KUBELET,
        CNI_MISSING,
        "failed to find plugin",
        "A program of the CNI is not on the host.",
        also=("in path",),
    ),
    LogPattern(
        "sandbox-image",
        KUBELET,
        NOT_NETWORK,
        "failed to get sandbox image",
        "The sandbox image cannot be pulled; the pod network has nothing to do with it.",
    ),
    LogPattern(
        "runtime-class",
        KUBELET,
        NOT_NETWORK,
        "no runtime for",
        "The container runtime does not know the runtime class; the pod network has nothing to do with it.",
        also=("is configured",),
    ),
    LogPattern(
        "container-create",
        KUBELET,
        NOT_NETWORK,
        "OCI runtime create failed",
        "The container runtime could not create the container; the pod network has nothing to do with it.",
    ),
)
