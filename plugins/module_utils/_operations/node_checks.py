# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What must be true of a Node that was registered anew, one rule a function, each without I/O.

A rule answers with what is wrong in words, or with an empty text. Sources: kubernetes, pkg/kubelet (Lease, CSINode, device
plugins after a re-registration) and pkg/controller/nodelifecycle.
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import parse_networks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cni_cleanup import RENDERED
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import HostReport
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.node_metadata import difference
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage, pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_agents import agent_name, started_at
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import (
    daemonset_of,
    foreign_addresses,
    is_ready,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import (
    condition,
    owners,
    parse_time,
    reference,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import is_unschedulable, uid_of

Object = Mapping[str, t.Any]
#: Reasons of events that speak against a pod's sandbox or volumes, or against the Node's pod CIDRs.
EVENT_REASONS: tuple[str, ...] = ("FailedCreatePodSandBox", "NetworkNotReady", "FailedMount", "CIDRNotAvailable")
_MOST = 3


def identity(image: BeforeImage, node: Object) -> str:
    """Another object than the one that was deleted, made after it, and the one that this run has seen."""
    uid = uid_of(node)
    if uid == image.uid:
        return f"it still is the Node with uid {uid}"
    if image.new_uid and uid != image.new_uid:
        return f"it has uid {uid}, this run made {image.new_uid}"
    created = [parse_time((one.get("metadata") or {}).get("creationTimestamp")) for one in (image.node, node)]
    return "" if created[1] >= created[0] else "it is older than the one before"


def readiness(node: Object) -> str:
    """Ready, by a heartbeat that is younger than the Node."""
    ready = condition(node, "Ready")
    if ready.get("status") != "True":
        return f"it is not Ready: {ready.get('message') or ready.get('reason') or 'no status yet'}"
    if parse_time(ready.get("lastHeartbeatTime")) < parse_time((node.get("metadata") or {}).get("creationTimestamp")):
        return "its Ready condition is older than the Node"
    return ""


def network_available(node: Object) -> str:
    """A cloud's route controller or a CNI may say that the network is not there."""
    found = condition(node, "NetworkUnavailable")
    if found.get("status") == "True":
        return f"NetworkUnavailable is True: {found.get('message') or found.get('reason') or 'no reason given'}"
    return ""


def cordon(node: Object, *, in_service: bool) -> str:
    """Cordoned until everything else is proved; a run that was killed may have uncordoned it already."""
    return "" if in_service or is_unschedulable(node) else "it is schedulable before it was verified"


def lease(node: Object, found: Object | None) -> str:
    """The kubelet's Lease is of the new Node, and was renewed since."""
    if found is None or uid_of(node) not in owners(found):
        return "there is no Lease of the new Node"
    renewed = (found.get("spec") or {}).get("renewTime")
    created = parse_time((node.get("metadata") or {}).get("creationTimestamp"))
    return "" if parse_time(renewed) >= created else "its Lease was not renewed since"


def csi_node(image: BeforeImage, node: Object, found: Object | None) -> str:
    """The CSINode with its drivers, without which no volume is attached."""
    if not image.csi_drivers and "csinode" not in image.dependents:
        return ""
    if found is None:
        return "there is no CSINode, which there was before"
    if owners(found) and uid_of(node) not in owners(found):
        return "its CSINode belongs to another Node"
    there = {str(one.get("name")) for one in (found.get("spec") or {}).get("drivers") or []}
    gone = [driver for driver in image.csi_drivers if driver not in there]
    return f"CSI driver {', '.join(gone)} is not registered" if gone else ""


def metadata(image: BeforeImage, node: Object) -> str:
    """Labels, annotations and taints that must be there again."""
    found = [line for line in difference(image.node, node).lines() if line.endswith("missing")]
    return "; ".join(found[:_MOST])


def resources(image: BeforeImage, node: Object) -> str:
    """What device plugins and huge pages gave is there again; CPU and memory may differ by what the system reserves."""
    before = (image.node.get("status") or {}).get("allocatable") or {}
    after = (node.get("status") or {}).get("allocatable") or {}
    fewer = [
        f"{name} ({after.get(name, 'none')}, was {amount})"
        for name, amount in sorted(before.items())
        if ("/" in name or name.startswith("hugepages-")) and str(amount) not in ("0", str(after.get(name, "0")))
    ]
    return f"allocatable {', '.join(fewer[:_MOST])}" if fewer else ""


def agents(node: Object, pods: Iterable[Object]) -> str:
    """The CNI's agent and kube-proxy are Ready and have started since the Node is there."""
    created = parse_time((node.get("metadata") or {}).get("creationTimestamp"))
    found = []
    for pod in pods:
        if not agent_name(pod):
            continue
        older = parse_time((pod.get("metadata") or {}).get("creationTimestamp")) < created
        if not is_ready(pod):
            found.append(f"{reference(pod)} is not Ready")
        elif older and "kubernetes.io/config.mirror" not in ((pod.get("metadata") or {}).get("annotations") or {}):
            found += [f"{reference(pod)} has started before the Node"] if started_at(pod) < created else []
    return "; ".join(found[:_MOST])


def pod_addresses(node: Object, pods: Iterable[Object]) -> str:
    """No pod has an address outside the Node's pod CIDRs."""
    cidrs = pod_cidrs_of(node)
    found = [f"{reference(pod)} has {', '.join(foreign)}" for pod in pods if (foreign := foreign_addresses(pod, cidrs))]
    return "; ".join(found[:_MOST])


def daemonsets(image: BeforeImage, pods: Iterable[Object], existing: Iterable[str]) -> str:
    """DaemonSets that had a Ready pod here have one again, unless they are gone or do not want this Node any more."""
    ready = {daemonset_of(pod) for pod in pods if is_ready(pod)}
    missing = [name for name in image.ready_daemonsets if name in set(existing) and name not in ready]
    return f"no Ready pod of DaemonSet {', '.join(missing[:_MOST])}" if missing else ""


def events(node: Object, pods: Sequence[Object], found: Iterable[Object]) -> str:
    """Events since the Node is there, of pods that are not Ready yet: what was mended meanwhile does not count."""
    created = parse_time((node.get("metadata") or {}).get("creationTimestamp"))
    waiting = {uid_of(pod): pod for pod in pods if not is_ready(pod)}
    words = []
    for event in found:
        about = event.get("involvedObject") or {}
        time = parse_time(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp"))
        if time < created:
            continue
        name = (node.get("metadata") or {}).get("name")
        if about.get("kind") == "Node" and about.get("name") == name and not pod_cidrs_of(node):
            words.append(f"{event.get('reason')}")
        elif about.get("kind") == "Pod" and str(about.get("uid")) in waiting:
            text = str(event.get("message") or "").replace("\n", " ")[:200]
            words.append(f"{reference(waiting[str(about.get('uid'))])}: {event.get('reason')}: {text}")
    return "; ".join(dict.fromkeys(words[:_MOST]))


def host_network(node: Object, report: HostReport) -> str:
    """What the CNI has on the host is of the new range: its bridge, flannel's file, the rendered configuration."""
    networks = parse_networks(",".join(pod_cidrs_of(node)))

    def outside(text: str) -> bool:
        address = ipaddress.ip_interface(text).ip
        return not address.is_link_local and not any(
            address in network for network in networks if network.version == address.version
        )

    words = [
        f"link {link} has {address}"
        for link, address in report.addresses
        if link in report.links and not link.startswith("flannel") and link in _cni_bridges(report) and outside(address)
    ]
    words += [f"/run/flannel/subnet.env has {one}" for one in report.flannel_subnets if outside(one)]
    file = report.active_cni
    if file is not None and report.conf_template and file.file == RENDERED:
        words += [f"{file.path} has {one}" for one in file.all_of("subnet") if "/" in one and outside(one)]
    return "; ".join(words[:_MOST])


def _cni_bridges(report: HostReport) -> set[str]:
    """Bridges that the CNI of the host makes; others (of libvirt, Docker) have addresses of their own."""
    file = report.active_cni
    if file is None:
        return set()
    kinds = file.all_of("type")
    named = set(file.all_of("bridge"))
    return named or ({"cni0"} if kinds[:1] in (["bridge"], ["flannel"]) else set())
