# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of CNIs that keep a Node's CIDRs in its annotations (OVN-Kubernetes, kube-router), and of GKE's alias ranges.

Sources: go-controller/pkg/util/subnet_annotations.go of ovn-org/ovn-kubernetes; docs of kube-router; the
documentation of GKE ("about twice as many addresses as pods for each Node").
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_nodes import annotations_of, named
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    CidrError,
    Network,
    overlapping,
    parse_network,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import NODE_SPEC, IpamModel

_OVN: t.Final = "k8s.ovn.org/node-subnets"
# kube-router looks for these, the first that is there counts, and only then for Node.spec
_KUBE_ROUTER: t.Final = ("kube-router.io/pod-cidr", "kube-router.io/pod-cidrs")
_GKE_FACTOR: t.Final = 2
_CLUSTER: t.Final = Subject("Cluster", "cluster")


def check(context: Context, models: Mapping[str, IpamModel]) -> Iterator[Finding]:
    """Each CNI for the Nodes that it serves."""
    by_model: dict[tuple[str, str], list[Object]] = {}
    for node in context.state.nodes:
        model = models[name_of(node)]
        by_model.setdefault((model.name, model.cni), []).append(node)
    yield from _ovn(by_model.get(("ovn-kubernetes", ""), []))
    yield from _kube_router(context, by_model.get((NODE_SPEC, "kube-router"), []))
    yield from _gke(context, by_model.get((NODE_SPEC, "gke"), []))


def ovn_subnets(node: Object) -> list[Network] | None:
    """Subnets of the cluster's network on a Node; None when the annotation is not there or says nothing of it."""
    try:
        content = json.loads(annotations_of(node).get(_OVN, ""))
    except (ValueError, RecursionError):
        return None
    value = content.get("default") if isinstance(content, dict) else None
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return _networks(texts) or None


def _networks(texts: Sequence[t.Any]) -> list[Network]:
    found = []
    for text in texts:
        try:
            found.append(parse_network(str(text)))
        except CidrError:
            continue
    return found


def _ovn(nodes: Sequence[Object]) -> Iterator[Finding]:
    subnets = {name_of(node): ovn_subnets(node) for node in nodes}
    missing = sorted(name for name, networks in subnets.items() if networks is None)
    if missing:
        text = f"{len(missing)} Nodes have no subnet in the annotation {_OVN}: {named(missing)}"
        yield Finding("ovn-subnet-missing", _CLUSTER, text, {"nodes": missing[:10], "count": len(missing)})
    owners = [(name, network) for name, networks in subnets.items() for network in networks or ()]
    for name, pairs in sorted(overlapping(owners).items()):
        others = sorted({f"{other} ({theirs})" for other, _own, theirs in pairs})
        text = f"The subnet of Node {name} shares addresses with that of {named(others)}"
        yield Finding(
            "ovn-subnet-overlap", Subject("Node", name), text, {"overlaps": others[:10], "count": len(others)}
        )


def _kube_router(context: Context, nodes: Sequence[Object]) -> Iterator[Finding]:
    for node in nodes:
        annotations, name = annotations_of(node), name_of(node)
        text = next((annotations[key] for key in _KUBE_ROUTER if annotations.get(key)), "")
        stated, spec = _networks([part for part in text.split(",") if part.strip()]), context.node_cidrs[name]
        if stated and spec and not set(stated) <= set(spec):
            words = [", ".join(map(str, networks)) for networks in (stated, spec)]
            summary = f"kube-router takes {words[0]} from the annotation of Node {name}, Node.spec has {words[1]}"
            evidence = {"annotation": [str(one) for one in stated], "pod_cidrs": [str(one) for one in spec]}
            yield Finding("kube-router-annotation-differs", Subject("Node", name), summary, evidence)


def _gke(context: Context, nodes: Sequence[Object]) -> Iterator[Finding]:
    """Addresses of pods that ended are not used again at once, so GKE gives a Node twice as many as pods."""
    small: dict[tuple[int, int], list[str]] = {}
    for node in nodes:
        text = str(((node.get("status") or {}).get("allocatable") or {}).get("pods", ""))
        sizes = [one.num_addresses for one in context.node_cidrs[name_of(node)] if one.version == 4]
        if text.isdecimal() and sizes and sizes[0] < _GKE_FACTOR * int(text):
            small.setdefault((sizes[0], int(text)), []).append(name_of(node))
    for (addresses, pods), names in sorted(small.items()):
        summary = f"{len(names)} Nodes have {addresses} addresses for up to {pods} pods: {named(names)}"
        evidence = {"addresses": addresses, "max_pods": pods, "nodes": names[:10], "count": len(names)}
        yield Finding("gke-range-small", _CLUSTER, summary, evidence)
