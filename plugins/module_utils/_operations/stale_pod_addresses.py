# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether deleting pods that have ended frees addresses: it does not, unless something shows that they still hold them.

A kubelet stops the sandbox of a pod when the pod ends, and that runs CNI DEL, which gives the address back (kubelet:
SyncTerminatingPod of pkg/kubelet/kubelet.go, StopPodSandbox). The object that stays has an address in its status only.
What is left of Cilium is a CiliumEndpoint at most: it holds an identity, and the operator deletes those of ended pods.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Pod = Mapping[str, t.Any]
_SHOWN = 100


@dataclass(frozen=True)
class AddressEvidence:
    """``model`` names the IPAM model; the rest is what was seen, by address and by (namespace, name).

    ``in_use``: {address: pod that runs with it}. ``endpoints``: pods that still have a CiliumEndpoint with an address.
    ``allocations``: {Node: {address: owner}} by the agents that were asked and answered; None where none was asked.
    """

    model: str
    in_use: Mapping[str, str] = field(default_factory=dict)
    endpoints: frozenset[tuple[str, str]] = frozenset()
    allocations: Mapping[str, Mapping[str, str]] | None = None


def addresses_of(pod: Pod) -> list[str]:
    """Addresses in the status of a pod of the pod network."""
    if (pod.get("spec") or {}).get("hostNetwork"):
        return []
    status = pod.get("status") or {}
    found = [str(one["ip"]) for one in status.get("podIPs") or () if one.get("ip")]
    return found or ([str(status["podIP"])] if status.get("podIP") else [])


def key_of(pod: Pod) -> tuple[str, str]:
    """(namespace, name)."""
    metadata = pod["metadata"]
    return str(metadata.get("namespace") or ""), str(metadata["name"])


def freed_addresses(pods: Sequence[Pod], evidence: AddressEvidence) -> dict[str, t.Any]:
    """What the deletion of ``pods`` frees: ``expected`` addresses, the ``reason`` in words, and those ``pods`` that show it.

    ``reused`` of their addresses belong to other pods already, which proves that they were free; ``endpoints_left`` of
    them still have a CiliumEndpoint.
    """
    held: list[dict[str, t.Any]] = []
    reused = asked = 0
    for pod in pods:
        node = str((pod.get("spec") or {}).get("nodeName") or "")
        of_node = (evidence.allocations or {}).get(node)
        asked += of_node is not None
        own = "/".join(key_of(pod))
        for address in addresses_of(pod):
            reused += evidence.in_use.get(address, own) != own
            # of a pod that an agent restored when it started, the owner has a remark behind it
            if of_node is not None and of_node.get(address, "").split(" ", maxsplit=1)[0] == own:
                held.append(
                    {"pod": own, "address": address, "evidence": f"the agent of Node {node} still holds it for the pod"}
                )
    left = sum(1 for pod in pods if key_of(pod) in evidence.endpoints)
    return {
        "expected": len(held),
        "reason": _sentence(len(pods), held, reused, left, asked, evidence),
        "pods": held[:_SHOWN],
        "reused": reused,
        "endpoints_left": left,
    }


def _sentence(pods: int, held: Sequence[t.Any], reused: int, left: int, asked: int, evidence: AddressEvidence) -> str:
    if not pods:
        return "No pod is to be deleted, so no address becomes free."
    if held:
        text = (
            f"May free {len(held)} addresses: agents still hold them for pods that have ended. A kubelet removes what is left "
            "of the sandbox of a pod that is deleted."
        )
    else:
        text = (
            "Frees no addresses: a kubelet gives the address of a pod back when the pod ends, not when its object is deleted "
            f"(IPAM model {evidence.model})."
        )
    if reused:
        text += f" {reused} of their addresses are in use by other pods already."
    if not held and asked:
        text += f" The agents of the Nodes of {asked} of these pods were asked, and hold no address for them."
    if left:
        text += (
            f" {left} of these pods still have a CiliumEndpoint: that holds an identity, and other Nodes keep its address for "
            "this identity (podnet.upkeep.clean_endpoints)."
        )
    return text
