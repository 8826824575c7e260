"""Mounts below a folder: what a killed run leaves, and what must go before the folder does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def mount_points_below(folder: Path, mounts: str) -> list[str]:
    """Mount points below `folder` in the text of /proc/self/mounts, each as often as it is mounted, innermost first."""
    prefix = f"{os.path.realpath(folder)}/"
    targets = [_unescape(line.split()[1]) for line in mounts.splitlines()]
    return sorted((target for target in targets if target.startswith(prefix)), reverse=True)


def _unescape(text: str) -> str:
    """The kernel writes blank, tab, newline and backslash as octal numbers there (fs/proc_namespace.c, mangle)."""
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, character)
    return text


def unmount_below(folder: Path) -> None:
    """Unmount everything below `folder`."""
    for target in mount_points_below(folder, Path("/proc/self/mounts").read_text(encoding="utf-8")):
        subprocess.run(["umount", "--lazy", target], check=True)
