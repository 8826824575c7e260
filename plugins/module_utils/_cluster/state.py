# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What was read from a cluster, once, at one time. Nothing after it knows whether it came from an API or a file."""

from __future__ import annotations

import datetime
import functools
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import (
    Gathered,
    PackedEndpoints,
    collected,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import EXTRAS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.shape import SHAPES, fault
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_network

Object = dict[str, t.Any]
FORMAT = 2
# of states that were saved before; they hold fewer resources
_EARLIER_FORMATS = (1,)
TERMINAL_PHASES = ("Succeeded", "Failed")


@dataclass(frozen=True)
class ClusterState:
    """Raw objects by resource name, pruned to what checks need; ``unknown`` says why a resource could not be read.

    ``absent`` names resources that the cluster does not serve: there are none, and that is known. ``taken_at`` is the
    only clock that checks know. ``skew`` is how far apart in time the parts may be (zero for one consistent picture),
    ``origin`` says in words where they are from.
    """

    taken_at: datetime.datetime
    server_version: str | None = None
    resources: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    origin: str = ""
    skew: datetime.timedelta = datetime.timedelta()

    def knows(self, *resources: str) -> bool:
        """Whether all of these were read (or are known not to exist)."""
        return all(one in self.resources or one in self.absent for one in resources)

    def of(self, resource: str) -> Sequence[Object]:
        """Objects of one resource; empty when there are none or when they are unknown (see ``unknown``)."""
        return self.resources.get(resource, ())

    @property
    def nodes(self) -> list[Object]:
        """Nodes in the order of their names."""
        return sorted(self.of("nodes"), key=name_of)

    @functools.cached_property
    def marked_pods(self) -> Sequence[Object]:
        """Pods with a label by which the control plane or Cilium is known: a few, for who looks for some of these."""
        return [
            pod
            for pod in self.of("pods")
            if (labels := pod["metadata"].get("labels"))
            and not _MARKS.isdisjoint(labels)
            and any(labels.get(key) in values for key, values in _MARKED.items())
        ]

    def config_map(self, name: str) -> Mapping[str, str] | None:
        """Data of a ConfigMap of kube-system or of the CNI's namespace, or None."""
        for found in self.of("configmaps"):
            if name_of(found) == name:
                return found.get("data") or {}
        return None

    def to_json(self) -> Object:
        """A JSON form from which ``from_json`` makes an equal state."""
        return {**self.envelope(), "resources": {key: list(value) for key, value in sorted(self.resources.items())}}

    def envelope(self) -> Object:
        """The JSON form without the resources, which can be large."""
        return {
            "format": FORMAT,
            "taken_at": self.taken_at.isoformat(),
            "server_version": self.server_version,
            "unknown": dict(sorted(self.unknown.items())),
            "absent": sorted(self.absent),
            "origin": self.origin,
            "skew_seconds": self.skew.total_seconds(),
        }

    @classmethod
    def from_json(cls, content: t.Any) -> ClusterState:
        """The state of a JSON form. Raises ValueError, saying what is wrong with it, when it is none.

        A resource that checks need and that is neither there nor said to be unknown becomes unknown.
        """
        if not isinstance(content, dict):
            raise ValueError("it is not a JSON object")
        if content.get("format") not in (FORMAT, *_EARLIER_FORMATS):
            raise ValueError(f"its format is {content.get('format')!r}, not {FORMAT}")
        taken_at = content.get("taken_at")
        text = fault(_unpacked(content), _ENVELOPE, "state")
        text = text or next(filter(None, map(_fault, content["resources"].items())), "")
        if text:
            raise ValueError(text)
        moment = datetime.datetime.fromisoformat(str(taken_at))
        if moment.tzinfo is None:
            raise ValueError("taken_at has no time zone")
        resources = {key: collected(value) for key, value in content["resources"].items()}
        absent = frozenset(content.get("absent") or ())
        known = {*resources, *absent, *EXTRAS}
        unknown = {key: "the saved state does not hold them" for key in SHAPES if key not in known}
        return cls(
            taken_at=moment,
            server_version=content.get("server_version"),
            resources=resources,
            unknown={**unknown, **(content.get("unknown") or {})},
            absent=absent,
            origin=str(content.get("origin") or ""),
            skew=datetime.timedelta(seconds=content.get("skew_seconds") or 0),
        )


# labels of pods of the control plane and of Cilium
_MARKED: t.Final[Mapping[str, tuple[str, ...]]] = {
    "k8s-app": ("cilium", "kube-controller-manager"),
    "component": ("kube-controller-manager",),
    "io.cilium/app": ("operator",),
    "name": ("cilium-operator",),
}
_MARKS: t.Final = frozenset(_MARKED)
_ENVELOPE: t.Final = {
    "taken_at*": str,
    "server_version": str,
    "resources*": {"": list},
    "unknown": {"": str},
    "absent": [str],
    "origin": str,
    "skew_seconds": float,
}


def _unpacked(content: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
    """``content`` for the check of the envelope: a packed sequence, which only our reader makes, is as good as a list."""
    resources = content.get("resources")
    if not isinstance(resources, dict):
        return content
    lists = {key: [] if isinstance(value, PackedEndpoints) else value for key, value in resources.items()}
    return {**content, "resources": lists}


def _fault(entry: tuple[str, Sequence[t.Any]]) -> str:
    resource, objects = entry
    if resource not in SHAPES:
        return ""
    # rows have the right types
    places = objects.unchecked if isinstance(objects, (Gathered, PackedEndpoints)) else range(len(objects))
    found = (fault(objects[place], SHAPES[resource], f"{resource}[{place}]") for place in places)
    return next(filter(None, found), "")


def name_of(obj: Mapping[str, t.Any]) -> str:
    """metadata.name."""
    return str(obj["metadata"]["name"])


def pod_cidrs(node: Mapping[str, t.Any]) -> list[Network]:
    """The Node's podCIDRs in their order; what is no CIDR is left out (the API server lets none pass)."""
    spec = node.get("spec") or {}
    texts = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    found = []
    for text in texts:
        try:
            found.append(parse_network(text))
        except CidrError:
            continue
    return found


def condition(obj: Mapping[str, t.Any], kind: str) -> str:
    """Status of a condition (True, False, Unknown); Unknown when it is not there."""
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind:
            return str(entry.get("status"))
    return "Unknown"


def internal_addresses(node: Mapping[str, t.Any]) -> list[str]:
    """InternalIP addresses of a Node."""
    entries = (node.get("status") or {}).get("addresses") or ()
    return [str(entry["address"]) for entry in entries if entry.get("type") == "InternalIP"]


def network_pods(state: ClusterState) -> Iterator[Object]:
    """Pods that hold an address of the pod network: bound, not hostNetwork, not terminal, with an address."""
    for pod in state.of("pods"):
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        has_address = spec.get("nodeName") and not spec.get("hostNetwork") and status.get("podIPs")
        if has_address and status.get("phase") not in TERMINAL_PHASES:
            yield pod
