"""The tree of the guests: where its packages come from, and what is said where it cannot be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.hosts import base
from testbed.hosts.base import HostError


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (
            "sources.list",
            "deb http://mirror.example/debian bookworm main\n",
            "http://mirror.example/debian",
        ),
        (
            "sources.list",
            "deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/pub/debian/ bookworm main\n",
            "https://mirror.example/pub/debian",
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm\n",
            "http://mirror.example/debian",
        ),
        # other archives of the machine are not Debian's
        (
            "sources.list.d/other.list",
            "deb https://packages.example/apt stable main\n",
            "http://deb.debian.org/debian",
        ),
        (
            "sources.list.d/security.sources",
            "Types: deb\nURIs: http://mirror.example/debian-security\n",
            "http://deb.debian.org/debian",
        ),
        ("sources.list", "# deb http://old.example/debian bookworm main\n", "http://deb.debian.org/debian"),
    ],
)
def test_mirror_is_the_one_of_this_machine(file: str, text: str, expected: str, tmp_path: Path) -> None:
    """Both formats of sources; anything that is not the Debian archive is passed over."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert base.mirror(tmp_path) == expected


def test_no_root_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what hosts need root for, and what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match=r"hosts need root \(namespaces, bridge, cgroups\).*without hosts"):
        base.require_tools()


def test_missing_programs_are_named_by_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All of them at once, as the packages that apt-get knows."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="packages debootstrap iproute2 openssh-client systemd-container; install"):
        base.require_tools()


@pytest.mark.parametrize("name", ["with space", "with:colon", "with,comma"])
def test_cache_folder_that_overlays_cannot_have(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """mount -o and --bind split at these characters: said before anything is built."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PODNET_UPKEEP_CACHE", str(tmp_path / name))
    with pytest.raises(HostError, match=r"PODNET_UPKEEP_CACHE .*name another folder"):
        base.require_tools()


def test_half_built_tree_of_a_killed_run_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And a tree that is complete is not built again."""
    monkeypatch.setenv("PODNET_UPKEEP_CACHE", str(tmp_path))
    monkeypatch.setattr(base, "require_tools", lambda: None)
    built = []

    def build(tree: Path) -> None:
        assert not list(tree.parent.iterdir())
        built.append(tree)
        tree.mkdir()

    monkeypatch.setattr(base, "_build", build)
    (tmp_path / "guests" / "partial-abc" / "etc").mkdir(parents=True)
    assert base.prepare() == base.prepare() == built[0]
    assert len(built) == 1


def test_failed_build_leaves_no_tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The next run must not take half a tree for a whole one."""
    monkeypatch.setenv("PODNET_UPKEEP_CACHE", str(tmp_path))
    monkeypatch.setattr(base, "require_tools", lambda: None)

    def fail(command: list[str], what: str, env: dict[str, str] | None = None) -> None:
        (Path(command[-2]) / "etc").mkdir()
        raise HostError(f"{what} failed: no route to host")

    monkeypatch.setattr(base, "run_tool", fail)
    with pytest.raises(HostError, match="debootstrap failed: no route to host"):
        base.prepare()
    assert list((tmp_path / "guests").iterdir()) == []
