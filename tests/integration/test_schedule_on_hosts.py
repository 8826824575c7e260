"""Schedules that really run: the pod of a CronJob by a kubelet, in an execution environment, and the timer by systemd.

Nothing of the pod is changed for the test: it is in a namespace of the level "restricted", in the pod network, with the token
that the kubelet projects, and it finds the API server by the Service `kubernetes`.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.receiver import Receiver
from harness.schedule_scene import (
    CRON_JOB,
    ENDED,
    JOBS,
    NAME,
    NAMESPACE,
    PODS,
    SUMMARY,
    ScheduleScene,
    outcome,
    scene,
    timeless,
)
from harness.waiting import wait_until

pytestmark = [pytest.mark.testbed, pytest.mark.hosts, pytest.mark.once, pytest.mark.long]

EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"
CLOCKS = "/apis/batch/v1/namespaces/default/cronjobs"
#: A run that waits for an answer to its report until somebody ends it.
STUCK = {"variables": {"scheduled_run_push_timeout": 7200}}
#: Seconds: far more than a run needs on a busy machine until it waits for that answer.
DEADLINE = 240


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScheduleScene]:
    """One host for all tests of this file."""
    with scene(f"schedules-{os.getpid()}", tmp_path_factory.mktemp("collection")) as made:
        yield made


@pytest.fixture
def receiver(host: ScheduleScene) -> Iterator[Receiver]:
    """A server on this machine's end of the bridge."""
    with Receiver(host.testbed.address) as made:
        yield made


def test_a_job_reports_as_by_hand_and_cleans_up_within_its_bound(
    host: ScheduleScene, receiver: Receiver, tmp_path: Path
) -> None:
    """Started by kubectl out of the CronJob: in the volume, in the ConfigMap and at both URLs is what there is by hand."""
    ended = host.pile_up_ended_pods()
    done = host.install(
        push_url=f"{receiver.url}/hook",
        pushgateway_url=receiver.url,
        clean_ups=[{"playbook": "clean_stale_pods", "max_deletions": 2}],
        variables={"clean_stale_pods_min_age": 0},
    )
    assert done.returncode == 0, done.output
    by_hand = host.audit(tmp_path)
    assert by_hand["summary"]["critical"] == 1
    job = host.run_now("now")
    assert outcome(job) == "Complete", host.log("now")

    report = json.loads(host.file("audit.json"))
    assert timeless(report, own_pod=True) == timeless(by_hand)
    sent = {(method, path): body for method, path, body in receiver.requests}
    assert list(sent) == [("POST", "/hook"), ("PUT", "/metrics/job/podnet_upkeep")]
    assert json.loads(sent["POST", "/hook"]) == report
    assert sent["PUT", "/metrics/job/podnet_upkeep"] == host.file("podnet_upkeep.prom")
    assert b"<html" in host.file("audit.html")
    summary = json.loads(host.client.get(SUMMARY)["data"]["summary.json"])
    assert summary["counts"] == by_hand["summary"] and summary["taken_at"] == report["taken_at"]
    assert summary["clean_ups"]["clean_stale_pods"]["deleted"] == 2
    assert len(host.client.list(ENDED)) == ended - 2

    # it was this pod, with its own token, from the pod network
    (pod,) = host.client.list(PODS)
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] and not pod["spec"].get("hostNetwork")
    (block,) = host.client.get(f"/api/v1/nodes/{host.host.name}")["spec"]["podCIDRs"]
    assert ipaddress.ip_address(pod["status"]["podIP"]) in ipaddress.ip_network(block)
    asked = host.requests_of_the_account()
    names = {tuple(one["user"]["extra"]["authentication.kubernetes.io/pod-name"]) for one in asked}
    assert names == {(pod["metadata"]["name"],)} and {tuple(one["sourceIPs"]) for one in asked} == {
        (host.host.address,)
    }


def event(host: ScheduleScene, reason: str) -> bool:
    """Whether the CronJob has an event with this reason."""
    found = host.client.list(EVENTS, params={"fieldSelector": f"reason={reason},involvedObject.name={NAME}"})
    return bool(found)


def wait_for_a_tick(host: ScheduleScene, name: str) -> None:
    """Until the controller of CronJobs has started another one that is due every minute, and that we make here."""
    pod = {"restartPolicy": "Never", "nodeSelector": {"none": "like-this"}, "containers": [{"name": "c", "image": "c"}]}
    template = {"spec": {"template": {"spec": pod}}}
    host.client.create(CLOCKS, {"metadata": {"name": name}, "spec": {"schedule": "* * * * *", "jobTemplate": template}})
    wait_until("a minute has begun", lambda: host.client.get(f"{CLOCKS}/{name}")["status"].get("lastScheduleTime"))
    host.client.delete(f"{CLOCKS}/{name}", {"propagationPolicy": "Background"})


def containers(host: ScheduleScene) -> str:
    """Containers of runs that live on the host."""
    return host.host.run("crictl ps --name '^run$' -q").stdout.strip()


def test_runs_are_due_do_not_overlap_and_end(host: ScheduleScene, receiver: Receiver) -> None:
    """A run that hangs keeps the next one away until its deadline ends it; the switch holds what is due; removal ends all."""
    host.client.delete(JOBS, {"propagationPolicy": "Background"})
    wait_until("no Job is left", lambda: not host.jobs() and not host.client.list(PODS))
    receiver.hold()
    due = {"schedule": "* * * * *", "push_url": f"{receiver.url}/hook", "deadline": DEADLINE, **STUCK}
    assert host.install(**due).returncode == 0
    (job,) = wait_until("the first run is due", host.jobs)
    wait_until("it hangs", lambda: receiver.requests, 600)
    wait_until("the next one is due", lambda: event(host, "JobAlreadyActive"))
    assert host.jobs() == [job] and len(receiver.requests) == 1

    held = host.install(**due, suspend=True)
    assert held.returncode == 0 and held.changed, held.output
    assert host.client.get(CRON_JOB)["status"]["active"][0]["name"] == job  # it goes on
    wait_until("the deadline has ended it", lambda: outcome(host.client.get(f"{JOBS}/{job}")), 600)
    assert outcome(host.client.get(f"{JOBS}/{job}")) == "DeadlineExceeded"
    wait_until("nothing of it is left on the host", lambda: not containers(host))
    wait_for_a_tick(host, "clock")
    assert host.jobs() == [job]

    assert host.install(**due, starting_deadline=10).changed
    wait_until("the next run is due", lambda: len(host.jobs()) == 2)
    wait_until("it hangs", lambda: len(receiver.requests) == 2, 600)
    assert containers(host)
    gone = host.install(state="absent")
    assert gone.returncode == 0, gone.output
    wait_until("nothing of it is left", lambda: not host.jobs() and not host.client.list(PODS) and not containers(host))
    wait_for_a_tick(host, "clock-again")
    assert not host.jobs() and host.client.find(SUMMARY) is None


STATE = f"/var/lib/podnet-upkeep/{NAME}"
TEXTFILES = "/var/lib/node-exporter"


def is_running(host: ScheduleScene) -> bool:
    """Whether a run of the timer is under way."""
    return host.unit("service", "ActiveState")["ActiveState"] == "activating"


def test_a_timer_reports_as_by_hand_is_held_and_goes(host: ScheduleScene, receiver: Receiver, tmp_path: Path) -> None:
    """With the ansible-core of the host, as the user that systemd makes, and with the permissions of the audit alone."""
    host.prepare_control_host()
    host.host.run(f"groupadd exporters; install -d -g exporters -m 0775 {TEXTFILES}")
    there = {"groups": ["exporters"], "textfile_dir": TEXTFILES, "push_url": f"{receiver.url}/hook"}
    before = host.host.run("find /etc /var/lib/systemd/timers -newer /etc/machine-id | sort").stdout
    looked = host.install_timer("--check", "--diff", **there)
    assert looked.returncode == 0 and looked.changed, looked.output
    assert host.host.run("find /etc /var/lib/systemd/timers -newer /etc/machine-id | sort").stdout == before
    assert host.install_timer(**there).changed
    again = host.install_timer(**there)
    assert (again.returncode, again.changed) == (0, 0), again.output

    wait_until("the timer has fired and its run has sent the report", lambda: receiver.requests, 600)
    wait_until("it has ended", lambda: not is_running(host), 600)
    log_of = f"journalctl -u {NAME}.service -o cat --no-pager"
    log = host.host.run(log_of).stdout
    assert host.unit("service", "Result")["Result"] == "success", log
    assert host.unit("timer", "LastTriggerUSec")["LastTriggerUSec"], log
    report = json.loads(receiver.requests[0][2])
    assert timeless(report) == timeless(host.audit(tmp_path))
    # node_exporter has a user of its own
    metrics = f"runuser -u nobody -- cat {TEXTFILES}/podnet_upkeep.prom"
    files = host.host.run(f"cd {STATE}; find . -maxdepth 1 -type f; {metrics}").stdout
    assert {"./audit.json", "./audit.html"} <= set(files.split()) and "podnet_upkeep_findings" in files

    # the switch: another timer passes the minute, this one does not
    assert host.install_timer(**there, suspend=True).changed
    assert host.unit("timer", "ActiveState", "UnitFileState") == {
        "ActiveState": "inactive",
        "UnitFileState": "disabled",
    }
    wait_until("a run has ended", lambda: not is_running(host), 600)
    runs = len(receiver.requests)
    host.host.run("systemd-run --quiet --unit=clock --on-calendar='*-*-* *:*:00' touch /run/clock")
    wait_until("a minute has begun", lambda: host.host.run("test -e /run/clock", check=False).returncode == 0)
    host.host.run("systemctl stop clock.timer")
    assert len(receiver.requests) == runs

    # a run that hangs keeps others away until its deadline ends it
    receiver.hold()
    assert host.install_timer(**there, **STUCK, deadline=DEADLINE).changed
    wait_until("a run hangs", lambda: len(receiver.requests) > runs, 600)
    taken = host.host.run(f"flock --nonblock --conflict-exit-code 75 {STATE}/lock true", check=False)
    assert taken.returncode == 75
    # the next run, which is due by then, begins at once
    wait_until("its deadline", lambda: "Failed with result 'timeout'" in host.host.run(log_of).stdout, 600, 1)

    gone = host.install_timer(state="absent")
    assert gone.returncode == 0 and gone.changed, gone.output
    left = host.host.run(
        f"systemctl list-unit-files --all --no-legend '{NAME}.*'; systemctl list-units --all --no-legend '{NAME}.*';"
        f" find /etc /run/systemd /var/lib/systemd -name '*{NAME}*' -o -name podnet-upkeep; pgrep -fa scheduled_run;"
        # metrics that nobody writes any more would be served for ever
        f" find {TEXTFILES} -type f",
        check=False,
    )
    assert not left.stdout, left.stdout
    assert json.loads(host.host.run(f"cat {STATE}/audit.json").stdout)  # reports stay
    assert host.install_timer(state="absent").changed == 0
