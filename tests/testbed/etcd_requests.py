"""Requests to a real etcd through its JSON gateway, as tests need them; not the product's."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import urllib3

from .pki import Certificate


class EtcdAnswerError(RuntimeError):
    """A member answered with an error; `status` is that of HTTP, the text etcd's own words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class EtcdRequests:
    """What can be asked of a cluster whose members have these `names`."""

    names: tuple[str, ...]

    def endpoint(self, name: str) -> str:
        """The client URL of a member."""
        raise NotImplementedError

    @property
    def ca(self) -> Path:
        """The authority that members are signed by."""
        raise NotImplementedError

    @property
    def client(self) -> Certificate:
        """The certificate of a client that members accept."""
        raise NotImplementedError

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

    def fill(self, keys: int = 10, size: int = 128 << 10, most: int = 64 << 20) -> int:
        """Write the same keys again and again until the quota is reached; how many writes it took."""
        for number in range(most // size):
            try:
                self.put(f"filler/{number % keys}", os.urandom(size))
            except EtcdAnswerError as error:
                if "database space exceeded" not in error.text:
                    raise
                return number
        raise RuntimeError("the quota was never reached")

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
                "/v3/kv/range", {"key": encoded(key), "range_end": encoded(end), "limit": "50"}, member=member
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


def encoded(data: bytes) -> str:
    """Bytes as the gateway takes them."""
    return base64.b64encode(data).decode()


def _after(prefix: bytes) -> bytes:
    """The end of the range of all keys that begin with `prefix`."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
