"""The real collection awx.awx for tests, out of the PyPI package `ansible`, and a stand-in for ansible.controller.

Galaxy cannot be relied on in tests, and the package `ansible` up to version 13 has awx.awx. ansible.controller, which is the same
code under Red Hat's name, is on no public registry: the stand-in is what awx.awx becomes when it is renamed, which is how its
authors build it (awx_collection/tools in ansible/awx), the path of its API included.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

_REQUIREMENT = Path(__file__).parents[1] / "requirements" / "awx.txt"
_ROOT = Path(__file__).parents[2] / ".build" / "awx"


def _unpack(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith("ansible_collections/awx/awx/")]
        assert members, f"{wheel.name} has no awx.awx"
        archive.extractall(target, members)


def _rename(target: Path) -> None:
    """ansible.controller beside awx.awx."""
    origin, renamed = (target / "ansible_collections" / name for name in ("awx/awx", "ansible/controller"))
    shutil.copytree(origin, renamed)
    for path in renamed.rglob("*"):
        if path.suffix in (".py", ".yml", ".json", ".md"):
            text = path.read_text(encoding="utf-8")
            text = text.replace("awx.awx", "ansible.controller").replace(
                '_COLLECTION_TYPE = "awx"', '_COLLECTION_TYPE = "controller"'
            )
            text = re.sub(r'("namespace": )"awx"', r'\1"ansible"', text)
            path.write_text(re.sub(r'("name": )"awx"', r'\1"controller"', text), encoding="utf-8")


def awx_collections() -> Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH with both collections; made once, which needs PyPI."""
    version = _REQUIREMENT.read_text(encoding="utf-8").strip().splitlines()[-1]
    target = _ROOT / version.replace("==", "-")
    _ROOT.mkdir(parents=True, exist_ok=True)
    with (_ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            download = _ROOT / "download"
            shutil.rmtree(download, ignore_errors=True)
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(download), version],
                check=True,
            )
            partial = _ROOT / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            _unpack(next(download.glob("ansible-*.whl")), partial)
            _rename(partial)
            shutil.rmtree(download)
            partial.rename(target)
    return target
