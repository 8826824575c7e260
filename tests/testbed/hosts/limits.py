"""Kernel limits that guests share with this machine, looked at before they are hit in the middle of a start."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .base import HostError

# systemd, dbus, containerd and kubelet of one guest, counted on a running one; and the sandboxes' share
INOTIFY_INSTANCES_OF_A_HOST = 16
_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")


def inotify_instances() -> int:
    """Inotify instances that are open now, in all processes that can be looked into."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            count += sum(1 for link in folder.iterdir() if "inotify" in str(link.readlink()))
        except OSError:
            continue  # the process or the descriptor went away while we looked
    return count


def require_room_for(hosts: int, patience: float = 600) -> None:
    """Wait until the guests would not hit the limit: their systemd would hang without saying why.

    Other testbeds on this machine end, so room is waited for during `patience` seconds; HostError when there is none then.
    This machine's limit is left alone: it is for its owner to raise.
    """
    end, said = time.monotonic() + patience, False
    while True:
        used, limit = inotify_instances(), int(_LIMIT.read_text(encoding="utf-8"))
        needed = used + hosts * INOTIFY_INSTANCES_OF_A_HOST
        if needed <= limit:
            return
        lack = f"{hosts} more hosts need about {needed} inotify instances ({used} are in use), but the limit is {limit}"
        # guests that run alone do not fit either: nothing to wait for
        if time.monotonic() > end or hosts * INOTIFY_INSTANCES_OF_A_HOST > limit:
            raise HostError(
                f"{lack}: take other testbeds down, or run `sysctl fs.inotify.max_user_instances={max(512, needed)}`"
            )
        if not said:
            print(f"testbed: {lack}; waiting for other testbeds to end", file=sys.stderr, flush=True)
            said = True
        time.sleep(1)
