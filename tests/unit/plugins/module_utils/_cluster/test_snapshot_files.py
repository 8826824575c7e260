"""Archives and folders: names are names, links lead nowhere, bombs end; times of sysdumps have a zone."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot, snapshot_files, snapshot_stream
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_sysdump_names import told_by
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_time import spread, start_of_sysdump
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

NODES = json.dumps({"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}]}).encode()
OTHERS = json.dumps({"kind": "NamespaceList", "apiVersion": "v1", "items": [{"metadata": {"name": "b"}}]}).encode()


def test_names_that_lead_elsewhere_are_only_names(tmp_path: Path) -> None:
    """Absolute, with dots, of a device."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("/etc/nodes.json", NODES)
        archive.writestr("../../namespaces.json", OTHERS)
    state = snapshot.load(str(tmp_path / "a.zip"))
    assert len(state.nodes) == 1 and len(state.of("namespaces")) == 1
    assert not (tmp_path.parent / "namespaces.json").exists()
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        for name, data in (("/etc/nodes.json", NODES), ("../namespaces.json", OTHERS)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    assert snapshot.load(str(tmp_path / "a.tar")).resources == state.resources


def test_links_are_not_followed_out(tmp_path: Path) -> None:
    """In a folder only to what is in it; in a tar not at all. A pipe does not stop the reader."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "namespaces.json").write_bytes(OTHERS)
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "nodes").write_bytes(NODES)
    (folder / "inside.json").symlink_to("sub/nodes")
    (folder / "outside.json").symlink_to(outside / "namespaces.json")
    (folder / "broken.json").symlink_to("nowhere")
    (folder / "circle").symlink_to(".")
    (folder / "outside").symlink_to(outside)
    os.mkfifo(folder / "pipe.json")
    state = snapshot.load(str(folder))
    assert len(state.nodes) == 1 and "namespaces" in state.unknown
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        packed.add(folder, arcname="x")
        info = tarfile.TarInfo("x/namespaces.json")
        info.type, info.linkname = tarfile.SYMTYPE, str(outside / "namespaces.json")
        packed.addfile(info)
    assert snapshot.load(str(tmp_path / "a.tar.gz")).unknown.get("namespaces")
    # the path that the user names may be a link
    (tmp_path / "link").symlink_to(folder)
    assert len(snapshot.load(str(tmp_path / "link")).nodes) == 1
    with pytest.raises(InputError, match="is neither a file nor a folder"):
        snapshot.load(str(folder / "pipe.json"))


def bomb(size: int) -> bytes:
    """JSON that packs about 1,000 : 1."""
    return b'{"kind": "NodeList", "apiVersion": "v1", "items": [' + b" " * size + b"]}"


def test_bombs_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their ratio and by their size, in zip, tar, gzip and gzip in zip; what is large and packs well is read."""
    monkeypatch.setattr(snapshot_stream, "HARMLESS", 1 << 20)
    data = bomb(4 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nodes.json", data)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nodes.json.gz", gzip.compress(data))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "nodes.json").write_bytes(gzip.compress(data))
    (tmp_path / "d.json.gz").write_bytes(gzip.compress(data))
    for name in ("a.zip", "b.zip", "c", "d.json.gz"):
        with pytest.raises(InputError, match="unpacks to more than 400 times its size"):
            snapshot.load(str(tmp_path / name))
    monkeypatch.setattr(snapshot_stream, "HARMLESS", 64 << 20)
    assert snapshot.load(str(tmp_path / "a.zip")).nodes == []
    monkeypatch.setattr(snapshot_stream, "LARGEST_FILE", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more than 8 GiB"):
        snapshot.load(str(tmp_path / "a.zip"))
    monkeypatch.setattr(snapshot_stream, "LARGEST_FILE", 8 << 30)
    monkeypatch.setattr(snapshot_stream, "LARGEST_TOTAL", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more than 64 GiB"):
        snapshot.load(str(tmp_path / "a.zip"))
    monkeypatch.setattr(snapshot_files, "MOST_FILES", 0)
    for name in ("a.zip", "c"):
        with pytest.raises(InputError, match="has more than 0 files"):
            snapshot.load(str(tmp_path / name))


def test_a_bomb_in_the_index_of_a_tar_ends(tmp_path: Path) -> None:
    """Before its members are looked at."""
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb", compresslevel=9) as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        info = tarfile.TarInfo("nodes.json")
        info.size = 100 << 20
        archive.addfile(info, io.BytesIO(b" " * info.size))
    with pytest.raises(InputError, match="unpacks to more than 400 times its size"):
        snapshot.load(str(path))


def test_files_packed_one_by_one(tmp_path: Path) -> None:
    """gzip of each, or a single file of objects."""
    (tmp_path / "nodes.json.gz").write_bytes(gzip.compress(NODES))
    (tmp_path / "namespaces.yaml").write_bytes(b"kind: NamespaceList\nitems:\n- metadata:\n    name: b\n")
    state = snapshot.load(str(tmp_path))
    assert len(state.nodes) == 1 and len(state.of("namespaces")) == 1
    assert len(snapshot.load(str(tmp_path / "nodes.json.gz")).nodes) == 1
    assert len(snapshot.load(str(tmp_path / "namespaces.yaml")).of("namespaces")) == 1


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 3, b"PK\x03\x04" + b"x" * 500])
def test_a_broken_zip(data: bytes, tmp_path: Path) -> None:
    """One sentence."""
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.zip is no whole zip file: "):
        snapshot.load(str(tmp_path / "a.zip"))


def at(text: str) -> datetime.datetime:
    """An instant in UTC."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("name", "hint", "start"),
    [
        ("20260301-101112", None, "2026-03-01T10:11:12"),
        ("20260301-101112", "2026-03-01T10:11:10", "2026-03-01T10:11:12"),
        # New York, India, Nepal, Chatham, and a day later in Kiribati
        ("20260301-051112", "2026-03-01T10:12:40", "2026-03-01T10:11:12"),
        ("20260301-154112", "2026-03-01T10:11:02", "2026-03-01T10:11:12"),
        ("20260301-155612", "2026-03-01T10:11:02", "2026-03-01T10:11:12"),
        ("20260301-235612", "2026-03-01T10:11:02", "2026-03-01T10:11:12"),
        ("20260302-001112", "2026-03-01T10:11:02", "2026-03-01T10:11:12"),
        # the control plane is dead for days: nothing near tells the zone
        ("20260301-101112", "2026-02-20T10:11:12", "2026-03-01T10:11:12"),
        ("00010101-000000", "0001-01-01T11:00:00", "0001-01-01T11:00:00"),
    ],
)
def test_the_zone_of_a_sysdump_follows_from_its_data(name: str, hint: str | None, start: str) -> None:
    """Its name has the local time of the machine that took it."""
    assert start_of_sysdump(name, [at(hint) if hint else None]) == at(start)


def test_a_time_that_is_none() -> None:
    """The 31st of February."""
    assert start_of_sysdump("20260231-101112", []) is None


def test_the_spread_of_files() -> None:
    """Minutes count, days do not."""
    first = at("2026-03-01T10:00:00")
    assert spread([first, None, first + datetime.timedelta(minutes=7)]) == datetime.timedelta(minutes=7)
    assert spread([first, first + datetime.timedelta(days=7)]) == datetime.timedelta()
    assert spread([None]) == datetime.timedelta()


def test_the_log_of_a_sysdump_tells_what_failed() -> None:
    """Not served is absent; forbidden is unknown."""
    told = told_by(
        [
            "Collecting sysdump with cilium-cli version: v0.16.4, args: [sysdump --quick --output-filename x]",
            "[9] x: failed: the server could not find the requested resource (get ciliumnodeconfigs.cilium.io)",
            '[1] x: failed to collect Kubernetes nodes: nodes is forbidden: User "a" cannot list  resource "nodes"',
            '[1] x: leases.coordination.k8s.io is forbidden: User "a" cannot',
        ]
    )
    assert (told.version, told.quick, told.absent) == ("v0.16.4", True, {"ciliumnodeconfigs"})
    assert told.forbidden["nodes"] == 'User "a" cannot list resource "nodes"'
    assert set(told.forbidden) == {"nodes", "leases", "nodeleases"}
    assert not told_by(["cilium-cli version: v1, args: [sysdump --quick=false]"]).quick
