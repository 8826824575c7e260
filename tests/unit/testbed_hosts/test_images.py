"""The image archives: what containerd and docker expect of a docker-archive."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import IO

from testbed.hosts import images


def content(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """One member of an archive."""
    member = archive.extractfile(name)
    assert member is not None
    return member


def test_archive_names_its_layer_by_digest_and_holds_the_program(tmp_path: Path) -> None:
    """Manifest, configuration and layer fit together; the program is executable and is the entry point."""
    program = tmp_path / "agnhost"
    program.write_bytes(b"\x7fELF...")
    images.write_archive(tmp_path / "out.tar", "testbed.local/x:1", program, ["pause"])
    with tarfile.open(tmp_path / "out.tar") as archive:
        (manifest,) = json.load(content(archive, "manifest.json"))
        assert manifest["RepoTags"] == ["testbed.local/x:1"]
        raw = content(archive, manifest["Config"]).read()
        assert manifest["Config"] == f"{hashlib.sha256(raw).hexdigest()}.json"
        configuration = json.loads(raw)
        assert configuration["config"]["Entrypoint"] == ["/agnhost"]
        assert configuration["config"]["Cmd"] == ["pause"]
        layer = content(archive, manifest["Layers"][0]).read()
        assert configuration["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
        with tarfile.open(fileobj=content(archive, manifest["Layers"][0])) as tree:
            assert content(tree, "agnhost").read() == b"\x7fELF..."
            assert tree.getmember("agnhost").mode == 0o755


def test_archive_is_the_same_every_time(tmp_path: Path) -> None:
    """No clock and no owner of this machine gets into it: the same content has the same digest."""
    program = tmp_path / "agnhost"
    program.write_bytes(b"x")
    for name in ("one.tar", "two.tar"):
        images.write_archive(tmp_path / name, "testbed.local/x:1", program, [])
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
