# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether Nodes may be retired now: what speaks against it in the cluster, and on their hosts."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.controller_manager_loop import exits_at
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, condition
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import HostReportError, parse
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kubelet_unit import AUTO, UnitError, choose
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import cluster_preflight
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.host_readiness import require_root
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_identity import HostIdentity, verify


@dataclass(frozen=True)
class LeavingHost:
    """The host of ``node``: ``text`` is what read_host.sh printed there; ``unit`` is that of the kubelet, or AUTO."""

    node: str
    host: str
    text: str
    unit: str = AUTO


def of_cluster(
    client: KubeClient, context: Context, ours: Collection[str], *, settle_seconds: float
) -> list[Objection]:
    """Reasons not to delete a Node now. ``ours`` are out of service because of this run. Reads only; raises ApiError."""
    found = cluster_preflight.unreadable(context)
    if not found:
        found += cluster_preflight.garbage_collection(client)
        found += cluster_preflight.controller_manager(client, settle_seconds=settle_seconds, exits_at=exits_at(context))
    return found + cluster_preflight.other_nodes(context, ours)


def of_hosts(nodes: Mapping[str, Object], hosts: Sequence[LeavingHost]) -> tuple[dict[str, str], list[Objection]]:
    """The unit to stop for each Node, and reasons to leave a host alone: it is another machine, or cannot be worked on."""
    units: dict[str, str] = {}
    found = []
    for one in hosts:
        try:
            units[one.node] = _unit(nodes[one.node], one)
        except (HostReportError, UnitError, RefusedError) as error:
            found.append(Objection("host", str(error).rstrip(".")))
    return units, found


def _unit(node: Object, leaving: LeavingHost) -> str:
    try:
        report = parse(leaving.text)
    except HostReportError as error:
        raise HostReportError(f"What was read on host {leaving.host} cannot be used: {error}") from error
    require_root(leaving.host, report, "retire_nodes_become")
    verify(
        node,
        HostIdentity(leaving.host, report.machine_id, report.boot_id),  # its certificate is not needed any more
        kubelet_runs=condition(node, "Ready") == "True",
        now=datetime.datetime.now(datetime.timezone.utc),
    )
    return choose(report, leaving.host, leaving.unit).name
