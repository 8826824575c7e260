"""The tree that all guests share: Debian with systemd, sshd, Python and a container runtime; built once, cached."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from ..binaries import say
from ..paths import cache_root, exclusive
from .mounts import unmount_below

SUITE = "bookworm"
_BOOTSTRAP = ("systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "iproute2", "procps", "ca-certificates")
_PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "nftables",
    "conntrack",
    "kmod",
    "mount",
    "ethtool",
    "socat",
    "iputils-ping",
    "openssl",
    "sudo",
)
_TOOLS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
}


class HostError(RuntimeError):
    """Hosts cannot be had here; the text says why and what helps."""


def require_tools() -> None:
    """Raise HostError when this machine lacks root or a program that guests need."""
    if os.geteuid() != 0:
        raise HostError("hosts need root (namespaces, bridge, cgroups); run it with sudo, or without hosts")
    unusable = sorted(set(str(cache_root())) & set(":,\\ \t\n\"'"))
    if unusable:
        raise HostError(
            f"PODNET_UPKEEP_CACHE {str(cache_root())!r}: overlays and binds of hosts cannot have {' '.join(unusable)!r} in"
            " their path; name another folder"
        )
    missing = sorted({package for tool, package in _TOOLS.items() if shutil.which(tool) is None})
    if missing:
        raise HostError(f"hosts need the packages {' '.join(missing)}; install them with apt-get install")


def mirror(settings: Path = Path("/etc/apt")) -> str:
    """URL of the Debian archive that this machine installs from (one-line or deb822 sources), else Debian's own."""
    candidates = [settings / "sources.list", *sorted((settings / "sources.list.d").glob("*"))]
    for path in candidates:
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^(?:deb\s+(?:\[[^]]*\]\s*)?|URIs:\s*)(https?://\S+/debian)/?\s", text, re.MULTILINE)
        if found:
            return found[1]
    return "http://deb.debian.org/debian"


def prepare() -> Path:
    """The cached tree, built first where needed (minutes, once).

    Raises HostError when debootstrap or apt fail.
    """
    require_tools()
    recipe = "\n".join((SUITE, *_BOOTSTRAP, *_PACKAGES, "3"))
    tree = cache_root() / "guests" / hashlib.sha256(recipe.encode()).hexdigest()[:16]
    with exclusive("guests"):
        if not tree.exists():
            tree.parent.mkdir(exist_ok=True)
            for leftover in tree.parent.glob("partial-*"):  # of a run that was killed here; we hold the lock
                discard(leftover)
            _build(tree)
    return tree


def _build(tree: Path) -> None:
    started = time.monotonic()
    say(f"building the tree of the hosts with debootstrap, once (2 to 4 minutes; cached in {tree.parent}) ...")
    partial = Path(tempfile.mkdtemp(dir=tree.parent, prefix="partial-"))
    try:
        run_tool(
            ["debootstrap", "--variant=minbase", f"--include={','.join(_BOOTSTRAP)}", SUITE, str(partial), mirror()],
            "debootstrap",
        )
        say(f"  packages of the hosts: {time.monotonic() - started:.0f} s so far")
        _install_packages(partial)
        for name in ("etc/machine-id", "etc/hostname", "etc/resolv.conf"):
            (partial / name).unlink(missing_ok=True)
        for key in (partial / "etc/ssh").glob("ssh_host_*"):
            key.unlink()
        partial.chmod(0o755)
        partial.rename(tree)
    except BaseException:
        discard(partial)
        raise
    say(f"built the tree of the hosts in {time.monotonic() - started:.0f} s")


def discard(tree: Path) -> None:
    """Delete a half built tree; debootstrap mounts /proc in it, and a kill leaves that there."""
    unmount_below(tree)
    subprocess.run(["rm", "-rf", "--one-file-system", str(tree)], check=True)


def _install_packages(tree: Path) -> None:
    """Install with this machine's apt settings (proxy, certificates): the tree has none of its own yet."""
    settings = [Path("/etc/resolv.conf"), Path("/etc/ssl/certs/ca-certificates.crt")]
    settings += [path for path in Path("/etc/apt/apt.conf.d").glob("*") if "roxy" in path.read_text(encoding="utf-8")]
    for source in settings:
        target = tree / source.relative_to("/")
        if source.exists():
            target.unlink(missing_ok=True)
            shutil.copy(source, target)
    policy = tree / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")  # nothing is to be started inside a chroot
    policy.chmod(0o755)
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    env.update({key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")})
    run_tool(["chroot", str(tree), "apt-get", "update", "-q"], "apt-get update", env)
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *_PACKAGES]
    run_tool(["chroot", str(tree), *install], "apt-get install", env)
    run_tool(["chroot", str(tree), "apt-get", "clean"], "apt-get clean", env)
    policy.unlink()
    shutil.rmtree(tree / "var/lib/apt/lists", ignore_errors=True)


def run_tool(command: list[str], what: str, env: dict[str, str] | None = None) -> None:
    """Run a command that builds; HostError with its last words when `what` fails."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HostError(f"{what} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
