# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a rehearsal begins with: a state with everything that is in a snapshot, and what it says about the control plane."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Collection

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, name_of, pod_cidrs
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.further_lists import read_files


def read(path: str) -> ClusterState:
    """The state of a snapshot, whatever kind it is of. Raises InputError in one sentence that names the file."""
    state = snapshot.load(path)
    name = os.path.abspath(os.path.expanduser(path))
    kind = _kind_of_files(name)
    if kind:
        try:
            state = read_files(name, kind, state)
        except (OSError, BadContent) as error:
            raise InputError(f"snapshot: {name} {error}; save it again.") from error
    if "nodes" not in state.resources or not state.of("nodes"):
        raise InputError(
            f"snapshot: {name} has no Nodes, so there is nothing to rehearse on; save it with all objects."
        )
    return state


def _kind_of_files(name: str) -> str:
    """What ``read_files`` calls it; empty for a saved state, which has everything in itself."""
    if os.path.isdir(name):
        return "folder"
    if zipfile.is_zipfile(name):
        return "zip"
    return "tar" if tarfile.is_tarfile(name) else ""


def unfit_for_start(state: ClusterState, allocator: AllocatorSettings) -> frozenset[str]:
    """Nodes with which kube-controller-manager does not start, although one that runs bears them.

    Upstream: pkg/controller/nodeipam/ipam/range_allocator.go, NewCIDRRangeAllocator: each podCIDR of each Node has to be in
    the cluster CIDR of its place.
    """
    if not allocator.known or allocator.allocate_node_cidrs is False:
        return frozenset()
    clusters = allocator.cluster_cidrs
    found = set()
    for node in state.of("nodes"):
        for place, network in enumerate(pod_cidrs(node)):
            fits = place < len(clusters) and network.version == clusters[place].version
            # a larger block than the cluster CIDR is not in it either
            if not fits or not network.subnet_of(clusters[place]):  # type: ignore[arg-type]
                found.add(name_of(node))
    return frozenset(found)


def cilium_config(state: ClusterState) -> dict[str, str]:
    """The configuration of Cilium; empty where there is none."""
    return dict(state.config_map("cilium-config") or {})


def operator_problem(config: Collection[str] | dict[str, str], programs: Collection[str]) -> str:
    """Why the operator of Cilium cannot take part, as a sentence; empty when it can."""
    if not config:
        return "The snapshot has no configuration of Cilium, so no operator of Cilium runs."
    if "cilium-operator" not in programs:
        return "No program cilium-operator was found: garbage collection and IPAM of Cilium are not rehearsed."
    known = dict(config) if isinstance(config, dict) else {}
    if known.get("identity-allocation-mode", "crd") != "crd" or known.get("kvstore"):
        return "The cluster keeps identities in a key-value store, which is not rebuilt: no operator of Cilium runs."
    if known.get("ipam", "cluster-pool") not in ("cluster-pool", "kubernetes", "multi-pool", "crd"):
        return f"IPAM mode {known['ipam']} asks a cloud for addresses: no operator of Cilium runs."
    return ""
