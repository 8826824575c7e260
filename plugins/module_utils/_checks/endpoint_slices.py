# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of CiliumEndpointSlices against CiliumEndpoints, where slices are on."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject

_SHOWN = 10
# the operator puts an endpoint into a slice within seconds; its queue may be long in a large cluster
_SETTLED_SECONDS = 300
_TRUE = ("true", "1", "t")


def enabled(context: Context) -> bool:
    """Key enable-cilium-endpoint-slice of cilium-config."""
    return context.cilium.value("enable-cilium-endpoint-slice", "false").strip().lower() in _TRUE


def check(context: Context) -> Iterator[Finding]:
    """One finding for the cluster; none where slices are off or unknown."""
    if not enabled(context) or not context.state.knows("ciliumendpoints", "ciliumendpointslices"):
        return
    limit = of(context).older_than(_SETTLED_SECONDS)
    listed: dict[tuple[str, str], list[tuple[str, t.Any]]] = {}
    for piece in context.state.of("ciliumendpointslices"):
        namespace = str(piece.get("namespace") or "")
        for entry in piece.get("endpoints") or ():
            key = (namespace, str(entry.get("name")))
            listed.setdefault(key, []).append((str(piece["metadata"]["name"]), entry.get("id")))
    missing: list[str] = []
    different: list[str] = []
    present = of(context).endpoint_names
    for endpoint in of(context).endpoints:
        key, identity = endpoint.key, endpoint.identity
        # the operator lists an endpoint when it has an identity and an address
        if not identity or not endpoint.texts or not endpoint.created < limit:
            continue
        if key not in listed:
            missing.append(endpoint.name)
        elif all(one != identity for _slice, one in listed[key]):
            different.append(f"{endpoint.name} ({identity}, in the slice {listed[key][0][1]})")
    gone = ["/".join(key) for key in listed if key not in present]
    several = ["/".join(key) for key, entries in listed.items() if len(entries) > 1]
    parts = {
        "in no slice": missing,
        "with another identity": different,
        "in several slices": several,
        "in a slice, but gone": gone,
    }
    words = [f"{len(found)} {text}" for text, found in parts.items() if found]
    if words:
        yield Finding(
            "endpoint-slice-inconsistent",
            Subject("Cluster", "cluster"),
            f"CiliumEndpointSlices differ from CiliumEndpoints: {', '.join(words)}",
            {
                text.replace(",", "").replace(" ", "_"): {"count": len(found), "endpoints": sorted(found)[:_SHOWN]}
                for text, found in parts.items()
                if found
            },
        )
