"""The other way in: etcdctl on hosts. Programs print what the real one printed, and the real one is asked of a real etcd."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from unit.plugins.module_utils._domain.test_etcd_members import ALARMS, MEMBERS, STATUS

from harness.playbook import PlaybookRun, run_playbook
from testbed.binaries import locate
from testbed.etcd_cluster import EtcdCluster, EtcdSpec

pytestmark = pytest.mark.testbed

PROGRAM = """#!{python}
import json, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv) + "\\n")
words = [one for one in sys.argv[1:] if not one.startswith("--")]
if {broken!r}:
    sys.exit("Error: context deadline exceeded")
if words[:1] == ["ps"]:
    print("0123456789ab")
elif "status" in words:
    print({status!r})
    sys.exit("Failed to get the status of endpoint https://127.0.0.1:20305")
elif "member" in words:
    print({members!r})
else:
    print({alarms!r})
"""


def program(path: Path, log: Path, *, broken: bool = False) -> Path:
    """A program that stands for etcdctl, or for crictl that runs it."""
    made = PROGRAM.format(
        python=sys.executable, log=str(log), broken=broken, status=STATUS, members=MEMBERS, alarms=ALARMS
    )
    path.write_text(made, encoding="utf-8")
    path.chmod(0o755)
    return path


def play(folder: Path, hosts: dict[str, dict[str, Any]], **variables: Any) -> tuple[PlaybookRun, dict[str, Any]]:
    """The playbook on hosts that are this machine, and its result."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": {name: {**local, **own} for name, own in hosts.items()}}}))
    result = folder / "result.json"
    done = run_playbook(
        "podnet.upkeep.audit_kvstore",
        ["-i", str(inventory)],
        variables={
            "audit_kvstore_hosts": list(hosts),
            "audit_kvstore_become": False,
            "audit_kvstore_output_path": str(result),
            **variables,
        },
    )
    return done, json.loads(result.read_text()) if result.exists() else {}


@pytest.mark.parametrize("place", ["container", pytest.param("host", marks=pytest.mark.long)])
def test_hosts_are_asked_one_after_the_other(tmp_path: Path, place: str) -> None:
    """The first that answers is enough; a member that is down makes etcdctl fail, and the others are told all the same."""
    log = tmp_path / "log"
    name = "crictl" if place == "container" else "etcdctl"
    broken = program(tmp_path / "broken", log, broken=True)
    works = program(tmp_path / "works", log)
    done, found = play(
        tmp_path, {"cp0": {}, "cp1": {}}, audit_kvstore_etcdctl_in=place, **{f"audit_kvstore_{name}": str(works)}
    )
    assert done.returncode == 0 and done.changed <= 1, done.output
    assert found["source"] == "etcdctl on a host" and found["leader"] == "etcd-0" and found["quorum"] is True
    assert found["alarms"] == [{"member": "etcd-1", "alarm": "NOSPACE"}]
    assert "Member etcd-2 does not answer" in found["problems"][0]
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    asked = [one[1:] for one in asked if "ps" not in one]
    assert len(asked) == 3  # the second host was not needed
    begin = ["exec", "0123456789ab", "etcdctl"] if place == "container" else []
    assert asked[0] == [
        *begin,
        "--endpoints=https://127.0.0.1:2379",
        "--cacert=/etc/kubernetes/pki/etcd/ca.crt",
        "--cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt",
        "--key=/etc/kubernetes/pki/etcd/healthcheck-client.key",
        "--write-out=json",
        *("endpoint", "status", "--cluster"),
    ]

    done, found = play(
        tmp_path, {"cp0": {}, "cp1": {}}, audit_kvstore_etcdctl_in=place, **{f"audit_kvstore_{name}": str(broken)}
    )
    assert done.returncode != 0
    assert "No host could ask the etcd: cp0: Error: context deadline exceeded. cp1: Error:" in done.flat_output, (
        done.output
    )


def test_the_real_etcdctl(tmp_path: Path) -> None:
    """Of a real etcd; its numbers are those of the gateway."""
    with EtcdCluster.up(EtcdSpec(f"kvetcdctl-{os.getpid()}")) as etcd:
        etcd.kill("etcd-2")
        done, found = play(
            tmp_path,
            {"cp0": {}},
            audit_kvstore_etcdctl_in="host",
            audit_kvstore_etcdctl=str(locate(["etcdctl"])["etcdctl"]),
            audit_kvstore_etcdctl_endpoint=etcd.endpoints[0],
            audit_kvstore_etcdctl_ca_cert=str(etcd.ca),
            audit_kvstore_etcdctl_client_cert=str(etcd.client.cert),
            audit_kvstore_etcdctl_client_key=str(etcd.client.key),
        )
        assert done.returncode == 0, done.output
        assert found["leader"] == etcd.leader() and found["alarms"] == []
        told = {one["name"]: one for one in found["members"]}
        assert told["etcd-0"]["bytes"] == int(etcd.status("etcd-0")["dbSize"]) and told["etcd-2"]["error"]
