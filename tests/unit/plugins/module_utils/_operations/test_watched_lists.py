"""Collections that are kept up to date: what a watch brings, and that every doubt ends in a whole list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.watched_lists import Collected, WatchedList

PATH = "/api/v1/things"


class Server:
    """Keeps a history of one collection, as the API server does; `faults` are what watches meet, one each."""

    def __init__(self) -> None:
        self.version = 10
        self.objects: dict[str, str] = {}
        self.history: list[tuple[int, dict[str, Any]]] = []
        self.oldest = 0
        self.faults: list[str] = []
        self.lists = 0
        self.closed = 0
        self.now = 0.0
        #: Whether the watch cache gets the versions of other resources, as bookmarks need them.
        self.progress = True
        self.statuses: dict[str, int] = {}

    def write(self, name: str, value: str | None) -> None:
        """Create, change or delete."""
        self.version += 1
        obj = {"metadata": {"name": name, "resourceVersion": str(self.version)}, "value": value}
        if value is None:
            self.objects.pop(name, None)
            kind = "DELETED"
        else:
            kind = "MODIFIED" if name in self.objects else "ADDED"
            self.objects[name] = value
        self.history.append((self.version, {"type": kind, "object": obj}))

    def get(self, path: str, params: Any) -> Any:
        """A list, two objects a page."""
        if self.statuses.get(path):
            raise ApiError("no", status=self.statuses[path])
        items = [
            {"metadata": {"name": name, "resourceVersion": "1"}, "value": value}
            for name, value in sorted(self.objects.items())
        ]
        if params["limit"] == 1:
            return {"metadata": {"resourceVersion": str(self.version)}, "items": items[:1]}
        start = int(params.get("continue") or 0)
        self.lists += start == 0
        self.now += 5  # a list that takes long
        metadata: Any = {"resourceVersion": str(self.version)}
        if start + 2 < len(items):
            metadata["continue"] = str(start + 2)
        return {"metadata": metadata, "items": items[start : start + 2]}

    def stream(self, path: str, params: Any, *, timeout: float) -> Iterator[Any]:
        """A watch."""
        try:
            yield from self._stream(int(params["resourceVersion"]))
        finally:
            self.closed += 1

    def _stream(self, since: int) -> Iterator[Any]:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "410" or since < self.oldest:
            yield {"type": "ERROR", "object": {"kind": "Status", "code": 410, "metadata": {}}}
            return
        if fault == "refused":
            raise ApiError("too old", status=410)
        for number, event in [one for one in self.history if one[0] > since]:
            if fault == "cut":
                raise ApiError("lost", status=0)
            if fault == "nonsense":
                yield {"type": "ADDED", "object": None}
            yield event
            since = number
        self.now += 1.2
        if fault == "cut":
            raise ApiError("lost", status=0)
        if fault != "silent" and self.progress:
            yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(max(since, self.version))}}}

    def followed(self) -> WatchedList:
        """A list of it."""
        clock = Clock(now=lambda: self.now, sleep=lambda seconds: None)
        kept = Collected(("/api/v2/things", PATH), lambda obj: {"metadata": obj["metadata"], "v": obj["value"]})
        self.statuses["/api/v2/things"] = 404
        return WatchedList(self, kept, clock=clock)  # type: ignore[arg-type]


def values(watched: WatchedList) -> dict[str, str]:
    """What it knows."""
    return {one["metadata"]["name"]: one["v"] for one in watched.objects}


WRITES = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([None, "1", "2"])), max_size=6)
FAULTS = st.lists(st.sampled_from(["", "", "410", "refused", "cut", "silent", "nonsense"]), max_size=3)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(WRITES, FAULTS, st.booleans()), max_size=5))
def test_after_a_refresh_everything_is_seen(rounds: list[Any]) -> None:
    """Whatever is written, and whatever becomes of the watches."""
    server = Server()
    watched = server.followed()
    for writes, faults, compacted in rounds:
        for name, value in writes:
            server.write(name, value)
        server.version += 1  # somebody writes another resource
        server.faults = list(faults)
        if compacted:
            server.oldest = server.version - 2
        watched.refresh()
        assert values(watched) == server.objects


def test_it_follows_without_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look costs a watch only, which is closed."""
    server = Server()
    for name in "abc":
        server.write(name, "1")
    watched = server.followed()
    watched.refresh()
    server.write("a", "2")
    server.write("b", None)
    watched.refresh()
    assert values(watched) == {"a": "2", "c": "1"} and server.lists == 1 and server.closed == 1
    assert (watched.listed, watched.followed, watched.lost) == (1, 1, 0)
    assert watched.get("a") and watched.get("b") is None
    watched.refresh()
    assert server.closed == 1, "nothing was written meanwhile, so nothing is to be watched"


@pytest.mark.parametrize("fault", ["410", "refused", "cut", "nonsense"])
def test_a_lost_watch_ends_in_a_whole_list(fault: str) -> None:
    """Expired, refused or cut off."""
    server = Server()
    server.write("a", "1")
    watched = server.followed()
    watched.refresh()
    server.write("a", "2")
    server.faults = [fault]
    watched.refresh()
    assert values(watched) == {"a": "2"} and (watched.listed, watched.lost) == (2, 1)


def test_no_bookmark_ends_in_a_whole_list() -> None:
    """An API server that never says how far it is (older than 1.31 with another etcd) is not believed."""
    server = Server()
    server.progress = False
    watched = server.followed()
    watched.refresh()
    server.version += 1
    watched.refresh()
    assert watched.lost == 1 and server.lists == 2


def test_a_list_that_fails_voids_the_picture() -> None:
    """The error is raised, and the next look lists."""
    server = Server()
    server.write("a", "1")
    watched = server.followed()
    watched.refresh()
    server.write("a", "2")
    server.statuses[PATH] = 403
    for _time in (1, 2):
        with pytest.raises(ApiError):
            watched.refresh()
    server.statuses[PATH] = 0
    watched.refresh()
    assert values(watched) == {"a": "2"} and watched.served is True


def test_what_is_not_served_is_empty() -> None:
    """And is asked for again each time: its definition may come."""
    server = Server()
    watched = server.followed()
    server.statuses[PATH] = 404
    watched.refresh()
    assert watched.served is False and not watched.objects
    server.statuses[PATH] = 0
    server.write("a", "1")
    watched.refresh()
    assert watched.served is True and values(watched) == {"a": "1"}
