# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Parts of a cluster that metrics come from, and which of them a cluster has: what alerts and panels depend on."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release

API_SERVER: t.Final = "kube-apiserver"
CONTROLLER_MANAGER: t.Final = "kube-controller-manager"
KUBELET: t.Final = "kubelet"
CILIUM: t.Final = "cilium"
CILIUM_OPERATOR: t.Final = "cilium-operator"
CILIUM_AGENT: t.Final = "cilium-agent"
CRD_IDENTITIES: t.Final = "crd-identities"
OPERATOR_IDENTITIES: t.Final = "operator-identities"
KVSTORE: t.Final = "kvstore"
CLOUD_IPAM: t.Final = "cloud-ipam"
DRIFT_CHECKER: t.Final = "drift-checker"
AUDIT: t.Final = "audit"

#: {component: what it is, and what having it means for monitoring}
COMPONENTS: t.Final[Mapping[str, str]] = {
    API_SERVER: "kube-apiserver, scraped",
    CONTROLLER_MANAGER: "kube-controller-manager that gives out podCIDRs, scraped",
    KUBELET: "kubelets, scraped",
    CILIUM: "Cilium, whether its metrics are on or off",
    CILIUM_OPERATOR: "cilium-operator that serves metrics",
    CILIUM_AGENT: "agents of Cilium that serve metrics",
    CRD_IDENTITIES: "identities as objects (identity-allocation-mode crd or doublewrite)",
    OPERATOR_IDENTITIES: "identities made by the operator (identity-management-mode operator or both)",
    KVSTORE: "a kvstore that agents use",
    CLOUD_IPAM: "addresses from a cloud or from CiliumNodes (ipam eni, azure, alibabacloud or crd)",
    DRIFT_CHECKER: "agents that compare their configuration with cilium-config (enable-drift-checker)",
    AUDIT: "metrics of our own audit, written by the role audit and read by node_exporter's textfile collector",
}
#: What a release is assumed to be where nobody knows it: the oldest that is supported, so that nothing is named that is not there.
OLDEST_CILIUM: t.Final[Release] = (1, 14)
OLDEST_KUBERNETES: t.Final[Release] = (1, 27)
#: Numbers for identities of a cluster of its own (cluster-id 0): 256 to 65535.
USUAL_CAPACITY: t.Final = 65280


@dataclass(frozen=True)
class MonitoredCluster:
    """What is known about a cluster. ``why_not`` says of components that are not there why; releases may be unknown."""

    components: frozenset[str]
    cilium: Release | None = None
    kubernetes: Release | None = None
    identity_capacity: int = USUAL_CAPACITY
    why_not: Mapping[str, str] = field(default_factory=dict)

    def release_of(self, component: str) -> Release:
        """The release that decides about metrics of a component; the oldest where it is unknown."""
        if component in (API_SERVER, CONTROLLER_MANAGER, KUBELET):
            return self.kubernetes or OLDEST_KUBERNETES
        return self.cilium or OLDEST_CILIUM

    def missing(self, needed: frozenset[str]) -> str:
        """Why something that needs these components cannot be; empty when they are all there."""
        lacking = [one for one in COMPONENTS if one in needed - self.components]
        return "; ".join(self.why_not.get(one) or f"{one} is not there ({COMPONENTS[one]})" for one in lacking)
