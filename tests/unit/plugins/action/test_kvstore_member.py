"""The action kvstore_member in a real ansible-playbook: what it refuses, and what it tells of a host that is no member's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from harness.playbook import command, environment

TASKS = [
    ({"state": "inspected", "etcdctl_endpoint": "10.0.0.1"}, "etcdctl_endpoint: '10.0.0.1' is no endpoint of etcd"),
    ({"state": "inspected", "etcdctl": "-x"}, "etcdctl: '-x' is no program"),
    ({"state": "inspected", "etcdctl_client_key": ""}, "etcdctl_client_key: a client certificate needs its key"),
    ({"state": "inspected", "member_timeout": 0}, "member_timeout: 0 is no time to wait"),
    ({"state": "inspected", "etcd_timeout": 0}, "etcd_timeout: 0 is no time to wait"),
    ({"state": "inspected", "min_gain": 0}, "min_gain: 0 is too small"),
    ({"state": "begun"}, "work: state=begun needs work and member"),
    ({"state": "begun", "work": {"cluster": "zz"}, "member": "1"}, "it is not what kvstore_hosts returns as work"),
    ({"state": "never"}, "value of state must be one of"),
    ({"state": "inspected", "surprise": 1}, "Unsupported parameters"),
]
NOT_THERE = {"state": "inspected", "etcdctl": "/none/etcdctl", "crictl": "/none/crictl"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each task answered, and at last one that finds no etcdctl, over a connection that is local and one that is not there."""
    folder = tmp_path_factory.mktemp("kvstore-member")
    given = [*(options for options, _words in TASKS), NOT_THERE]
    tasks = [
        {"podnet.upkeep.kvstore_member": one, "ignore_errors": True, "register": f"r{n}"} for n, one in enumerate(given)
    ]
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    names = [f"r{n}" for n in range(len(given))]
    plays = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [
                *tasks,
                {
                    "podnet.upkeep.kvstore_member": {"state": "inspected"},
                    "register": "gone",
                    "delegate_to": "cp9",
                    "vars": gone,
                },
                {
                    "ansible.builtin.copy": {
                        "content": "{{ [" + ", ".join([*names, "gone"]) + "] | to_json }}",
                        "dest": str(folder / "answers.json"),
                        "mode": "0600",
                    }
                },
            ],
        }
    ]
    (folder / "play.yml").write_text(json.dumps(plays), encoding="utf-8")
    argv = [*command(str(folder / "play.yml"))]
    done = subprocess.run(
        argv, env=environment({"HOME": str(folder)}), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    return found


def test_bad_options(answers: list[dict[str, Any]]) -> None:
    """One sentence that names option, value and remedy; nothing is asked."""
    for (options, words), answer in zip(TASKS, answers, strict=False):
        assert answer["failed"] and words in answer["msg"], (options, answer)


def test_hosts_without_an_answer(answers: list[dict[str, Any]]) -> None:
    """It is no failure to ask: the plan for all hosts tells the reasons together."""
    without, gone = answers[-2:]
    assert "failed" not in without or not without["failed"]
    assert "Host localhost has no etcdctl that can be used" in without["problem"] and without["member"] is None
    assert "it has no program /none/etcdctl" in without["problem"] and "/none/crictl" in without["problem"]
    assert "Host cp9 cannot be reached: " in gone["problem"] and "refused" in gone["problem"]
