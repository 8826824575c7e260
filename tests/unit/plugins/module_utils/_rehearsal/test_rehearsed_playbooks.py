"""What a rehearsed playbook is given, so that it reaches nothing but the copy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import ansible_collections.podnet.upkeep
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.playbook_run import inventory
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.playbooks import (
    REHEARSABLE,
    environment,
    playbook_of,
)

ROOT = Path(next(iter(ansible_collections.podnet.upkeep.__path__)))


@pytest.mark.parametrize("name", sorted(REHEARSABLE))
def test_forced_variables_are_those_of_the_role(name: str) -> None:
    """A variable that is misspelt, or was renamed, would leave the user's own in force."""
    text = (ROOT / "roles" / name / "defaults" / "main.yml").read_text(encoding="utf-8")
    known = set(yaml.safe_load(text))
    made = REHEARSABLE[name].variables({}, "/folder", "/folder/kubeconfig", None)
    assert set(made) <= known
    assert made[f"{name}_kubeconfig"] == "/folder/kubeconfig" and made[f"{name}_context"] == ""
    for key in known:
        if key.endswith(("_state_dir", "_journal_path")):
            assert made[key].startswith("/folder/")
        if key.endswith(("_become", "_pre_node_tasks", "_post_node_tasks")):
            assert not made[key]


def test_what_the_user_gives_does_not_win_over_that() -> None:
    """Elsewhere it does."""
    given = {"reassign_pod_cidrs_kubeconfig": "/home/me/.kube/config", "reassign_pod_cidrs_drain_timeout": 7}
    made = playbook_of("podnet.upkeep.reassign_pod_cidrs").variables(
        given, "/f", "/f/k", {"cluster_cidrs": ["10.0.0.0/8"]}
    )
    assert made["reassign_pod_cidrs_kubeconfig"] == "/f/k" and made["reassign_pod_cidrs_drain_timeout"] == 7
    assert made["reassign_pod_cidrs_allocator"] == {"cluster_cidrs": ["10.0.0.0/8"]}


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("maintain_kvstore", {}, "playbook: maintain_kvstore cannot be rehearsed"),
        ("retire_nodes", {"ansible_connection": "ssh"}, "variables: ansible_connection"),
    ],
)
def test_refusals(name: str, given: dict[str, str], words: str) -> None:
    """What cannot be rehearsed, and what would lead to real hosts."""
    with pytest.raises(InputError, match=words):
        playbook_of(name).variables(given, "/f", "/f/k", None)


def test_environment() -> None:
    """Nothing that says how to reach a cluster, a host or a vault."""
    home = {
        "PATH": "/bin",
        "KUBECONFIG": "/mine",
        "K8S_AUTH_HOST": "https://prod",
        "ANSIBLE_INVENTORY": "/prod",
        "SSH_AUTH_SOCK": "/s",
    }
    made = environment("/f", "/f/k", "/collections", home)
    assert made["PATH"] == "/bin" and made["KUBECONFIG"] == made["K8S_AUTH_KUBECONFIG"] == "/f/k"
    assert not {"K8S_AUTH_HOST", "ANSIBLE_INVENTORY", "SSH_AUTH_SOCK"} & set(made) and made["HOME"] == "/f"


def test_inventory() -> None:
    """Each host is a stand-in; no address is in it."""
    node = {"name": "w1", "machine_id": "m", "boot_id": "b", "kubelet": "v1.36.1+k3s1", "reachable": False}
    made = inventory([node], "/f", "/python")["all"]
    assert made["vars"]["ansible_connection"] == "podnet.upkeep.rehearsal_host" and not made["vars"]["ansible_become"]
    assert (
        made["hosts"]["w1"]["rehearsal_host_unit"] == "k3s-agent"
        and made["hosts"]["w1"]["rehearsal_host_reachable"] is False
    )
