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

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import is_controller_manager
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    TERMINAL_PHASES,
    ClusterState,
    name_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    has_flags,
    read_flags,
    settings_from_flags,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_COMPONENT = "kube-controller-manager"
# settings that have to be the same wherever they are written
COMPARED = (
    "allocate_node_cidrs",
    "cluster_cidrs",
    "node_mask_size_ipv4",
    "node_mask_size_ipv6",
    "service_ranges",
    "allocator_type",
)
# what k3s and RKE2 pass to their controller-manager unless they are told otherwise
_SERVER_DEFAULTS: Mapping[str, str] = {
    "allocate-node-cidrs": "true",
    "cluster-cidr": "10.42.0.0/16",
    "service-cluster-ip-range": "10.43.0.0/16",
}


@dataclass(frozen=True)
class Replica:
    """Flags of one controller-manager pod; ``None`` where its command line shows none (a start script)."""

    name: str
    node: str
    flags: Mapping[str, str] | None


def replicas(state: ClusterState) -> list[Replica]:
    """Node IPAM flags of every controller-manager pod that is visible and has not ended."""
    found = []
    for pod in state.marked_pods:
        phase = (pod.get("status") or {}).get("phase")
        if not is_controller_manager(pod) or phase in TERMINAL_PHASES:
            continue
        spec = pod.get("spec") or {}
        words: list[str] = []
        for container in spec.get("containers") or ():
            words += [*(container.get("command") or ()), *(container.get("args") or ())]
        flags = read_flags(words) if has_flags(words) else None
        found.append(Replica(name_of(pod), str(spec.get("nodeName") or ""), flags))
    return sorted(found, key=lambda one: one.name)


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
    try:
        import yaml
    except ImportError as error:
        raise InputError(
            "ConfigMap kubeadm-config cannot be read without the Python library PyYAML; install it for the interpreter "
            "of this module."
        ) from error
    try:
        configuration = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(configuration, dict):
        return None
    networking = _mapping(configuration.get("networking"))
    flags: dict[str, str] = {}
    if networking.get("podSubnet"):
        flags["allocate-node-cidrs"] = "true"
        flags["cluster-cidr"] = str(networking["podSubnet"])
    if networking.get("serviceSubnet"):
        flags["service-cluster-ip-range"] = str(networking["serviceSubnet"])
    extra = _mapping(configuration.get("controllerManager")).get("extraArgs")
    as_list = extra if isinstance(extra, list) else [{"name": k, "value": v} for k, v in _mapping(extra).items()]
    pairs = [(entry.get("name"), entry.get("value", "")) for entry in map(_mapping, as_list)]
    flags.update(read_flags(f"--{name}={_flag_value(value)}" for name, value in pairs))
    return flags


def _mapping(value: object) -> dict[t.Any, t.Any]:
    return value if isinstance(value, dict) else {}


def _flag_value(value: object) -> str:
    """YAML reads an unquoted true as a truth value; kubeadm passes on what is written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _server_arguments(state: ClusterState) -> tuple[str, dict[str, str]] | None:
    """Flags of k3s or RKE2 servers, which keep their command line in an annotation (pkg/nodeconfig of k3s)."""
    for node in state.nodes:
        annotations = node["metadata"].get("annotations") or {}
        for product in ("k3s", "rke2"):
            words = _json_words(annotations.get(f"{product}.io/node-args") or "")
            if words[:1] == ["server"]:
                source = f"annotation {product}.io/node-args of Node {name_of(node)}"
                return source, {**_SERVER_DEFAULTS, **_renamed(words)}
    return None


def _json_words(text: str) -> list[str]:
    try:
        words = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return []
    return [str(word) for word in words] if isinstance(words, list) else []


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
    visible = [one for one in replicas(state) if one.flags is not None]
    if visible:
        return _of_replicas(visible, leader(state))
    server = _server_arguments(state)
    if server is not None:
        return settings_from_flags(server[1], server[0])
    kubeadm = kubeadm_flags(state)
    if kubeadm and "allocate-node-cidrs" in kubeadm:
        return settings_from_flags(kubeadm, "ConfigMap kube-system/kubeadm-config")
    # kubeadm without a podSubnet sets no flag; whether somebody else did is not known
    return AllocatorSettings()


def _of_replicas(visible: list[Replica], holder: str) -> AllocatorSettings:
    """Flags of the leader: its Lease is held by ``<host name>_<uuid>``, and host names are mostly Node names."""
    active = next((one for one in visible if one.node and holder.startswith(f"{one.node}_")), None)
    if active is not None or len(visible) == 1:
        chosen = active or visible[0]
        return settings_from_flags(chosen.flags or {}, f"pod kube-system/{chosen.name}")
    source = f"pod kube-system/{visible[0].name} (which of {len(visible)} leads is not known)"
    return settings_from_flags(visible[0].flags or {}, source)


def disagreeing(state: ClusterState) -> dict[str, dict[str, t.Any]]:
    """{pod: its COMPARED settings} of all controller-managers when these differ; empty when they agree."""
    found = {}
    for one in replicas(state):
        if one.flags is not None:
            settings = settings_from_flags(one.flags, one.name).to_dict()
            found[one.name] = {key: settings[key] for key in COMPARED}
    unequal = {json.dumps(values, sort_keys=True) for values in found.values()}
    return found if len(unequal) > 1 else {}
