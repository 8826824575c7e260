# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about CNI state on hosts."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    INFO,
    NODE_CIDRS,
    REASSIGN,
    WARNING,
    FindingKind,
)

_FILES = "cat /etc/cni/net.d/*.conf* (on the host)"

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "host-cni-config-drift",
        CRITICAL,
        "CNI on the host works with another pod CIDR than the Node's",
        "The CNI configuration on the host names subnets that the Node's podCIDRs do not contain.",
        "New pods there get addresses that other hosts do not route to this one: they are Running and Ready, and nobody can reach them. "
        "containerd renders its template only when there is no configuration, so it stays for ever.",
        _FILES + "; " + NODE_CIDRS,
        "Register the Node again; the playbook cleans the CNI state of the host and replaces the pods.",
        REASSIGN,
    ),
    FindingKind(
        "host-bridge-address-drift",
        CRITICAL,
        "The bridge on the host has the address of another pod CIDR",
        "The bridge of the CNI has an address outside the Node's podCIDRs.",
        "Pods of that time are cut off from other hosts; new sandboxes fail because the bridge has another address than the one wanted.",
        "ip address show cni0 (on the host); " + NODE_CIDRS,
        "Register the Node again; the playbook cleans the CNI state of the host and replaces the pods.",
        REASSIGN,
    ),
    FindingKind(
        "host-cni-config-missing",
        WARNING,
        "No CNI configuration on the host",
        "There is no configuration in the CNI folder of the host, though the Node is registered.",
        "No pod on the pod network starts there.",
        "ls /etc/cni/net.d (on the host); kubectl get nodes",
        "No safe automatic remedy, because the CNI's installer writes it: see its DaemonSet on this Node; with a template of containerd, "
        "the Node needs its podCIDR first.",
    ),
    FindingKind(
        "host-cni-configs-several",
        WARNING,
        "Several CNI configurations on the host",
        "There is more than one configuration in the CNI folder of the host; container runtimes take the first by name.",
        "A restart of the runtime or a file that comes or goes gives new pods another network than the present ones.",
        _FILES,
        "No safe automatic remedy, because only you know which CNI is meant: remove the files of the others.",
    ),
    FindingKind(
        "host-flannel-state-drift",
        WARNING,
        "State of flannel on the host is from another pod CIDR",
        "/run/flannel/subnet.env names a subnet that the Node's podCIDRs do not contain.",
        "The flannel plugin gives out addresses of that subnet until flannel has written the file again.",
        "cat /run/flannel/subnet.env (on the host); " + NODE_CIDRS,
        "No safe automatic remedy, because it depends on whether flannel is still in use: restart its pod on this Node, or remove what it left.",
    ),
    FindingKind(
        "host-not-read",
        INFO,
        "Hosts that could not be read",
        "CNI state of these hosts was asked for and could not be read over SSH.",
        "Whether CNI on them works with the Node's podCIDR is unknown.",
        "ansible all -m ansible.builtin.ping",
        "Make the host reachable, or leave it out of the group.",
    ),
)
