"""An execution environment of our own: Debian with Python, ansible-core and the library kubernetes, built once, cached.

As a container image for the kubelets of hosts, and as the folder `HOME` for hosts that run ansible-playbook themselves. The
collection is no part of what is cached: it is added where one of the two is handed over.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..binaries import say
from ..paths import cache_root, exclusive
from . import base
from .host import Host

IMAGE = "testbed.local/execution-environment:1"
#: Where ansible-core is, and where it looks for collections of its own accord.
HOME = "/opt/podnet-upkeep"
PROGRAM = f"{HOME}/bin/ansible-playbook"
COLLECTION = "/usr/share/ansible/collections/ansible_collections/podnet/upkeep"
_PYTHON = "3.11"  # of the suite; so it is the oldest ansible-core
_BOOTSTRAP = ("python3", "ca-certificates")
_PINS = ("core-2.19.txt", "common.txt")
_REQUIREMENTS = ("ansible-core", "kubernetes", "jmespath")
_CREATED = "2026-01-01T00:00:00Z"
_UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt", "var/lib/apt/lists")
_START = f"""#!{HOME}/bin/python3
import sys

from ansible.cli.playbook import main

sys.exit(main())
"""


def pins() -> list[str]:
    """What is installed with pip: as the files of requirements of the tests pin it."""
    folder = Path(__file__).parents[2] / "requirements"
    text = "\n".join((folder / name).read_text(encoding="utf-8") for name in _PINS)
    return [line for line in text.splitlines() if line.partition("==")[0] in _REQUIREMENTS]


def prepare() -> Path:
    """The cached folder with `root.tar` (the image's own layer) and `home.tar` (only `HOME`), built first where needed.

    Raises HostError when debootstrap or pip fail.
    """
    base.require_tools()
    recipe = "\n".join((base.SUITE, *_BOOTSTRAP, *pins(), *_UNUSED, _START, "1"))
    folder = cache_root() / "execution-environments" / hashlib.sha256(recipe.encode()).hexdigest()[:16]
    with exclusive("execution-environments"):
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            for leftover in folder.parent.glob("partial-*"):  # of a run that was killed here; we hold the lock
                base.discard(leftover)
            _build(folder)
    return folder


def _build(folder: Path) -> None:
    started = time.monotonic()
    say(f"building the execution environment of the testbed, once (1 to 2 minutes; cached in {folder.parent}) ...")
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix="partial-"))
    try:
        tree, archives = partial / "tree", partial / "archives"
        archives.mkdir()
        include = f"--include={','.join(_BOOTSTRAP)}"
        base.run_tool(
            ["debootstrap", "--variant=minbase", include, base.SUITE, str(tree), base.mirror()], "debootstrap"
        )
        _install(tree)
        for name in _UNUSED:
            shutil.rmtree(tree / name, ignore_errors=True)
        for name, part in (("root.tar", "."), ("home.tar", HOME.lstrip("/"))):
            command = ["tar", "-c", "--numeric-owner", "--one-file-system", "--exclude=./dev/*", "--exclude=./proc/*"]
            base.run_tool([*command, "-f", str(archives / name), "-C", str(tree), part], f"tar of {name}")
        archives.rename(folder)
    finally:
        base.discard(partial)
    say(f"built the execution environment of the testbed in {time.monotonic() - started:.0f} s")


def _install(tree: Path) -> None:
    """Make a virtual environment of the tree's Python; its packages come by the pip of the Python that runs here."""
    home = tree / HOME.lstrip("/")
    packages = home / f"lib/python{_PYTHON}/site-packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(packages), f"--python-version={_PYTHON}", "--implementation=cp", "--only-binary=:all:"]
    base.run_tool([*command, "--platform=manylinux2014_x86_64", "--platform=manylinux_2_28_x86_64", *pins()], "pip")
    shutil.rmtree(packages / "bin")  # they name the Python that runs here
    (home / "bin").mkdir()
    (home / "bin/python3").symlink_to("/usr/bin/python3")
    (tree / PROGRAM.lstrip("/")).write_text(_START, encoding="utf-8")
    (tree / PROGRAM.lstrip("/")).chmod(0o755)
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n", encoding="utf-8")
    # runs cannot write there
    compiled = ["chroot", str(tree), f"{HOME}/bin/python3", "-m", "compileall", "-q", "-j", "2"]
    base.run_tool([*compiled, f"{HOME}/lib/python{_PYTHON}/site-packages/"], "compileall")


def import_image(host: Host, collection: Path) -> None:
    """Give the container runtime of a host the image `IMAGE`, with the collection that is installed in `collection`.

    Raises RuntimeError with what the host said when that fails.
    """
    root = prepare() / "root.tar"
    added = io.BytesIO()
    with tarfile.open(fileobj=added, mode="w") as layer:
        _add_collection(layer, collection)
    data = added.getvalue()
    with root.open("rb") as file:
        root_digest = hashlib.file_digest(file, "sha256").hexdigest()
    digests = [f"sha256:{digest}" for digest in (root_digest, hashlib.sha256(data).hexdigest())]
    configuration = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": _CREATED,
            "config": {"Env": [f"PATH={HOME}/bin:/usr/bin:/bin"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": digests},
            "history": [{"created": _CREATED, "created_by": "testbed"} for _one in digests],
        }
    ).encode()
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [IMAGE], "Layers": ["root.tar", "collection.tar"]}]
    with _archive_to(host, "ctr", "-n", "k8s.io", "images", "import", "-") as archive:
        for member, content in (
            (name, configuration),
            ("collection.tar", data),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            info = tarfile.TarInfo(member)
            info.size, info.mode = len(content), 0o644
            archive.addfile(info, io.BytesIO(content))
        archive.add(root, root.name)


def install_home(host: Host, collection: Path) -> None:
    """Give a host `PROGRAM`, and the collection that is installed in `collection` where this program finds it.

    Raises RuntimeError with what the host said when that fails.
    """
    with _archive_to(host, "tar", "-x", "-C", "/") as archive:
        _add_collection(archive, collection)
        with tarfile.open(prepare() / "home.tar") as home:
            for member in home:
                archive.addfile(member, home.extractfile(member) if member.isreg() else None)


def _add_collection(archive: tarfile.TarFile, folder: Path) -> None:
    def owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        return member

    archive.add(folder, COLLECTION.lstrip("/"), filter=owned_by_root)


@contextmanager
def _archive_to(host: Host, *words: str) -> Iterator[tarfile.TarFile]:
    """A tar archive that `words` on a host read while it is written."""
    command = host.ssh_command(*words)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT)
        assert process.stdin is not None
        try:
            with tarfile.open(fileobj=process.stdin, mode="w|") as archive:
                yield archive
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and says why
        returncode = process.wait(timeout=300)
        if returncode != 0:
            said.seek(0)
            text = said.read().decode(errors="replace").strip()
            raise RuntimeError(f"{host.name}: {' '.join(words)!r} failed ({returncode}): {text}")
