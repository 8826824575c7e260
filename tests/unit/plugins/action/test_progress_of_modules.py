"""Progress of a module on the standard error of a real ansible-playbook, and nothing of it on its standard output."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.plugin_utils.progress_stream import ProgressStream
from harness.playbook import command, environment

PLAYBOOK = """
- name: Drain
  hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/podnet.upkeep.upkeep: {{host: "{host}", api_key: token-of-the-test}}
  vars: {{ansible_python_interpreter: "{python}"}}
  tasks:
    - name: Drain
      podnet.upkeep.node_drain: {{name: "{node}", state: drained, timeout: 60}}
      register: drained
"""
# as ansible.posix.json does it: one JSON document on standard output, and nothing else
JSON_CALLBACK = """
import json
from ansible.plugins.callback import CallbackBase
DOCUMENTATION = "name: whole_json\\ntype: stdout\\nshort_description: One document\\ndescription: One document"
class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "whole_json"
    results = []
    def v2_runner_on_ok(self, result, **kwargs):
        self.results.append(result._result if hasattr(result, "_result") else dict(result.result))
    def v2_runner_on_failed(self, result, **kwargs):
        self.v2_runner_on_ok(result)
    def v2_playbook_on_stats(self, stats):
        self._display.display(json.dumps({"results": self.results}, default=str))
"""


def add_node(api: FakeApi, name: str) -> None:
    """A Node with one pod that takes its time."""
    api.store.add("/api/v1/nodes", {"metadata": {"name": name}, "spec": {}})
    owner = {"kind": "ReplicaSet", "name": "web", "controller": True}
    pod = {"metadata": {"name": f"pod-{name}", "ownerReferences": [owner]}, "spec": {"nodeName": name}, "status": {}}
    api.store.add("/api/v1/namespaces/default/pods", pod)
    api.store.sticky_pods.add(f"pod-{name}")


def start(api: FakeApi, folder: Path, node: str, **env: str) -> subprocess.Popen[str]:
    """An ansible-playbook that drains the node."""
    playbook = folder / f"{node}.yml"
    playbook.write_text(PLAYBOOK.format(host=api.host, python=sys.executable, node=node), encoding="utf-8")
    return subprocess.Popen(
        command(str(playbook)),
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str], found: dict[str, Any], node: str) -> None:
    """When the first line of progress came, and which one."""
    assert process.stderr is not None
    for line in process.stderr:
        if "[node_drain]" in line:
            found[node] = (line.strip(), process.poll())
            return


def test_long_drain_with_both_kinds_of_callback(tmp_path: Path) -> None:
    """A line comes while the module still runs; standard output is what it would be without, one document of JSON."""
    callbacks = tmp_path / "callbacks"
    callbacks.mkdir()
    (callbacks / "whole_json.py").write_text(JSON_CALLBACK, encoding="utf-8")
    as_json = {"ANSIBLE_STDOUT_CALLBACK": "whole_json", "ANSIBLE_CALLBACK_PLUGINS": str(callbacks)}
    with FakeApi() as api:
        for node in ("plain", "json"):
            add_node(api, node)
        runs = {"plain": start(api, tmp_path, "plain"), "json": start(api, tmp_path, "json", **as_json)}
        found: dict[str, Any] = {}
        readers = [threading.Thread(target=first_line, args=(run, found, node)) for node, run in runs.items()]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout=40)
        for node in runs:
            del api.store.objects[f"/api/v1/namespaces/default/pods/pod-{node}"]
        outputs = {node: run.communicate(timeout=40)[0] for node, run in runs.items()}
    for node, run in runs.items():
        line, ended = found[node]
        assert line.startswith(f"[node_drain] {node}: 1 ") and "(after 1" in line and ended is None
        assert run.returncode == 0, outputs[node]
        assert "[node_drain]" not in outputs[node] and "progress" not in outputs[node]
    assert "changed=1" in outputs["plain"]
    (drained,) = json.loads(outputs["json"])["results"]
    assert drained["changed"] and [pod["result"] for pod in drained["pods"]] == ["gone"]


def test_lines_come_while_they_are_written() -> None:
    """Whole ones only, each once, without control characters, and the file is gone in the end."""
    shown: list[str] = []
    with ProgressStream(shown.append, interval=0.01) as stream:
        path = Path(stream.path)
        assert path.stat().st_mode & 0o777 == 0o600
        with path.open("a", encoding="utf-8") as file:
            file.write("one\ntw")
            file.flush()
            end = time.monotonic() + 5
            while not shown and time.monotonic() < end:
                time.sleep(0.01)
            assert shown == ["one"]
            file.write("o \x1b[31mred\nthree\nno end")
    assert shown == ["one", "two ?[31mred", "three"] and not path.exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\n", b"x" * 9999 + b"\n"])
def test_whatever_is_in_the_file(content: bytes) -> None:
    """Lines stay short, and nothing breaks."""
    shown: list[str] = []
    with ProgressStream(shown.append, interval=0.01) as stream:
        Path(stream.path).write_bytes(content)
    assert all(len(line) <= 500 for line in shown) and len(shown) == content.count(b"\n")
