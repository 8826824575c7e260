# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Finds the settings of the node IPAM controller in a ClusterState."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    read_flags,
    settings_from_flags,
)

_COMPONENT = "kube-controller-manager"


@dataclass(frozen=True)
class Replica:
    """Flags of one controller-manager pod."""

    name: str
    node: str
    flags: Mapping[str, str]


def replicas(state: ClusterState) -> list[Replica]:
    """Node IPAM flags of every visible controller-manager pod."""
    found = []
    for pod in sorted(state.of("pods"), key=name_of):
        metadata, spec = pod["metadata"], pod.get("spec") or {}
        if metadata.get("namespace") == "kube-system" and (metadata.get("labels") or {}).get("component") == _COMPONENT:
            words: list[str] = []
            for container in spec.get("containers") or ():
                words += [*(container.get("command") or ()), *(container.get("args") or ())]
            found.append(Replica(name_of(pod), str(spec.get("nodeName") or ""), read_flags(words)))
    return found


def leader(state: ClusterState) -> str:
    """holderIdentity of the controller-manager's Lease: ``<host name>_<uuid>``; empty when unknown."""
    for lease in state.of("leases"):
        if name_of(lease) == _COMPONENT:
            return str((lease.get("spec") or {}).get("holderIdentity") or "")
    return ""


def kubeadm_flags(state: ClusterState) -> dict[str, str] | None:
    """The flags that ConfigMap kubeadm-config stands for; None when there is none or it cannot be read.

    ``extraArgs`` is a mapping in v1beta3 and a list of name and value in v1beta4.
    """
    text = (state.config_map("kubeadm-config") or {}).get("ClusterConfiguration")
    if not text:
        return None
    import yaml

    try:
        configuration = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    if not isinstance(configuration, dict):
        return None
    networking = configuration.get("networking") or {}
    flags: dict[str, str] = {}
    if networking.get("podSubnet"):
        flags["allocate-node-cidrs"] = "true"
        flags["cluster-cidr"] = str(networking["podSubnet"])
    if networking.get("serviceSubnet"):
        flags["service-cluster-ip-range"] = str(networking["serviceSubnet"])
    extra = (configuration.get("controllerManager") or {}).get("extraArgs") or {}
    pairs = extra.items() if isinstance(extra, dict) else ((entry["name"], entry.get("value", "")) for entry in extra)
    flags.update(read_flags(f"--{name}={value}" for name, value in pairs))
    return flags


def _server_arguments(state: ClusterState) -> tuple[str, dict[str, str]] | None:
    """Flags of k3s or RKE2 servers, which keep their command line in an annotation (pkg/nodeconfig of k3s)."""
    for node in state.nodes:
        annotations = node["metadata"].get("annotations") or {}
        for product, default in (("k3s", "10.42.0.0/16"), ("rke2", "10.42.0.0/16")):
            text = annotations.get(f"{product}.io/node-args")
            if not text:
                continue
            try:
                words = [str(word) for word in json.loads(text)]
            except (ValueError, TypeError):
                continue
            if "server" not in words[:1]:
                continue
            flags = {"allocate-node-cidrs": "true", "cluster-cidr": default, "service-cluster-ip-range": "10.43.0.0/16"}
            flags.update(_renamed(words))
            return f"annotation {product}.io/node-args of Node {name_of(node)}", flags
    return None


def _renamed(words: list[str]) -> dict[str, str]:
    """k3s names two flags otherwise, and passes further ones in --kube-controller-manager-arg."""
    given: dict[str, str] = {}
    for index, word in enumerate(words):
        name, separator, value = word.lstrip("-").partition("=")
        if not separator and index + 1 < len(words):
            value = words[index + 1]
        if name == "cluster-cidr":
            given["cluster-cidr"] = value
        elif name == "service-cidr":
            given["service-cluster-ip-range"] = value
        elif name == "kube-controller-manager-arg":
            given.update(read_flags([f"--{value}"]))
    return given


def find_settings(state: ClusterState, override: AllocatorSettings | None = None) -> AllocatorSettings:
    """The settings in force: what the user states, else the leading controller-manager's flags, else what
    k3s or RKE2 say, else kubeadm-config; ``unknown`` when the control plane shows nothing."""
    if override is not None:
        return override
    visible = replicas(state)
    if visible:
        holder = leader(state)
        active = next((one for one in visible if one.node and holder.startswith(f"{one.node}_")), visible[0])
        return settings_from_flags(active.flags, f"pod kube-system/{active.name}")
    server = _server_arguments(state)
    if server is not None:
        return settings_from_flags(server[1], server[0])
    kubeadm = kubeadm_flags(state)
    if kubeadm:
        return settings_from_flags(kubeadm, "ConfigMap kube-system/kubeadm-config")
    return AllocatorSettings()


def disagreeing(state: ClusterState) -> dict[str, dict[str, t.Any]]:
    """{pod: settings} of all controller-managers when their node IPAM settings differ; empty when they agree."""
    settings = {one.name: settings_from_flags(one.flags, one.name).to_dict() for one in replicas(state)}
    for values in settings.values():
        values.pop("source")
    unequal = {json.dumps(values, sort_keys=True) for values in settings.values()}
    return settings if len(unequal) > 1 else {}


__all__ = ["Object", "Replica", "disagreeing", "find_settings", "kubeadm_flags", "leader", "replicas"]
