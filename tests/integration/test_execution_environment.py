"""The execution environment: the real ansible-builder takes our definition and finds what the installed collection needs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from harness.role_steps import collection_folder

pytestmark = [pytest.mark.testbed, pytest.mark.once]

PROGRAM = Path(__file__).parents[2] / ".venv/eda/bin/ansible-builder"
COLLECTION = collection_folder()
DEFINITION = COLLECTION / "roles/configure_awx/files/execution-environment.yml"


def test_the_definition_becomes_a_build_context(tmp_path: Path) -> None:
    """Version 3, so that ansible-core and ansible-runner are ours; no container runtime is needed for that."""
    command = [
        str(PROGRAM),
        "create",
        "--file",
        str(DEFINITION),
        "--context",
        str(tmp_path),
        "--output-filename",
        "Containerfile",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    recipe = (tmp_path / "Containerfile").read_text(encoding="utf-8")
    assert 'ANSIBLE_INSTALL_REFS="ansible-core>=2.19,<2.22 ansible-runner>=2.4"' in recipe
    assert 'PYPKG="python3.12"' in recipe and "introspect.py introspect" in recipe
    wanted = yaml.safe_load((tmp_path / "_build/requirements.yml").read_text(encoding="utf-8"))
    assert wanted == {"collections": [{"name": "podnet.upkeep"}]}
    assert "openssh-clients" in (tmp_path / "_build/bindep.txt").read_text(encoding="utf-8")


def test_introspection_finds_what_we_need() -> None:
    """Python packages and system packages, out of the metadata that the tarball has."""
    folder = COLLECTION.parents[2]
    done = subprocess.run(
        [str(PROGRAM), "introspect", "--sanitize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = yaml.safe_load(done.stdout)
    ours = [line.partition("  #")[0] for line in found["python"] if "podnet.upkeep" in line]
    assert ours == (COLLECTION / "meta/ee-requirements.txt").read_text(encoding="utf-8").split()
    assert {line.split()[0] for line in found["system"]} >= {"openssh-clients", "openssh-client"}
    # the range of the modules' documentation
    assert "kubernetes>=31,!=36.0.0,!=36.0.1,<38" in ours
