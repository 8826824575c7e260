"""The stand-in as a process of its own, for a playbook that has none: `python -m harness.fake_awx up|down FOLDER`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from harness.awx_collection import awx_collections
from testbed import processes

from .server import TOKEN, FakeAwx

_NAME = "fake-awx"
#: It ends by itself when nobody has taken it down after so many seconds.
_LONGEST = 3600.0


def serve(folder: Path) -> None:
    """Answer until the folder is gone."""
    with FakeAwx(folder / "project") as awx:
        partial = folder / "address.partial"
        partial.write_text(json.dumps({"url": awx.url, "token": TOKEN}), encoding="utf-8")
        address = partial.rename(folder / "address.json")
        end = time.monotonic() + _LONGEST
        while address.exists() and time.monotonic() < end:
            time.sleep(0.5)


def up(folder: Path) -> str:
    """Start it, with the collection awx.awx in `folder`/collections; its address and token as JSON."""
    down(folder)
    folder.mkdir(parents=True)
    (folder / "collections").symlink_to(awx_collections())
    record = processes.start(folder, _NAME, [sys.executable, "-m", "harness.fake_awx", "serve", str(folder)])
    address = folder / "address.json"
    while not address.exists():
        if not processes.alive(record):
            raise RuntimeError(f"the stand-in of AWX ended: {processes.tail(folder, _NAME)}")
        time.sleep(0.02)
    return address.read_text(encoding="utf-8")


def down(folder: Path) -> None:
    """Take it down; none is fine."""
    if folder.exists():
        processes.stop(folder, _NAME)
        shutil.rmtree(folder)


def main() -> None:
    """One act."""
    parser = argparse.ArgumentParser(prog="python -m harness.fake_awx", description="A stand-in for AWX, for tests.")
    parser.add_argument("act", choices=["up", "down", "serve"])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.act == "up":
        print(up(given.folder.absolute()))
    elif given.act == "down":
        down(given.folder.absolute())
    else:
        serve(given.folder)


if __name__ == "__main__":
    main()
