"""A small client of the testbed's API server for tests: raw JSON, admin credentials, watch.

It shares no line with the product's client on purpose: a defect there must not hide itself.
"""

from __future__ import annotations

import base64
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

JsonObject = dict[str, Any]
_STORAGE_SECONDS = 20.0


class ServerError(RuntimeError):
    """The API server refused a request."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text}")
        self.status = status


class Client:
    """Requests with the credentials of one kubeconfig that `pki.Authority.kubeconfig` wrote."""

    def __init__(self, kubeconfig: Path) -> None:
        """Read the kubeconfig; nothing is sent yet."""
        content = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self.server: str = cluster["server"]
        # beside the kubeconfig: should this process be killed, the keys go with the testbed
        self._folder = tempfile.TemporaryDirectory(prefix=".client-", dir=kubeconfig.parent)
        files = {}
        for name, text in (
            ("ca", cluster["certificate-authority-data"]),
            ("cert", user["client-certificate-data"]),
            ("key", user["client-key-data"]),
        ):
            files[name] = Path(self._folder.name) / name
            files[name].write_bytes(base64.b64decode(text))
        self._pool = urllib3.PoolManager(
            ca_certs=str(files["ca"]), cert_file=str(files["cert"]), key_file=str(files["key"]), maxsize=8
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> JsonObject:
        """One request; ServerError for every answer that is not 2xx."""
        url = self.server + path + (f"?{urlencode(params)}" if params else "")
        data = None if body is None else json.dumps(body).encode()
        end = time.monotonic() + _STORAGE_SECONDS
        while True:
            answer = self._pool.request(
                method, url, body=data, headers={"Content-Type": content_type}, retries=False, timeout=30.0
            )
            if answer.status != 429 or b"storage is (re)initializing" not in answer.data or time.monotonic() > end:
                break
            time.sleep(0.2)  # of a kind that was defined a moment ago
        if not 200 <= answer.status < 300:
            raise ServerError(answer.status, answer.data.decode(errors="replace"))
        decoded: JsonObject = json.loads(answer.data) if answer.data[:1] == b"{" else {"text": answer.data.decode()}
        return decoded

    def get(self, path: str, params: Mapping[str, str] | None = None) -> JsonObject:
        """One object (ServerError 404 when absent)."""
        return self.request("GET", path, params=params)

    def find(self, path: str) -> JsonObject | None:
        """One object or None."""
        try:
            return self.get(path)
        except ServerError as error:
            if error.status == 404:
                return None
            raise

    def list(self, path: str, params: Mapping[str, str] | None = None) -> list[JsonObject]:
        """Items of a collection."""
        items: list[JsonObject] = self.request("GET", path, params=params).get("items") or []
        return items

    def create(self, path: str, body: object) -> JsonObject:
        """Create an object."""
        return self.request("POST", path, body=body)

    def apply(self, path: str, body: Mapping[str, Any]) -> JsonObject:
        """Server-side apply of an object at its own `path`."""
        params = {"fieldManager": "testbed", "force": "true"}
        return self.request("PATCH", path, params=params, body=body, content_type="application/apply-patch+yaml")

    def patch(self, path: str, body: object, content_type: str = "application/merge-patch+json") -> JsonObject:
        """Merge-patch an object."""
        return self.request("PATCH", path, body=body, content_type=content_type)

    def delete(self, path: str, body: object = None) -> JsonObject:
        """Delete an object, with DeleteOptions as `body` where given."""
        return self.request("DELETE", path, body=body)

    def watch(
        self, path: str, *, params: Mapping[str, str] | None = None, stop: threading.Event | None = None
    ) -> Iterator[JsonObject]:
        """Yield watch events, starting with one ADDED for each object that is there, until `stop` is set.

        The stream is asked for in pieces of two seconds, each from the last resourceVersion: nothing is missed, and
        `stop` is honoured without breaking into a blocked read. Raises ServerError when the server refuses.
        """
        listed = self.request("GET", path, params=params)
        version = listed["metadata"]["resourceVersion"]
        for item in listed.get("items") or []:
            yield {"type": "ADDED", "object": {"kind": listed["kind"].removesuffix("List"), **item}}
        while stop is None or not stop.is_set():
            query = {
                **(params or {}),
                "watch": "1",
                "allowWatchBookmarks": "true",
                "timeoutSeconds": "2",
                "resourceVersion": version,
            }
            answer = self._pool.request("GET", f"{self.server}{path}?{urlencode(query)}", retries=False, timeout=30.0)
            if answer.status != 200:
                raise ServerError(answer.status, answer.data.decode(errors="replace"))
            for line in answer.data.splitlines():
                event: JsonObject = json.loads(line)
                if event["type"] == "ERROR":
                    raise ServerError(event["object"].get("code", 0), event["object"].get("message", ""))
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    yield event

    def follow(self, path: str) -> Iterator[JsonObject]:
        """Yield watch events at the moment at which they come, starting with one ADDED for each object that is there.

        It ends when the server ends the stream. Raises ServerError when the server refuses, HTTPError when it is lost.
        """
        listed = self.request("GET", path)
        for item in listed.get("items") or []:
            yield {"type": "ADDED", "object": item}
        query = urlencode({"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"]})
        answer = self._pool.request(
            "GET", f"{self.server}{path}?{query}", preload_content=False, retries=False, timeout=3600.0
        )
        if answer.status != 200:
            raise ServerError(answer.status, answer.read().decode(errors="replace"))
        rest = b""
        for part in answer.stream():
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                event: JsonObject = json.loads(line)
                yield event
