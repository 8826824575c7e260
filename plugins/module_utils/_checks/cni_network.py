# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of what the CNI and kube-proxy take for the pod network, against the cluster CIDR and the Nodes' podCIDRs.

The same range is written in up to four places (flags of the controller-manager, flannel's net-conf.json, Calico's IPPools,
kube-proxy's clusterCIDR, Cilium's native routing CIDR), and nothing keeps them equal.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterator, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import counted, first, listed
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import CRITICAL, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_network

_FLANNEL = ("kube-flannel-ds", "kube-flannel", "canal")
# one key of kube-proxy's configuration, which is YAML; the value is a plain or a quoted scalar
_KUBE_PROXY_KEY = r"^{}:[ \t]*[\"']?([^\"'#\s]*)"


def check(context: Context) -> Iterator[Finding]:
    """Nothing is said about what could not be read."""
    running = {name_of(one) for one in context.state.of("daemonsets")}
    if running.intersection(_FLANNEL):
        yield from _flannel(context)
    if context.ipam_model.node_spec_is_truth:
        yield from _calico(context, running)
        yield from _kube_proxy(context)
    yield from _cilium(context)


def _networks(texts: Sequence[str]) -> tuple[list[Network], list[str]]:
    """CIDRs, and the texts that are none."""
    networks, others = [], []
    for text in texts:
        try:
            networks.append(parse_network(text))
        except CidrError:
            others.append(text)
    return networks, others


def _inside(network: Network, ranges: Sequence[Network]) -> bool:
    """Whether one of the ranges contains it; True in a family of which there is no range: nothing is said there."""
    of_family = [one for one in ranges if one.version == network.version]
    return not of_family or any(network.subnet_of(one) for one in of_family)  # type: ignore[arg-type]


def _outside(context: Context, ranges: Sequence[Network]) -> tuple[list[str], list[str]]:
    """Cluster CIDRs, and Nodes whose podCIDRs, are not in these ranges."""
    clusters = [str(one) for one in context.allocator.cluster_cidrs if not _inside(one, ranges)]
    nodes = [name for name, cidrs in context.node_cidrs.items() if not all(_inside(one, ranges) for one in cidrs)]
    return clusters, nodes


def _mismatch(
    context: Context, identifier: str, subject: Subject, what: str, ranges: Sequence[Network], nodes_level: str
) -> Iterator[Finding]:
    """A finding when the ranges do not contain the cluster CIDR, or the podCIDRs of Nodes (then of ``nodes_level``)."""
    clusters, nodes = _outside(context, ranges)
    if not clusters and not nodes:
        return
    lacking = []
    if clusters:
        lacking.append(f"the cluster CIDR {', '.join(clusters)}")
    if nodes:
        lacking.append(f"the podCIDRs of {counted(len(nodes), 'Node')} ({listed(nodes)})")
    written = ", ".join(map(str, ranges))
    yield Finding(
        identifier,
        subject,
        f"{what} {written} does not contain {' and '.join(lacking)}",
        {"ranges": [str(one) for one in ranges], "cluster_cidrs": clusters, "nodes": first(nodes), "count": len(nodes)},
        nodes_level if nodes else WARNING,
    )


def _flannel(context: Context) -> Iterator[Finding]:
    """flannel takes a Node's podCIDR only when Network (or IPv6Network) contains it (pkg/subnet/kube/kube.go)."""
    data = context.state.config_map("kube-flannel-cfg")
    subject = Subject("ConfigMap", "kube-flannel-cfg")
    if data is None:
        return
    text = data.get("net-conf.json", "")
    try:
        written = json.loads(text)
        texts = [str(written[key]) for key in ("Network", "IPv6Network") if written.get(key)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        yield _flannel_invalid(subject, "it is not JSON", text)
        return
    ranges, wrong = _networks(texts)
    if wrong or not ranges:
        yield _flannel_invalid(subject, f"its Network is {', '.join(wrong) or 'not set'}", text)
    elif context.ipam_model.node_spec_is_truth:
        yield from _mismatch(context, "flannel-network-mismatch", subject, "flannel's Network", ranges, CRITICAL)


def _flannel_invalid(subject: Subject, reason: str, text: str) -> Finding:
    return Finding(
        "flannel-config-invalid",
        subject,
        f"net-conf.json cannot be used: {reason}",
        {"reason": reason, "net_conf": text[:300]},
    )


def _calico(context: Context, running: set[str]) -> Iterator[Finding]:
    """Calico that takes podCIDRs (host-local) routes and masquerades by its IPPools all the same."""
    if "calico-node" not in running or not context.state.knows("ippools"):
        return
    pools = [one for one in context.state.of("ippools") if not (one.get("spec") or {}).get("disabled")]
    ranges, _wrong = _networks([str((one.get("spec") or {}).get("cidr") or "") for one in pools])
    if ranges:
        subject = Subject("IPPools", "of Calico")
        yield from _mismatch(context, "calico-pool-mismatch", subject, "Calico's IPPool", ranges, WARNING)


def _kube_proxy(context: Context) -> Iterator[Finding]:
    """clusterCIDR decides which traffic kube-proxy takes for that of pods, unless detectLocalMode says otherwise."""
    text = (context.state.config_map("kube-proxy") or {}).get("config.conf", "")
    mode = _kube_proxy_value(text, "detectLocalMode")
    ranges, _wrong = _networks([one for one in _kube_proxy_value(text, "clusterCIDR").split(",") if one])
    if ranges and mode in ("", "ClusterCIDR"):
        subject = Subject("ConfigMap", "kube-proxy")
        yield from _mismatch(context, "kube-proxy-range-mismatch", subject, "kube-proxy's clusterCIDR", ranges, WARNING)


def _kube_proxy_value(text: str, key: str) -> str:
    found = re.search(_KUBE_PROXY_KEY.format(key), text, re.MULTILINE)
    return "" if found is None else found[1]


def _cilium(context: Context) -> Iterator[Finding]:
    """Traffic to addresses outside the native routing CIDR leaves a Node with the Node's address."""
    if not context.cilium.installed or context.cilium.config is None:
        return
    config = context.cilium.config
    keys = [key for key in ("ipv4-native-routing-cidr", "ipv6-native-routing-cidr") if config.get(key)]
    ranges, wrong = _networks([config[key] for key in keys])
    if not ranges or wrong:
        return
    subject = Subject("ConfigMap", "cilium-config")
    what = "Cilium's native routing CIDR"
    if context.ipam_model.node_spec_is_truth:
        yield from _mismatch(context, "cilium-native-routing-mismatch", subject, what, ranges, WARNING)
        return
    texts = [text for key in _POOL_KEYS for text in config.get(key, "").split()]
    pools = _networks(texts)[0] if context.cilium.ipam_mode == "cluster-pool" else []
    outside = [str(one) for one in pools if not _inside(one, ranges)]
    if outside:
        evidence: dict[str, t.Any] = {"ranges": [str(one) for one in ranges], "pools": outside}
        written = ", ".join(map(str, ranges))
        text = f"{what} {written} does not contain the cluster pool {', '.join(outside)}"
        yield Finding("cilium-native-routing-mismatch", subject, text, evidence)


_POOL_KEYS = ("cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr")
