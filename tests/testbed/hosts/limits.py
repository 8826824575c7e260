"""Kernel limits that guests share with this machine, looked at before they are hit in the middle of a start."""

from __future__ import annotations

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


def require_room_for(hosts: int) -> None:
    """Raise HostError when the guests would hit the limit: their systemd would hang without saying why.

    This machine's limit is left alone: it is for its owner to raise.
    """
    used, limit = inotify_instances(), int(_LIMIT.read_text(encoding="utf-8"))
    needed = used + hosts * INOTIFY_INSTANCES_OF_A_HOST
    if needed > limit:
        raise HostError(
            f"{hosts} more hosts need about {needed} inotify instances ({used} are in use), but the limit is {limit}: "
            f"take other testbeds down, or run `sysctl fs.inotify.max_user_instances={max(512, needed)}`"
        )
