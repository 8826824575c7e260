"""Ports of a testbed: kept, its own, and out of reach of outgoing connections."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from testbed import paths, ports


def test_port_is_kept_and_every_use_has_its_own() -> None:
    """A component that is restarted listens where it did."""
    directory, _index = paths.claim("a", {})
    first = {use: ports.port(directory, use) for use in ("etcd", "api", "scheduler")}
    assert len(set(first.values())) == 3
    assert {use: ports.port(directory, use) for use in first} == first == ports.known(directory)


def test_testbeds_have_blocks_of_their_own() -> None:
    """Two testbeds that start at the same moment cannot choose the same port."""
    chosen = []
    for name in ("a", "b"):
        directory, _index = paths.claim(name, {})
        chosen.append({ports.port(directory, f"use-{number}") for number in range(10)})
    assert not chosen[0] & chosen[1]


def test_blocks_end_below_the_ports_of_outgoing_connections() -> None:
    """Else a connection of anybody could take the port between choice and start."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8").split()[0])
    assert lowest >= ports.FIRST + paths.MAXIMUM_TESTBEDS * ports.BLOCK


def test_port_that_is_listened_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's server is respected; a full block is named."""
    monkeypatch.setattr(ports, "BLOCK", 2)
    # above all testbeds and below outgoing connections: nobody takes the neighbour while we look
    numbers = range(32000, 32700, 2)
    taken = next(number for number in numbers if all(ports.is_free("127.0.0.1", number + more) for more in (0, 1)))
    with socket.socket() as server:
        server.bind(("127.0.0.1", taken))
        server.listen()
        monkeypatch.setattr(ports, "FIRST", taken)
        assert not ports.is_free("127.0.0.1", taken)
        directory, index = paths.claim("a", {})
        assert index == 0
        assert ports.port(directory, "api") == taken + 1
        with pytest.raises(RuntimeError, match=f"from {taken} to {taken + 1} at 127.0.0.1 for etcd"):
            ports.port(directory, "etcd")
