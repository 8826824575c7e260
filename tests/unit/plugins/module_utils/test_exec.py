"""Exec over WebSocket against a small server that answers as API servers and kubelets do, also wrongly."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._exec import OutputLimitError, run_in_pod
from ansible_collections.podnet.upkeep.plugins.module_utils._websocket import _proxy

SUCCESS = b'\x03{"metadata":{},"status":"Success"}'
PING, CLOSE, BINARY, TEXT = 0x9, 0x8, 0x2, 0x1


def failure(message: str, code: str = "") -> bytes:
    """What a kubelet sends on channel 3 when a command failed; `code` is its exit code."""
    status: dict[str, Any] = {"status": "Failure", "message": message, "reason": "InternalError"}
    if code:
        causes = [{"reason": "ExitCode", "message": code}]
        status.update(reason="NonZeroExitCode", details={"causes": causes})
    return b"\x03" + json.dumps(status).encode()


def frame(data: bytes, opcode: int = BINARY) -> bytes:
    """One WebSocket frame of a server."""
    length = len(data)
    if length < 126:
        size = struct.pack("!B", length)
    elif length < 65536:
        size = struct.pack("!BH", 126, length)
    else:
        size = struct.pack("!BQ", 127, length)
    return bytes([0x80 | opcode]) + size + data


class Server:
    """Answers every connection with the same script, and remembers what it was asked."""

    def __init__(self) -> None:
        self.script: Callable[[socket.socket], None] = lambda connection: None
        self.refusal = b""
        self.silent = False
        self.requests: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):  # it was closed before
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        self.requests.append(request.decode())
        if self.silent:
            time.sleep(1)
            return
        if self.refusal:
            connection.sendall(self.refusal)
            return
        headers = dict(line.split(": ", 1) for line in self.requests[-1].split("\r\n")[1:] if ": " in line)
        known = {key.lower(): value for key, value in headers.items()}
        digest = hashlib.sha1((known["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        protocol = known["sec-websocket-protocol"].split(",")[0].strip()
        connection.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
        )
        with contextlib.suppress(OSError):  # the client gave up meanwhile
            self.script(connection)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):  # what is not read would reset the connection
                pass


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server."""
    made = Server()
    yield made
    made.close()


def sends(*frames: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    """A script that sends these frames, then closes."""

    def script(connection: socket.socket) -> None:
        for one in frames:
            connection.sendall(one)
            time.sleep(pause)

    return script


def run(server: Server, *command: str, timeout: float = 5, **more: Any) -> Any:
    """Run a command as user u of group g with a token."""
    options = {
        "host": server.url,
        "api_key": "secret",
        "impersonate_user": "u",
        "impersonate_groups": ["g1", "g2"],
    }
    client = KubeClient.from_options(options)
    return run_in_pod(client, "kube-system", "p", "c", command or ("cilium-dbg", "a b"), timeout=timeout, **more)


def test_what_is_asked(server: Server) -> None:
    """Path, words, container and credentials; both protocols; no Origin, which some proxies refuse."""
    server.script = sends(frame(SUCCESS))
    run(server)
    (request,) = server.requests
    path = (
        "/api/v1/namespaces/kube-system/pods/p/exec?command=cilium-dbg&command=a+b&container=c&stdout=true&stderr=true"
    )
    assert request.startswith(f"GET {path} HTTP/1.1\r\n")
    lines = request.split("\r\n")
    for line in (
        "authorization: Bearer secret",
        "Impersonate-User: u",
        "Impersonate-Group: g1",
        "Impersonate-Group: g2",
    ):
        assert line in lines
    assert "Sec-WebSocket-Protocol: v5.channel.k8s.io,v4.channel.k8s.io" in lines
    assert "origin:" not in request.lower()


@pytest.mark.parametrize("ending", [b"", frame(b"\x03\xe8", CLOSE)])
def test_output_is_joined_whatever_comes_between(server: Server, ending: bytes) -> None:
    """Many messages, pings, texts, empty messages, with and without a farewell."""
    large = b"\x01" + b"x" * 100_000
    server.script = sends(
        frame(b"\x01"),
        frame(b""),
        frame(b"", PING),
        frame(large),
        frame(b"\x02warning", TEXT),
        frame(large),
        frame(SUCCESS),
        ending,
    )
    result = run(server)
    assert (result.exit_code, len(result.stdout), result.stderr, result.reason) == (0, 200_000, "warning", "")
    assert not result.no_such_program


@pytest.mark.parametrize(
    ("status", "code", "no_program"),
    [
        (failure("command terminated with non-zero exit code", "1"), 1, False),
        (failure("command terminated with non-zero exit code", "127"), 127, True),
        (failure("command terminated with non-zero exit code", "126"), 126, True),
        (failure('OCI runtime exec failed: exec: "cilium-dbg": executable file not found in $PATH'), -1, True),
        (failure("exec: cilium-dbg: no such file or directory"), -1, True),
        (failure("error dialing backend"), -1, False),
        (failure("cmd wait: exit status 2"), 2, False),
    ],
)
def test_how_a_command_ended(server: Server, status: bytes, code: int, no_program: bool) -> None:
    """By the cause ExitCode; a runtime that could not start it says so in words."""
    server.script = sends(frame(b"\x01half"), frame(status))
    result = run(server)
    assert (result.exit_code, result.no_such_program, result.stdout) == (code, no_program, b"half")
    assert result.reason


def test_a_server_that_does_not_hang_up(server: Server) -> None:
    """After the status nothing more is waited for than a moment."""
    server.script = sends(frame(b"\x01all"), frame(SUCCESS), pause=2)
    started = time.monotonic()
    assert run(server).stdout == b"all"
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("frames", [(), (frame(b"\x01half an answer"),), (frame(b"\x03{"),), (frame(b"\x03[]"),)])
def test_half_an_answer_is_none(server: Server, frames: tuple[bytes, ...]) -> None:
    """A connection that ends before the status is a lost one, not an empty answer."""
    server.script = sends(*frames)
    with pytest.raises(ApiError, match=r"The connection ended before cilium-dbg a b in pod kube-system/p did"):
        run(server)


def test_time_is_limited_also_when_something_always_comes(server: Server) -> None:
    """The limit is for the whole command, not for each message."""
    server.script = sends(*[frame(b"\x01drip")] * 100, pause=0.05)
    started = time.monotonic()
    with pytest.raises(WaitTimeoutError, match=r"gave no answer in 0\.4 s"):
        run(server, timeout=0.4)
    assert time.monotonic() - started < 2
    server.script = lambda connection: time.sleep(3)
    with pytest.raises(WaitTimeoutError):
        run(server, timeout=0.2)


def test_a_handshake_that_is_never_answered(server: Server) -> None:
    """So it is when the API server waits for a kubelet that is gone: no fault of the way to the API server."""
    server.silent = True
    started = time.monotonic()
    with pytest.raises(WaitTimeoutError, match=r"cilium-dbg a b in pod kube-system/p gave no answer in 0\.3 s"):
        run(server, timeout=0.3)
    assert time.monotonic() - started < 2


def test_output_is_limited(server: Server) -> None:
    """Without keeping it all first."""
    server.script = sends(*[frame(b"\x01" + b"x" * 60_000)] * 100)
    with pytest.raises(OutputLimitError, match="printed more than 1 MiB"):
        run(server, output_limit=1024 * 1024)


def refusal(status: str, message: str) -> bytes:
    """An HTTP answer with an object of kind Status."""
    body = json.dumps({"kind": "Status", "message": message, "reason": "Forbidden"}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_refused_handshake_has_the_words_of_the_server(server: Server) -> None:
    """As every other refusal."""
    server.refusal = refusal("403 Forbidden", 'pods "p" is forbidden: User "u" cannot get resource "pods/exec"')
    with pytest.raises(ApiError, match=r'No permission to get pods/exec "p" in namespace "kube-system"') as refused:
        run(server)
    assert refused.value.status == 403 and "User" in refused.value.server_message
    server.refusal = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(ApiError) as refused:
        run(server)
    assert refused.value.status == 502
    server.refusal = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(ApiError):
        run(server)


def test_nobody_listens(server: Server) -> None:
    """One sentence, status 0."""
    server.close()
    with pytest.raises(ApiError, match="Cannot reach the Kubernetes API") as failed:
        run(server)
    assert failed.value.status == 0


def configuration(**more: Any) -> Any:
    """The part of a client's configuration that a proxy needs."""
    return types.SimpleNamespace(proxy=None, no_proxy=None, **more) if not more else types.SimpleNamespace(**more)


def test_the_proxy_is_that_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never one that the environment names, and none that cannot carry it."""
    monkeypatch.setenv("https_proxy", "http://elsewhere:1")
    host = "https://api.example:6443"
    assert _proxy(configuration(), host) == {"http_no_proxy": ["*"]}
    assert _proxy(configuration(proxy="http://p:8080", no_proxy=".example"), host) == {"http_no_proxy": ["*"]}
    through = _proxy(configuration(proxy="http://me:word@p:8080", no_proxy=None), host)
    assert (through["http_proxy_host"], through["http_proxy_port"]) == ("p", 8080)
    assert through["http_proxy_auth"] == ("me", "word")
    with pytest.raises(InputError, match="cannot carry exec"):
        _proxy(configuration(proxy="https://p:8080", no_proxy=None), host)
