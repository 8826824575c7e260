# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keys of Cilium in its kvstore: identities that nobody uses, and locks that nobody gives back.

Source: RunGC and RunLocksGC of pkg/kvstore/allocator/allocator.go, getOldestLeases of operator/cmd/kvstore_watchdog.go of
cilium/cilium 1.18. Both collectors look twice: what is unused, or held, in both rounds and was not written in between goes.
"""

from __future__ import annotations

import datetime
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import IdentityRange

IDENTITIES = "cilium/state/identities/v1/"
MASTERS = f"{IDENTITIES}id/"
USERS = f"{IDENTITIES}value/"
LOCKS = f"{IDENTITIES}locks/"
NODES = "cilium/state/nodes/v1/"
HEARTBEAT = "cilium/.heartbeat"
# LockLeaseTTL of pkg/defaults: locks have a lease of that many seconds, and the operator looks for stale ones as often
LOCK_SECONDS = 25


@dataclass(frozen=True)
class Key:
    """One key; ``written`` is its ModRevision, ``lease`` 0 when it has none. ``value`` may have been left out."""

    name: str
    value: str = ""
    written: int = 0
    lease: int = 0


@dataclass(frozen=True)
class Orphan:
    """An identity that no Node uses."""

    number: int
    key: Key


@dataclass(frozen=True)
class Lock:
    """The holder of a lock, which is the oldest key below it; ``waiting`` counts those behind it."""

    path: str
    key: Key
    waiting: int

    @property
    def subject(self) -> str:
        """What is locked: labels of an identity, or ``id/NUMBER``, which only the operator's collection locks."""
        return self.path.removeprefix(LOCKS).removesuffix(".lock")


def orphans(masters: Iterable[Key], users: Iterable[str], allowed: IdentityRange | None) -> list[Orphan]:
    """Master keys, by number, that no key of a Node refers to and whose number is of this cluster.

    ``users`` are names of the keys below USERS. Numbers out of ``allowed`` are of other clusters and never looked at by the
    operator; without a range, all are looked at.
    """
    used = {name.rpartition("/")[0] for name in users}
    found = []
    for key in masters:
        last = key.name.rpartition("/")[2]
        if not (last.isascii() and last.isdecimal()):
            continue
        number = int(last)
        if allowed is not None and number not in allowed:
            continue
        # Go joins paths when it asks, and takes away what is double in them
        if posixpath.normpath(f"{USERS}{key.value}") not in used:
            found.append(Orphan(number, key))
    return sorted(found, key=lambda one: one.number)


def still_unused(first: Iterable[Orphan], second: Iterable[Orphan]) -> list[Orphan]:
    """Those of both looks whose key was not written in between: what the operator deletes in its second round."""
    before = {one.key.name: one.key.written for one in first}
    return [one for one in second if before.get(one.key.name) == one.key.written]


def holders(keys: Iterable[Key]) -> list[Lock]:
    """Who holds each lock."""
    queues: dict[str, list[Key]] = {}
    for key in keys:
        queues.setdefault(key.name.rpartition("/")[0], []).append(key)
    return [
        Lock(path, min(queue, key=lambda one: one.written), len(queue) - 1) for path, queue in sorted(queues.items())
    ]


def still_held(first: Iterable[Lock], second: Iterable[Key]) -> list[Lock]:
    """Locks whose holder of the first look has them still, as the operator's watchdog compares its rounds."""
    there = {key.name: key for key in second}
    found = []
    for lock in first:
        now = there.get(lock.key.name)
        if now is not None and (now.written, now.lease) == (lock.key.written, lock.key.lease):
            found.append(lock)
    return found


def nodes_of(users: Iterable[str]) -> Mapping[str, list[str]]:
    """{labels: addresses of the Nodes that use them} by names of the keys below USERS."""
    found: dict[str, list[str]] = {}
    for name in users:
        labels, _slash, address = name.removeprefix(USERS).rpartition("/")
        found.setdefault(labels, []).append(address)
    return found


def heartbeat_age(value: str, now: datetime.datetime) -> float | None:
    """Seconds since the operator's last heartbeat by the clock of ``now``; None when it is no time."""
    written = moment(value.strip())
    return None if written is None else (now - written).total_seconds()
