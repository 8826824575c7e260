"""A process that uses identities as a Cilium agent does, and writes down what it has begun to use.

It shares no line with the product. What it imitates of pkg/allocator and pkg/k8s/identitybackend (1.18.4): identities are taken
from a cache that a watch keeps, late by `lag` seconds; one that is marked in the cache is un-marked before it is used, with the
resourceVersion of the cache, and is not used where that fails; one that is not marked is used without a word; every `sync`
seconds all that are held and marked in the cache are un-marked. A pod may be there before, a CiliumEndpoint comes later.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3

from testbed.client import Client, ServerError

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
ENDPOINTS = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"
PODS = "/api/v1/namespaces/default/pods"
HEARTBEAT = "io.cilium.heartbeat"
APP = "k8s:app"
#: Looks for one that is marked, and the share of races that begin before there is any.
_ATTEMPTS, _EARLY = 4, 0.3


class Cache:
    """Identities as a watch tells them, each event late by `lag` seconds."""

    def __init__(self, client: Client, lag: float) -> None:
        self._client = client
        self._lag = lag
        self._events: deque[tuple[float, dict[str, Any]]] = deque()
        self.objects: dict[str, dict[str, Any]] = {}
        self.names: list[str] = []
        #: Whether a mark was ever seen.
        self.marked = False
        self.ended = ""
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        try:
            for event in self._client.follow(IDENTITIES):
                self._events.append((time.monotonic() + self._lag, event))
        except (ServerError, urllib3.exceptions.HTTPError, OSError) as error:
            self.ended = f"watch: {error}"

    def apply(self) -> list[str]:
        """Take in what is due; names of what was deleted."""
        gone = []
        while self._events and self._events[0][0] <= time.monotonic():
            event = self._events.popleft()[1]
            obj = event["object"]
            name = obj["metadata"]["name"]
            if event["type"] == "DELETED":
                self.objects.pop(name, None)
                gone.append(obj["metadata"]["uid"])
            else:
                # every fourth is left alone, so that something is deleted however slow the machine is
                if name not in self.objects and int(name) % 4:
                    self.names.append(name)
                self.objects[name] = obj
                self.marked = self.marked or HEARTBEAT in (obj["metadata"].get("annotations") or {})
        return gone


class Agent:
    """One agent. `log` gets one line for each thing that it did."""

    def __init__(self, kubeconfig: str, log: Path, seed: int, rate: float, lag: float, sync: float) -> None:
        self._client = Client(Path(kubeconfig))
        self._cache = Cache(Client(Path(kubeconfig)), lag)
        self._log = log.open("w", encoding="utf-8", buffering=1)
        self._random = random.Random(seed)
        self._seed = seed
        self._rate = rate
        self._sync = sync
        #: name -> uid of what it holds.
        self._held: dict[str, str] = {}
        self._tasks: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def run(self, stop: Path) -> None:
        """Work until the file is there."""
        self._later(self._sync, self._sync_held)
        following = time.monotonic()
        while not stop.exists():
            for uid in self._cache.apply():
                if uid in self._held.values():
                    self._note("held-was-deleted", uid=uid)
            while self._tasks and self._tasks[0][0] <= time.monotonic():
                heapq.heappop(self._tasks)[2]()
            if self._cache.ended:
                self._note("failed", why=self._cache.ended)
                return
            if time.monotonic() >= following:
                following = max(following + 1 / self._rate, time.monotonic() - 1)
                self._race()
            else:
                time.sleep(0.002)
        self._note("ended")

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._tasks, (time.monotonic() + seconds, next(self._count), act))

    def _note(self, act: str, **values: Any) -> None:
        self._log.write(json.dumps({"act": act, "at": time.monotonic(), "agent": self._seed, **values}) + "\n")

    # -- races -------------------------------------------------------------------------------------------------------

    def _race(self) -> None:
        """Mostly for one that is marked; before the first mark is seen, few only."""
        obj = self._chosen()
        if obj is None or (not self._cache.marked and self._random.random() > _EARLY):
            return
        kind = self._random.choices(("use", "pod-first", "recreate", "unmark-only"), weights=(60, 25, 5, 10))[0]
        if kind == "pod-first":
            self._pod_first(obj)
        elif kind == "recreate":
            self._recreate(obj)
        elif kind == "unmark-only":
            self._unmark_only(obj)
        else:
            self._use(obj["metadata"]["name"])

    def _chosen(self) -> dict[str, Any] | None:
        names = self._cache.names
        found = None
        for _attempt in range(_ATTEMPTS):
            if not names:
                return None
            place = self._random.randrange(len(names))
            obj = self._cache.objects.get(names[place])
            if obj is None or names[place] in self._held:
                names[place] = names[-1]
                names.pop()
                continue
            found = obj
            if HEARTBEAT in (obj["metadata"].get("annotations") or {}):
                return found
        return found

    def _use(self, name: str) -> bool:
        """AcquireReference, and then the endpoint."""
        obj = self._cache.objects.get(name)
        if obj is None or name in self._held:
            return False
        uid = obj["metadata"]["uid"]
        if HEARTBEAT in (obj["metadata"].get("annotations") or {}):
            version = self._unmark(obj)
            if not version:
                self._note("lost", name=name, uid=uid)
                return False
            self._note("use", how="unmarked", name=name, uid=uid, version=version)
        else:
            self._note("use", how="silent", name=name, uid=uid)
        self._held[name] = uid
        self._later(self._random.uniform(0, 4), lambda: self._endpoint(name))
        if self._random.random() < 0.2:
            self._later(self._random.uniform(5, 10), lambda: self._release(name))
        return True

    def _pod_first(self, obj: dict[str, Any]) -> None:
        """A pod that waits for its identity: the agent takes it a little later."""
        name = obj["metadata"]["name"]
        app = obj["security-labels"][APP]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "race-", "labels": {"app": app}},
            "spec": {"schedulerName": "nobody", "containers": [{"name": "main", "image": "simulated"}]},
        }
        try:
            self._client.create(PODS, body)
        except ServerError as error:
            self._note("failed", why=str(error))
            return
        self._note("pod", name=name, uid=obj["metadata"]["uid"])
        self._later(self._random.uniform(0, 8), lambda: self._use(name) and None)

    def _recreate(self, obj: dict[str, Any]) -> None:
        """Another object of the same name, which is used at once."""
        name = obj["metadata"]["name"]
        body = {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumIdentity",
            "metadata": {"name": name},
            "security-labels": obj["security-labels"],
        }
        guards = {key: obj["metadata"][key] for key in ("uid", "resourceVersion")}
        try:
            self._client.delete(
                f"{IDENTITIES}/{name}", {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": guards}
            )
            self._note("deleted-by-us", name=name, uid=guards["uid"])
            made = self._client.create(IDENTITIES, body)["metadata"]
        except ServerError as error:
            self._expected(error)
            self._note("lost", name=name, uid=guards["uid"])
            return
        self._held[name] = made["uid"]
        self._note("use", how="recreated", name=name, uid=made["uid"], version=made["resourceVersion"])
        self._later(self._random.uniform(0, 2), lambda: self._endpoint(name))

    def _unmark_only(self, obj: dict[str, Any]) -> None:
        if HEARTBEAT in (obj["metadata"].get("annotations") or {}):
            version = self._unmark(obj)
            self._note("unmark-only" if version else "lost", name=obj["metadata"]["name"], uid=obj["metadata"]["uid"])

    # -- writes ------------------------------------------------------------------------------------------------------

    def _unmark(self, obj: dict[str, Any]) -> str:
        """Its new resourceVersion; empty where somebody was quicker."""
        guards = {key: obj["metadata"][key] for key in ("uid", "resourceVersion")}
        body = {"metadata": {**guards, "annotations": {HEARTBEAT: None}}}
        try:
            return str(
                self._client.patch(f"{IDENTITIES}/{obj['metadata']['name']}", body)["metadata"]["resourceVersion"]
            )
        except ServerError as error:
            self._expected(error)
            return ""

    def _expected(self, error: ServerError) -> None:
        if error.status not in (404, 409):
            self._note("failed", why=str(error))

    def _endpoint(self, name: str) -> None:
        if name not in self._held:
            return
        body = {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumEndpoint",
            "metadata": {"name": f"race-{self._seed}-{name}"},
            "status": {"id": 1, "identity": {"id": int(name), "labels": []}, "state": "ready"},
        }
        try:
            self._client.create(ENDPOINTS, body)
        except ServerError as error:
            self._expected(error)

    def _release(self, name: str) -> None:
        """The endpoint ends: what is written down first is that it is not used any more."""
        uid = self._held.pop(name, "")
        if not uid:
            return
        self._note("release", name=name, uid=uid)
        try:
            self._client.delete(f"{ENDPOINTS}/race-{self._seed}-{name}")
        except ServerError as error:
            self._expected(error)

    def _sync_held(self) -> None:
        """syncLocalKeys: the next one comes `sync` seconds after this one has ended."""
        begun = time.monotonic()
        count = 0
        for name in self._held:
            obj = self._cache.objects.get(name)
            if obj is not None and HEARTBEAT in (obj["metadata"].get("annotations") or {}):
                count += 1
                if self._unmark(obj):
                    self._note("synced", name=name, uid=obj["metadata"]["uid"])
            self._cache.apply()
        self._note("sync", seconds=time.monotonic() - begun, marked=count)
        self._later(self._sync, self._sync_held)


def main() -> None:
    """kubeconfig, log, stop file, seed, races a second, lag and sync in seconds."""
    kubeconfig, log, stop, seed, rate, lag, sync = sys.argv[1:]
    Agent(kubeconfig, Path(log), int(seed), float(rate), float(lag), float(sync)).run(Path(stop))


if __name__ == "__main__":
    main()
