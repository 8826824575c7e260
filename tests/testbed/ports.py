"""TCP ports of a testbed, chosen once and kept, so that a component that is restarted listens where it did.

They lie below the range that the kernel takes the ports of outgoing connections from: a port that was free when it was
chosen is still free when its process binds it. Every testbed has a block of its own, by its index.
"""

from __future__ import annotations

import errno
import json
import socket
from pathlib import Path

from . import paths

FIRST = 20000
BLOCK = 60  # 200 testbeds end at 31999; Linux gives outgoing connections ports from 32768 on


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens on `port` at `address` right now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # connections that wind down are fine, as for servers
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise  # this machine has no such address
            return False
        return True


def known(run_dir: Path) -> dict[str, int]:
    """The ports chosen so far, by use."""
    path = run_dir / "ports.json"
    loaded: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return loaded


def port(run_dir: Path, use: str, address: str = "127.0.0.1") -> int:
    """The port for one use (`etcd`, `api`, ...) of the testbed in `run_dir`, chosen at the first call.

    Raises RuntimeError when the testbed's whole block is taken.
    """
    with paths.exclusive("ports"):
        chosen = known(run_dir)
        if use not in chosen:
            first = FIRST + paths.index_of(run_dir) * BLOCK
            free = (
                number
                for number in range(first, first + BLOCK)
                if number not in chosen.values() and is_free(address, number)
            )
            found = next(free, None)
            if found is None:
                raise RuntimeError(f"no free TCP port from {first} to {first + BLOCK - 1} at {address} for {use}")
            chosen[use] = found
            partial = run_dir / "ports.partial"
            partial.write_text(json.dumps(chosen), encoding="utf-8")
            partial.rename(run_dir / "ports.json")
        return chosen[use]
