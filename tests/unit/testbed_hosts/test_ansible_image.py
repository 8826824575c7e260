"""The execution environment of the testbed: what is installed, and the archive that a container runtime is given."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from testbed.hosts import ansible_image


class Reader:
    """A host on which any program is this one."""

    name = "h1"

    def __init__(self, script: str) -> None:
        self._script = script

    def ssh_command(self, *_words: str) -> list[str]:
        """Runs here."""
        return ["sh", "-c", self._script]


@pytest.fixture
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A collection, and layers that nobody has to build."""
    folder = tmp_path / "collection"
    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins/one.py").write_text("1", encoding="utf-8")
    for name in ("root.tar", "home.tar"):
        with tarfile.open(tmp_path / name, "w") as archive:
            member = tarfile.TarInfo("opt/podnet-upkeep/bin/ansible-playbook")
            member.size = 3
            archive.addfile(member, io.BytesIO(b"run"))
    monkeypatch.setattr(ansible_image, "prepare", lambda: tmp_path)
    return folder


def test_it_has_what_the_tests_pin() -> None:
    """The ansible-core that the Python of this Debian can run, and the libraries that the collection needs."""
    names = [one.partition("==")[0] for one in ansible_image.pins()]
    assert names == ["ansible-core", "kubernetes", "jmespath"]


def test_the_image_is_what_it_says(collection: Path, tmp_path: Path) -> None:
    """Digests are those of the layers, and the collection is where ansible-core looks, owned by root."""
    host: Any = Reader(f"cat >{tmp_path}/image.tar")
    ansible_image.import_image(host, collection)
    with tarfile.open(tmp_path / "image.tar") as archive:
        content = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    (manifest,) = json.loads(content["manifest.json"])
    assert manifest["RepoTags"] == [ansible_image.IMAGE]
    configuration = json.loads(content[manifest["Config"]])
    digests = [f"sha256:{hashlib.sha256(content[name]).hexdigest()}" for name in manifest["Layers"]]
    assert configuration["rootfs"]["diff_ids"] == digests and len(configuration["history"]) == 2
    with tarfile.open(fileobj=io.BytesIO(content["collection.tar"])) as layer:
        found = layer.getmember(f"{ansible_image.COLLECTION.lstrip('/')}/plugins/one.py")
    assert (found.uid, found.gid, found.uname) == (0, 0, "root")


def test_a_host_gets_both(collection: Path, tmp_path: Path) -> None:
    """The environment and the collection, in one archive of its root."""
    (tmp_path / "host").mkdir()
    host: Any = Reader(f"tar -x --no-same-owner -C {tmp_path}/host")
    ansible_image.install_home(host, collection)
    for path, text in ((ansible_image.PROGRAM, "run"), (f"{ansible_image.COLLECTION}/plugins/one.py", "1")):
        assert (tmp_path / "host" / path.lstrip("/")).read_text(encoding="utf-8") == text


def test_a_refusal_is_told_with_its_reason(collection: Path) -> None:
    """Also when the program ends before it has read everything."""
    host: Any = Reader("echo no space left >&2; exit 3")
    with pytest.raises(RuntimeError, match=r"h1: 'ctr .*' failed \(3\): no space left"):
        ansible_image.import_image(host, collection)
