"""A real etcd of several members on loopback, with TLS and client certificates, without Kubernetes.

with EtcdCluster.up(EtcdSpec("mine", quota=16 << 20)) as etcd:
    etcd.put("key", b"value")
"""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import urllib3

from . import binaries, paths, ports, processes
from .pki import Authority, Certificate
from .testbed import remove_orphans, take_down

ADDRESS = "127.0.0.1"


class EtcdAnswerError(RuntimeError):
    """A member answered with an error; `status` is that of HTTP, the text etcd's own words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


@dataclass(frozen=True)
class EtcdSpec:
    """How many members, their quota in bytes (0: etcd's own), whether clients need a certificate, and further flags."""

    name: str
    members: int = 3
    quota: int = 0
    client_certificates: bool = True
    arguments: tuple[str, ...] = ()


class EtcdCluster:
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
        remove_orphans()
        binaries.locate(["etcd"])
        owner = {"pid": os.getpid(), "start_time": processes.start_time_of(os.getpid())}
        directory, _index = paths.claim(spec.name, {"etcd.json": asdict(spec), "owner.json": owner})
        try:
            authority = Authority.create(directory / "pki")
            authority.issue("member", "member", dns_names=("localhost",), ip_addresses=(ADDRESS,))
            authority.issue("client", "client")
            cluster = cls(directory, spec)
            for name in cluster.names:
                cluster.start(name)
            cluster.wait_healthy()
            yield cluster
        finally:
            take_down(spec.name)

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

    def wait_healthy(self, seconds: float = 30) -> None:
        """Wait until every member says that it is healthy; TimeoutError with the end of a log."""
        end = time.monotonic() + seconds
        for name in self.names:
            while not self._healthy(name):
                if time.monotonic() > end:
                    raise TimeoutError(f"{name} is not healthy: {processes.tail(self.directory, name)}")
                time.sleep(0.05)

    def wait_answering(self, seconds: float = 30) -> None:
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

    # -- requests --------------------------------------------------------------------------------------------------

    @cached_property
    def pool(self) -> urllib3.PoolManager:
        """Connections with the certificate of `client`."""
        return urllib3.PoolManager(
            ca_certs=str(self.ca), cert_file=str(self.client.cert), key_file=str(self.client.key), maxsize=16
        )

    def ask(self, path: str, body: Mapping[str, Any] | None = None, *, member: str = "", timeout: float = 30) -> Any:
        """One request to a member (the first when none is named); EtcdAnswerError for what is no success."""
        answer = self.pool.request(
            "POST",
            self.endpoint(member or self.names[0]) + path,
            body=json.dumps(body or {}),
            timeout=timeout,
            retries=False,
        )
        if answer.status != 200:
            raise EtcdAnswerError(answer.status, answer.data.decode())
        return json.loads(answer.data)

    def put(self, key: str, value: bytes, *, lease: int = 0, member: str = "") -> None:
        """Write one key, with a lease where one is named."""
        body = {"key": encoded(key.encode()), "value": encoded(value)}
        self.ask("/v3/kv/put", {**body, "lease": str(lease)} if lease else body, member=member)

    def everything(self, prefix: str = "\0", *, member: str = "") -> dict[bytes, tuple[bytes, int, int]]:
        """{key: (value, mod revision, lease)} of all keys from `prefix` on, page by page."""
        found: dict[bytes, tuple[bytes, int, int]] = {}
        key = prefix.encode()
        end = b"\0" if prefix == "\0" else _after(key)
        while True:
            page = self.ask(
                "/v3/kv/range", {"key": encoded(key), "range_end": encoded(end), "limit": "500"}, member=member
            )
            for one in page.get("kvs") or ():
                key = base64.b64decode(one["key"])
                value = base64.b64decode(one.get("value", ""))
                found[key] = (value, int(one["mod_revision"]), int(one.get("lease", 0)))
            if not page.get("more"):
                return found
            key += b"\0"

    def status(self, name: str) -> dict[str, Any]:
        """What a member says about itself."""
        found: dict[str, Any] = self.ask("/v3/maintenance/status", member=name)
        return found

    def leader(self) -> str:
        """The name of the member that leads."""
        for name in self.names:
            try:
                status = self.status(name)
            except (urllib3.exceptions.HTTPError, EtcdAnswerError):
                continue
            if status.get("leader") == status["header"]["member_id"]:
                return name
        raise LookupError("no member leads")

    def _peer(self, name: str) -> str:
        return f"https://{ADDRESS}:{ports.port(self.directory, f'{name}-peer')}"


def encoded(data: bytes) -> str:
    """Bytes as the gateway takes them."""
    return base64.b64encode(data).decode()


def _after(prefix: bytes) -> bytes:
    """The end of the range of all keys that begin with `prefix`."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
