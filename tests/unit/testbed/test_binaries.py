"""Programs: taken where the version is right, built once, never half there."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import binaries

TESTS = Path(binaries.__file__).parents[1]

FAKE_GO = """#!/bin/sh
[ "$1" = version ] && { echo "go version go1.26.8 linux/amd64"; exit 0; }
for word in "$@"; do [ "$previous" = -o ] && target=$word; previous=$word; done
echo "$(basename "$PWD")" >>"$BUILDS"
while [ -e "$(dirname "$BUILDS")/hold" ]; do sleep 0.05; done
[ "$(basename "$PWD")" = crictl ] && { echo "crictl.go:1: no such module" >&2; exit 1; }
for name in server operator kwok kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl; do
  echo built >"$target/$name"
done
"""


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the log of a Go that only pretends; nothing else is in PATH but the basic tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "go").write_text(FAKE_GO, encoding="utf-8")
    (folder / "go").chmod(0o755)
    for tool in ("sh", "basename", "dirname", "sleep"):
        (folder / tool).symlink_to(f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else f"/usr/bin/{tool}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("BUILDS", str(tmp_path / "builds"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    binaries._found_outside.cache_clear()
    yield tmp_path / "builds"
    binaries._found_outside.cache_clear()


def program(folder: Path, name: str, says: str) -> Path:
    """A program that prints `says`."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    (folder / name).chmod(0o755)
    return folder / name


def test_every_program_has_one_recipe_with_pinned_sums() -> None:
    """go.mod and go.sum of each recipe are there, and no program comes from two."""
    names = [name for recipe in binaries.RECIPES for name in recipe.programs]
    assert len(set(names)) == len(names)
    assert {"etcd", "kube-apiserver", "kubelet", "kubectl", "crictl", "cilium-operator", "kwok"} <= set(names)
    for recipe in binaries.RECIPES:
        assert "tool" in (binaries._GO / recipe.folder / "go.mod").read_text(encoding="utf-8")
        assert (binaries._GO / recipe.folder / "go.sum").stat().st_size > 0
    with pytest.raises(binaries.BinaryError, match="nosuch"):
        binaries.recipe_of("nosuch")


def test_hash_depends_on_everything_that_decides_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """go.mod, go.sum and flags; nothing else."""
    monkeypatch.setattr(binaries, "_GO", tmp_path)
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n", encoding="utf-8")
    (folder / "go.sum").write_text("one\n", encoding="utf-8")
    recipe = binaries.Recipe("x", {"x": "x"})
    first = recipe.digest()
    assert recipe.digest() == first == dataclasses.replace(recipe, version="other").digest()
    changed = {dataclasses.replace(recipe, tags="t").digest(), dataclasses.replace(recipe, ldflags="-s").digest()}
    (folder / "go.sum").write_text("two\n", encoding="utf-8")
    changed.add(recipe.digest())
    (folder / "go.mod").write_text("module y\n", encoding="utf-8")
    changed.add(recipe.digest())
    assert len(changed) == 4 and first not in changed


def test_program_is_built_once_and_under_our_name(builds: Path, cache: Path) -> None:
    """The built file `server` is called etcd, and a second look-up builds nothing."""
    found = binaries.locate(["etcd"])["etcd"]
    assert found == cache / "bin" / f"etcd-{binaries.recipe_of('etcd').digest()}" / "etcd"
    assert found.read_text(encoding="utf-8") == "built\n"
    assert binaries.locate(["etcd", "cilium-operator"])["etcd"] == found
    assert builds.read_text(encoding="utf-8").split() == ["etcd", "cilium-operator"]
    assert not list((cache / "bin").glob("partial-*"))


def test_two_runs_at_once_build_once(builds: Path) -> None:
    """The second waits for the first, and says so."""
    script = "from testbed import binaries; print(binaries.locate(['kwok'])['kwok'])"
    hold = builds.with_name("hold")
    hold.touch()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _run in range(3)
    ]
    said: dict[int, str] = {}

    def read_first_line(number: int) -> None:
        said[number] = running[number].stderr.readline()  # type: ignore[union-attr]
        if len(said) == len(running):
            hold.unlink()

    readers = [threading.Thread(target=read_first_line, args=(number,)) for number in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    done = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len({stdout for stdout, _stderr in done}) == 1
    assert builds.read_text(encoding="utf-8").split() == ["kwok"]
    assert sum("waiting for another run that builds kwok" in line for line in said.values()) == 2, said


def test_failed_build_leaves_nothing_and_says_why(builds: Path, cache: Path) -> None:
    """The compiler's words are in the message, and the next try builds again."""
    for _try in range(2):
        with pytest.raises(binaries.BinaryError, match=r"building crictl failed: crictl\.go:1: no such module"):
            binaries.locate(["crictl"])
    assert builds.read_text(encoding="utf-8").split() == ["crictl", "crictl"]
    assert list((cache / "bin").iterdir()) == []


def test_folder_of_a_killed_build_is_removed(builds: Path, cache: Path) -> None:
    """Hundreds of megabytes are not left behind."""
    (cache / "bin" / "partial-etcd-killed").mkdir(parents=True)
    other = cache / "bin" / "partial-kwok-running"
    other.mkdir()
    binaries.locate(["etcd"])
    assert builds.exists()
    assert list((cache / "bin").glob("partial-*")) == [other]


def test_right_version_in_path_is_taken(builds: Path, tmp_path: Path) -> None:
    """No build then."""
    here = program(tmp_path / "bin", "etcd", "etcd Version: 3.6.4")
    assert binaries.locate(["etcd"]) == {"etcd": here}
    assert not builds.exists()


def test_kubebuilder_assets_come_before_path(builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that envtest fills."""
    assets = program(tmp_path / "assets", "kube-apiserver", "Kubernetes v1.36.0")
    program(tmp_path / "bin", "kube-apiserver", "Kubernetes v1.36.1")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    assert binaries.locate(["kube-apiserver"]) == {"kube-apiserver": assets}
    assert not builds.exists()


def test_wrong_version_is_passed_over_with_a_message(
    builds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told once, not at every start."""
    wrong = program(tmp_path / "bin", "kubectl", "Client Version: v1.20.2")
    for _look in range(2):
        assert binaries.locate(["kubectl"])["kubectl"] != wrong
    assert builds.read_text(encoding="utf-8").split() == ["kubernetes"]
    assert capsys.readouterr().err.count(f"{wrong} is not of the pinned version (v1.36....)") == 1


def test_program_that_cannot_run_is_passed_over(builds: Path, tmp_path: Path) -> None:
    """A broken file in PATH ends in a build, not in a traceback."""
    broken = tmp_path / "bin" / "kwok"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    assert binaries.locate(["kwok"])["kwok"] != broken
    assert builds.exists()


def test_without_go_and_without_packages_it_says_what_to_install(
    builds: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One sentence that names the remedy."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(binaries.BinaryError, match=r"install Go 1\.26 or newer"):
        binaries.locate(["etcd"])
    assert not builds.exists()
