"""Clusters with identities in the fake API, and runs of the clean-up on a clock whose time passes by sleeping."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snapshots.identity_clusters import TAKEN_AT, ago, cilium
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import DeletionLimits
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import DeletionJournal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup import (
    CleanupResult,
    IdentityCleanup,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup_plan import (
    CleanupOptions,
    CleanupPlan,
    Planning,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_picture import IdentityPicture
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
HEARTBEAT = "io.cilium.heartbeat"


def node(name: str = "w1", ready: str = "True") -> Any:
    """A Node."""
    return {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def agent(on: str = "w1", ready: str = "True", **metadata: Any) -> Any:
    """The pod of an agent."""
    return {
        "metadata": {
            "name": f"cilium-{on}",
            "namespace": "kube-system",
            "labels": {"k8s-app": "cilium"},
            "creationTimestamp": ago(600),
            **metadata,
        },
        "spec": {"nodeName": on, "hostNetwork": True, "containers": [{"name": "cilium-agent"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    }


def marked(identity: Any, minutes: float, written: float | None) -> Any:
    """With a mark whose text is of so many minutes ago, and that the API server has recorded so many minutes ago."""
    made = copy.deepcopy(identity)
    made["metadata"]["annotations"] = {HEARTBEAT: ago(minutes)}
    if written is not None:
        fields = {"f:metadata": {"f:annotations": {".": {}, f"f:{HEARTBEAT}": {}}}}
        entry = {"manager": "cilium-operator", "operation": "Update", "time": ago(written), "fieldsV1": fields}
        made["metadata"]["managedFields"] = [entry]
    return made


@dataclass
class Scene:
    """One cluster. `at` is called with the seconds that have passed, each time that somebody sleeps."""

    api: FakeApi
    folder: Path
    limits: DeletionLimits = field(default_factory=DeletionLimits)
    heartbeat: Callable[[], str | None] | None = None
    at: Callable[[float], None] = lambda seconds: None
    now: float = 0.0

    def __post_init__(self) -> None:
        """The server's clock is ours."""
        self.api.store.now = lambda: TAKEN_AT + datetime.timedelta(seconds=self.now)
        self.client = KubeClient.from_options(self.api.options)
        self.clock = Clock(now=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.at(self.now)

    def fill(self, *identities: Any, config: Mapping[str, Any] | None = None, **more: list[Any]) -> Scene:
        """An installation whose collection is off (unless `config` says otherwise), one sound Node, and these objects."""
        kinds = cilium(**{"identity_gc_interval": "0s", **(config or {})})
        kinds["nodes"], kinds["pods"] = [node()], [agent()]
        kinds["ciliumidentities"] = list(identities)
        for name, objects in more.items():
            kinds[name] = [*kinds.get(name, []), *objects] if name == "pods" else objects
        for name, objects in kinds.items():
            for one in objects:
                self.add(name, one)
        return self

    def add(self, resource: str, obj: Any) -> Any:
        """Put one object into the API."""
        kind = RESOURCES[resource]
        namespace = obj["metadata"].get("namespace", "") if kind.namespaced else ""
        return self.api.store.add(kind.path(kind.versions[0], namespace), obj)

    def planning(self, **options: Any) -> tuple[Planning, IdentityPicture]:
        """The planning of a run, and its picture."""
        picture = IdentityPicture(self.client, clock=self.clock)
        return Planning(self.client, CleanupOptions(**options), picture), picture

    def plan(self, **options: Any) -> CleanupPlan:
        """What would be done."""
        return self.planning(**options)[0].plan()

    def dead(self, **options: Any) -> set[str]:
        """Names of the dead."""
        return {one.name for one in self.plan(**options).candidates}

    def kept(self, **options: Any) -> dict[int, str]:
        """{number: why it stays}."""
        return dict(self.plan(**options).kept)

    def run(self, **options: Any) -> CleanupResult:
        """Plan and act."""
        planning, picture = self.planning(**options)
        plan = planning.plan()
        cleanup = IdentityCleanup(self.client, self.limits, picture=picture, heartbeat=self.heartbeat, clock=self.clock)
        return cleanup.run(plan, lambda: DeletionJournal.create(str(self.folder), "identities"))

    def there(self) -> set[str]:
        """Names of the identities that exist."""
        return {path.rsplit("/", 1)[1] for path in self.api.store.objects if path.startswith(f"{IDENTITIES}/")}

    def identity(self, number: int) -> Any:
        """One of them."""
        return self.api.store.objects[f"{IDENTITIES}/{number}"]

    def writes(self) -> list[tuple[str, str]]:
        """(method, path) of what was written."""
        return [
            (one.method, one.path) for one in self.api.requests if one.method != "GET" and not one.params.get("dryRun")
        ]

    def unmark(self, number: int) -> None:
        """As an agent does when it begins to use it."""
        self.client.patch(f"{IDENTITIES}/{number}", {"metadata": {"annotations": {HEARTBEAT: None}}})
