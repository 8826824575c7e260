"""Where the testbed keeps things: all of it outside the work tree."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
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
def exclusive(name: str) -> Iterator[None]:
    """Hold the lock `name` of the cache folder (flock: the kernel frees it when its holder dies)."""
    folder = cache_root() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def index_of(directory: Path) -> int:
    """The number that makes bridge, subnet and machine-ids of this testbed unique.

    Raises FileNotFoundError when the folder is not a testbed's.
    """
    return int(json.loads((directory / "index.json").read_text(encoding="utf-8")))


def claim(name: str) -> tuple[Path, int]:
    """Create the folder of a new testbed and give it the lowest free index.

    Raises FileExistsError when a testbed of this name is there, RuntimeError when all indexes are taken.
    """
    with exclusive("indexes"):
        taken = set()
        for other in testbeds_root().iterdir():
            if (other / "index.json").exists():
                taken.add(index_of(other))
        directory = testbeds_root() / name
        directory.mkdir()
        for index in range(MAXIMUM_TESTBEDS):
            if index not in taken:
                (directory / "index.json").write_text(json.dumps(index), encoding="utf-8")
                return directory, index
        directory.rmdir()
        raise RuntimeError(
            f"{MAXIMUM_TESTBEDS} testbeds exist; take one down with `python -m testbed down --name NAME`"
        )
