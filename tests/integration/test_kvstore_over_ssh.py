"""The other way in: the real etcdctl on a real host, over SSH, of an etcd that listens on that host's loopback only."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from harness.playbook import run_playbook
from testbed import HostSpec, Testbed, TestbedSpec
from testbed.binaries import locate
from testbed.pki import Authority

pytestmark = [pytest.mark.testbed, pytest.mark.hosts, pytest.mark.long, pytest.mark.once]

FOLDER = "/etc/kubernetes/pki/etcd"  # where kubeadm has them, and the role looks
START = (
    "systemd-run --unit=etcd-of-test /opt/etcd --name=cp1 --data-dir=/var/lib/etcd-of-test "
    "--listen-client-urls=https://127.0.0.1:2379 --advertise-client-urls=https://127.0.0.1:2379 "
    "--listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 "
    f"--initial-cluster=cp1=http://127.0.0.1:2380 --client-cert-auth --trusted-ca-file={FOLDER}/ca.crt "
    f"--cert-file={FOLDER}/server.crt --key-file={FOLDER}/server.key --quota-backend-bytes=33554432"
)


def put(testbed: Testbed, file: Path, path: str, mode: str = "0600") -> None:
    """Copy a file onto the host, as it is."""
    host = testbed.hosts["h1"]
    with file.open("rb") as content:
        command = host.ssh_command(f"mkdir -p {Path(path).parent} && cat > {path} && chmod {mode} {path}")
        subprocess.run(command, stdin=content, check=True, timeout=120)


def test_etcdctl_over_ssh(tmp_path: Path) -> None:
    """A host that cannot be reached is passed over; the next one is asked with the certificates that it has."""
    programs = locate(["etcd", "etcdctl"])
    authority = Authority.create(tmp_path / "pki")
    authority.issue("server", "server", ip_addresses=("127.0.0.1",))
    authority.issue("healthcheck-client", "healthcheck-client")
    with Testbed.up(TestbedSpec(name=f"kvssh-{os.getpid()}", hosts=(HostSpec("h1"),))) as testbed:
        for name in ("etcd", "etcdctl"):
            put(testbed, programs[name], f"/opt/{name}", "0755")
        put(testbed, authority.cert, f"{FOLDER}/ca.crt")
        for name in ("server", "healthcheck-client"):
            for kind in ("crt", "key"):
                put(testbed, tmp_path / "pki" / f"{name}.{kind}", f"{FOLDER}/{name}.{kind}")
        testbed.hosts["h1"].run(START)

        inventory = yaml.safe_load(testbed.inventory.read_text(encoding="utf-8"))
        known = inventory["all"]["hosts"]
        known["gone"] = {**known["h1"], "ansible_host": "127.0.0.1", "ansible_port": 1}
        (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        result = tmp_path / "result.json"
        done = run_playbook(
            "podnet.upkeep.audit_kvstore",
            ["-i", str(tmp_path / "inventory.yml")],
            variables={
                "audit_kvstore_hosts": ["gone", "h1"],
                "audit_kvstore_etcdctl_in": "host",
                "audit_kvstore_etcdctl": "/opt/etcdctl",
                "audit_kvstore_output_path": str(result),
            },
        )
        assert done.returncode == 0, done.output
        found = json.loads(result.read_text(encoding="utf-8"))
        assert found["source"] == "etcdctl on a host" and found["leader"] == "cp1" and found["quorum"] is True
        (member,) = found["members"]
        assert member["version"].startswith("3.") and member["bytes"] > 0 and found["alarms"] == []
        assert found["database"]["quota_bytes"] in (None, 33554432) and found["contents"] is None
