"""Rehearsals with the real control plane: the copy is as the snapshot, the playbooks do what they would do, all of it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from snapshots import rehearsal_clusters

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.settings import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal import control_plane, source
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.bring_up import BroughtUp, bring_up
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.plane import programs
from harness.playbook import command, environment, run_playbook
from harness.simulated_pods import wait_running
from harness.waiting import wait_until
from testbed import KwokSpec, Testbed, TestbedSpec, binaries

pytestmark = pytest.mark.testbed

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "cilium-operator")
#: What answers, log lines and servers say that are not there, and what is known only of a running cluster.
NOT_LOADED = {
    *("data-missing", "api-service-unavailable", "agent-identities-exhausted", "component-log-trouble"),
    *("cidr-events-are-noise", "cilium-known-bug"),
}


def folders() -> list[str]:
    """Where the programs of the testbed are."""
    return sorted({str(path.parent) for path in binaries.locate(NAMES).values()})


def run(argv: Sequence[str], environ_update: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """AnsibleModule.run_command."""
    done = subprocess.run(
        argv, env={**os.environ, **(environ_update or {})}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def running_in(folder: Path) -> list[str]:
    """Command lines of processes that name this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in text and "pytest" not in text:
                found.append(text[:200])
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Callable[[str], BroughtUp]]:
    """Returns what brings a copy of a snapshot up; it is ended whatever happens."""
    folder = tmp_path / "copy"
    folder.mkdir()

    def up(path: str) -> BroughtUp:
        return bring_up(str(folder), source.read(path), programs(folders()), AuditSettings(), run)

    yield up
    control_plane.end(str(folder), run)
    assert not folder.exists()
    wait_until("everything has ended", lambda: not running_in(folder))


@pytest.mark.parametrize(
    "name", ["made", "sick-cilium-kubectl", pytest.param("sick-cilium-sysdump-main.zip", marks=pytest.mark.long)]
)
def test_the_copy_is_as_the_snapshot(copy: Callable[[str], BroughtUp], tmp_path: Path, name: str) -> None:
    """Audited as it is loaded, the copy has the findings of the snapshot, and no others."""
    path = str(SNAPSHOTS / name)
    if name == "made":
        path = snapshot.save(rehearsal_clusters.cluster(), str(tmp_path / "made.state.json.gz"))
    made = copy(path)
    assert {one["id"] for one in (*made.lost, *made.made_up)} <= (NOT_LOADED if name != "made" else set())
    assert made.audit["summary"]["critical"] > 0
    assert not made.operator, made.operator
    if name == "made":
        assert [one["name"] for one in made.blocked_budgets] == ["lonely"]
        assert any("does not start with the podCIDRs of 1 Nodes (node-1)" in text for text in made.said)
        # taken away for a while, so that the garbage collector meets pods first
        endpoints = KubeClient.from_options({"kubeconfig": made.kubeconfig}).list("/apis/cilium.io/v2/ciliumendpoints")
        assert len(endpoints) == made.counts["ciliumendpoints"] > 0


def test_playbooks_on_a_copy(tmp_path: Path) -> None:
    """A refusal, a drain that a budget holds up, and a repair that goes through, with reports of each."""
    path = snapshot.save(rehearsal_clusters.cluster(8, 3), str(tmp_path / "made.state.json.gz"))
    again = {"reassign_pod_cidrs_even_if_healthy": True}
    runs = [
        {**again, "reassign_pod_cidrs_nodes": [rehearsal_clusters.KARPENTER]},
        {
            **again,
            "reassign_pod_cidrs_nodes": [rehearsal_clusters.BLOCKED],
            "reassign_pod_cidrs_drain_timeout": 2,
            "reassign_pod_cidrs_drain_retry_interval": 1,
        },
        {},
    ]
    variables = {"folder": str(tmp_path), "snapshot": path, "programs": folders(), "runs": runs}
    done = run_playbook(str(Path(__file__).with_name("rehearsal_runs.yml")), variables=variables)
    assert done.returncode == 0, done.output
    refused, blocked, went = (json.loads((tmp_path / f"{one}.json").read_text(encoding="utf-8")) for one in range(3))
    assert refused["outcome"] == "failed" and "karpenter.sh/nodepool" in " ".join(refused["refusals"])
    assert blocked["outcome"] == "failed" and not blocked["refusals"]
    assert [(one["pod"], one["budget"]) for one in blocked["blocked_pods"]] == [("lonely-6c9d7-0", "lonely")]
    assert went["outcome"] == "completed", went["failures"]
    assert [one["node"] for one in went["nodes"]] == [rehearsal_clusters.DRIFTED]
    gone = {(one["id"], one["subject"]["name"]) for one in went["comparison"]["gone"]}
    assert ("node-cidr-out-of-range", rehearsal_clusters.DRIFTED) in gone and went["after"]["critical"] == 0, went[
        "comparison"
    ]
    assert any("1. Node node-1" in line for line in went["plan"]) and went["steps"][0]["seconds"] > 0
    text = (tmp_path / "2.md").read_text(encoding="utf-8")
    assert "What this rehearsal cannot prove" in text and "The pod network: no pod ran" in text
    html = (tmp_path / "1.html").read_text(encoding="utf-8")
    assert "lonely-6c9d7-0" in html and "http://" not in html.replace("http://www.w3.org", "")
    assert not (tmp_path / "rehearsals" / "runs").exists() and not running_in(tmp_path / "rehearsals")


def _wait_for_file(path: Path) -> None:
    wait_until(f"it is in the middle ({path.name})", path.exists, 180)


def test_kill_leaves_nothing(tmp_path: Path) -> None:
    """ansible-playbook is killed in the middle; and once more with the keeper, whose work the next call does."""
    path = snapshot.save(rehearsal_clusters.cluster(4, 1), str(tmp_path / "made.state.json.gz"))
    work = tmp_path / "rehearsals"
    variables = {
        **{"rehearse_snapshot": path, "rehearse_work_dir": str(work), "rehearse_programs": folders()},
        **{"rehearse_playbook": "reassign_pod_cidrs"},
    }
    record = work / "rehearsal" / "processes"
    for with_keeper in (False, True):
        words = command("podnet.upkeep.rehearse", variables=variables)
        with (tmp_path / "log").open("w") as log:
            child = subprocess.Popen(words, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait_for_file(record / ("kwok" if with_keeper else "playbook"))
            if with_keeper:
                os.kill(int((record / "keeper").read_text(encoding="utf-8").split()[0]), signal.SIGKILL)
        finally:
            child.kill()
            child.wait()
        if with_keeper:
            time.sleep(2)
            assert (work / "rehearsal").exists()
            ended = run_playbook("podnet.upkeep.rehearse", variables={**variables, "rehearse_state": "absent"})
            assert ended.returncode == 0, ended.output
        wait_until("everything has ended", lambda: not (work / "rehearsal").exists() and not running_in(work))


@pytest.mark.long
def test_a_live_cluster(tmp_path: Path) -> None:
    """The cluster is read with its budgets, and is not touched; a drain meets the same budget on the copy."""
    with Testbed.up(TestbedSpec(name=f"rehearsed-{os.getpid()}", kwok=KwokSpec(nodes=3))) as testbed:
        labels = {"app": "web"}
        container = {"name": "main", "image": "simulated", "env": [{"name": "PASSWORD", "value": "hunter2"}]}
        tolerations = [{"operator": "Exists"}]
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "tolerations": tolerations}}
        testbed.client.create(
            "/apis/apps/v1/namespaces/default/deployments",
            {
                "metadata": {"name": "web"},
                "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
            },
        )
        testbed.client.create(
            "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
            {"metadata": {"name": "web"}, "spec": {"minAvailable": 3, "selector": {"matchLabels": labels}}},
        )
        pods = "/api/v1/namespaces/default/pods"
        wait_until(
            "pods have a Node",
            lambda: [bool(one["spec"].get("nodeName")) for one in testbed.client.list(pods)] == [True] * 3,
        )
        for pod in testbed.client.list(pods):
            wait_running(testbed.client, f"{pods}/{pod['metadata']['name']}")
        node = testbed.client.list(pods)[0]["spec"]["nodeName"]
        # as a real one: a machine is behind it, and its kubelet says which
        info = {"machineID": "5" * 32, "bootID": "b"}
        testbed.client.patch(f"/api/v1/nodes/{node}/status", {"status": {"nodeInfo": info}})
        testbed.client.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": {"type": None}}})
        before = testbed.client.list("/api/v1/nodes"), testbed.client.list(pods)
        variables = {
            **{"rehearse_kubeconfig": str(testbed.kubeconfig), "rehearse_work_dir": str(tmp_path / "w")},
            **{"rehearse_programs": folders(), "rehearse_playbook": "retire_nodes"},
            "rehearse_variables": {"retire_nodes_nodes": [node], "retire_nodes_drain_timeout": 3},
            **{
                "rehearse_output_path": str(tmp_path / "out.json"),
                "rehearse_save_snapshot": str(tmp_path / "saved.json"),
            },
        }
        done = run_playbook("podnet.upkeep.rehearse", variables=variables)
        assert done.returncode == 0, done.output
        names = [{one["metadata"]["name"]: one["metadata"]["uid"] for one in found} for found in before]
        after = testbed.client.list("/api/v1/nodes"), testbed.client.list(pods)
        assert names == [{one["metadata"]["name"]: one["metadata"]["uid"] for one in found} for found in after]
    report = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in report["blocked_budgets"]] == ["web"]
    assert report["outcome"] == "failed", report["failures"]
    assert "is not empty after 3 seconds" in json.dumps(report["failures"]), report["failures"]
    assert "hunter2" not in (tmp_path / "saved.json").read_text(encoding="utf-8")


@pytest.mark.long
def test_the_largest_cluster(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """5,000 Nodes, 100,000 pods, 65,000 identities, 100,000 endpoints: loaded, repaired and audited within minutes."""
    path = snapshot.save(rehearsal_clusters.cluster(5000, 20, 65_000), str(tmp_path / "large.state.json.gz"))
    began = time.monotonic()
    variables = {
        **{"rehearse_snapshot": path, "rehearse_work_dir": str(tmp_path / "w"), "rehearse_programs": folders()},
        **{"rehearse_playbook": "reassign_pod_cidrs", "rehearse_output_path": str(tmp_path / "out.json")},
    }
    done = run_playbook("podnet.upkeep.rehearse", variables=variables, timeout=3600)
    assert done.returncode == 0, done.output
    report = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    record_property("seconds", round(time.monotonic() - began))
    record_property("timings", json.dumps([*report["timings"], {"step": "playbook", "seconds": report["seconds"]}]))
    assert report["outcome"] == "completed", report["failures"]
    assert not report["findings_lost"] and not report["findings_made_up"]
    assert time.monotonic() - began < 1800
