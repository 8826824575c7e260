# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of Nodes whose addresses the VPC CNI of Amazon gives out: what an instance can hold, and its CNINode.

Whether prefix delegation is on is an environment variable of DaemonSet aws-node, which is not read. A Node with more pods
than addresses proves that it is; otherwise it is unknown, and the findings say so.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_nodes import labels_of, most_common, named
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.aws_limits import InstanceLimits, instance_limits
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cluster_cidr_objects import mappings
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import IpamModel

_MODEL: t.Final = "aws-vpc-cni"
_TYPE_LABELS: t.Final = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_CLUSTER: t.Final = Subject("Cluster", "cluster")


@dataclass(frozen=True)
class AwsNode:
    """A Node with what its instance can hold. ``limits`` and ``max_pods`` are None where they are not known."""

    name: str
    instance_type: str
    limits: InstanceLimits | None
    custom_networking: bool
    max_pods: int | None
    used: int

    @property
    def addresses(self) -> int | None:
        """Addresses for pods without prefix delegation; None when the instance type is not known."""
        return None if self.limits is None else self.limits.addresses(custom_networking=self.custom_networking)


def aws_nodes(context: Context, models: Mapping[str, IpamModel]) -> list[AwsNode]:
    """Nodes of the VPC CNI, by name. Those whose pods have IPv6 addresses are left out: prefixes are large there."""
    custom = _with_custom_networking(context)
    used: Counter[str] = Counter()
    ipv6: set[str] = set()
    for pod, addresses in context.network_pods:
        used[pod["spec"]["nodeName"]] += 1
        if any(address.version == 6 for address in addresses):
            ipv6.add(pod["spec"]["nodeName"])
    return [
        AwsNode(name, kind, instance_limits(kind), name in custom, _max_pods(node), used[name])
        for node in context.state.nodes
        for name, kind in ((name_of(node), _instance_type(node)),)
        if models[name].name == _MODEL and name not in ipv6
    ]


def _instance_type(node: Object) -> str:
    labels = labels_of(node)
    return next((labels[key] for key in _TYPE_LABELS if labels.get(key)), "")


def _max_pods(node: Object) -> int | None:
    text = str(((node.get("status") or {}).get("allocatable") or {}).get("pods", ""))
    return int(text) if text.isdecimal() else None


def _with_custom_networking(context: Context) -> frozenset[str]:
    return frozenset(
        name_of(one)
        for one in context.state.of("cninodes")
        if any(
            feature.get("name") == "CustomNetworking" for feature in mappings((one.get("spec") or {}).get("features"))
        )
    )


def prefix_delegation_is_proven(nodes: Collection[AwsNode]) -> bool:
    """Whether some Node has more pods than its instance has addresses, which only prefixes allow."""
    return any(one.limits is not None and one.used > one.limits.addresses() for one in nodes)


def check(context: Context, models: Mapping[str, IpamModel]) -> Iterator[Finding]:
    """Nothing where no Node has addresses of the VPC CNI."""
    nodes = aws_nodes(context, models)
    if not nodes:
        return
    unknown = [one.instance_type or "(no label)" for one in nodes if one.limits is None]
    if unknown:
        types = [f"{kind} ({count})" for kind, count in most_common(unknown)]
        text = f"How many addresses {len(unknown)} Nodes can hold is not known: {named(types)}"
        yield Finding(
            "aws-instance-type-unknown", _CLUSTER, text, {"instance_types": types[:10], "nodes": len(unknown)}
        )
    if not prefix_delegation_is_proven(nodes) and "pods" not in context.state.unknown:
        yield from _limits(nodes)
    yield from _cni_nodes(context, nodes)


def _limits(nodes: Collection[AwsNode]) -> Iterator[Finding]:
    by_kind: dict[tuple[str, bool], list[AwsNode]] = {}
    for one in nodes:
        if one.limits is not None:
            by_kind.setdefault((one.instance_type, one.custom_networking), []).append(one)
    for (kind, custom), members in sorted(by_kind.items()):
        addresses = members[0].addresses or 0
        limits = members[0].limits
        if limits is None:
            continue
        subject = Subject("InstanceType", kind)
        evidence = {
            "instance_type": kind,
            "interfaces": limits.interfaces,
            "addresses_per_interface": limits.addresses_per_interface,
            "custom_networking": custom,
            "addresses_for_pods": addresses,
            "prefix_delegation": "unknown",
        }
        full = [one for one in members if one.used >= addresses and (one.max_pods or 0) > addresses]
        if full:
            text = f"{len(full)} Nodes {kind} have {addresses} pods, as many as addresses without prefix delegation"
            yield Finding(
                "aws-addresses-used-up", subject, f"{text}: {named([one.name for one in full])}", _with(evidence, full)
            )
        # two pods of eni-max-pods.txt have the host's network, and the kubelet counts those too
        above = [one for one in members if one.max_pods is not None and one.max_pods > addresses + _own_pods(one)]
        if above:
            most = max(one.max_pods or 0 for one in above)
            text = f"The kubelets of {len(above)} Nodes {kind} accept up to {most} pods, the instance has {addresses} addresses for pods"
            yield Finding(
                "aws-max-pods-above-addresses", subject, f"{text} without prefix delegation", _with(evidence, above)
            )


def _own_pods(node: AwsNode) -> int:
    """Pods with the host's network that a kubelet counts too, as eni-max-pods.txt has them."""
    return (node.limits.max_pods() - node.limits.addresses()) if node.limits else 0


def _with(evidence: Mapping[str, t.Any], nodes: Collection[AwsNode]) -> dict[str, t.Any]:
    shown = [{"node": one.name, "max_pods": one.max_pods, "pods": one.used} for one in list(nodes)[:10]]
    return {**evidence, "nodes": shown, "count": len(nodes)}


def _cni_nodes(context: Context, nodes: Collection[AwsNode]) -> Iterator[Finding]:
    """EKS makes a CNINode for each of its Linux Nodes; where there is none at all, nobody makes them."""
    present = {name_of(one) for one in context.state.of("cninodes")}
    missing = sorted(one.name for one in nodes if one.name not in present)
    if present and missing:
        text = f"{len(missing)} Nodes have no CNINode: {named(missing)}"
        yield Finding("aws-cninode-missing", _CLUSTER, text, {"nodes": missing[:10], "count": len(missing)})
