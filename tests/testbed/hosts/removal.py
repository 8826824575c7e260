"""Removes the guests of a testbed from its files alone: also after a kill -9 of its owner, of a guest, or of both."""

from __future__ import annotations

import functools
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from .. import processes
from . import cgroups, guest, network
from .mounts import unmount_below

_NSPAWN_RUN = Path("/run/systemd/nspawn")


def cleanup(run_dir: Path, index: int) -> None:
    """Remove guests, mounts, cgroups and bridge of testbed `index` in `run_dir`; nothing there is fine.

    The order matters: first nspawn, which alone could still start something; then whatever is in the guest's cgroups,
    which nothing can leave; then mounts, cgroups and bridge, which nobody uses any more.

    Raises OSError when the kernel keeps a cgroup busy for ten seconds, RuntimeError when a process does not end.
    """
    folder = run_dir / "guests"
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    for socket in run_dir.glob("ssh[0-9]*"):
        command = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "testbed"]
        subprocess.run(command, capture_output=True, check=False)
    links = network.bridge_ports(index, run_dir) if (run_dir / "bridge").exists() else []
    for name in names:
        processes.stop(run_dir, guest.record_name(name), number=signal.SIGKILL)
        cgroups.kill(index, name)
        forget_in_nspawn(index, name, guest.folder_of(run_dir, name) / "root")
    network.delete_links(links)
    unmount_below(run_dir)
    for name in names:
        retry(functools.partial(cgroups.remove, index, name))
    if (run_dir / "bridge").exists():
        network.bridge_down(index, run_dir)


def forget_in_nspawn(index: int, name: str, root: Path) -> None:
    """Remove what an orderly nspawn removes at its end: the folder to hand mounts on, and the lock of its tree."""
    propagated = _NSPAWN_RUN / "propagate" / guest.machine_name(index, name)
    if propagated.exists():
        propagated.rmdir()
    if root.is_mount():
        status = root.stat()
        (_NSPAWN_RUN / "locks" / f"inode-{status.st_dev}:{status.st_ino}").unlink(missing_ok=True)


def retry(action: Callable[[], None], seconds: float = 10) -> None:
    """A cgroup is busy until the kernel has buried its last process."""
    end = time.monotonic() + seconds
    while True:
        try:
            action()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
