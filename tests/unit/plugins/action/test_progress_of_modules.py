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

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration import (
    Registration,
    RegistrationOptions,
)
from ansible_collections.podnet.upkeep.plugins.plugin_utils.progress_stream import ProgressStream
from harness.playbook import command, environment

DRAIN = {"node_drain": {"state": "drained", "timeout": 60}}
WAIT = {"node_registration": {"state": "registered", "ready_timeout": 60}}
PLAYBOOK = """
- name: Wait
  hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/podnet.upkeep.upkeep: {{host: "{host}", api_key: token-of-the-test}}
  vars: {{ansible_python_interpreter: "{python}"}}
  tasks:
    - name: Wait
      podnet.upkeep.{module}: {options}
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


def start(
    api: FakeApi, folder: Path, node: str, task: dict[str, dict[str, Any]] | None = None, **env: str
) -> subprocess.Popen[str]:
    """An ansible-playbook that drains the node, or does what `task` says."""
    playbook = folder / f"{node}.yml"
    ((module, options),) = (task or DRAIN).items()
    text = json.dumps({"name": node, **options})
    playbook.write_text(
        PLAYBOOK.format(host=api.host, python=sys.executable, module=module, options=text), encoding="utf-8"
    )
    return subprocess.Popen(
        command(str(playbook)),
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def registered_anew(api: FakeApi, state_dir: Path) -> dict[str, dict[str, Any]]:
    """A Node that was created anew and whose kubelet is not Ready; the task that waits for it."""
    spec = {"podCIDR": "10.244.7.0/24", "podCIDRs": ["10.244.7.0/24"], "unschedulable": True}
    info = {"machineID": "m1", "bootID": "b1"}
    ready = {"type": "Ready", "status": "False", "lastHeartbeatTime": "2026-01-02T00:00:00Z"}
    node = {
        "metadata": {"name": "registered", "uid": "old", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": spec,
        "status": {"nodeInfo": info, "conditions": [ready]},
    }
    api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
    api.store.add("/api/v1/nodes", node)
    client = KubeClient.from_options(api.options)
    Registration(client, "registered", RegistrationOptions(state_dir=str(state_dir))).capture()
    image = before_image.load(str(state_dir), "registered")
    assert image is not None
    before_image.save(str(state_dir), image.at("deleting").at("deleted").at("precreated", new_uid="new"))
    api.store.objects["/api/v1/nodes/registered"]["metadata"]["uid"] = "new"
    lease = {"metadata": {"name": "registered", "ownerReferences": [{"kind": "Node", "uid": "new"}]}, "spec": {}}
    api.store.add("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", lease)
    allocator = {"cluster_cidrs": ["10.244.0.0/16"]}
    return {"node_registration": {**WAIT["node_registration"], "state_dir": str(state_dir), "allocator": allocator}}


def first_line(process: subprocess.Popen[str], found: dict[str, Any], node: str) -> None:
    """When the first line of progress came, and which one."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[node_"):
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
        runs = {
            "plain": start(api, tmp_path, "plain"),
            "json": start(api, tmp_path, "json", **as_json),
            "registered": start(api, tmp_path, "registered", registered_anew(api, tmp_path / "state")),
        }
        found: dict[str, Any] = {}
        readers = [threading.Thread(target=first_line, args=(run, found, node)) for node, run in runs.items()]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout=40)
        for node in ("plain", "json"):
            del api.store.objects[f"/api/v1/namespaces/default/pods/pod-{node}"]
        api.store.objects["/api/v1/nodes/registered"]["status"]["conditions"][0]["status"] = "True"
        outputs = {node: run.communicate(timeout=40)[0] for node, run in runs.items()}
    for node, run in runs.items():
        line, ended = found[node]
        words = "[node_registration] registered: " if node == "registered" else f"[node_drain] {node}: 1 "
        assert line.startswith(words) and "(after 1" in line and ended is None
        assert run.returncode == 0, outputs[node]
        assert "[node_" not in outputs[node] and "progress" not in outputs[node]
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
