# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The security labels of a pod, which are its identity: what a CiliumIdentity has under ``security-labels``.

Source of the rules: SanitizePodLabels of pkg/k8s/utils/utils.go and NamedPortsIdentityLabels of pkg/k8s/labels.go of
cilium/cilium. Pods whose labels equal a well-known set (kube-dns, cilium-operator) get a reserved identity where
``enable-well-known-identities`` is on, and no CiliumIdentity; that is not told apart here.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import LabelFilter, Version

_OWNED = "io.cilium.k8s"
NAMESPACE = "k8s:io.kubernetes.pod.namespace"
_NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
_SERVICE_ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
_CLUSTER = "io.cilium.k8s.policy.cluster"
_NAMED_PORTS = "gen:io.cilium.k8s.named-ports"
NAMED_PORTS_SINCE: t.Final[Version] = (1, 20)
_LONGEST_VALUE = 63
_MOST_REMEMBERED = 20000
_NONE: t.Final[Mapping[str, str]] = {}

Pod: t.TypeAlias = Mapping[str, t.Any]


def fingerprint(labels: Mapping[str, str]) -> int:
    """A number that equal label sets share and different ones do not, within one process.

    It is a sum over the labels: without one label it is smaller by ``label_fingerprint`` of that one.
    """
    return sum([hash(f"{name}\0{value}") for name, value in labels.items()])


def label_fingerprint(name: str, value: str) -> int:
    """The part of one label in the fingerprint of a set.

    It is the hash of one text: hashes of tuples are nearly additive in their parts, so that sums of them collide when
    two sets have the same keys and the same values in another order.
    """
    return hash(f"{name}\0{value}")


class SecurityLabels:
    """Makes the security labels of pods of one cluster.

    ``namespaces`` is {namespace: its labels}. Filtering is kept by label key, and what a namespace and a service account
    add by both, and for pods that share their labels (see pruning) the whole answer: 100,000 pods take a fraction of a
    second. ``version`` is (major, minor, ...) of Cilium.
    """

    def __init__(
        self,
        namespaces: Mapping[str, Mapping[str, str]],
        label_filter: LabelFilter,
        cluster_name: str = "default",
        version: Version = (1, 18),
    ) -> None:
        self._namespaces = namespaces
        self._filter = label_filter
        self._cluster_name = cluster_name
        self._with_named_ports = version >= NAMED_PORTS_SINCE
        # pod label -> its name in an identity; empty when it is dropped
        self._names: dict[str, str] = {}
        self._bases: dict[tuple[str, str], dict[str, str]] = {}
        # (identity of a dict of labels, namespace, service account) -> that dict, which keeps it alive, and the answer
        self._made: dict[tuple[int, str, str], tuple[object, Mapping[str, str]]] = {}

    def of(self, pod: Pod) -> Mapping[str, str] | None:
        """{source:key: value} of a pod, not to be written into; None when the labels of its namespace are not known."""
        metadata = pod["metadata"]
        spec = pod.get("spec") or {}
        namespace, account = metadata.get("namespace") or "", spec.get("serviceAccountName") or ""
        labels = metadata.get("labels") or _NONE
        known = self._made.get((id(labels), namespace, account))
        if known is not None:
            made = known[1]
        else:
            base = self._bases.get((namespace, account))
            if base is None:
                if namespace not in self._namespaces:
                    return None
                base = self._bases[namespace, account] = self._base(namespace, account)
            made = {**self._of_labels(labels), **base}
            if len(self._made) < _MOST_REMEMBERED:
                self._made[id(labels), namespace, account] = (labels, made)
        if self._with_named_ports and spec.get("namedPorts"):
            return {**made, **named_ports_labels(spec["namedPorts"])}
        return made

    def _of_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        names = self._names
        made: dict[str, str] = {}
        for key, value in labels.items():
            name = names.get(key)
            if name is None:
                name = names[key] = self._name(key)
            if name:
                made[name] = value
        return made

    def _name(self, key: str) -> str:
        """Labels that only Cilium may set are taken from no pod."""
        if key.startswith(_OWNED) or not self._filter.keep("k8s", key):
            return ""
        return f"k8s:{key}"

    def _base(self, namespace: str, service_account: str) -> dict[str, str]:
        added = {_NAMESPACE_LABELS + key: value for key, value in self._namespaces[namespace].items()}
        added[NAMESPACE.partition(":")[2]] = namespace
        if service_account:
            added[_SERVICE_ACCOUNT] = service_account
        added[_CLUSTER] = self._cluster_name
        return {f"k8s:{key}": value for key, value in added.items() if self._filter.keep("k8s", key)}


def named_ports_labels(ports: Iterable[t.Sequence[t.Any]]) -> dict[str, str]:
    """The labels that Cilium generates from named ports (since 1.20), which no filter drops.

    ``ports`` are (name, protocol, number) of all containers; of two with one name the last counts.
    """
    by_name = {str(name).lower(): (str(protocol or "TCP"), number) for name, protocol, number in ports if name}
    values: list[str] = []
    for name, (protocol, number) in sorted(by_name.items()):
        part = f"{name}.{protocol}.{number}"
        if values and len(values[-1]) + 1 + len(part) <= _LONGEST_VALUE:
            values[-1] += f"_{part}"
        else:
            values.append(part)
    return {_NAMED_PORTS + (f"-{index}" if index else ""): value for index, value in enumerate(values)}
