# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Cilium as one audit sees it: where it runs, its configuration, version and modes."""

from __future__ import annotations

import functools
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_endpoint_objects import asked_for, in_force

_CONFIG = "cilium-config"
_DAEMON_SET = "cilium"
_OPERATOR = "cilium-operator"
_VERSION = re.compile(r":v?(\d+)\.(\d+)(?:\.(\d+))?")


class CiliumView:
    """Cilium of one cluster. ``None`` means unknown throughout; an empty mapping or list means that there is none."""

    def __init__(self, state: ClusterState) -> None:
        self._state = state

    @functools.cached_property
    def daemon_set(self) -> Object | None:
        """The DaemonSet of the agents; None when there is none or it is unknown."""
        found = [one for one in self._state.of("daemonsets") if name_of(one) in (_DAEMON_SET, "anetd")]
        labelled = [one for one in found if (one["metadata"].get("labels") or {}).get("k8s-app") == _DAEMON_SET]
        return next(iter(labelled or found), None)

    @functools.cached_property
    def installed(self) -> bool:
        """Whether anything of Cilium was seen: its DaemonSet, ConfigMap, operator or one of its objects."""
        kinds = ("ciliumnodes", "ciliumidentities", "ciliumendpoints")
        seen = self.daemon_set is not None or bool(self.config) or self.operator is not None
        return seen or any(self._state.of(kind) for kind in kinds)

    @functools.cached_property
    def namespace(self) -> str:
        """The namespace of its agents and ConfigMap; kube-system when nothing tells."""
        if self.daemon_set is not None:
            return str(self.daemon_set["metadata"].get("namespace") or "kube-system")
        for one in self._state.of("configmaps"):
            if name_of(one) == _CONFIG:
                return str(one["metadata"].get("namespace") or "kube-system")
        return "kube-system"

    @functools.cached_property
    def config_map(self) -> Object | None:
        """The ConfigMap cilium-config as an object."""
        return next((one for one in self._state.of("configmaps") if name_of(one) == _CONFIG), None)

    @functools.cached_property
    def config(self) -> Mapping[str, str] | None:
        """Data of cilium-config; empty when there is none, None when ConfigMaps cannot be read."""
        if self.config_map is not None:
            return self.config_map.get("data") or {}
        return None if "configmaps" in self._state.unknown else {}

    def value(self, key: str, default: str = "") -> str:
        """One key of cilium-config; ``default`` also when the ConfigMap is unknown (ask ``config`` first)."""
        return str((self.config or {}).get(key, default))

    @functools.cached_property
    def operator(self) -> Object | None:
        """The Deployment of the operator."""
        found = [one for one in self._state.of("deployments") if name_of(one).startswith(_OPERATOR)]
        return next(iter(found), None)

    @functools.cached_property
    def image(self) -> str:
        """Image of the agents, or of the operator when the DaemonSet is unknown; empty when neither is known."""
        for owner in (self.daemon_set, self.operator):
            for image in ((owner or {}).get("spec") or {}).get("images") or ():
                if "cilium" in image:
                    return str(image)
        return ""

    @functools.cached_property
    def full_version(self) -> tuple[int, int, int] | None:
        """Version by the image's tag, patch 0 when the tag has none; None when the tag does not tell."""
        match = _VERSION.search(self.image.split("@", maxsplit=1)[0])
        return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))

    @property
    def version(self) -> tuple[int, int] | None:
        """Major and minor version."""
        return None if self.full_version is None else self.full_version[:2]

    @property
    def ipam_mode(self) -> str:
        """Key ipam: kubernetes, cluster-pool, multi-pool, eni, azure, alibabacloud, crd or delegated-plugin."""
        return self.value("ipam", "cluster-pool")

    @property
    def identity_mode(self) -> str:
        """Key identity-allocation-mode: crd, kvstore, doublewrite-readkvstore or doublewrite-readcrd."""
        return self.value("identity-allocation-mode", "crd")

    @property
    def management_mode(self) -> str:
        """Key identity-management-mode: agent, operator or both."""
        return self.value("identity-management-mode", "agent")

    @property
    def cluster_name(self) -> str:
        """Key cluster-name."""
        return self.value("cluster-name", "default")

    @property
    def cluster_id(self) -> int | None:
        """Key cluster-id; None when it is no number."""
        text = self.value("cluster-id", "0") or "0"
        return int(text) if text.isdecimal() else None

    @functools.cached_property
    def has_endpoint_objects(self) -> bool:
        """Whether pods have CiliumEndpoints by cilium-config. Where it asks for none, some must be there to believe it.

        disable-endpoint-crd is not obeyed without a kvstore while policies are enforced; which releases do so is not known
        of all, and identities without endpoints look unused.
        """
        config = self.config or {}
        if in_force(config):
            return False
        seen = any(self._state.of(kind) for kind in ("ciliumendpoints", "ciliumendpointslices"))
        return seen or not asked_for(config)

    @functools.cached_property
    def agents_by_node(self) -> Mapping[str, Object]:
        """{Node: its agent's pod}."""
        found: dict[str, Object] = {}
        for pod in self._state.marked_pods:
            node = (pod.get("spec") or {}).get("nodeName")
            labels = pod["metadata"].get("labels") or {}
            if node and labels.get("k8s-app") == _DAEMON_SET and pod["metadata"].get("namespace") == self.namespace:
                found[node] = pod
        return found

    @functools.cached_property
    def node_names_by_address(self) -> Mapping[str, str]:
        """{address of a Node: its name}: endpoints name their Node by an address of it."""
        found: dict[str, str] = {}
        for kind, place in (("nodes", "status"), ("ciliumnodes", "spec")):
            for node in self._state.of(kind):
                for entry in (node.get(place) or {}).get("addresses") or ():
                    address = entry.get("address") or entry.get("ip")
                    if address:
                        found[str(address)] = name_of(node)
        return found

    def to_dict(self) -> dict[str, t.Any]:
        """What the report says about it."""
        status = (self.operator or {}).get("status") or {}
        wanted = ((self.operator or {}).get("spec") or {}).get("replicas")
        ready = f"{status.get('readyReplicas') or 0}/{wanted}" if wanted is not None else None
        known = self.config is not None
        return {
            "version": ".".join(map(str, self.full_version)) if self.full_version else None,
            "namespace": self.namespace,
            "ipam_mode": self.ipam_mode if known else None,
            "identity_allocation_mode": self.identity_mode if known else None,
            "identity_management_mode": self.management_mode if known else None,
            "operator_ready": ready,
        }
