"""The HTTP side of the fake API: routing, faults, and the log of requests."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from .store import Answer, Store

JsonObject = dict[str, Any]


def status_body(
    code: int, reason: str, message: str, causes: list[JsonObject] | None = None, retry_after: int | None = None
) -> JsonObject:
    """A `Status` object as the API server sends with an error."""
    details: JsonObject = {}
    if causes:
        details["causes"] = causes
    if retry_after is not None:
        details["retryAfterSeconds"] = retry_after
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


@dataclass
class Fault:
    """What happens instead of the answer, `times` times, to requests whose method and path match.

    `status` 0 resets the connection; `body` may be text that is not JSON. `after`: the request is carried out first,
    and only its answer is lost (with `status` 0).
    """

    method: str
    path: str
    status: int = 0
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    after: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Whether this fault is for the request and not used up."""
        return self.times > 0 and self.method == method and re.search(self.path, path) is not None


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    body: Any
    headers: dict[str, str]


class FakeApi:
    """The server; use it as a context manager. `store` holds the objects, `requests` what arrived."""

    def __init__(self) -> None:
        self.store = Store()
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.before_request: Callable[[Request], None] = lambda request: None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> FakeApi:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    @property
    def host(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def options(self) -> JsonObject:
        """Module options that reach this server."""
        return {"host": self.host, "api_key": "token-of-the-test", "request_timeout": 20}

    def count(self, method: str, path: str = "") -> int:
        """How many requests of this method and path (regular expression) arrived."""
        return sum(1 for one in self.requests if one.method == method and re.search(path, one.path))

    def fault_for(self, request: Request) -> Fault | None:
        """The next fault for this request, if any; it is used up."""
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.matches(request.method, request.path):
                    fault.times -= 1
                    return fault
        return None

    def answer(self, request: Request) -> Answer:
        """Carry a request out."""
        self.before_request(request)
        with self._lock:
            return self.store.handle(request.method, request.path, request.params, request.body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # else a client with many connections waits a second for some of them


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one packet, and no Nagle: else each answer waits 40 ms for a delayed ACK.
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            params = dict(urllib.parse.parse_qsl(url.query))
            request = Request(self.command, url.path, params, body, dict(self.headers.items()))
            fault = api.fault_for(request)
            if fault is None:
                answer = api.answer(request)
                self._send(answer.status, answer.body, {})
                return
            if fault.after:
                api.answer(request)
            if fault.status == 0:
                self._reset()
            else:
                self._send(fault.status, fault.body, fault.headers)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def _send(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `requests` instead."""

        def finish(self) -> None:
            if self.connection.fileno() >= 0:
                super().finish()

    return Handler
