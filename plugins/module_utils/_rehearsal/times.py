# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Moves the times of a snapshot, so that everything is as old in a rehearsal as it was when the snapshot was taken.

Ages decide about what is deleted: a snapshot of last week would otherwise let everything in it look a week older.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_cilium import HEARTBEAT
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

_KEYS: t.Final = frozenset(
    (
        *("creationTimestamp", "deletionTimestamp", "renewTime", "acquireTime", "startTime", "lastTransitionTime"),
        *("lastHeartbeatTime", "firstTimestamp", "lastTimestamp", "timeAdded", "time", HEARTBEAT),
    )
)
_TIME: t.Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def aged(state: ClusterState, now: datetime.datetime) -> ClusterState:
    """The state with all times moved by as much as ``now`` is behind its own time."""
    move = _Move(now - state.taken_at)
    resources = {name: tuple(move.of(one) for one in objects) for name, objects in state.resources.items()}
    return dataclasses.replace(state, taken_at=now, resources=resources)


class _Move:
    def __init__(self, by: datetime.timedelta) -> None:
        self._by = by
        self._known: dict[str, str] = {}

    def of(self, value: t.Any) -> t.Any:
        """A copy of objects, lists and texts below, with the values of keys that are times moved."""
        if isinstance(value, dict):
            return {
                key: self._moved(one) if key in _KEYS and isinstance(one, str) else self.of(one)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self.of(one) for one in value]
        return value

    def _moved(self, text: str) -> str:
        found = self._known.get(text)
        if found is None:
            self._known[text] = found = self._parsed(text)
        return found

    def _parsed(self, text: str) -> str:
        match = _TIME.fullmatch(text)
        if match is None:
            return text
        zone = "+00:00" if match[3] == "Z" else match[3]
        moment = datetime.datetime.fromisoformat(match[1] + zone) + self._by
        made = moment.astimezone(datetime.timezone.utc)
        # micro times of Leases have six digits, other times none
        fraction = f".{made.microsecond:06d}" if match[2] else ""
        return f"{made:%Y-%m-%dT%H:%M:%S}{fraction}Z"
