"""Playbooks that findings name exist, and a finding about anything but podCIDRs shows the command of its playbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, REASSIGN
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject

PLAYBOOKS = Path(__file__).parents[5] / "playbooks"
WITH_PLAYBOOK = [kind.id for kind in CATALOGUE.values() if kind.playbook]


@pytest.mark.parametrize("identifier", WITH_PLAYBOOK)
def test_playbooks_exist(identifier: str) -> None:
    """By their file."""
    name = str(CATALOGUE[identifier].playbook)
    assert name.startswith("podnet.upkeep.") and (PLAYBOOKS / f"{name.rpartition('.')[2]}.yml").is_file()


@pytest.mark.parametrize("kind", ["Node", "Cluster"])
@pytest.mark.parametrize("identifier", WITH_PLAYBOOK)
def test_commands(identifier: str, kind: str) -> None:
    """Only re-registration is told its Node; the plans of the others find what there is."""
    remedy = Finding(identifier, Subject(kind, "w1"), "s").remedy()
    if CATALOGUE[identifier].playbook != REASSIGN:
        assert remedy["variables"] == {}
        assert remedy["command"] == f"ansible-playbook -i INVENTORY {CATALOGUE[identifier].playbook}"
    else:
        assert bool(remedy["command"]) == (kind == "Node")


@pytest.mark.parametrize(
    ("identifier", "playbook"),
    [
        ("endpoint-without-pod", "clean_endpoints"),
        ("endpoint-of-replaced-pod", "clean_endpoints"),
        ("endpoint-of-terminal-pod", "clean_endpoints"),
        ("cilium-node-dangling", "clean_cilium_nodes"),
    ],
)
def test_what_is_cleaned_up(identifier: str, playbook: str) -> None:
    """Endpoints and CiliumNodes that are dead have a playbook."""
    assert CATALOGUE[identifier].playbook == f"podnet.upkeep.{playbook}"
