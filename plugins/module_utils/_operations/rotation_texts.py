# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Sentences and steps that several ways to another range share."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import PlanStep

STABLE = (
    "the Lease kube-system/kube-controller-manager keeps its holder and its leaseTransitions for 60 seconds (a crash loop "
    "renews it as well, so a fresh Lease proves nothing)"
)
CHECK = "ansible-playbook podnet.upkeep.audit: no critical finding"


def flags_of(target: AllocatorSettings) -> str:
    """The flags of kube-controller-manager that the target stands for."""
    masks = " ".join(
        f"--node-cidr-mask-size{f'-ipv{version}' if len(target.families) > 1 else ''}={target.mask_sizes[version]}"
        for version in target.families
    )
    return f"--cluster-cidr={','.join(map(str, target.cluster_cidrs))} {masks}"


def where_flags_are(context: Context) -> str:
    """In which file, by where the audit found the settings."""
    source = context.allocator.source
    if source.startswith("pod "):
        return f"in /etc/kubernetes/manifests/kube-controller-manager.yaml of each control plane host (now: {source})"
    if "kubeadm" in source:
        return "in /etc/kubernetes/manifests/kube-controller-manager.yaml of each control plane host"
    return f"where your distribution has them (now: {source})"


def step_for_upgrades(target: AllocatorSettings) -> PlanStep:
    """The step that keeps an upgrade from taking the old range back."""
    return PlanStep(
        "Write the new range where upgrades take it from",
        [
            f"networking.podSubnet: {','.join(map(str, target.cluster_cidrs))} in ClusterConfiguration of the ConfigMap "
            "kube-system/kubeadm-config, or in the configuration of your installer (k3s, RKE2: cluster-cidr)",
        ],
        ["podnet.upkeep.audit has no finding kubeadm-config-differs after the flags are changed"],
    )
