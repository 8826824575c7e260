"""A schedule on the real API server: the CronJob, its pod, and what its command does with its own credentials.

The namespace enforces the Pod Security level "restricted". The command of the pod runs here with the token of its
ServiceAccount and the settings of its ConfigMap.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import cleanup_scene
from harness.playbook import PlaybookRun, environment, run_playbook
from harness.receiver import Receiver
from harness.role_steps import collection_folder
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, Testbed, TestbedSpec

pytestmark = [pytest.mark.testbed, pytest.mark.once]

NAMESPACE = "upkeep"
NAME = "nightly"
CRON_JOB = f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs/{NAME}"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A control plane that shows its Node, and the namespace."""
    plane = ControlPlaneSpec(cluster_cidrs=("10.149.0.0/16",), control_plane_node="cp1")
    with Testbed.up(TestbedSpec(f"schedule-{os.getpid()}", control_plane=plane)) as made:
        made.client.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": RESTRICTED}})
        made.control_plane.wait_usable()
        yield made


def install(testbed: Testbed, *arguments: str, **variables: Any) -> PlaybookRun:
    """Run the playbook as an administrator."""
    given = {
        "kubeconfig": str(testbed.kubeconfig),
        "namespace": NAMESPACE,
        "name": NAME,
        "image": "registry.example.com/ee:1",
        "schedule": "15 3 * * *",
        "time_zone": "Etc/UTC",
        "clean_ups": [{"playbook": "clean_stale_pods", "max_deletions": 2}],
        "variables": {"clean_stale_pods_min_age": 0},
        **variables,
    }
    return run_playbook(
        "podnet.upkeep.install_schedule",
        arguments,
        variables={f"install_schedule_{key}": value for key, value in given.items()},
    )


def test_the_cron_job_is_as_asked_and_its_pod_is_admitted(testbed: Testbed) -> None:
    """Check mode writes nothing, the second run changes nothing, and a Job of it gets its pod where others get none."""
    looked = install(testbed, "--check", "--diff")
    assert looked.returncode == 0 and looked.changed, looked.output
    assert "concurrencyPolicy" in looked.output and testbed.client.find(CRON_JOB) is None
    done = install(testbed)
    assert done.returncode == 0 and done.changed, done.output
    again = install(testbed)
    assert (again.returncode, again.changed) == (0, 0), again.output

    spec = testbed.client.get(CRON_JOB)["spec"]
    assert spec["concurrencyPolicy"] == "Forbid" and spec["timeZone"] == "Etc/UTC" and spec["suspend"] is False
    assert spec["startingDeadlineSeconds"] == 600 and spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 3600
    testbed.client.create(JOBS, {**spec["jobTemplate"], "metadata": {"name": "by-hand"}})
    wait_until("the Job has its pod", lambda: testbed.client.list(PODS))
    naked = {"metadata": {"name": "naked"}, "spec": {"containers": [{"name": "c", "image": "c"}]}}
    with pytest.raises(Exception, match="restricted"):
        testbed.client.create(PODS, naked)
    testbed.client.delete(f"{JOBS}/by-hand")

    # what is left out again goes back to its default, and the switch is a change
    held = install(testbed, suspend=True, time_zone="")
    assert held.returncode == 0 and held.changed, held.output
    spec = testbed.client.get(CRON_JOB)["spec"]
    assert spec["suspend"] is True and "timeZone" not in spec


def own_run(testbed: Testbed, folder: Path) -> PlaybookRun:
    """The command of the container here: with its environment, the token of its ServiceAccount, and its ConfigMap.

    Its user has no home: what ansible-core would write there, it would write beside the playbook here.
    """
    pod = testbed.client.get(CRON_JOB)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = testbed.client.get(f"{CONFIG_MAPS}/{NAME}")["data"]["schedule.json"].replace("/reports", str(folder))
    (folder / "schedule.json").write_text(settings, encoding="utf-8")
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{pod['serviceAccountName']}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = testbed.client.create(account, request)["status"]["token"]
    env = environment(
        {
            **{one["name"]: one["value"].replace("/tmp", f"{folder}/tmp") for one in container["env"]},
            "K8S_AUTH_HOST": testbed.control_plane.server,
            "K8S_AUTH_SSL_CA_CERT": str(testbed.control_plane.pki_dir / "ca.crt"),
            "K8S_AUTH_API_KEY": token,
            "KUBECONFIG": "/nonexistent",
        }
    )
    program, *arguments = container["command"]
    found = Path(sys.executable).parent / program
    arguments = [one.replace("/etc/podnet-upkeep", str(folder)) for one in arguments]
    done = subprocess.run([str(found), *arguments], env=env, capture_output=True, text=True, timeout=300, check=False)
    assert not list((collection_folder() / "playbooks").glob("~*"))
    return PlaybookRun(done.returncode, done.stdout, done.stderr)


def test_the_command_does_what_it_does_by_hand(testbed: Testbed, tmp_path: Path) -> None:
    """With no more than its own permissions: the same report, a clean-up within its bound, and results where they belong."""
    with Receiver() as receiver:
        urls = {"push_url": f"{receiver.url}/hook", "pushgateway_url": receiver.url}
        done = install(testbed, **urls)
        assert done.returncode == 0, done.output
        by_hand = tmp_path / "by-hand.json"
        variables = {"audit_kubeconfig": str(testbed.kubeconfig), "audit_output_path": str(by_hand)}
        assert run_playbook("podnet.upkeep.audit", variables=variables).returncode == 0
        folder = tmp_path / "reports"
        folder.mkdir()
        ran = own_run(testbed, folder)
        assert ran.returncode == 0, ran.output
        ours = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
        theirs = json.loads(by_hand.read_text(encoding="utf-8"))
        assert _timeless(ours) == _timeless(theirs)

        # it would delete pods of a ReplicaSet that is not there
        testbed.control_plane.stop_component(cleanup_scene.KCM)
        for number in range(3):
            cleanup_scene.pod(testbed, f"ended-{number}", "Failed")
        again = own_run(testbed, folder)
        assert again.returncode == 0, again.output
    assert len(testbed.client.list(cleanup_scene.PODS)) == 1
    assert len(list((folder / "history").iterdir())) == 2
    assert (folder / "podnet_upkeep.prom").exists() and list((folder / "journals").iterdir())
    summary = json.loads(testbed.client.get(f"{CONFIG_MAPS}/{NAME}-summary")["data"]["summary.json"])
    assert summary["clean_ups"]["clean_stale_pods"]["deleted"] == 2
    last = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    assert summary["counts"] == last["summary"]
    methods = [(method, path) for method, path, _body in receiver.requests]
    assert methods == [("POST", "/hook"), ("PUT", "/metrics/job/podnet_upkeep")] * 2
    assert json.loads(receiver.requests[0][2])["summary"] == ours["summary"]
    assert b"podnet_upkeep_" in receiver.requests[1][2]
    kept = install(testbed, **urls)
    assert kept.changed == 0, kept.output  # the summary belongs to the runs


LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


def test_a_clean_up_that_refuses_takes_no_results_away(testbed: Testbed, tmp_path: Path) -> None:
    """Somebody holds its lock: all is delivered, and the run fails. Where nobody takes results, clean-ups run nevertheless."""
    with Receiver() as receiver:
        urls = {"push_url": f"{receiver.url}/hook", "pushgateway_url": receiver.url}
        done = install(testbed, **urls)
        assert done.returncode == 0, done.output
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        lease = {"holderIdentity": "somebody", "leaseDurationSeconds": 900, "renewTime": now, "acquireTime": now}
        held = f"{LEASES}/podnet-upkeep-clean-stale-pods"
        if testbed.client.find(held):
            testbed.client.delete(held)
        testbed.client.create(LEASES, {"metadata": {"name": held.rpartition("/")[2]}, "spec": lease})
        cleanup_scene.pod(testbed, "ended", "Failed")
        there = {one["metadata"]["name"] for one in testbed.client.list(cleanup_scene.PODS)}
        refused = own_run(testbed, tmp_path)
        assert refused.returncode != 0 and "somebody holds the Lease" in refused.flat_output, refused.output
        assert {one["metadata"]["name"] for one in testbed.client.list(cleanup_scene.PODS)} == there
        report = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
        methods = [(method, path) for method, path, _body in receiver.requests]
        assert methods == [("POST", "/hook"), ("PUT", "/metrics/job/podnet_upkeep")]
        assert json.loads(receiver.requests[0][2]) == report
    summary = json.loads(testbed.client.get(f"{CONFIG_MAPS}/{NAME}-summary")["data"]["summary.json"])
    assert summary["taken_at"] == report["taken_at"] and summary["clean_ups"] == {"clean_stale_pods": None}
    assert len(list((tmp_path / "history").iterdir())) == 1

    testbed.client.delete(held)
    unheard = own_run(testbed, tmp_path)
    assert unheard.returncode != 0 and "The results could not be delivered. Push the report" in unheard.flat_output
    assert len(testbed.client.list(cleanup_scene.PODS)) == len(there) - min(2, len(there))
    summary = json.loads(testbed.client.get(f"{CONFIG_MAPS}/{NAME}-summary")["data"]["summary.json"])
    assert summary["clean_ups"]["clean_stale_pods"]["deleted"] == min(2, len(there))


def _timeless(report: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on when it was read."""
    return {key: report[key] for key in ("findings", "nodes", "pools", "summary", "unknown", "ipam_model", "allocator")}


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"image": ""}, "image: '' is no image"),
        ({"schedule": "daily"}, "has not the five fields of cron"),
        ({"namespace": "nowhere"}, "there is no namespace 'nowhere'"),
        ({"clean_ups": [{"playbook": "clean_endpoints", "max_deletions": 0}]}, "max_deletions of 1 or more"),
    ],
)
def test_bad_input_is_one_sentence(testbed: Testbed, variables: dict[str, Any], sentence: str) -> None:
    """And nothing is installed."""
    failed = install(testbed, **{"name": "bad", **variables})
    assert failed.returncode != 0 and sentence in failed.flat_output, failed.output
    assert testbed.client.find(CRON_JOB.replace(NAME, "bad")) is None


def test_removal_leaves_nothing(testbed: Testbed) -> None:
    """Neither in the namespace nor in those of the Roles."""
    assert install(testbed, state="absent").changed
    assert install(testbed, state="absent").changed == 0
    assert testbed.client.find(CRON_JOB) is None and testbed.client.find(f"{CONFIG_MAPS}/{NAME}") is None
    roles = testbed.client.list("/apis/rbac.authorization.k8s.io/v1/roles")
    assert not [one for one in roles if one["metadata"]["name"] == NAME]
