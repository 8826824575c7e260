# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What one kind of finding is: an entry of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

CRITICAL, WARNING, INFO = "critical", "warning", "info"
SEVERITIES = (CRITICAL, WARNING, INFO)
REASSIGN = "podnet.upkeep.reassign_pod_cidrs"
CLEAN_ENDPOINTS = "podnet.upkeep.clean_endpoints"
CLEAN_CILIUM_NODES = "podnet.upkeep.clean_cilium_nodes"
RECOVER_IDENTITIES = "podnet.upkeep.recover_identities"
RESTART_CILIUM = "podnet.upkeep.restart_cilium"
TUNE_CILIUM = "podnet.upkeep.tune_cilium"
#: They refuse without an answer: what to restart, what to change. Nothing that starts by itself has one.
NEED_ANSWERS = frozenset({RESTART_CILIUM, TUNE_CILIUM})
# commands to verify by hand that several kinds share
NODE_CIDRS = "kubectl get nodes -o custom-columns=NODE:.metadata.name,CIDRS:.spec.podCIDRs"
CONTROLLER_MANAGER_FLAGS = (
    "kubectl -n kube-system get pods -l component=kube-controller-manager -o yaml | grep -E 'cidr|cluster-ip-range'"
)


@dataclass(frozen=True)
class FindingKind:
    """One entry of the catalogue. ``severity`` is the usual one; a finding may state another where the facts differ."""

    id: str
    severity: str
    title: str
    meaning: str
    why: str
    verify: str
    remedy: str
    playbook: str | None = None
