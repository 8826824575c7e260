# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether the cluster is in a state in which a Node may be deleted and registered anew.

The control plane does half of the work (block allocation, garbage collection, DaemonSets), so it is looked at first.
Each objection has a code; where the risk is one that an operator may take, the code is also the name to accept it by.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import condition, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
_LEASE_POLL = 1.0
_LONGEST_RENEWAL = 15.0
#: Verdicts about a leader.
STABLE, ABSENT, UNSTABLE, DOWN = "stable", "absent", "unstable", "down "


@dataclass(frozen=True)
class Objection:
    """A reason not to start. ``override`` names the risk to accept, or is None where there is no way around."""

    code: str
    reason: str
    override: str | None = None

    @property
    def sentence(self) -> str:
        """The reason, with the way out where there is one."""
        way_out = f" (accept it with accepted_risks: [{self.override}])" if self.override else ""
        return f"{self.reason}{way_out}."


def standing(objections: Iterable[Objection], accepted: Collection[str]) -> list[Objection]:
    """The objections that no accepted risk answers."""
    return [one for one in objections if one.override is None or one.override not in accepted]


def unreadable(context: Context) -> list[Objection]:
    """Parts of the picture that are missing: nothing is deleted while it is incomplete."""
    return [
        Objection("picture-incomplete", f"The cluster's {resource} cannot be read: {why}")
        for resource, why in sorted(context.state.unknown.items())
    ]


def allocation(context: Context, *, somebody_else: bool = False) -> list[Objection]:
    """Whether Node.spec is the truth here and somebody will give the new Node its podCIDRs.

    ``somebody_else`` than kube-controller-manager does: an allocator with ClusterCIDR objects, or a person.
    """
    found = []
    model = context.ipam_model
    if not model.node_spec_is_truth:
        found.append(
            Objection(
                "ipam-model",
                f"Pod addresses here do not come from Node.spec.podCIDRs ({model.name}: {model.evidence}), "
                "so a new Node object would change nothing",
            )
        )
    settings = context.allocator
    if somebody_else:
        pass
    elif not settings.known:
        found.append(
            Objection(
                "allocator-unknown",
                "The settings of the pod CIDR allocator are not visible in this cluster; state them with the option "
                "allocator",
            )
        )
    elif settings.allocate_node_cidrs is not True:
        found.append(
            Objection(
                "allocator-off",
                f"Nobody would give the new Node a podCIDR: --allocate-node-cidrs is not on ({settings.source})",
            )
        )
    found += [
        Objection("allocator-invalid", f"The allocator's settings are not valid: {one}") for one in settings.problems
    ]
    return found


def garbage_collection(client: KubeClient) -> list[Objection]:
    """One API service that does not answer blocks the garbage collector, and with it all that we wait for."""
    broken = []
    for service in client.list("/apis/apiregistration.k8s.io/v1/apiservices"):
        if condition(service, "Available") != "True":
            broken.append(name_of(service))
    if not broken:
        return []
    return [
        Objection(
            "garbage-collection-blocked",
            f"API services are not available ({', '.join(sorted(broken))}), which stops the garbage collection of the "
            "old Node's Lease and CSINode; mend or delete them first",
        )
    ]


def controller_manager(
    client: KubeClient, *, settle_seconds: float, exits_at: Sequence[str] = (), clock: Clock | None = None
) -> list[Objection]:
    """Whether kube-controller-manager leads, renews its Lease and does not restart again and again.

    ``exits_at`` are the Nodes at which it exits when it starts (`controller_manager_loop.exits_at`): no reason to refuse
    while it works, but the likely one where it does not, and then no other Node has to be looked for.
    """
    verdict = watched_leader(client, _LEASE, settle_seconds=settle_seconds, clock=clock)
    if verdict == ABSENT:
        reason = "There is no Lease kube-system/kube-controller-manager, so it is unknown whether controllers run"
        return [Objection("controller-manager-unknown", reason, "controller-manager-unknown")]
    if verdict == UNSTABLE:
        reason = (
            "kube-controller-manager restarts again and again (its Lease changed hands while it was watched); "
            + _why_it_ends(exits_at)
        )
        return [Objection("controller-manager-unstable", reason)]
    if verdict.startswith(DOWN):
        reason = (
            f"kube-controller-manager does not renew its Lease (last at {verdict.removeprefix(DOWN)}), so it "
            "does not run, and nobody would allocate podCIDRs or remove what belonged to the old Node; "
            + _why_it_ends(exits_at)
        )
        return [Objection("controller-manager-down", reason)]
    return []


def _why_it_ends(exits_at: Sequence[str]) -> str:
    if not exits_at:
        return "its log says why: it exits at start when a Node has a podCIDR outside the cluster CIDR"
    return (
        f"it exits when it starts, because podCIDRs of Nodes do not fit --cluster-cidr ({_some(exits_at)}): set that flag "
        "to a range that contains them too, so that it stays up"
    )


def watched_leader(client: KubeClient, lease: str, *, settle_seconds: float, clock: Clock | None = None) -> str:
    """What the Lease of a leader shows: STABLE, ABSENT, UNSTABLE, or DOWN followed by the time of its last renewal.

    A crash loop keeps the Lease fresh: each new process takes it over before it dies (15 to 20 s). So the holder has to
    be the same while we look, and a holder that is younger than ``settle_seconds`` is watched until it is older.
    """
    clock = clock or Clock()
    first = client.find(lease)
    if first is None:
        return ABSENT
    start = clock.now()
    renewed = False
    current = first
    while True:
        if _holder(current) != _holder(first):
            return UNSTABLE
        renewed = renewed or _lease_value(current, "renewTime") != _lease_value(first, "renewTime")
        settled = _age(current) >= settle_seconds or not int(_lease_value(current, "leaseTransitions") or 0)
        elapsed = clock.now() - start
        if renewed and settled:
            return STABLE
        if not renewed and elapsed > _LONGEST_RENEWAL:
            return DOWN + _lease_value(first, "renewTime")
        clock.sleep(_LEASE_POLL)
        current = client.find(lease) or {}


def other_nodes(context: Context, ours: Collection[str]) -> list[Objection]:
    """Other Nodes that are out already. Nodes of this run, and those that only wait for a podCIDR, do not count."""
    exempt = {*ours, *context.waiting}
    others = [node for node in context.state.nodes if name_of(node) not in exempt]
    not_ready = [name_of(node) for node in others if condition(node, "Ready") != "True"]
    cordoned = [name_of(node) for node in others if (node.get("spec") or {}).get("unschedulable")]
    found = []
    if not_ready:
        reason = f"Other Nodes are not Ready: {_some(not_ready)}"
        found.append(Objection("other-nodes-not-ready", reason, "other-nodes-not-ready"))
    if cordoned:
        reason = f"Other Nodes are cordoned: {_some(cordoned)}"
        found.append(Objection("other-nodes-cordoned", reason, "other-nodes-cordoned"))
    return found


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _lease_value(lease: JsonObject, key: str) -> str:
    return str((lease.get("spec") or {}).get(key) or "")


def _holder(lease: JsonObject) -> tuple[str, str]:
    return _lease_value(lease, "holderIdentity"), _lease_value(lease, "leaseTransitions")


def _age(lease: JsonObject) -> float:
    """Seconds for which the holder has led, by the times that it wrote itself: our own clock may be another."""
    acquired, renewed = _lease_value(lease, "acquireTime"), _lease_value(lease, "renewTime")
    if not acquired or not renewed:
        return 0.0
    parsed = [datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (acquired, renewed)]
    return (parsed[1] - parsed[0]).total_seconds()
