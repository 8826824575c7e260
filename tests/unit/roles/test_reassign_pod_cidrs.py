"""Parts of the role reassign_pod_cidrs on a fake API and a host that is this machine: what it does when it may act no more."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.fake_api import FakeApi

from harness.playbook import PlaybookRun, run_playbook

ROLE = "podnet.upkeep.reassign_pod_cidrs"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
LEASE = f"{LEASES}/podnet-upkeep-reassign-pod-cidrs"
NODE = "/api/v1/nodes/w1"
OURS, THEIRS = "me@here 1 #00000001", "them@there 2 #00000002"
STANDING = (
    "standing: {{ reassign_pod_cidrs__failure }} {{ reassign_pod_cidrs__standing }} {{ reassign_pod_cidrs__way_on }}"
)
#: The image is of this run, or of an interrupted one that may have stopped the kubelet.
CAPTURED = "{{ captured | combine({'host': {'unit': 'kubelet'}, 'changed': not resumed}) }}"


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """One Node, which is cordoned while it is drained, and the Lease of the run."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        api.store.add("/api/v1/nodes", {"metadata": {"name": "w1", "uid": "u1"}, "spec": {}})
        lease = {"metadata": {"name": "podnet-upkeep-reassign-pod-cidrs"}, "spec": {"holderIdentity": OURS}}
        api.store.add(LEASES, lease)
        yield api


class Part:
    """Runs parts of the role for the Node w1; visits to its host are in `visits`."""

    def __init__(self, api: FakeApi, folder: Path) -> None:
        self._api, self._folder = api, folder
        self._log = folder / "ssh.log"
        (folder / "ssh").write_text(
            f'#!/bin/sh\nfor last; do :; done\nprintf "%s\\0" "$last" >>{self._log}\n[ ! -e {folder}/cut ] || exit 255\necho "start kubelet"\n',
            encoding="utf-8",
        )
        (folder / "ssh").chmod(0o755)

    @property
    def visits(self) -> list[str]:
        """Commands that were sent to the host."""
        return self._log.read_text(encoding="utf-8").split("\0")[:-1] if self._log.exists() else []

    def writes(self) -> list[str]:
        """What was written to Nodes."""
        return [f"{one.method} {one.path}" for one in self._api.requests if one.method != "GET" and "nodes" in one.path]

    def __call__(self, tasks: list[dict[str, Any]], **variables: Any) -> PlaybookRun:
        """Capture the Node, cordon it as a drain does, and run these tasks for its host."""
        auth = {key: self._api.options[key] for key in ("host", "api_key") if key in self._api.options}
        here = {"delegate_to": "localhost", "become": False}
        registration = {
            "name": "w1",
            "state": "captured",
            "state_dir": str(self._folder / "images"),
            "journal": {},
            **auth,
        }
        plays = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [{"ansible.builtin.set_fact": {"reassign_pod_cidrs__started": {"holder": OURS}}}],
            },
            {
                "hosts": "w1",
                "gather_facts": False,
                "tasks": [
                    {"podnet.upkeep.node_registration": registration, **here, "register": "captured"},
                    {"podnet.upkeep.node_drain": {"name": "w1", "state": "cordoned", **auth}, **here},
                    {"ansible.builtin.set_fact": {"reassign_pod_cidrs__captured": CAPTURED}},
                    *tasks,
                ],
            },
        ]
        (self._folder / "play.yml").write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": self._api.options["host"]}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (self._folder / "kubeconfig").write_text(json.dumps(kubeconfig), encoding="utf-8")
        host = {
            "ansible_ssh_executable": str(self._folder / "ssh"),
            "ansible_host": "192.0.2.1",
            "ansible_pipelining": True,
        }
        there = {"localhost": {"ansible_connection": "local"}, "w1": host}
        (self._folder / "inventory.json").write_text(json.dumps({"all": {"hosts": there}}), encoding="utf-8")
        given = {
            "ansible_python_interpreter": sys.executable,
            "reassign_pod_cidrs_kubeconfig": str(self._folder / "kubeconfig"),
            "reassign_pod_cidrs_state_dir": str(self._folder / "images"),
            "reassign_pod_cidrs_become": False,
            "resumed": True,
            **variables,
        }
        return run_playbook(
            str(self._folder / "play.yml"), ["-i", str(self._folder / "inventory.json")], variables=given, timeout=120
        )


@pytest.fixture
def part(cluster: FakeApi, tmp_path: Path) -> Part:
    """To run parts with."""
    return Part(cluster, tmp_path)


def tasks_from(name: str) -> dict[str, Any]:
    """A task that includes a file of the role."""
    return {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": name}}


def recover(failure: str = "Cordon and drain: it has failed.") -> list[dict[str, Any]]:
    """Fail, undo, and say how the node stands."""
    failed = {"ansible.builtin.set_fact": {"reassign_pod_cidrs__failure": failure}}
    return [failed, tasks_from("recover.yml"), {"ansible.builtin.debug": {"msg": STANDING}}]


def lose(api: FakeApi) -> None:
    """Another machine takes the Lease over."""
    api.store.objects[LEASE]["spec"]["holderIdentity"] = THEIRS


def test_what_has_failed_is_undone_while_the_node_is_ours(cluster: FakeApi, part: Part) -> None:
    """The kubelet is started, and only then the Node is made schedulable."""
    done = part(recover())
    assert done.returncode == 0 and "The node is as it was before" in done.flat_output, done.output
    assert len(part.visits) == 1 and "ACT=start" in part.visits[0]
    assert not cluster.store.objects[NODE]["spec"].get("unschedulable")


def test_without_the_lease_nothing_is_undone(cluster: FakeApi, part: Part) -> None:
    """Another run has the Node: its kubelet stays as it is, nothing is written, and the words say whose it is."""
    lose(cluster)
    done = part(recover())
    assert part.visits == [] and part.writes() == [f"PATCH {NODE}"], "only the cordon of the drain"
    assert cluster.store.objects[LEASE]["spec"]["holderIdentity"] == THEIRS
    assert f"is held by {THEIRS} now" in done.flat_output, done.output
    assert "Nothing was undone, neither on its host nor in the cluster" in done.flat_output
    assert f"The node is theirs now, {THEIRS} has the lock: leave it to them" in done.flat_output
    assert "Mend the cause" not in done.stdout.partition("standing: ")[2]


def test_a_node_that_is_gone_is_not_undone(cluster: FakeApi, part: Part) -> None:
    """A person has deleted it: a kubelet that starts would register it, schedulable and bare."""

    def somebody(request: Any) -> None:
        if request.method == "PATCH" and request.path == LEASE:
            cluster.store.objects.pop(NODE, None)

    cluster.before_request = somebody
    done = part(recover())
    assert part.visits == [] and "Node w1 (uid u1) is gone" in done.flat_output, done.output


def hooked(folder: Path, hook: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run a hook as reassign.yml does before the drain."""
    (folder / "hook.yml").write_text(yaml.safe_dump(hook), encoding="utf-8")
    words = {"ansible.builtin.set_fact": {"reassign_pod_cidrs__failure": "{{ reassign_pod_cidrs__failed_words }}"}}
    include = {**tasks_from("hook.yml"), "vars": {"reassign_pod_cidrs__hook_file": str(folder / "hook.yml")}}
    after = {"ansible.builtin.debug": {"msg": "behind the hook"}}
    public = {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": "hook.yml", "public": True}}
    return [{"block": [{**include, **public}, after], "rescue": [words, *recover()[1:]]}]


RAW = {"ansible.builtin.raw": "touch /tmp/here"}
LAST = {"ansible.builtin.debug": {"msg": "the last task of the hook"}}


def durations(api: FakeApi) -> list[int]:
    """How long the Lease was made to last, at each write of it."""
    writes = [one for one in api.requests if one.method == "PATCH" and one.path == LEASE]
    return [one.body["spec"]["leaseDurationSeconds"] for one in writes]


def test_the_lease_lasts_for_a_hook(cluster: FakeApi, part: Part, tmp_path: Path) -> None:
    """Longer while it runs, and as long as always behind it. Numbers of the command line are text."""
    done = part(hooked(tmp_path, [RAW, LAST]), reassign_pod_cidrs_hook_seconds="900")
    assert done.returncode == 0 and "behind the hook" in done.output, done.output
    assert durations(cluster) == [900, 300]


def test_nothing_goes_on_when_the_lease_was_lost_in_a_hook(cluster: FakeApi, part: Part, tmp_path: Path) -> None:
    """Somebody takes it over while the hook runs."""

    def take_over(_request: Any) -> None:
        if (tmp_path / "in-hook").exists():
            lose(cluster)

    cluster.before_request = take_over
    hook = [{"ansible.builtin.file": {"path": str(tmp_path / "in-hook"), "state": "touch"}, "delegate_to": "localhost"}]
    done = part(hooked(tmp_path, [*hook, LAST]))
    assert "the last task of the hook" in done.output and "behind the hook" not in done.output, done.output
    assert "Go on only when the run still has its lock after the task file: The Lease" in done.flat_output
    assert f"The node is theirs now, {THEIRS}" in done.flat_output and part.visits == []


@pytest.mark.parametrize("nested", [True, pytest.param(False, marks=pytest.mark.long)])
def test_an_unreachable_host_in_a_hook_undoes_the_node(
    cluster: FakeApi, part: Part, tmp_path: Path, nested: bool
) -> None:
    """At the task that does not reach it; and undone is everything, also what needs no host."""
    (tmp_path / "cut").touch()
    hook = [RAW, LAST]
    if nested:
        (tmp_path / "inner.yml").write_text(yaml.safe_dump(hook), encoding="utf-8")
        hook = [{"ansible.builtin.include_tasks": str(tmp_path / "inner.yml")}, LAST]
    done = part(hooked(tmp_path, hook), resumed=False)
    assert "the last task of the hook" not in done.output and "behind the hook" not in done.output, done.output
    assert "hook.yml: a host that its tasks run on cannot be reached" in done.flat_output
    assert "The node is as it was before" in done.flat_output, done.output
    assert not cluster.store.objects[NODE]["spec"].get("unschedulable")
    assert durations(cluster)[-1] == 300


@pytest.mark.long
def test_a_failing_hook_says_which_of_its_tasks_has_failed(cluster: FakeApi, part: Part, tmp_path: Path) -> None:
    """With what it has said; and it may fail where it takes care of that itself."""
    handled = {"block": [{"ansible.builtin.fail": {"msg": "not so bad"}}], "rescue": [LAST]}
    done = part(hooked(tmp_path, [handled, {"name": "Ask", "ansible.builtin.fail": {"msg": "It says no"}}]))
    assert "the last task of the hook" in done.output and "behind the hook" not in done.output
    assert "standing: Ask: It says no. The node is as it was before" in done.flat_output, done.output


def test_the_command_that_takes_a_node_out_of_the_journal_can_be_pasted(part: Part) -> None:
    """A shell takes it apart, and its patch is JSON."""
    earlier = {"unfinished_nodes": ["w9.example.com", "w1"]}
    facts = {"reassign_pod_cidrs__earlier": earlier, "reassign_pod_cidrs__plan": {"node_names": ["w1"]}}
    done = part([{"ansible.builtin.set_fact": facts}, tasks_from("begin.yml")])
    assert done.returncode == 2
    (command,) = re.findall(r"`(kubectl [^`]*)`", json.loads('"' + done.failure + '"'))
    words = shlex.split(command)
    assert words[:6] == ["kubectl", "-n", "kube-system", "patch", "configmap", "podnet-upkeep-reassign-pod-cidrs"]
    assert json.loads(words[words.index("-p") + 1]) == {"data": {"node.w9.example.com": None}}
