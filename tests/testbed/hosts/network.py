"""The testbed's own bridge: one for each testbed, named and numbered by its index."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .base import HostError

_LINKS = Path("/sys/class/net")


def bridge_name(index: int) -> str:
    """Name of the bridge of testbed `index`."""
    return f"pnu{index}"


def bridge_address(index: int) -> str:
    """IPv4 address of this machine on the bridge."""
    return f"10.98.{index}.1"


def host_address(index: int, number: int) -> str:
    """IPv4 address of host `number` (0, 1, ...)."""
    return f"10.98.{index}.{10 + number}"


def host_address_ipv6(index: int, number: int) -> str:
    """IPv6 address (ULA) of host `number`."""
    return f"fd00:98:{index:x}::{10 + number:x}"


def has_ipv6() -> bool:
    """Whether this kernel speaks IPv6."""
    return Path("/proc/net/if_inet6").exists()


def ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `ip`; CalledProcessError when it fails and `check` is true."""
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=check)


def number_is_free(index: int) -> bool:
    """Whether no bridge and no guest of this number has a link on this machine."""
    guests = f"vb-podnet-{index}-"  # as systemd-nspawn names its links
    return not any(path.name == bridge_name(index) or path.name.startswith(guests) for path in _LINKS.iterdir())


def bridge_up(index: int, run_dir: Path) -> None:
    """Create the bridge with its addresses. It is an island: no route, no NAT, no forwarding leads out of it.

    It carries the testbed's folder as its alias: a testbed of another cache folder that wanted the same number at the
    same moment must not take it down.

    Raises HostError when there is a bridge of this number.
    """
    name = bridge_name(index)
    if ip("link", "add", name, "type", "bridge", check=False).returncode != 0:
        raise HostError(
            f"the bridge {name} cannot be made: another cache folder has a testbed of this number; try again"
        )
    ip("link", "set", name, "alias", _owner_text(run_dir))
    ip("address", "add", f"{bridge_address(index)}/24", "dev", name)
    if has_ipv6():
        ip("-6", "address", "add", f"fd00:98:{index:x}::1/64", "dev", name, "nodad")
    ip("link", "set", name, "up")


def _owner_text(run_dir: Path) -> str:
    return str(run_dir)[-200:]  # the kernel takes 255 characters


def bridge_ports(index: int, run_dir: Path) -> list[str]:
    """Names of the links on the bridge of this testbed: the guests' ends on this machine; none for another's bridge."""
    if not _owns_bridge(index, run_dir):
        return []
    folder = _LINKS / bridge_name(index) / "brif"
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return []


def delete_links(names: list[str]) -> None:
    """Delete links; one that is gone already is fine.

    The kernel removes those of a dead guest by itself, but some time later; until then a new guest of the same name
    cannot have its link, and its nspawn ends with "File exists".

    Raises HostError when a link stays.
    """
    for name in names:
        done = ip("link", "delete", name, check=False)
        if done.returncode != 0 and (_LINKS / name).exists():
            raise HostError(f"the link {name} cannot be deleted: {done.stderr.strip()}")


def _owns_bridge(index: int, run_dir: Path) -> bool:
    alias = _LINKS / bridge_name(index) / "ifalias"
    try:
        owner = alias.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return False
    return owner in ("", _owner_text(run_dir))  # empty: its testbed was killed between two commands


def bridge_down(index: int, run_dir: Path) -> None:
    """Delete the bridge of this testbed; none, or one of another testbed, is fine."""
    if _owns_bridge(index, run_dir):
        ip("link", "delete", bridge_name(index))
