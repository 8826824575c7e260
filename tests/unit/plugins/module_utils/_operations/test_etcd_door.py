"""The door, against a server that answers what the test wants."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Member
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import etcd_snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_cluster import EtcdCluster
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import (
    EtcdCredentials,
    EtcdDoor,
    checked_endpoint,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError

Answer = tuple[int, bytes]


class Gateway:
    """Answers each path by a function of body and headers; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[dict[str, Any], Any], Answer]] = {}
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
                gateway.asked.append(self.path)
                status, data = gateway.answers.get(self.path, lambda *_any: (404, b"404 page not found"))(
                    body, self.headers
                )
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_any: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """One that knows no path yet."""
    made = Gateway()
    yield made
    made.close()


def says(status: int, code: int, message: str) -> Callable[..., Answer]:
    """An error as the gateway words it."""
    return lambda *_any: (status, json.dumps({"code": code, "message": message}).encode())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says(503, 14, "etcdserver: request timed out"), "cannot agree on anything: it has no quorum"),
        (says(503, 14, "etcdserver: no leader"), "Bring its members back first."),
        (says(429, 8, "etcdserver: mvcc: database space exceeded"), "alarm NOSPACE"),
        (says(400, 11, "etcdserver: mvcc: required revision has been compacted"), "has been compacted"),
        (says(403, 7, "etcdserver: permission denied"), "it needs the role root"),
        (says(400, 3, "etcdserver: user name is empty"), "give etcd_user and etcd_password"),
        (lambda *_any: (400, b"CommonName of client sending a request against gateway will be ignored"), "common name"),
        (lambda *_any: (404, b"404 page not found"), "its JSON gateway is switched off"),
        (lambda *_any: (200, b"<html>"), "not JSON"),
        (lambda *_any: (500, b""), "HTTP status 500"),
    ],
)
def test_refusals_in_words(gateway: Gateway, answer: Callable[..., Answer], words: str) -> None:
    """One sentence that names the endpoint."""
    gateway.answers["/v3/maintenance/status"] = answer
    with pytest.raises(EtcdError) as refused:
        EtcdDoor(gateway.endpoint, EtcdCredentials()).ask("/v3/maintenance/status")
    text = str(refused.value)
    assert words in text and gateway.endpoint in text and text.endswith((".", "?")) and "\n" not in text


def test_a_token_that_ended_is_renewed_once(gateway: Gateway) -> None:
    """A simple token ends after five minutes without use; a second refusal is final."""
    tokens = iter(["old", "new", "newer"])
    gateway.answers["/v3/auth/authenticate"] = lambda *_any: (200, json.dumps({"token": next(tokens)}).encode())

    def status(_body: Any, headers: Any) -> Answer:
        if headers["Authorization"] == "new":
            return 200, b'{"version": "3.6.10"}'
        return 401, b'{"code": 16, "message": "etcdserver: invalid auth token"}'

    gateway.answers["/v3/maintenance/status"] = status
    door = EtcdDoor(gateway.endpoint, EtcdCredentials(user="root", password="right"))
    assert door.ask("/v3/maintenance/status")["version"] == "3.6.10"
    assert gateway.asked.count("/v3/auth/authenticate") == 2
    gateway.answers["/v3/maintenance/status"] = says(401, 16, "etcdserver: invalid auth token")
    with pytest.raises(EtcdError):
        door.ask("/v3/maintenance/status")


def test_acts_are_never_repeated() -> None:
    """A defragmentation whose connection is lost may go on: only questions are asked again."""
    import socket

    counted: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            while True:
                try:
                    connection, _address = server.accept()
                except OSError:
                    return
                counted.append(1)
                connection.recv(1)
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        door = EtcdDoor(f"http://127.0.0.1:{server.getsockname()[1]}", EtcdCredentials())
        for path, connections in (("/v3/maintenance/defragment", 1), ("/v3/maintenance/status", 2)):
            counted.clear()
            with pytest.raises(EtcdError, match="the connection was lost") as lost:
                door.ask(path)
            assert lost.value.lost and len(counted) == connections
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "text", ["10.0.0.1:2379", "ftp://x", "https://", "https://h:port", "https://h:1/path", "https://u@h"]
)
def test_what_is_no_endpoint(text: str) -> None:
    """Is named with the way to write it."""
    with pytest.raises(InputError, match="write it as https://ADDRESS:PORT"):
        checked_endpoint(text)
    assert checked_endpoint(" https://[::1]:2379/ ") == "https://[::1]:2379"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """By the name of the option."""
    (tmp_path / "a.pem").write_text("")
    with pytest.raises(InputError, match=r"etcd_ca_cert: the file .*none\.pem does not exist"):
        EtcdCredentials(ca_cert=str(tmp_path / "none.pem")).check()
    with pytest.raises(InputError, match="etcd_client_key: a client certificate needs its key"):
        EtcdCredentials(client_cert=str(tmp_path / "a.pem")).check()
    with pytest.raises(InputError, match="etcd_password"):
        EtcdCredentials(password="x").check()


# -- snapshots -------------------------------------------------------------------------------------------------------

DATABASE = b"\0" * 16 + (0xED0CDAED).to_bytes(4, "little") + bytes(range(256)) * 300


def stream(data: bytes, size: int = 1000) -> bytes:
    """The stream of a snapshot, as the gateway writes it."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    lines = [json.dumps({"result": {"blob": base64.b64encode(one).decode()}}) for one in pieces]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("size", [7, 32, 33, 1000, len(DATABASE), 10**6])
def test_a_snapshot_is_the_database_and_its_digest(gateway: Gateway, tmp_path: Path, size: int) -> None:
    """However it is cut into messages."""
    whole = DATABASE + hashlib.sha256(DATABASE).digest()
    gateway.answers["/v3/maintenance/snapshot"] = lambda *_any: (200, stream(whole, size))
    cluster = EtcdCluster([gateway.endpoint], EtcdCredentials())
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / ".etcd-1f-killed.partial").write_text("of a run that was killed")
    taken = etcd_snapshot.take(cluster, Member(1, "m1", endpoint=gateway.endpoint), str(folder), "etcd-1f-7.db")
    path = Path(taken.path)
    assert path.read_bytes() == whole and path.stat().st_mode & 0o777 == 0o600
    assert taken.sha256 == hashlib.sha256(DATABASE).hexdigest() and taken.size == len(whole)
    assert [one.name for one in path.parent.iterdir()] == ["etcd-1f-7.db"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DATABASE, "not sound"),  # the digest never came
        (DATABASE[:-1] + b"x" + hashlib.sha256(DATABASE).digest(), "not sound"),
        (b"x" * 5000 + hashlib.sha256(b"x" * 5000).digest(), "not a database of etcd"),
        (b"", "not complete"),
    ],
)
def test_a_snapshot_that_is_not_sound_leaves_no_file(gateway: Gateway, tmp_path: Path, data: bytes, words: str) -> None:
    """Neither under its name nor under another."""
    gateway.answers["/v3/maintenance/snapshot"] = lambda *_any: (200, stream(data))
    cluster = EtcdCluster([gateway.endpoint], EtcdCredentials())
    with pytest.raises(UpkeepError, match=words):
        etcd_snapshot.take(cluster, Member(1, "m1", endpoint=gateway.endpoint), str(tmp_path), "one.db")
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_middle_of_a_stream(gateway: Gateway, tmp_path: Path) -> None:
    """Is told, and leaves no file."""
    broken = stream(DATABASE) + b'\n{"error": {"code": 14, "message": "etcdserver: server stopped"}}'
    gateway.answers["/v3/maintenance/snapshot"] = lambda *_any: (200, broken)
    cluster = EtcdCluster([gateway.endpoint], EtcdCredentials())
    with pytest.raises(EtcdError, match="server stopped"):
        etcd_snapshot.take(cluster, Member(1, "m1", endpoint=gateway.endpoint), str(tmp_path), "one.db")
    assert list(tmp_path.iterdir()) == []
