"""An etcd whose members run on real hosts as kubeadm sets them up: TLS, client certificates, and no JSON gateway.

All members but the last are a process with etcdctl beside it on their host; the last is a static pod, and its host has no
etcdctl of its own.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.waiting import wait_until
from testbed import Testbed
from testbed.binaries import locate
from testbed.hosts.images import write_archive
from testbed.pki import Authority

PKI = "/etc/kubernetes/pki/etcd"
DATA = "/var/lib/etcd"
IMAGE = "testbed.local/etcd:1"
PROBE = "prober"


class EtcdFailedError(RuntimeError):
    """etcdctl failed; the text is what it said."""


class EtcdOnHosts:
    """One member on each host of a testbed; `names` are those of the hosts and of the members."""

    def __init__(self, testbed: Testbed, folder: Path, quota: int) -> None:
        self.testbed = testbed
        self.inventory = Path(testbed.inventory)  # by which playbooks reach the hosts
        self.names = tuple(testbed.hosts)
        self.in_pod = self.names[-1]
        self._quota = quota
        self._folder = folder
        self._etcdctl = locate(["etcd", "etcdctl"])["etcdctl"]
        addresses = tuple(host.address for host in testbed.hosts.values())
        self._authority = Authority.create(folder / "pki")
        self._authority.issue("server", "server", ip_addresses=("127.0.0.1", *addresses))
        self._authority.issue("healthcheck-client", "healthcheck-client")

    # -- life ------------------------------------------------------------------------------------------------------

    def start_all(self) -> None:
        """Bring certificates and programs to the hosts, start all members, and wait until they have a leader."""
        for name in self.names:
            self.put(name, self._authority.cert, f"{PKI}/ca.crt")
            for certificate in ("server", "healthcheck-client"):
                for kind in ("crt", "key"):
                    self.put(name, self._folder / "pki" / f"{certificate}.{kind}", f"{PKI}/{certificate}.{kind}")
            self.testbed.hosts[name].run(f"mkdir -p -m 0700 {DATA}")
            if name != self.in_pod:
                for program in ("etcd", "etcdctl"):
                    self.put(name, locate([program])[program], f"/usr/local/bin/{program}", "0755")
                self.start(name)
        self._start_pod()
        wait_until("a leader", self.leader)

    def start(self, name: str) -> None:
        """Start a member that is a process, with what it has stored."""
        words = " ".join(self._arguments(name))
        self.testbed.hosts[name].run(f"systemd-run --collect --unit=etcd-member /usr/local/bin/etcd {words}")

    def stop(self, name: str, *, kill: bool = False) -> None:
        """Stop a member that is a process, or kill it as a power cut does."""
        host = self.testbed.hosts[name]
        if kill:
            host.run("systemctl kill --signal=KILL etcd-member")
        host.run("systemctl stop etcd-member", check=False)

    def put(self, name: str, file: Path, path: str, mode: str = "0600") -> None:
        """Copy a file onto a host, as it is."""
        command = self.testbed.hosts[name].ssh_command(
            f"mkdir -p {Path(path).parent} && cat > {path} && chmod {mode} {path}"
        )
        with file.open("rb") as content:
            subprocess.run(command, stdin=content, check=True, timeout=120)

    def _arguments(self, name: str) -> list[str]:
        address = self.testbed.hosts[name].address
        peers = ",".join(f"{one}=http://{host.address}:2380" for one, host in self.testbed.hosts.items())
        return [
            f"--name={name}",
            f"--data-dir={DATA}",
            f"--listen-client-urls=https://127.0.0.1:2379,https://{address}:2379",
            f"--advertise-client-urls=https://{address}:2379",
            f"--listen-peer-urls=http://{address}:2380",
            f"--initial-advertise-peer-urls=http://{address}:2380",
            f"--initial-cluster={peers}",
            "--client-cert-auth",
            f"--trusted-ca-file={PKI}/ca.crt",
            f"--cert-file={PKI}/server.crt",
            f"--key-file={PKI}/server.key",
            f"--quota-backend-bytes={self._quota}",
            "--enable-grpc-gateway=false",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _start_pod(self) -> None:
        """As the static pod of kubeadm; its image has etcd, and etcdctl is put beside it."""
        name = self.in_pod
        archive = self._folder / "etcd.tar"
        write_archive(archive, IMAGE, locate(["etcd"])["etcd"], [])
        self.put(name, archive, "/opt/etcd.tar")
        self.put(name, self._etcdctl, "/opt/of-the-image/etcdctl", "0755")
        host = self.testbed.hosts[name]
        host.run("ctr -n k8s.io images import /opt/etcd.tar && rm /opt/etcd.tar")
        program = host.run(f"ctr -n k8s.io images ls -q name=={IMAGE}").stdout.strip()
        assert program == IMAGE
        mounts = {"etcd-data": DATA, "etcd-certs": PKI}
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "etcd", "namespace": "kube-system", "labels": {"component": "etcd"}},
            "spec": {
                "hostNetwork": True,
                "priorityClassName": "system-node-critical",
                "containers": [
                    {
                        "name": "etcd",
                        "image": IMAGE,
                        "imagePullPolicy": "Never",
                        "args": self._arguments(name),
                        "volumeMounts": [
                            *({"name": one, "mountPath": path} for one, path in mounts.items()),
                            {"name": "etcdctl", "mountPath": "/etcdctl", "readOnly": True},
                        ],
                    }
                ],
                "volumes": [
                    *({"name": one, "hostPath": {"path": path, "type": "Directory"}} for one, path in mounts.items()),
                    {"name": "etcdctl", "hostPath": {"path": "/opt/of-the-image/etcdctl", "type": "File"}},
                ],
            },
        }
        file = self._folder / "etcd.json"
        file.write_text(json.dumps(manifest), encoding="utf-8")
        self.put(name, file, "/etc/kubernetes/manifests/etcd.json")

    # -- asked from this machine -------------------------------------------------------------------------------------

    def endpoint(self, name: str) -> str:
        """The client URL of a member."""
        return f"https://{self.testbed.hosts[name].address}:2379"

    def etcdctl(self, *words: str, members: tuple[str, ...] = (), stdin: bytes = b"", seconds: int = 10) -> str:
        """What etcdctl prints; EtcdFailedError when it fails."""
        folder = self._folder / "pki"
        argv = [
            str(self._etcdctl),
            f"--endpoints={','.join(self.endpoint(one) for one in members or self.names)}",
            f"--cacert={self._authority.cert}",
            f"--cert={folder / 'healthcheck-client.crt'}",
            f"--key={folder / 'healthcheck-client.key'}",
            f"--command-timeout={seconds}s",
            *words,
        ]
        done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=120)
        if done.returncode:
            raise EtcdFailedError(done.stderr.decode())
        return done.stdout.decode()

    def status(self, name: str) -> Mapping[str, Any]:
        """What a member says about itself."""
        (found,) = json.loads(self.etcdctl("endpoint", "status", "--write-out=json", members=(name,)))
        status: Mapping[str, Any] = found["Status"]
        return status

    def leader(self) -> str | None:
        """The name of the member that leads; None while there is none, or it does not answer."""
        for name in self.names:
            try:
                status = self.status(name)
            except EtcdFailedError:
                continue
            if status.get("leader") == status["header"]["member_id"]:
                return name
        return None

    def fill(self, keys: int = 4, size: int = 1 << 20) -> int:
        """Write the same keys again and again until the quota is reached; how many writes it took."""
        for number in range(1000):
            try:
                value = hashlib.sha256(str(number).encode()).hexdigest().encode() * (size // 64)
                self.etcdctl("put", f"filler/{number % keys}", stdin=value)
            except EtcdFailedError as error:
                if "database space exceeded" not in str(error):
                    raise
                return number
        raise RuntimeError("the quota was never reached")

    def digest(self, name: str) -> str:
        """One hash of all keys, values, revisions and leases of a member, without what the prober writes."""
        found = json.loads(self.etcdctl("get", "", "--from-key", "--write-out=json", members=(name,)))
        kept = [one for one in found["kvs"] if one["key"] != "cHJvYmVy"]
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()

    def alarms(self) -> str:
        """Alarms that are raised."""
        return self.etcdctl("alarm", "list").strip()


@dataclass
class Reader:
    """Reads with a quorum through one member after the other all the time, as clients do."""

    etcd: EtcdOnHosts
    gaps: list[float] = field(default_factory=list)
    failures: int = 0
    _end: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Reader:
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()

    def _read(self) -> None:
        last, number = time.monotonic(), 0
        while not self._end.is_set():
            member = self.etcd.names[number % len(self.etcd.names)]
            number += 1
            try:
                self.etcd.etcdctl("get", PROBE, members=(member,), seconds=2)
            except EtcdFailedError:
                self.failures += 1
                continue
            now = time.monotonic()
            self.gaps.append(now - last)
            last = now
