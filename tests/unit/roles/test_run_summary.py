"""What a run that fails hands on: what it has done until then, and why it failed, which stays the last thing that it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.fake_api import FakeApi, Fault, status_body

from harness.playbook import PlaybookRun, run_playbook

ROOT = Path(__file__).parents[3]
PLAYBOOKS_OF_AWX = (ROOT / "roles/configure_awx/vars/main.yml").read_text(encoding="utf-8")
REPAIRS = set(re.findall(r"^  (\w+): \{repairs: true", PLAYBOOKS_OF_AWX, re.MULTILINE))
#: Of several plays, which hand it on in another way.
OTHERS = {"reassign_pod_cidrs"}


def handed_on(done: PlaybookRun) -> dict[str, Any]:
    """The statistic podnet_upkeep."""
    text = done.stdout.partition("CUSTOM STATS")[2].partition("RUN: ")[2]
    statistics: dict[str, Any] = json.loads(text)["podnet_upkeep"]
    return statistics


@pytest.mark.parametrize("playbook", sorted(REPAIRS - OTHERS))
def test_every_repair_hands_on_also_when_it_fails(playbook: str) -> None:
    """The role and its summary in a block, and a rescue that hands on and fails."""
    assert OTHERS < REPAIRS
    plays = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8"))
    (task,) = plays[0]["tasks"]
    run, summary = task["block"]
    assert (
        run["ansible.builtin.import_role"]["name"]
        == task["vars"]["run_summary_playbook"]
        == f"podnet.upkeep.{playbook}"
    )
    (failed,) = task["rescue"]
    name = "podnet.upkeep.run_summary"
    assert summary["ansible.builtin.include_role"]["name"] == failed["ansible.builtin.include_role"]["name"] == name
    assert failed["ansible.builtin.include_role"]["tasks_from"] == "failed.yml"


def test_so_does_the_repair_of_several_plays() -> None:
    """Whichever of them fails; what is counted then is of all hosts, so it is read where the plan was made."""
    plays = yaml.safe_load((ROOT / "playbooks" / "reassign_pod_cidrs.yml").read_text(encoding="utf-8"))
    assert len(plays) == 4  # the first one refuses a limit, before anything is planned
    for play in plays[1:]:
        (task,) = play["tasks"]
        (failed,) = task["rescue"]
        assert failed["ansible.builtin.include_role"] == {
            "name": "podnet.upkeep.run_summary",
            "tasks_from": "failed.yml",
        }
        assert task["vars"]["run_summary_playbook"] == "podnet.upkeep.reassign_pod_cidrs"
        assert "hostvars['localhost']" in task["vars"]["run_summary_counts"]["begun"]


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """Three pods that have ended."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        for number in range(3):
            pod = {"metadata": {"name": f"ended-{number}", "creationTimestamp": "2026-01-01T00:00:00Z"}}
            owner = [{"kind": "ReplicaSet", "name": "web", "uid": "r1", "controller": True}]
            pod["metadata"]["ownerReferences"] = owner  # type: ignore[assignment]
            api.store.add(
                "/api/v1/namespaces/default/pods",
                {**pod, "spec": {"nodeName": "w1"}, "status": {"phase": "Failed", "reason": "Evicted"}},
            )
        yield api


def clean(api: FakeApi, folder: Path, **variables: Any) -> PlaybookRun:
    """Run clean_stale_pods, one pod after the other."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": api.options["host"]}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig), encoding="utf-8")
    return run_playbook(
        "podnet.upkeep.clean_stale_pods",
        variables={
            "clean_stale_pods_kubeconfig": str(folder / "kubeconfig"),
            "clean_stale_pods_journal_path": str(folder / "journal"),
            "clean_stale_pods_concurrency": 1,
            "clean_stale_pods_batch_size": 1,
            "clean_stale_pods_ask_agents": False,
            **variables,
        },
        env={"ANSIBLE_SHOW_CUSTOM_STATS": "true"},
    )


def last_message(done: PlaybookRun) -> str:
    """What the last failing task says."""
    return str(json.loads(f'"{done.failure}"'))


def test_a_repair_that_stops_half_way(cluster: FakeApi, tmp_path: Path) -> None:
    """Counts until then, the journal, and why; the run fails as it did, with the same words at its end."""
    body = status_body(403, "Forbidden", 'pods "ended-1" is forbidden')
    cluster.faults = [Fault("DELETE", "/pods/ended-1$", 403, body, times=99)]
    done = clean(cluster, tmp_path)
    assert done.returncode == 2 and done.recap["localhost"]["failed"] == 1, done.output
    summary = handed_on(done)
    assert summary["playbook"] == "podnet.upkeep.clean_stale_pods" and not summary["check_mode"]
    assert summary["counts"]["deleted"] == 1 and summary["counts"]["candidates"] == 3, summary
    assert summary["failure"].startswith("The run stopped: ") and "ended-1" in summary["failure"]
    assert Path(summary["paths"]["journal"]).parent == tmp_path / "journal"
    assert last_message(done) == summary["failure"], done.output
    after = done.stdout.rpartition("fatal: [")[2]
    assert "TASK [" not in after


def test_what_cannot_be_handed_on_does_not_hide_the_failure(cluster: FakeApi, tmp_path: Path) -> None:
    """A limit without room for a summary."""
    cluster.faults = [Fault("GET", "/pods$", 500, status_body(500, "InternalError", "broken"), times=99)]
    done = clean(cluster, tmp_path, run_summary_max_bytes=10)
    assert done.returncode == 2 and "CUSTOM STATS" not in done.output
    assert "give at least 2048" in done.flat_output and "broken" in last_message(done)
