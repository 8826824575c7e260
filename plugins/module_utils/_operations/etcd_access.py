# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What maintenance needs of an etcd, whichever way leads to it: the gateway from here, or etcdctl on a member's host."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Member, Picture
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_snapshot import Snapshot


def last_compaction(can_read: Callable[[int], bool], newest: int) -> int:
    """The revision of the last compaction, by asking for old ones: about twenty cheap questions. 0 when there was none."""
    low, high = 0, newest  # compacted to `low` at least; `high` can be asked for
    while high - low > 1:
        middle = (low + high) // 2
        if can_read(middle):
            high = middle
        else:
            low = middle
    return high if low else 0


def unless_compacted(ask: Callable[[], object]) -> bool:
    """Whether a member did what it was asked; False where it has forgotten that revision already. Raises EtcdError."""
    try:
        ask()
    except EtcdError as error:
        if not error.compacted:
            raise
        return False
    return True


class EtcdAccess(t.Protocol):
    """One etcd. Every method raises EtcdError, whose text is one sentence."""

    cluster: int  # its ID, known after the first picture

    def picture(self) -> Picture:
        """All members now."""
        raise NotImplementedError

    def compacted_to(self, member: Member, newest: int) -> int:
        """The revision that a member was compacted to last."""
        raise NotImplementedError

    def take_snapshot(self, member: Member, folder: str, name: str, heartbeat: Callable[[], None]) -> Snapshot:
        """The database of a member as ``folder``/``name``, whole and sound. Raises InputError, RefusedError as well."""
        raise NotImplementedError

    def compact(self, member: Member, revision: int, timeout: float) -> bool:
        """Forget all before ``revision``, and wait until this member has; whether it was still to be forgotten."""
        raise NotImplementedError

    def defragment(self, member: Member, timeout: float) -> None:
        """Give free room of one member back to its file system."""
        raise NotImplementedError

    def move_leader(self, leader: Member, target: Member) -> None:
        """Let another member lead."""
        raise NotImplementedError

    def disarm(self, member: int) -> None:
        """Take back the alarm NOSPACE of one member."""
        raise NotImplementedError

    def try_to_write(self) -> None:
        """A write that leaves no key."""
        raise NotImplementedError
