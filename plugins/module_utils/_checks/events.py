# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of events, log lines and objects left behind by Nodes, of the CNI's ranges and of addresses for pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    agents,
    allocation_events,
    cilium_config,
    cilium_ipam,
    cni_network,
    control_plane,
    endpoints,
    host_network,
    identities,
    ipam_models,
    kvstore,
    log_lines,
    node_capacity,
    pod_cidrs,
    pods,
    pool,
    sandbox_failures,
    stale_objects,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding

_OWN: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    node_capacity.check,
    cni_network.check,
    stale_objects.check,
    allocation_events.check,
    log_lines.check,
)
# where causes of sandbox failures may be found besides
_OTHERS: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    pod_cidrs.check,
    pods.check,
    pool.check_pool,
    pool.check_settings,
    cilium_config.check,
    identities.check,
    agents.check,
    kvstore.check,
    cilium_ipam.check,
    endpoints.check,
    control_plane.check,
    ipam_models.check,
    host_network.check,
)


def check(context: Context) -> Iterator[Finding]:
    """All findings of these subjects; sandbox failures are explained by the findings of all."""
    own = [finding for one in _OWN for finding in one(context)]
    yield from own
    if sandbox_failures.failures(context):
        others = [finding for one in _OTHERS for finding in one(context)]
        yield from sandbox_failures.explain(context, [*own, *others])
