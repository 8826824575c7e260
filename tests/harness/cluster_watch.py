"""An observer of Nodes and pods: every version of each, in the order of the cluster's history.

The order is that of resourceVersion, which the API server counts up over all objects: what was seen late still stands
at its place. The observer survives restarts of the API server.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import urllib3

from testbed import Testbed
from testbed.client import Client, ServerError

_PATHS = {"Node": "/api/v1/nodes", "Pod": "/api/v1/pods"}


@dataclass(frozen=True)
class Sight:
    """One version of one object; `revision` is its place in the history. DELETED: from then on it is gone."""

    revision: int
    kind: str
    type: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of a Node, namespace/name of a pod."""
        metadata = self.body["metadata"]
        return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))

    @property
    def uid(self) -> str:
        """Uid of the object."""
        return str(self.body["metadata"]["uid"])


class ClusterWatch:
    """Sees every version of every Node and pod while the `with` block runs."""

    def __init__(self, testbed: Testbed) -> None:
        self._client = Client(testbed.kubeconfig)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int, str], Sight] = {}
        self._threads = [threading.Thread(target=self._run, args=(kind,), daemon=True) for kind in _PATHS]

    def __enter__(self) -> ClusterWatch:
        for kind in _PATHS:  # what was there before is seen before the block begins
            self._list(kind)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
            if thread.is_alive() and error is None:
                raise AssertionError("the observer did not come to its end: nothing was proved")
        if error is None:
            for name in _PATHS:
                self._list(name)

    @property
    def sights(self) -> list[Sight]:
        """Everything seen until now, in the order of the cluster's history."""
        with self._lock:
            return sorted(self._seen.values(), key=lambda sight: (sight.revision, sight.type != "DELETED"))

    def _run(self, kind: str) -> None:
        while not self._stop.is_set():
            try:
                for event in self._client.watch(_PATHS[kind], stop=self._stop):
                    self._add(kind, str(event["type"]), event["object"])
            except (ServerError, urllib3.exceptions.HTTPError, OSError, ValueError):
                time.sleep(0.05)  # the API server is being restarted
                self._list_again(kind)

    def _list_again(self, kind: str) -> None:
        while not self._stop.is_set():
            try:
                self._list(kind)
                return
            except (ServerError, urllib3.exceptions.HTTPError, OSError, ValueError):
                time.sleep(0.05)

    def _list(self, kind: str) -> None:
        listed = self._client.get(_PATHS[kind])
        items = listed.get("items") or []
        present = {item["metadata"]["uid"] for item in items}
        latest = {sight.uid: sight for sight in self.sights if sight.kind == kind}
        for sight in latest.values():
            if sight.type != "DELETED" and sight.uid not in present:
                self._add(kind, "DELETED", sight.body, int(listed["metadata"]["resourceVersion"]))
        for item in items:
            self._add(kind, "ADDED", item)

    def _add(self, kind: str, event: str, body: dict[str, Any], revision: int | None = None) -> None:
        if revision is None:
            revision = int(body["metadata"]["resourceVersion"])
        gone = "DELETED" if event == "DELETED" else "SEEN"
        with self._lock:
            self._seen.setdefault((str(body["metadata"]["uid"]), revision, gone), Sight(revision, kind, event, body))
