"""The guests' links on this machine: deleted with the testbed, and a reason to pass over a number while they stay."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from testbed.hosts import network
from testbed.hosts.base import HostError

MINE = Path("/cache/testbeds/mine")


@pytest.fixture(autouse=True)
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands for /sys/class/net, with a bridge of two guests."""
    monkeypatch.setattr(network, "_LINKS", tmp_path)
    for name in ("vb-podnet-7-h1", "vb-podnet-7-h2"):
        (tmp_path / name).mkdir()
        (tmp_path / "pnu7" / "brif" / name).mkdir(parents=True)
    (tmp_path / "pnu7" / "ifalias").write_text(f"{MINE}\n", encoding="utf-8")
    return tmp_path


def test_ports_of_the_own_bridge_only() -> None:
    """Those of another cache folder's bridge of the same number are not ours to delete."""
    assert network.bridge_ports(7, MINE) == ["vb-podnet-7-h1", "vb-podnet-7-h2"]
    assert network.bridge_ports(7, Path("/cache2/testbeds/mine")) == []
    assert network.bridge_ports(8, MINE) == []


def test_number_is_not_free_while_a_guest_link_stays(links: Path) -> None:
    """The kernel removes the links of a dead guest some time after its bridge is gone."""
    assert not network.number_is_free(7)
    (links / "pnu7").rename(links / "eth0")
    assert not network.number_is_free(7)
    assert network.number_is_free(70)
    for path in links.glob("vb-*"):
        path.rmdir()
    assert network.number_is_free(7)


def test_link_that_vanished_is_fine_and_one_that_stays_is_told(links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ip link delete` fails for both; only the second is there afterwards."""

    def refuse(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        assert not check
        return subprocess.CompletedProcess(words, 2, "", "RTNETLINK answers: Operation not permitted\n")

    monkeypatch.setattr(network, "ip", refuse)
    network.delete_links(["vb-podnet-7-h9"])
    with pytest.raises(HostError, match="vb-podnet-7-h1 cannot be deleted: RTNETLINK answers"):
        network.delete_links(["vb-podnet-7-h1"])
