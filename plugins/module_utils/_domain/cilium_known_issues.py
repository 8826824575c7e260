# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Bugs of Cilium that bear on identities, endpoints and pod CIDRs, and the versions that have them.

``fixed`` names the first patch of each release that has the fix, by the release notes (CHANGELOG.md of 1.14.19, 1.15.19,
1.16.19, 1.17.17, 1.18.11, 1.19.6 and 1.20.0); a release without one of its own lacks it unless it is newer than all that
are named. An issue without ``fixed`` has no version that is known to be free of it: it is said with "may".
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Version, is_fixed

Config = Mapping[str, str]


def _always(_config: Config) -> bool:
    return True


def _crd(config: Config) -> bool:
    return config.get("identity-allocation-mode", "crd") == "crd"


def _kvstore(config: Config) -> bool:
    return config.get("identity-allocation-mode", "crd") != "crd"


def _operator_managed(config: Config) -> bool:
    return config.get("identity-management-mode", "agent") in ("operator", "both")


def _multi_pool(config: Config) -> bool:
    return config.get("ipam") == "multi-pool"


def _operator_pools(config: Config) -> bool:
    return config.get("ipam", "cluster-pool") in ("cluster-pool", "multi-pool")


def _dual_stack_cluster_pool(config: Config) -> bool:
    both = all(config.get(key, "false").strip().lower() in ("true", "1", "t") for key in ("enable-ipv4", "enable-ipv6"))
    return both and config.get("ipam", "cluster-pool") == "cluster-pool"


def _allow_list(config: Config) -> bool:
    items = config.get("labels", "").split()
    return any(not item.partition(":")[2].startswith("!") if ":" in item else item[0] != "!" for item in items)


@dataclass(frozen=True)
class KnownIssue:
    """One bug: number at github.com/cilium/cilium, what users see, what to do, and which clusters it concerns.

    ``introduced`` is the first version that has it (None: all that this collection supports). ``applies`` looks at the
    data of cilium-config. ``kubernetes`` is the first Kubernetes (major, minor) with which it matters. ``rare`` ones need
    a circumstance that cannot be seen here.
    """

    number: int
    symptom: str
    advice: str
    fixed: tuple[Version, ...] = ()
    introduced: Version | None = None
    applies: Callable[[Config], bool] = _always
    kubernetes: tuple[int, int] | None = None
    rare: bool = False

    @property
    def certain(self) -> bool:
        """Whether the release notes say which versions have it, and it needs no rare circumstance."""
        return bool(self.fixed) and not self.rare

    @property
    def reference(self) -> str:
        """Where it is described."""
        return f"cilium/cilium#{self.number}"

    @property
    def fixed_in(self) -> str:
        """``1.17.15, 1.18.9``; empty when no release is known to be free of it."""
        return ", ".join(f"{major}.{minor}.{patch}" for major, minor, patch in self.fixed)


ISSUES: tuple[KnownIssue, ...] = (
    KnownIssue(
        35946,
        "a pod that changes its labels and is deleted soon after leaves an identity that the GC never deletes",
        "upgrade; until then delete such identities with the guarded clean-up",
        fixed=((1, 17, 0),),
    ),
    KnownIssue(
        34893,
        "identities in the kvstore leak",
        "upgrade",
        fixed=((1, 16, 5),),
        applies=_kvstore,
    ),
    KnownIssue(
        43287,
        "the GC does not collect duplicates of an identity in the kvstore",
        "upgrade",
        fixed=((1, 18, 6),),
        applies=_kvstore,
    ),
    KnownIssue(
        43723,
        "Kubernetes 1.35 copies topology labels of Nodes to pods, which multiplies identities by zones and regions",
        r"upgrade, or add k8s:!topology\.kubernetes\.io to labels",
        fixed=((1, 18, 7), (1, 19, 0)),
        kubernetes=(1, 35),
    ),
    KnownIssue(
        19279,
        "every run of a Job makes an identity of its own, because its controller-uid label makes identities",
        r"upgrade, or add k8s:!controller-uid k8s:!batch\.kubernetes\.io/controller-uid to labels",
        fixed=((1, 16, 0),),
    ),
    KnownIssue(
        28003,
        "every pod of a StatefulSet has an identity of its own, because the label with its name makes identities",
        r"upgrade, or add k8s:!statefulset\.kubernetes\.io/pod-name k8s:!apps\.kubernetes\.io/pod-index to labels",
        fixed=((1, 15, 0),),
    ),
    KnownIssue(
        18878,
        "an include in labels drops the label of the cluster (before 1.16) and of the service account (before 1.18), so "
        "policies that select them stop to match",
        r"upgrade, or include io\.cilium\.k8s\.policy",
        fixed=((1, 18, 0),),
        applies=_allow_list,
    ),
    KnownIssue(
        16579,
        "a pod whose service account has a name of more than 63 characters gets no identity",
        "upgrade, or use shorter names",
        fixed=((1, 18, 0),),
        applies=_crd,
        rare=True,
    ),
    KnownIssue(
        41986,
        "after a CiliumPodIPPool was changed or created again, the operator can give one CIDR to two Nodes",
        "upgrade; until then do not edit pools that are in use, and restart the operator after a change",
        fixed=((1, 19, 0),),
        applies=_multi_pool,
    ),
    KnownIssue(
        42920,
        "an operator that lost the leadership works on for up to a minute, and two Nodes can get one pod CIDR",
        "upgrade; until then run one operator replica",
        fixed=((1, 18, 5), (1, 19, 0)),
        applies=_operator_pools,
        rare=True,
    ),
    KnownIssue(
        44832,
        "when an operator starts while two Nodes share an IPv6 pod CIDR, it frees the IPv4 pod CIDR of one and gives it away",
        "mend duplicates before the operator restarts; upgrade",
        fixed=((1, 17, 15), (1, 18, 9), (1, 19, 3)),
        applies=_dual_stack_cluster_pool,
    ),
    KnownIssue(
        42662,
        "node-local identities (of CIDRs and names) leak in agents",
        "upgrade; a restart of the agent frees them",
        fixed=((1, 18, 5), (1, 19, 0)),
        introduced=(1, 18, 0),
        rare=True,
    ),
    KnownIssue(
        47214,
        "with operator-managed identities, pods with named ports may wait for an identity for ever",
        "upgrade to a version with PR 48662, or set identity-management-mode to agent",
        introduced=(1, 20, 0),
        applies=_operator_managed,
    ),
    KnownIssue(
        28339,
        "the GC may never delete an identity when the operator restarts more often than identity-heartbeat-timeout",
        "find out why the operator restarts",
        applies=_crd,
    ),
    KnownIssue(
        25251,
        "several identities may exist for the same labels, because agents create them at the same time",
        "use identity-management-mode operator (1.18 and later)",
        applies=lambda config: _crd(config) and not _operator_managed(config),
    ),
    KnownIssue(
        27123,
        "a pod of a StatefulSet that was created again may have no CiliumEndpoint, and its traffic is dropped",
        "delete the pod, or restart the agent of its Node",
    ),
    KnownIssue(
        43577,
        "the agent's clean-up of endpoints may remove live endpoints after a failed health check",
        "raise endpoint-gc-interval",
    ),
    KnownIssue(
        28758,
        "the operator's error in the status of a CiliumNode may stay after it succeeded",
        "compare with what is allocated",
        applies=_multi_pool,
    ),
    KnownIssue(
        39874,
        "a pool with mask size /32 may be unusable",
        "restart the agent",
        applies=_multi_pool,
    ),
    KnownIssue(
        42787,
        "agents may run out of node ids (not identities) where Nodes come and go",
        "restart the agent that says so",
    ),
)


def affecting(version: Version, config: Config, kubernetes: tuple[int, int] | None = None) -> t.Iterator[KnownIssue]:
    """The issues that this version has, or may have, under this configuration.

    One that only matters with newer Kubernetes is left out when the version of Kubernetes is older or unknown.
    """
    for issue in ISSUES:
        too_old = issue.introduced is not None and version < issue.introduced
        if too_old or (issue.fixed and is_fixed(version, issue.fixed)) or not issue.applies(config):
            continue
        if issue.kubernetes is None or (kubernetes is not None and kubernetes >= issue.kubernetes):
            yield issue
