"""The objects of a schedule, on an API that remembers: what is refused, what is kept, and what is never written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import to_bool

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.schedule_manifests import (
    ScheduleOptions,
    command,
    manifests,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.schedule_objects import check

ROLE = Path(__file__).parents[5] / "roles/install_schedule"
GOOD: dict[str, Any] = {"name": "nightly", "namespace": "upkeep", "image": "example.com/ee:1", "schedule": "15 3 * * *"}


def test_the_pod_reads_its_settings_where_they_are() -> None:
    """The file of the command is the key of the ConfigMap in the folder of the volume."""
    settings, summary, cron_job = manifests(
        ScheduleOptions(**GOOD, settings={"audit_output_path": "/reports/audit.json"})
    )
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "settings"]
    (key,) = settings["data"]
    assert container["command"] == command() and f"@{mount['mountPath']}/{key}" in command()
    assert json.loads(settings["data"][key]) == {"audit_output_path": "/reports/audit.json"}
    assert "data" not in summary
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {one["name"] for one in pod["volumes"]}


def test_ansible_core_writes_where_it_may() -> None:
    """Its user has no home, and the root file system is read-only: each of its folders is in a volume, named in full."""
    (container,) = manifests(ScheduleOptions(**GOOD))[2]["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    env = {one["name"]: one["value"] for one in container["env"]}
    writable = tuple(one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly"))
    folders = [env[name] for name in ("HOME", "ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TMP")]
    assert all(folder.startswith(writable) for folder in folders), folders

    unit = rendered("service.j2").splitlines()
    of_unit = dict(line.removeprefix("Environment=").split("=", 1) for line in unit if line.startswith("Environment="))
    folders = [of_unit[name] for name in ("HOME", "ANSIBLE_HOME", "ANSIBLE_REMOTE_TMP")]
    assert "StateDirectory=podnet-upkeep/podnet-upkeep" in unit
    assert all(folder.startswith("/var/lib/podnet-upkeep/podnet-upkeep") for folder in folders), folders


def test_a_claim_and_a_token() -> None:
    """Reports stay, and the token comes from the Secret and is written nowhere."""
    options = ScheduleOptions(**GOOD, reports_claim="keep", push_secret="push")
    pod = manifests(options)[2]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert {"name": "reports", "persistentVolumeClaim": {"claimName": "keep"}} in pod["volumes"]
    (token,) = [one for one in pod["containers"][0]["env"] if "valueFrom" in one]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "push", "key": "token"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "Nightly"}, "name: 'Nightly' cannot be"),
        ({"name": "n" * 45}, "1 to 44"),
        ({"image": ""}, "image: '' is no image"),
        ({"schedule": "15 3 * *"}, "schedule: '15 3"),
        ({"active_deadline_seconds": 5}, "active_deadline_seconds: 5 is too little"),
        ({"run_as_user": 0}, "run_as_user: 0 is too little"),
    ],
)
def test_what_cannot_be_scheduled(changes: dict[str, Any], sentence: str) -> None:
    """One sentence that names the option."""
    with pytest.raises(InputError, match=sentence):
        check(ScheduleOptions(**{**GOOD, **changes}), present=True)


def rendered(name: str, **changes: Any) -> str:
    """A unit of the timer with the role's defaults."""
    values = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    values |= {"ansible_managed": "managed", "install_schedule_on_calendar": "*-*-* 03:15:00"}
    values |= {"install_schedule_run_kubeconfig": "/dev/null", "install_schedule_ansible_playbook": "/bin/true"}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["bool"] = to_bool  # of Ansible; jinja2 has none
    return environment.get_template(name).render(
        {**values, **{f"install_schedule_{key}": one for key, one in changes.items()}}
    )


def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    """By systemd-analyze, where there is one."""
    for name in ("service", "timer"):
        text = rendered(
            f"{name}.j2", textfile_dir="/tmp", groups=["root"], collections_path="/opt/c", push_token_file="/dev/null"
        )
        assert "\n\n\n" not in text and all(line.strip() == line for line in text.splitlines())
        (tmp_path / f"podnet-upkeep.{name}").write_text(text, encoding="utf-8")
    assert "DynamicUser=yes" in rendered("service.j2") and "User=ops" in rendered("service.j2", user="ops")
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    units = [str(tmp_path / f"podnet-upkeep.{name}") for name in ("service", "timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert not [line for line in done.stderr.splitlines() if "podnet-upkeep" in line], done.stderr
