"""Where the testbed keeps things: all of it outside the work tree."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MAXIMUM_TESTBEDS = 200


def cache_root() -> Path:
    """The cache folder: $PODNET_UPKEEP_CACHE or ~/.cache/podnet-upkeep; created when absent."""
    root = Path(os.environ.get("PODNET_UPKEEP_CACHE") or Path.home() / ".cache" / "podnet-upkeep")
    root.mkdir(parents=True, exist_ok=True)
    return root


def testbeds_root() -> Path:
    """The folder with one folder for each testbed that is up or was left behind."""
    root = cache_root() / "testbeds"
    root.mkdir(exist_ok=True)
    return root


testbeds_root.__test__ = False  # type: ignore[attr-defined]


@contextmanager
def exclusive(name: str, *, waiting: str = "") -> Iterator[None]:
    """Hold the lock `name` of the cache folder (flock: the kernel frees it when its holder dies).

    `waiting` is told on stderr when somebody else holds it.
    """
    folder = cache_root() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as lock:
        if waiting:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"testbed: {waiting}", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def index_of(directory: Path) -> int:
    """The number that makes bridge, subnet and machine-ids of this testbed unique.

    Raises FileNotFoundError when the folder is not a testbed's.
    """
    return int(json.loads((directory / "index.json").read_text(encoding="utf-8")))


def claim(
    name: str, documents: Mapping[str, object], usable: Callable[[int], bool] = lambda _index: True
) -> tuple[Path, int]:
    """Create the folder of a new testbed with its JSON `documents` (by file name) and the lowest free index.

    The folder appears complete or not at all: whatever kills this process, a testbed has its index and its owner.
    `usable` says whether an index is free on this machine (another cache folder may use it).

    Raises FileExistsError when a testbed of this name is there, RuntimeError when all indexes are taken.
    """
    with exclusive("indexes"):
        directory = testbeds_root() / name
        if directory.exists():
            raise FileExistsError(f"testbed {name!r} exists already")
        taken = {int(file.read_text(encoding="utf-8")) for file in testbeds_root().glob("*/index.json")}
        index = next((number for number in range(MAXIMUM_TESTBEDS) if number not in taken and usable(number)), None)
        if index is None:
            raise RuntimeError(
                f"{MAXIMUM_TESTBEDS} testbeds exist; take one down with `python -m testbed down --name NAME`"
            )
        nursery = cache_root() / "claims"
        if nursery.exists():
            shutil.rmtree(nursery)  # of a run that was killed here; we hold the lock
        folder = nursery / name
        folder.mkdir(parents=True)
        for file, content in {**documents, "index.json": index}.items():
            (folder / file).write_text(json.dumps(content), encoding="utf-8")
        folder.rename(directory)
        return directory, index


def discard(directory: Path) -> None:
    """Delete a testbed's folder: first out of sight in one step, so that a half deleted one is never taken for one."""
    bin_folder = cache_root() / "discarded"
    bin_folder.mkdir(exist_ok=True)
    directory.rename(Path(tempfile.mkdtemp(dir=bin_folder)) / directory.name)
    sweep()


def sweep() -> None:
    """Delete what `discard` has put aside, also that of a run that was killed meanwhile."""
    bin_folder = cache_root() / "discarded"
    if bin_folder.exists():
        for leftover in bin_folder.iterdir():
            # `rm` does not mind when another run deletes the same
            subprocess.run(["rm", "-rf", "--one-file-system", str(leftover)], check=True)
