"""A module in the worker of its task answers as it does in a process of its own, and leaves as little behind."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.plugin_utils import direct_execution
from ansible_collections.podnet.upkeep.plugins.plugin_utils.direct_execution import run_here
from harness.playbook import PlaybookRun, run_playbook

PLAYBOOK = """
- name: Ask
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Ask
      podnet.upkeep.maintenance_run: {options}
      register: answer
      ignore_errors: true
      {delegate}
      environment: {environment}
    - name: Show
      ansible.builtin.debug: {{msg: "ANSWER{{{{ answer | to_json }}}}END"}}
"""
# how many Pythons are started: the module's file has this name in its process
TRACE = "import os, sys\nopen(os.environ['TRACE'], 'a').write(' '.join(sys.orig_argv[1:2]) + chr(10))\n"


def ask(
    folder: Path, options: dict[str, Any], *, python: str = sys.executable, delegate: str = "", **env: str
) -> tuple[PlaybookRun, dict[str, Any], int]:
    """The run, the answer of its module, and how many processes of its own the module had."""
    text = PLAYBOOK.format(
        options=json.dumps(options),
        delegate=f"delegate_to: {delegate}" if delegate else "",
        environment=json.dumps(env),
    )
    (folder / "ask.yml").write_text(text, encoding="utf-8")
    (folder / "sitecustomize.py").write_text(TRACE, encoding="utf-8")
    (folder / "trace").write_text("", encoding="utf-8")
    inventory = {"all": {"hosts": {"one": {"ansible_python_interpreter": python}}}}
    (folder / "inventory.yml").write_text(json.dumps(inventory), encoding="utf-8")
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    done = run_playbook(
        str(folder / "ask.yml"),
        ["-i", str(folder / "inventory.yml")],
        env={"PYTHONPATH": paths, "TRACE": str(folder / "trace")},
    )
    assert done.returncode == 0 and "ANSWER" in done.stdout, done.output
    answer = json.loads(json.loads('"' + done.stdout.partition("ANSWER")[2].partition("END")[0] + '"'))
    return done, answer, (folder / "trace").read_text(encoding="utf-8").count("AnsiballZ_maintenance_run")


@pytest.fixture
def link(tmp_path: Path) -> str:
    """Another name of this Python."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return str(script)


def test_same_answer_without_a_process_of_its_own(tmp_path: Path, link: str) -> None:
    """Success and failure, on the host of the task and where it is delegated to."""
    with FakeApi() as api:
        fine = {**api.options, "state": "inspected", "state_dir": str(tmp_path / "state")}
        wrong = {**fine, "lease_seconds": 1}
        for options in (fine, wrong):
            answers = [ask(tmp_path, options, python=python) for python in (sys.executable, link)]
            (_direct, here, none), (_apart, there, one) = answers
            assert (none, one) == (0, 1)
            assert here == there
        _done, delegated, processes = ask(tmp_path, fine, python=link, delegate="localhost")
    assert processes == 0, "localhost has the Python of ansible-playbook"
    assert delegated["journal"]["nodes"] == {} and not delegated["failed"]
    assert here["failed"] and "lease_seconds" in here["msg"]


def test_environment_of_a_task(tmp_path: Path) -> None:
    """A module that is to have another environment gets a process of its own."""
    with FakeApi() as api:
        options = {"state": "inspected", "state_dir": str(tmp_path / "state"), "api_key": api.options["api_key"]}
        _done, answer, processes = ask(tmp_path, options, K8S_AUTH_HOST=api.host)
    assert processes == 1 and not answer["failed"]


def test_an_ansible_core_that_lacks_what_this_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a module is executed as Ansible does it."""
    monkeypatch.delattr(basic, "_ANSIBLE_PROFILE")
    later = importlib.reload(direct_execution)
    assert not later.POSSIBLE
    monkeypatch.undo()
    assert importlib.reload(direct_execution).POSSIBLE
    connection = types.SimpleNamespace(transport="local", become=None)
    action = types.SimpleNamespace(_connection=connection)
    monkeypatch.setattr(direct_execution, "POSSIBLE", False)
    assert direct_execution.DirectAction._is_direct(action, {}) is False


def test_end_of_process_and_warnings(tmp_path: Path) -> None:
    """What a module leaves to the end of its process is done, and nothing of the process is other than before."""
    kept: dict[str, Any] = {}

    def main() -> None:
        module = AnsibleModule(argument_spec={"name": {"type": "str"}})
        handle, kept["path"] = tempfile.mkstemp(dir=tmp_path)
        os.close(handle)
        atexit.register(os.unlink, kept["path"])
        kept["folder"] = str(Path.cwd())
        print("a library says something")
        module.warn("look out")
        module.exit_json(changed=True, name=module.params["name"])

    before = str(Path.cwd()), atexit.register, AnsibleModule.warn
    answer = run_here(main, {"name": "w1", "_ansible_tracebacks_for": []}, str(tmp_path))
    assert answer["name"] == "w1" and answer["changed"] is True and answer["warnings"] == ["look out"]
    assert kept["folder"] == str(tmp_path) and not Path(kept["path"]).exists()
    assert before == (str(Path.cwd()), atexit.register, AnsibleModule.warn)
    with pytest.raises(AnsibleActionFail):
        run_here(lambda: sys.exit(0), {}, str(tmp_path))
    with pytest.raises(ZeroDivisionError):
        run_here(lambda: print(1 // 0), {}, str(tmp_path))
    assert before == (str(Path.cwd()), atexit.register, AnsibleModule.warn)
