# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Leases of leaders: who holds them, since when, and whether they are renewed.

Ages are measured against ``state.taken_at``, which may be another machine's clock. So a Lease is called stale only when it
is also behind the newest Lease of the cluster, unless it is old by any clock.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment

# a leader renews every two seconds; its Lease is free for others after 15
_STALE = datetime.timedelta(seconds=60)
# no clock of a machine that takes part in a cluster is that wrong: its certificates and tokens would fail before
_STALE_BY_ANY_CLOCK = datetime.timedelta(minutes=10)


@dataclass(frozen=True)
class LeaderLease:
    """One Lease of a leader. Times are None where the Lease does not say them, ages are in seconds."""

    name: str
    holder: str
    transitions: int
    created: datetime.datetime | None
    acquired: datetime.datetime | None
    renewed: datetime.datetime | None
    stale: bool
    taken_at: datetime.datetime

    def age(self, time: datetime.datetime | None) -> float | None:
        """Seconds from this time to the moment of the audit, never below zero; None when the time is unknown."""
        return None if time is None else max((self.taken_at - time).total_seconds(), 0.0)

    @property
    def led_for(self) -> float | None:
        """Seconds from taking over to the last renewal, by the leader's own clock; None when unknown."""
        if self.acquired is None or self.renewed is None:
            return None
        return max((self.renewed - self.acquired).total_seconds(), 0.0)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "name": self.name,
            "holder": self.holder,
            "transitions": self.transitions,
            "led_for_seconds": self.led_for,
            "renewed_seconds_ago": self.age(self.renewed),
            "stale": self.stale,
        }


def leader_leases(context: Context) -> list[LeaderLease]:
    """All Leases of leaders that were read, by name."""
    newest = _newest(context)
    return sorted((_read(context, one, newest) for one in context.state.of("leases")), key=lambda one: one.name)


def find(context: Context, name: str) -> LeaderLease | None:
    """One Lease; None when there is none or it could not be read."""
    return next((one for one in leader_leases(context) if one.name == name), None)


def _read(context: Context, lease: Object, newest: datetime.datetime | None) -> LeaderLease:
    spec = lease.get("spec") or {}
    renewed = moment(spec.get("renewTime"))
    return LeaderLease(
        name=name_of(lease),
        holder=str(spec.get("holderIdentity") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
        created=moment(lease["metadata"].get("creationTimestamp")),
        acquired=moment(spec.get("acquireTime")),
        renewed=renewed,
        stale=_is_stale(context, renewed, newest),
        taken_at=context.state.taken_at,
    )


def _newest(context: Context) -> datetime.datetime | None:
    """When anybody renewed a Lease for the last time: what the cluster itself shows of its present time."""
    leases = (*context.state.of("leases"), *context.state.of("nodeleases"))
    times = (moment((lease.get("spec") or {}).get("renewTime")) for lease in leases)
    return max(filter(None, times), default=None)


def _is_stale(context: Context, renewed: datetime.datetime | None, newest: datetime.datetime | None) -> bool:
    if renewed is None:
        return False
    age = context.state.taken_at - renewed - context.state.skew
    if age > _STALE_BY_ANY_CLOCK:
        return True
    others = newest is not None and newest > renewed
    behind = newest - renewed - context.state.skew if newest is not None else age
    return age > _STALE and (behind > _STALE if others else True)
