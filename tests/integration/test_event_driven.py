"""The rulebook, run by the real ansible-rulebook: alerts of ours start audits and approvals at a stand-in for the controller."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from harness.fake_awx.server import TOKEN, FakeAwx
from harness.role_steps import collection_folder

pytestmark = [pytest.mark.testbed, pytest.mark.once]

PROGRAM = Path(__file__).parents[2] / ".venv/eda/bin/ansible-rulebook"
RULEBOOK = collection_folder() / "extensions/eda/rulebooks/alerts.yml"
NAME = "podnet.upkeep.alerts"
SECRET = "token-of-the-webhook"


def alert(name: str, status: str = "firing", playbook: str = "", **labels: str) -> dict[str, Any]:
    """An alert as Alertmanager sends it (its webhook's version 4)."""
    annotations = {"summary": f"{name} is true", "runbook_url": "https://example.com/page"}
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "critical", **labels},
        "annotations": {**annotations, **({"playbook": playbook} if playbook else {})},
        "startsAt": "2026-11-21T12:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "c0ffee",
    }


class Rulebook:
    """ansible-rulebook with our rulebook, and the controller that it starts jobs at."""

    def __init__(self, awx: FakeAwx, folder: Path, *, secret: str = SECRET) -> None:
        self.awx = awx
        self.log = folder / "log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        variables: dict[str, Any] = {"webhook_port": self.port, "prefix": "production", "organization": "Ops"}
        if secret:
            variables["webhook_token"] = secret
        (folder / "vars.yml").write_text(json.dumps(variables), encoding="utf-8")
        # ansible-rulebook asks for ansible-galaxy, which is beside the running Python
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{PROGRAM.parent}:{os.environ['PATH']}",
            "EDA_JOB_TEMPLATE_REFRESH_DELAY": "0.2",
            "PYTHONUNBUFFERED": "1",
            "no_proxy": "*",
            "ANSIBLE_COLLECTIONS_PATH": str(collection_folder().parents[2]),
            "EDA_CONTROLLER_URL": awx.url,
            "EDA_CONTROLLER_TOKEN": TOKEN,
        }
        command = [str(PROGRAM), "--rulebook", NAME, "--vars", str(folder / "vars.yml")]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True
            )

    def wait(self) -> None:
        """Until it listens."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def post(self, *alerts: dict[str, Any], token: str = SECRET) -> int:
        """Send one message of Alertmanager; returns the status of the answer."""
        body = {"version": "4", "status": "firing", "receiver": "podnet", "alerts": list(alerts)}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/alerts",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def started(self, number: int) -> list[dict[str, Any]]:
        """What was started at the controller, once there are `number` of them."""
        deadline = time.monotonic() + 60
        while len(self.awx.store.launches) < number and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.awx.store.launches

    def stop(self) -> None:
        """End it and what it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


@pytest.fixture
def rulebook(tmp_path: Path) -> Iterator[Rulebook]:
    """The rulebook beside a controller with one audit and one workflow of the names that configure_awx gives."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("audit", "reassign_pod_cidrs"):
        (project / f"{name}.yml").write_text("- import_playbook: x\n", encoding="utf-8")
    with FakeAwx(project) as awx:
        store = awx.store
        ops = store.create("organizations", {"name": "Ops"})["id"]
        repository = store.create("projects", {"name": "p", "organization": ops, "scm_type": "git"})["id"]
        inventory = store.create("inventories", {"name": "i", "organization": ops})["id"]
        asked = {"ask_variables_on_launch": True, "ask_limit_on_launch": True}
        for name in ("audit", "reassign_pod_cidrs"):
            template = {"name": f"production {name}", "project": repository, "inventory": inventory}
            store.create("job_templates", {**template, **asked, "playbook": f"{name}.yml"})
        workflow = {"name": "production reassign_pod_cidrs with approval", "organization": ops}
        store.create("workflow_job_templates", {**workflow, **asked})
        started = Rulebook(awx, tmp_path)
        try:
            started.wait()
            yield started
        finally:
            started.stop()


def test_the_schema_takes_the_rulebook() -> None:
    """That of ansible-rulebook itself; a misspelt key is refused."""
    (path,) = PROGRAM.parents[1].glob("lib/python3*/site-packages/ansible_rulebook/schema/ruleset_schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))
    rulesets = yaml.safe_load(RULEBOOK.read_text(encoding="utf-8"))
    jsonschema.validate(rulesets, schema)
    actions = [next(iter(rule["action"])) for rule in rulesets[0]["rules"]]
    assert sorted(actions) == ["run_job_template", "run_workflow_template"]
    rulesets[0]["rules"][0]["trottle"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rulesets, schema)


@pytest.mark.skipif(shutil.which("java") is None, reason="ansible-rulebook needs Java, which is not installed")
def test_alerts_start_audits_and_approvals_and_nothing_else(rulebook: Rulebook) -> None:
    """One audit or one workflow for what fires, none for repetitions, for what is resolved, for others, and without the token."""
    repair = alert(
        "PodnetFindingNodeCidrMissing", playbook="podnet.upkeep.reassign_pod_cidrs", finding="node-cidr-missing"
    )
    audit = alert("PodnetAuditMissing")
    assert rulebook.post(repair, audit, token="wrong") == 401
    silent = [alert("PodnetPoolLow", status="resolved"), alert("KubeNodeNotReady"), alert("NotPodnetAuditMissing")]
    assert rulebook.post(*silent, repair, audit) == 200
    started = rulebook.started(2)
    by_name = {each["template"]: each for each in started}
    assert set(by_name) == {"production reassign_pod_cidrs with approval", "production audit"}, rulebook.log.read_text()
    workflow = by_name["production reassign_pod_cidrs with approval"]
    assert workflow["type"] == "workflow_job"
    assert workflow["given"] == {
        "podnet_upkeep_alert": {
            "name": "PodnetFindingNodeCidrMissing",
            "severity": "critical",
            "finding": "node-cidr-missing",
            "summary": "PodnetFindingNodeCidrMissing is true",
        }
    }
    assert by_name["production audit"]["given"]["podnet_upkeep_alert"]["finding"] == ""
    # limited to all hosts of the inventory, a job would leave out localhost and do nothing
    assert [each["limit"] for each in started] == ["", ""]
    # the same alerts again, and another kind of them, which shows that they were read
    assert rulebook.post(repair, audit) == 200
    assert rulebook.post(alert("PodnetAuditOld")) == 200
    again = rulebook.started(3)
    assert [each["given"]["podnet_upkeep_alert"]["name"] for each in again[2:]] == ["PodnetAuditOld"]
    assert not [each for each in again if each["template"] == "production reassign_pod_cidrs"], (
        "a repair was started directly"
    )


@pytest.mark.long
@pytest.mark.skipif(shutil.which("java") is None, reason="ansible-rulebook needs Java, which is not installed")
def test_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    """Who can reach the port could start jobs."""
    with FakeAwx(tmp_path) as awx:
        started = Rulebook(awx, tmp_path, secret="")
        try:
            assert started.process.wait(120) == 1
        finally:
            started.stop()
        assert "'webhook_token' is undefined" in started.log.read_text(encoding="utf-8")
