"""Pages that are read some at once: their order, their tokens, lists that expire, and the same by processes."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import list_pages, live, readers
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.list_pages import Listing, read_page, token_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

TESTS = Path(__file__).parents[4]
ITEMS = [{"metadata": {"name": 'a"],"kind":"PodList","metadata":{"continue":"forged"}}'}}]


def compact(**document: Any) -> bytes:
    """As the API server writes it."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize(
    ("data", "token"),
    [
        (compact(kind="PodList", apiVersion="v1", metadata={"continue": "t"}, items=ITEMS), "t"),
        (compact(apiVersion="cilium.io/v2", items=ITEMS, kind="XList", metadata={"continue": "t"}), "t"),
        (compact(kind="PodList", apiVersion="v1", metadata={"resourceVersion": "1"}, items=ITEMS), ""),
        (compact(items=[], kind="XList", metadata={"continue": "t", "x": {"continue": "u"}}), ""),
        (compact(items=ITEMS), ""),
        (json.dumps({"metadata": {"continue": "t"}, "items": ITEMS}).encode(), ""),
        (b"", ""),
        (b"no JSON", ""),
    ],
)
def test_the_token_is_found_without_parsing(data: bytes, token: str) -> None:
    """At either end, and never within an object that looks like one; what is not found is found by parsing later."""
    assert token_of(data) == token


class Client:
    """One list that says another token early than in truth."""

    host = "https://cluster.example"

    def get_text(self, path: str, params: Any) -> bytes:
        """An answer whose metadata stand twice."""
        return (
            b'{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"t"},"items":[],"metadata":{"continue":"u"}}'
        )

    def decode(self, data: bytes, path: str) -> Any:
        """Parsed."""
        return json.loads(data)


def test_two_answers_about_the_next_page_are_an_error() -> None:
    """Rather than a list with a gap."""
    said = read_page(Client(), ("pods", "/api/v1/pods", {}))  # type: ignore[arg-type]
    assert next(said, None) == "t"
    with pytest.raises(ApiError, match="metadata"):
        next(said, None)


def named(name: str) -> dict[str, Any]:
    """A namespace as it is kept."""
    return {"metadata": {"name": name}}


def test_pages_that_overtake_each_other_are_taken_in_order() -> None:
    """The second page may be parsed before the first."""
    one = Listing("namespaces", "/x")
    first = one.job()
    assert first is not None and one.job() is None
    one.said(0, 0, "t", False)
    second = one.job()
    assert second is not None and second[2][2]["continue"] == "t"
    one.said(0, 1, ([named("b")], ""), True)
    assert not one.finished and list(one.found) == []
    one.said(0, 0, ([named("a")], "t"), True)
    assert one.finished and list(one.found) == [named("a"), named("b")]


def test_an_expired_list_starts_over_once() -> None:
    """What was there before, or comes late, does not count twice."""
    one = Listing("namespaces", "/x")
    assert one.job() is not None
    one.said(0, 0, ([named("a")], "t"), False)
    assert one.job() is not None
    one.failed(0, ApiError("expired", status=410))
    again = one.job()
    assert again is not None and "continue" not in again[2][2]
    one.said(0, 1, ([named("late")], ""), False)
    one.said(1, 0, ([named("a")], ""), False)
    assert one.finished and list(one.found) == [named("a")]
    other = Listing("namespaces", "/x")
    for start in (0, 1):
        assert not other.finished and other.job() is not None
        other.failed(start, ApiError("expired", status=410))
    assert other.finished and other.error is not None


@pytest.fixture(scope="module")
def client() -> Iterator[KubeClient]:
    """A server of its own with 100 Nodes, 2,000 pods and endpoints, 1,300 identities."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.big_api", "0.02"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=TESTS,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split()[0]
        yield KubeClient.from_options({"host": f"http://127.0.0.1:{port}", "api_key": "none"})
    finally:
        server.communicate()


def by_processes(client: KubeClient, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything that is read by processes, which pytest's own threads do not hinder."""
    monkeypatch.setattr(live, "readers", lambda handle, fresh=None: readers._Processes(fresh or (lambda: handle)))
    return live.collect(client, live.LiveOptions(processes=True))


def test_by_processes_the_same(client: KubeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by threads."""
    threads = live.collect(client, live.LiveOptions())
    processes = by_processes(client, monkeypatch)
    assert {name: len(found) for name, found in threads.resources.items() if len(found) > 500} == {
        "pods": 2000,
        "ciliumidentities": 1300,
        "ciliumendpoints": 2000,
    }
    assert dataclasses.replace(processes, taken_at=threads.taken_at) == threads


def test_when_a_process_is_killed_we_read_ourselves(client: KubeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel does when memory ends."""
    whole = live.collect(client, live.LiveOptions())
    us = os.getpid()

    def read(client: KubeClient, job: Any) -> Iterator[Any]:
        if job[0] == "pods" and job[2].get("continue") and os.getpid() != us:
            os.kill(os.getpid(), signal.SIGKILL)
        return list_pages.read_page(client, job)

    monkeypatch.setattr(live, "read_page", read)
    made: list[bool] = []

    def workers(handle: Any, fresh: Any = None) -> readers.Readers:
        made.append(fresh is not None)
        return readers._Processes(fresh) if fresh is not None else readers._Threads(handle)

    monkeypatch.setattr(live, "readers", workers)
    state = live.collect(client, live.LiveOptions(processes=True))
    assert made == [True, False]
    assert dataclasses.replace(state, taken_at=whole.taken_at) == whole
