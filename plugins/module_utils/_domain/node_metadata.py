# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which labels, annotations and taints of a Node have to come back after its re-registration.

A kubelet that registers anew brings only its own labels; everything an administrator or a controller had put on the
Node object is lost with it (kubernetes: pkg/kubelet/kubelet_node_status.go, initialNode). What must *not* come back is
what a controller derives from the state of the moment, above all annotations that hold the old pod CIDR.
"""

from __future__ import annotations

import fnmatch
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

Taint = dict[str, str]

#: Annotations that kubelet, cloud, CSI and CNI agents write for themselves, or that hold the old pod CIDR.
EXCLUDED_ANNOTATIONS: tuple[str, ...] = (
    "csi.volume.kubernetes.io/nodeid",
    "volumes.kubernetes.io/controller-managed-attach-detach",
    "node.alpha.kubernetes.io/ttl",
    "flannel.alpha.coreos.com/*",
    "projectcalico.org/*",
    "network.cilium.io/*",
    "kube-router.io/pod-cidr*",
    "k8s.ovn.org/*",
    "k3s.io/node-*",
    "rke2.io/node-*",
    "weave.works/kured-*",
    "kured.dev/*",
    "management.cattle.io/*",
)
#: Labels of the same kind. All others come back, also those of kubelet flags: an existing Node does not get them again.
EXCLUDED_LABELS: tuple[str, ...] = ("management.cattle.io/*",)
#: Our own taint, on a Node that its kubelet has created, until everything is back on it.
REGISTERING_TAINT = "podnet.upkeep/registering"
#: Taints that controllers set and remove from conditions, or that announce a removal that is over.
EXCLUDED_TAINTS: tuple[str, ...] = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/network-unavailable",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.cloudprovider.kubernetes.io/*",
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "karpenter.sh/disrupted",
    REGISTERING_TAINT,
)


@dataclass(frozen=True)
class NodeMetadata:
    """The part of a Node's metadata that has to survive; taints hold ``key``, ``value`` and ``effect`` only."""

    labels: dict[str, str]
    annotations: dict[str, str]
    taints: list[Taint]


@dataclass(frozen=True)
class MetadataDifference:
    """What the Node after re-registration lacks (``missing_*``), and what it has with another value (``changed_*``).

    ``changed_labels`` and ``changed_annotations`` map a key to ``(before, after)``. Taints are compared by key and
    effect, as the API does.
    """

    missing_labels: dict[str, str] = field(default_factory=dict)
    changed_labels: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing_annotations: dict[str, str] = field(default_factory=dict)
    changed_annotations: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing_taints: list[Taint] = field(default_factory=list)

    @property
    def missing(self) -> bool:
        """Whether anything has to be put back."""
        return bool(self.missing_labels or self.missing_annotations or self.missing_taints)

    def lines(self) -> list[str]:
        """One line for each difference, sorted."""
        lines = [f"label {key}={value} is missing" for key, value in sorted(self.missing_labels.items())]
        lines += [f"annotation {key} is missing" for key in sorted(self.missing_annotations)]
        lines += [f"taint {format_taint(taint)} is missing" for taint in self.missing_taints]
        lines += [f"label {key} is {new!r}, was {old!r}" for key, (old, new) in sorted(self.changed_labels.items())]
        lines += [f"annotation {key} has another value than before" for key in sorted(self.changed_annotations)]
        return lines


def format_taint(taint: Mapping[str, t.Any]) -> str:
    """A taint as ``kubectl taint`` writes it: ``key=value:effect`` or ``key:effect``."""
    value = taint.get("value") or ""
    return f"{taint.get('key', '')}{'=' if value else ''}{value}:{taint.get('effect', '')}"


def _excluded(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


def restorable(node: Mapping[str, t.Any]) -> NodeMetadata:
    """What of this Node has to be there again after its re-registration."""
    metadata = node.get("metadata") or {}
    spec = node.get("spec") or {}
    return NodeMetadata(
        labels={
            key: str(value)
            for key, value in sorted((metadata.get("labels") or {}).items())
            if not _excluded(key, EXCLUDED_LABELS)
        },
        annotations={
            key: str(value)
            for key, value in sorted((metadata.get("annotations") or {}).items())
            if not _excluded(key, EXCLUDED_ANNOTATIONS)
        },
        taints=[
            {name: str(taint[name]) for name in ("key", "value", "effect") if taint.get(name)}
            for taint in spec.get("taints") or []
            if not _excluded(str(taint.get("key") or ""), EXCLUDED_TAINTS)
        ],
    )


def difference(before: Mapping[str, t.Any], after: Mapping[str, t.Any]) -> MetadataDifference:
    """Compare two versions of a Node; only what :func:`restorable` finds in ``before`` counts."""
    wanted = restorable(before)
    metadata = after.get("metadata") or {}
    labels: Mapping[str, str] = metadata.get("labels") or {}
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    taints = {(taint.get("key"), taint.get("effect")) for taint in (after.get("spec") or {}).get("taints") or []}
    return MetadataDifference(
        missing_labels={key: value for key, value in wanted.labels.items() if key not in labels},
        changed_labels={
            key: (value, labels[key]) for key, value in wanted.labels.items() if key in labels and labels[key] != value
        },
        missing_annotations={key: value for key, value in wanted.annotations.items() if key not in annotations},
        changed_annotations={
            key: (value, annotations[key])
            for key, value in wanted.annotations.items()
            if key in annotations and annotations[key] != value
        },
        missing_taints=[taint for taint in wanted.taints if (taint.get("key"), taint.get("effect")) not in taints],
    )
