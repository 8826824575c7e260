"""Container images without a registry: one static program as docker-archive, for `ctr images import`."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from .. import binaries
from ..paths import cache_root, exclusive

_SOURCE = Path(__file__).parents[1] / "images"
PAUSE = "testbed.local/pause:1"
AGNHOST = "testbed.local/agnhost:1"


def prepare() -> Path:
    """The folder with the image archives `pause.tar` and `agnhost.tar`, built once for each content."""
    sources = [(_SOURCE / name).read_bytes() for name in ("go.mod", "main.go")]
    digest = hashlib.sha256(b"\0".join([*sources, Path(__file__).read_bytes()])).hexdigest()[:16]
    folder = cache_root() / "images" / digest
    with exclusive("images"):
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
                _build(Path(partial))
                Path(partial).rename(folder)
                Path(partial).mkdir()
            folder.chmod(0o755)
    return folder


def _build(folder: Path) -> None:
    program = folder / "agnhost"
    env = {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": ""}
    command = [str(binaries.go_command()), "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w"]
    done = subprocess.run(
        [*command, "-o", str(program), "."], cwd=_SOURCE, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise binaries.BinaryError(f"building the test image failed: {done.stderr.strip()}")
    write_archive(folder / "agnhost.tar", AGNHOST, program, [])
    write_archive(folder / "pause.tar", PAUSE, program, ["pause"])
    program.unlink()


def write_archive(target: Path, reference: str, program: Path, arguments: list[str]) -> None:
    """Write a one-layer docker-archive whose entry point is `program` with `arguments` as default command."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name in ("etc", "tmp", "proc", "sys", "dev"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        _add(archive, program.name, program.read_bytes(), 0o755)
    data = layer.getvalue()
    configuration = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {
                "Entrypoint": [f"/{program.name}"],
                "Cmd": arguments,
                "Env": ["PATH=/"],
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}"]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "testbed"}],
        }
    ).encode()
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        _add(archive, name, configuration)
        _add(archive, "layer.tar", data)
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    archive.addfile(info, io.BytesIO(data))
