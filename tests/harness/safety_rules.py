"""What must hold at every moment of a rolling run, judged on what a ClusterWatch saw.

- never two Nodes of the hosts out at once (absent, cordoned, or not Ready);
- a Node that was registered anew is cordoned from its first moment until its pod network was proved to work, has then
  only pods with addresses of its podCIDRs, and until then nobody's pod but those of DaemonSets and of the probe.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .cluster_watch import Sight

_PROBED_NODE = "podnet.upkeep/probed-node"


@dataclass
class _Life:
    """One Node object from its creation on."""

    uid: str
    original: bool
    verified: bool = False


@dataclass
class _Picture:
    """The cluster at one moment of its history."""

    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    lives: dict[str, _Life] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)


def violations(sights: Iterable[Sight], hosts: Collection[str], originals: Collection[str]) -> list[str]:
    """Sentences about every broken rule; `originals` are the uids that the Nodes had before the run."""
    picture = _Picture()
    found: list[str] = []
    for sight in sights:
        if sight.kind == "Node":
            _see_node(picture, sight, originals)
            found += _judge_nodes(picture, sight, hosts)
        else:
            _see_pod(picture, sight)
            found += _judge_pod(picture, sight, hosts)
    return list(dict.fromkeys(found))


def times_out(sights: Iterable[Sight], host: str) -> int:
    """How often a Node went out of service while it was watched."""
    out = [_is_out(None if sight.type == "DELETED" else sight.body) for sight in sights if sight.name == host]
    return sum(1 for before, now in zip([False, *out], out, strict=False) if now and not before)


def _see_node(picture: _Picture, sight: Sight, originals: Collection[str]) -> None:
    if sight.type == "DELETED":
        if picture.nodes.get(sight.name, {}).get("metadata", {}).get("uid") == sight.uid:
            del picture.nodes[sight.name]
        return
    picture.nodes[sight.name] = sight.body
    life = picture.lives.get(sight.name)
    if life is None or life.uid != sight.uid:
        picture.lives[sight.name] = _Life(sight.uid, original=sight.uid in originals)


def _judge_nodes(picture: _Picture, sight: Sight, hosts: Collection[str]) -> list[str]:
    found = []
    out = [name for name in sorted(hosts) if _is_out(picture.nodes.get(name))]
    if len(out) > 1 and len(picture.lives.keys() & set(hosts)) == len(hosts):
        found.append(f"{' and '.join(out)} were out at once")
    life = picture.lives.get(sight.name)
    node = picture.nodes.get(sight.name)
    if sight.name not in hosts or node is None or life is None or life.original or _is_cordoned(node):
        return found
    if not life.verified:
        found.append(f"{sight.name} (uid {life.uid}) was schedulable before its pod network was proved to work")
    foreign = [name for name, pod in picture.pods.items() if _is_foreign(pod, node)]
    if foreign:
        found.append(f"{sight.name} was schedulable while {', '.join(foreign)} had addresses outside its podCIDRs")
    return found


def _see_pod(picture: _Picture, sight: Sight) -> None:
    if sight.type == "DELETED":
        picture.pods.pop(sight.name, None)
        return
    picture.pods[sight.name] = sight.body
    metadata, status = sight.body["metadata"], sight.body.get("status", {})
    probed = (metadata.get("annotations") or {}).get(_PROBED_NODE)
    if probed and status.get("phase") == "Succeeded":
        life, node = picture.lives.get(probed), picture.nodes.get(probed)
        born = (node or {}).get("metadata", {}).get("creationTimestamp", "")
        if life is not None and node is not None and metadata["creationTimestamp"] >= born:
            life.verified = True


def _judge_pod(picture: _Picture, sight: Sight, hosts: Collection[str]) -> list[str]:
    host = sight.body["spec"].get("nodeName")
    life = picture.lives.get(host or "")
    if sight.type == "DELETED" or host not in hosts or life is None or life.original or life.verified:
        return []
    metadata = sight.body["metadata"]
    owners = {owner["kind"] for owner in metadata.get("ownerReferences", ())}
    node = picture.nodes.get(host)
    older = node is None or metadata["creationTimestamp"] < node["metadata"]["creationTimestamp"]
    if owners & {"DaemonSet", "Node"} or _PROBED_NODE in (metadata.get("annotations") or {}) or older:
        return []
    return [f"{sight.name} came to {host} before its pod network was proved to work"]


def _is_cordoned(node: Mapping[str, Any]) -> bool:
    return bool(node["spec"].get("unschedulable"))


def _is_out(node: Mapping[str, Any] | None) -> bool:
    if node is None or _is_cordoned(node):
        return True
    conditions = {entry["type"]: entry["status"] for entry in node.get("status", {}).get("conditions") or ()}
    return conditions.get("Ready") != "True"


def _is_foreign(pod: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    spec, status = pod["spec"], pod.get("status", {})
    if spec.get("nodeName") != node["metadata"]["name"] or spec.get("hostNetwork"):
        return False
    if status.get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
        return False
    blocks = [ipaddress.ip_network(text) for text in node["spec"].get("podCIDRs", ())]
    addresses = [ipaddress.ip_address(entry["ip"]) for entry in status.get("podIPs") or ()]
    return any(not any(address in block for block in blocks) for address in addresses)
