"""The role remove_unreachable_nodes on a fake API: what it asks hosts for, and what a run leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snapshots import providers
from unit.fake_api import FakeApi

from harness.playbook import PlaybookRun, run_playbook

ROOT = Path(__file__).parents[3]
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
JOURNAL = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-remove-unreachable-nodes"
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """Three Nodes, of which w1 is silent since long ago."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        for number, name in enumerate(("w1", "w2", "w3")):
            made = providers.node(name, cidr=f"10.244.{number}.0/24")
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": LONG_AGO, "reason": "x"}
            made["status"]["conditions"] = [{**ready, "status": "Unknown"} if name == "w1" else ready]
            api.store.add("/api/v1/nodes", made)
        lease = {"renewTime": "2020-01-01T00:00:00.000000Z", "leaseDurationSeconds": 1}
        metadata = {"name": "w1", "creationTimestamp": LONG_AGO}
        api.store.add(LEASES, {"metadata": metadata, "spec": lease})
        yield api


@pytest.fixture
def files(cluster: FakeApi, tmp_path: Path) -> Path:
    """A kubeconfig, and an inventory in which machine-1 is the host of w1; `answer` in it decides whether it lives."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.options["host"]}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig), encoding="utf-8")
    ssh = tmp_path / "ssh"
    (tmp_path / "words").write_text("ssh: connect to host 192.0.2.1 port 22: Connection timed out\n", encoding="utf-8")
    ssh.write_text(
        f"#!/bin/sh\ntest -e {tmp_path}/answer || {{ cat {tmp_path}/words >&2; exit 255; }}\ntest -e {tmp_path}/broken && exit 1\n"
        'for last; do :; done\nexec sh -c "$last"\n'
    )
    ssh.chmod(0o755)
    host = {"podnet_node_name": "w1", "ansible_ssh_executable": str(ssh), "ansible_host": "192.0.2.1"}
    inventory = {"all": {"hosts": {"machine-1": host, "w2": {}}}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
    return tmp_path


def remove(files: Path, *arguments: str, **variables: Any) -> PlaybookRun:
    """Run the playbook."""
    return run_playbook(
        "podnet.upkeep.remove_unreachable_nodes",
        ["-i", str(files / "inventory.json"), *arguments],
        variables={
            "remove_unreachable_nodes_kubeconfig": str(files / "kubeconfig"),
            "remove_unreachable_nodes_state_dir": str(files / "removed"),
            "remove_unreachable_nodes_settle_seconds": 0,
            "remove_unreachable_nodes_accepted_risks": ["controller-manager-unknown"],
            **variables,
        },
        timeout=120,
    )


def writes(api: FakeApi) -> list[str]:
    """What changed the cluster."""
    asked = [one for one in api.requests if one.method != "GET" and "dryRun" not in one.params]
    return [f"{one.method} {one.path}" for one in asked if "selfsubject" not in one.path]


def test_a_host_that_answers_is_not_gone(cluster: FakeApi, files: Path) -> None:
    """Although its Node is silent for years; nothing is written."""
    (files / "answer").touch()
    done = remove(files)
    assert done.returncode == 2 and "host machine-1 answers over SSH, so Node w1 is not gone" in done.flat_output
    assert writes(cluster) == [] and "/api/v1/nodes/w1" in cluster.store.objects


def test_a_node_is_removed_and_the_journal_says_so(cluster: FakeApi, files: Path) -> None:
    """Only w1; the lock is released, and a second run changes nothing."""
    done = remove(files)
    assert done.returncode == 0, done.output
    assert "/api/v1/nodes/w1" not in cluster.store.objects and "/api/v1/nodes/w2" in cluster.store.objects
    data = cluster.store.objects[JOURNAL]["data"]
    assert json.loads(data["node.w1"])["step"] == "completed" and json.loads(data["run"])["result"] == "finished"
    lease = cluster.store.objects[
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-remove-unreachable-nodes"
    ]
    assert lease["spec"]["holderIdentity"] == ""
    assert len(list((files / "removed").iterdir())) == 1
    assert remove(files).changed == 0


def test_check_mode_writes_nothing(cluster: FakeApi, files: Path) -> None:
    """And shows the Node."""
    done = remove(files, "--check", "--diff")
    assert done.returncode == 0 and "Node w1" in done.output, done.output
    assert writes(cluster) == [] and not (files / "removed").exists()


def test_a_second_run_beside_it_is_refused(cluster: FakeApi, files: Path) -> None:
    """It names the holder."""
    stamp = "2026-01-01T00:00:00.000000Z"
    spec: dict[str, Any] = {"holderIdentity": "somebody@elsewhere", "leaseDurationSeconds": 10**8}
    spec.update(acquireTime=stamp, renewTime=stamp)
    name = "podnet-upkeep-remove-unreachable-nodes"
    metadata = {"name": name, "creationTimestamp": stamp}
    cluster.store.add(
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", {"metadata": metadata, "spec": spec}
    )
    done = remove(files)
    assert done.returncode == 2, done.output
    assert "somebody@elsewhere holds the Lease" in done.flat_output, done.output
    assert "/api/v1/nodes/w1" in cluster.store.objects


#: What ssh really says (OpenSSH 9.2, and its sources), and whether the machine is silent, has answered, or neither is known.
WORDS = {
    "ssh: connect to host 10.0.0.7 port 22: Connection timed out": "silent",
    "ssh: connect to host h2 port 2222: No route to host": "silent",
    "ssh: connect to host fd00::7 port 22: Operation timed out": "silent",
    "OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19 27 Jan 2026\r\ndebug1: connect to address 10.0.0.7 port 22: "
    "Connection timed out\r\nssh: connect to host 10.0.0.7 port 22: Connection timed out\r\n": "silent",
    "channel 0: open failed: connect failed: No route to host\nstdio forwarding failed\n"
    "Connection closed by UNKNOWN port 65535": "silent",
    "ops@10.0.0.7: Permission denied (publickey).": "answered",
    "Host key verification failed.": "answered",
    "@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@\nHost key verification failed.": "answered",
    "ssh: connect to host 10.0.0.7 port 22: Connection refused": "answered",
    "kex_exchange_identification: Connection closed by remote host\nConnection closed by 10.0.0.7 port 22": "answered",
    "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.0.0.7 port 22": "answered",
    "Connection timed out during banner exchange\nConnection to 10.0.0.7 port 22 timed out": "answered",
    "Received disconnect from 10.0.0.7 port 22:2: Too many authentication failures": "answered",
    # nothing is known of a host behind a jump host that is silent itself, or does not let us in
    "ssh: connect to host bastion port 22: Connection timed out\nkex_exchange_identification: Connection closed by remote "
    "host\nConnection closed by UNKNOWN port 65535": "unknown",
    "ops@bastion: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535": "unknown",
    "Connection timed out during banner exchange\nConnection to UNKNOWN port 65535 timed out": "unknown",
    "ssh: connect to host 10.0.0.7 port 22: Network is unreachable": "unknown",
    "ssh: Could not resolve hostname h2: Name or service not known": "unknown",
    "Unable to negotiate with 10.0.0.7 port 22: no matching key exchange method found.": "unknown",
    "The ssh of next year says Connection timed out in a way of its own": "unknown",
    "": "unknown",
}


def test_only_silence_is_taken_for_silence(tmp_path: Path) -> None:
    """The expressions of the role, evaluated by ansible-core; who does not know does not delete."""
    prefixes = ("Failed to connect to the host via ssh: ", "Task failed: Failed to connect to the host via ssh: ")
    cases = [[prefix + words, wanted] for words, wanted in WORDS.items() for prefix in prefixes]
    verdict = "{{ 'silent' if remove_unreachable_nodes__silent else 'answered' if remove_unreachable_nodes__answered else 'unknown' }}"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(ROOT / "roles/remove_unreachable_nodes/vars/main.yml")],
        "tasks": [
            {
                "ansible.builtin.assert": {"that": "item[1] == found", "quiet": True},
                "vars": {"remove_unreachable_nodes__sign": {"msg": "{{ item[0] }}"}, "found": verdict},
                "loop": cases,
            }
        ],
    }
    (tmp_path / "play.json").write_text(json.dumps([play]), encoding="utf-8")
    done = run_playbook(str(tmp_path / "play.json"))
    assert done.returncode == 0, done.output


def test_a_host_that_does_not_let_us_in_lives(cluster: FakeApi, files: Path) -> None:
    """For Ansible it is unreachable, as one without power is; nothing is written, and the words are said."""
    words = "ops@192.0.2.1: Permission denied (publickey)."
    (files / "words").write_text(words, encoding="utf-8")
    done = remove(files)
    assert done.returncode == 2 and words in done.flat_output, done.output
    assert "take its host out of the inventory" in done.flat_output
    assert writes(cluster) == [] and "/api/v1/nodes/w1" in cluster.store.objects


def test_a_host_that_fails_lives(cluster: FakeApi, files: Path) -> None:
    """Its ssh lets us in, and nothing works there."""
    (files / "answer").touch()
    (files / "broken").touch()
    done = remove(files)
    assert done.returncode == 2 and "host machine-1 answers over SSH, so Node w1 is not gone" in done.flat_output
    assert writes(cluster) == []
