# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The kinds that clean-up deletes: where they are in the API, and what can bring a deleted one back."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass


@dataclass(frozen=True)
class DeletableKind:
    """``restorable``: whether ``deletion_undo`` may create it again; ``why`` says what does otherwise, or when it may."""

    kind: str
    group_path: str
    resource: str
    namespaced: bool
    restorable: bool
    why: str

    def collection(self, namespace: str = "") -> str:
        """Path of the list, of one namespace or of all."""
        if self.namespaced and namespace:
            return f"{self.group_path}/namespaces/{urllib.parse.quote(namespace, safe='')}/{self.resource}"
        return f"{self.group_path}/{self.resource}"

    def path(self, name: str, namespace: str = "") -> str:
        """Path of one object."""
        return f"{self.collection(namespace)}/{urllib.parse.quote(name, safe='')}"


KINDS: dict[str, DeletableKind] = {
    one.kind: one
    for one in (
        DeletableKind(
            "CiliumIdentity",
            "/apis/cilium.io/v2",
            "ciliumidentities",
            namespaced=False,
            restorable=True,
            why="It is created again with the same number and security labels while neither is taken by another one.",
        ),
        DeletableKind(
            "CiliumNode",
            "/apis/cilium.io/v2",
            "ciliumnodes",
            namespaced=False,
            restorable=True,
            why=(
                "It is created again while the Node that owned it (same uid) is there and nobody else has its blocks; "
                "else the agent of a new Node creates its own."
            ),
        ),
        DeletableKind(
            "CiliumEndpoint",
            "/apis/cilium.io/v2",
            "ciliumendpoints",
            namespaced=True,
            restorable=False,
            why="The agent of a pod that runs creates its CiliumEndpoint again; one without a pod means nothing.",
        ),
        DeletableKind(
            "Pod",
            "/api/v1",
            "pods",
            namespaced=True,
            restorable=False,
            why="A pod that has ended cannot be brought back; its controller starts another one where one is needed.",
        ),
    )
}


def restorable(kind: str) -> tuple[bool, str]:
    """Whether undo may create a deleted object of this kind again, and the sentence that says when or why not."""
    known = KINDS.get(kind)
    if known is None:
        return False, f"Nothing is known about bringing back a {kind or 'object without kind'}."
    return known.restorable, known.why
