# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a cluster looks like without what earlier stress tests have left in it."""

from __future__ import annotations

import dataclasses

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import Leftovers

#: What pods of a test have in a cluster.
_OF_PODS = ("pods", "ciliumendpoints", "ciliumendpointslices", "ciliumidentities")


def without(state: ClusterState, leftovers: Leftovers) -> ClusterState:
    """The state as it will be when these leftovers of earlier tests are gone: places, addresses and identities are free."""
    gone = {name_of(one) for one in leftovers.namespaces}
    identities = set(leftovers.identities)

    def stays(resource: str, one: Object) -> bool:
        if resource == "ciliumidentities":
            return name_of(one) not in identities
        if resource == "ciliumendpointslices":
            return one.get("namespace") not in gone
        return one["metadata"].get("namespace") not in gone

    kept = {
        resource: tuple(one for one in state.of(resource) if stays(resource, one))
        for resource in _OF_PODS
        if resource in state.resources
    }
    return dataclasses.replace(state, resources={**state.resources, **kept})
