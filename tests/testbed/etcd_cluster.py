"""A real etcd of several members on loopback, with TLS and client certificates, without Kubernetes.

with EtcdCluster.up(EtcdSpec("mine", quota=16 << 20)) as etcd:
    etcd.put("key", b"value")
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3

from . import binaries, paths, ports, processes
from .etcd_requests import EtcdAnswerError, EtcdRequests, encoded
from .pki import Authority, Certificate
from .testbed import remove_orphans, take_down

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class EtcdSpec:
    """How many members, their quota in bytes (0: etcd's own), whether clients need a certificate, and further flags."""

    name: str
    members: int = 3
    quota: int = 0
    client_certificates: bool = True
    arguments: tuple[str, ...] = ()


class EtcdCluster(EtcdRequests):
    """One cluster in a run folder of its own; every member can be stopped, killed and started again."""

    def __init__(self, directory: Path, spec: EtcdSpec) -> None:
        self.directory = directory
        self.spec = spec
        self.names = tuple(f"etcd-{number}" for number in range(spec.members))
        self.authority = Authority(directory / "pki")

    # -- where things are ------------------------------------------------------------------------------------------

    def endpoint(self, name: str) -> str:
        """The client URL of a member."""
        return f"https://{ADDRESS}:{ports.port(self.directory, f'{name}-client')}"

    @property
    def endpoints(self) -> list[str]:
        """All client URLs."""
        return [self.endpoint(name) for name in self.names]

    @property
    def ca(self) -> Path:
        """The authority that members and clients are signed by."""
        return self.authority.cert

    @property
    def client(self) -> Certificate:
        """The certificate of a client that members accept."""
        folder = self.directory / "pki"
        return Certificate(folder / "client.crt", folder / "client.key")

    def stranger(self) -> Certificate:
        """A certificate, and beside it the ca.crt, of an authority that no member knows."""
        folder = self.directory / "stranger"
        authority = Authority(folder) if folder.exists() else Authority.create(folder)
        return authority.issue("client", "stranger")

    # -- life ------------------------------------------------------------------------------------------------------

    @classmethod
    @contextmanager
    def up(cls, spec: EtcdSpec) -> Iterator[EtcdCluster]:
        """Start all members for the `with` block, and remove everything afterwards, whatever happens."""
        cluster = cls.create(spec, owner=os.getpid())
        try:
            yield cluster
        finally:
            take_down(spec.name)

    @classmethod
    def create(cls, spec: EtcdSpec, owner: int | None = None) -> EtcdCluster:
        """Start all members; they stay until `testbed.take_down`, or until the process `owner` is gone and somebody reaps."""
        remove_orphans()
        binaries.locate(["etcd"])
        documents: dict[str, object] = {"etcd.json": asdict(spec)}
        if owner is not None:
            documents["owner.json"] = {"pid": owner, "start_time": processes.start_time_of(owner)}
        directory, _index = paths.claim(spec.name, documents)
        try:
            authority = Authority.create(directory / "pki")
            authority.issue("member", "member", dns_names=("localhost",), ip_addresses=(ADDRESS,))
            authority.issue("client", "client")
            cluster = cls(directory, spec)
            for name in cluster.names:
                cluster.start(name)
            cluster.wait_healthy()
        except BaseException:
            take_down(spec.name)
            raise
        return cluster

    def start(self, name: str, **changes: str) -> None:
        """Start a member with what it has stored; `changes` are further flags (quota_backend_bytes="...")."""
        members = ",".join(f"{one}={self._peer(one)}" for one in self.names)
        folder = self.directory / "pki"
        argv = [
            str(binaries.locate(["etcd"])["etcd"]),
            f"--name={name}",
            f"--data-dir={self.directory / 'data' / name}",
            f"--listen-client-urls={self.endpoint(name)}",
            f"--advertise-client-urls={self.endpoint(name)}",
            f"--listen-peer-urls={self._peer(name)}",
            f"--initial-advertise-peer-urls={self._peer(name)}",
            f"--initial-cluster={members}",
            f"--initial-cluster-token={self.spec.name}",
            *(["--client-cert-auth", f"--trusted-ca-file={self.ca}"] if self.spec.client_certificates else []),
            f"--cert-file={folder / 'member.crt'}",
            f"--key-file={folder / 'member.key'}",
            "--peer-client-cert-auth",
            f"--peer-trusted-ca-file={self.ca}",
            f"--peer-cert-file={folder / 'member.crt'}",
            f"--peer-key-file={folder / 'member.key'}",
            "--log-level=warn",
            "--unsafe-no-fsync",
            *([f"--quota-backend-bytes={self.spec.quota}"] if self.spec.quota else []),
            *self.spec.arguments,
            *(f"--{key.replace('_', '-')}={value}" for key, value in changes.items()),
        ]
        processes.start(self.directory, name, argv)

    def kill(self, name: str) -> None:
        """End a member as a power cut does."""
        processes.stop(self.directory, name, number=signal.SIGKILL)

    def pause(self, name: str) -> None:
        """Stop a member without ending it; `go_on` wakes it."""
        self._signal(name, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """Wake a paused member."""
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: int) -> None:
        record = processes.read(self.directory, name)
        if record is None or not processes.send(record, number):
            raise RuntimeError(f"{name} does not run")

    def wait_healthy(self, seconds: float = 180) -> None:
        """Wait until every member says that it is healthy; TimeoutError with the end of a log."""
        end = time.monotonic() + seconds
        for name in self.names:
            while not self._healthy(name):
                if time.monotonic() > end:
                    raise TimeoutError(f"{name} is not healthy: {processes.tail(self.directory, name)}")
                time.sleep(0.05)

    def wait_answering(self, seconds: float = 180) -> None:
        """Wait until every member takes part in decisions, whatever alarms there are; TimeoutError."""
        end = time.monotonic() + seconds
        for name in self.names:
            while True:
                try:
                    self.ask("/v3/kv/range", {"key": encoded(b"\0")}, member=name, timeout=2)
                    break
                except (urllib3.exceptions.HTTPError, EtcdAnswerError) as error:
                    if time.monotonic() > end:
                        raise TimeoutError(f"{name}: {error}") from error
                    time.sleep(0.05)

    def _healthy(self, name: str) -> bool:
        try:
            answer = self.pool.request(
                "GET", f"{self.endpoint(name)}/health?serializable=false", timeout=2, retries=False
            )
        except urllib3.exceptions.HTTPError:
            return False
        return bool(answer.status == 200)

    def _peer(self, name: str) -> str:
        return f"https://{ADDRESS}:{ports.port(self.directory, f'{name}-peer')}"


def main(arguments: list[str] | None = None) -> None:
    """`up NAME QUOTA` starts three members and fills them to their quota; `down NAME` removes them."""
    parser = argparse.ArgumentParser(prog="python -m testbed.etcd_cluster")
    parser.add_argument("act", choices=["up", "down"])
    parser.add_argument("name")
    parser.add_argument("quota", type=int, nargs="?", default=16 << 20)
    given = parser.parse_args(arguments)
    if given.act == "down":
        take_down(given.name)
        return
    cluster = EtcdCluster.create(EtcdSpec(given.name, quota=given.quota))
    cluster.fill()
    files = {"ca": cluster.ca, "cert": cluster.client.cert, "key": cluster.client.key}
    print(json.dumps({"endpoints": cluster.endpoints, **{name: str(path) for name, path in files.items()}}))


if __name__ == "__main__":
    main()
