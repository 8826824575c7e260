"""Job templates get every kind of credential that their playbook can use, and no other."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from harness.role_steps import collection_folder

ROLES = collection_folder() / "roles"
VARIABLES: dict[str, Any] = DataLoader().load_from_file(str(ROLES / "configure_awx/vars/main.yml"))
PLAYBOOKS: dict[str, dict[str, Any]] = VARIABLES["configure_awx__playbooks"]
OWN = "podnet.upkeep."


def dictionaries(part: Any) -> Iterator[dict[str, Any]]:
    """Plays, blocks and tasks of a file, however deep."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from dictionaries(inner)


@functools.cache
def parts_of(path: Path) -> list[dict[str, Any]]:
    """All of them of a file."""
    return list(dictionaries(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)))


def files_of(playbook: str) -> Iterator[Path]:
    """The playbook, and the tasks of its roles and of the roles that those call."""
    todo, seen = [collection_folder() / f"playbooks/{playbook}.yml"], set()
    while todo:
        path = todo.pop()
        seen.add(path)
        yield path
        for part in parts_of(path):
            called = [
                part[f"ansible.builtin.{how}_role"]["name"]
                for how in ("include", "import")
                if f"ansible.builtin.{how}_role" in part
            ]
            called += [role["role"] if isinstance(role, dict) else role for role in part.get("roles") or ()]
            for role in called:
                tasks = (ROLES / role.removeprefix(OWN) / "tasks").glob("*.yml")
                todo += [each for each in tasks if each not in seen and each not in todo]


def goes_to_hosts(playbook: str) -> bool:
    """Whether a play or a task of it is for another host than localhost."""
    for path in files_of(playbook):
        for part in parts_of(path):
            if {part.get("hosts", "localhost"), part.get("delegate_to", "localhost")} != {"localhost"}:
                return True
    return False


def options_of(role: str) -> dict[str, Any]:
    """Options of a role by its argument specification."""
    specification = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options: dict[str, Any] = specification["argument_specs"]["main"]["options"]
    return options


@pytest.mark.parametrize("playbook", sorted(PLAYBOOKS))
def test_a_template_has_the_credentials_of_its_playbook(playbook: str) -> None:
    """One for hosts where a host is visited, and one for etcd where its files can be named."""
    wanted = {"kubernetes"}
    if goes_to_hosts(playbook):
        wanted.add("machine")
    if f"{playbook}_etcd_ca_cert" in options_of(playbook):
        wanted.add("etcd")
    assert set(PLAYBOOKS[playbook]["credentials"]) == wanted


def test_a_credential_of_etcd_sets_options_that_are_there() -> None:
    """Of every playbook that gets it: a misspelt variable would be ignored."""
    given = VARIABLES["configure_awx__etcd_injectors"]["extra_vars"]
    with_etcd = [name for name, spec in PLAYBOOKS.items() if "etcd" in spec["credentials"]]
    parts = ("ca_cert", "client_cert", "client_key", "user", "password")
    assert set(given) == {f"{playbook}_etcd_{part}" for playbook in with_etcd for part in parts}
    for playbook in with_etcd:
        assert {f"{playbook}_etcd_{part}" for part in parts} <= set(options_of(playbook))
