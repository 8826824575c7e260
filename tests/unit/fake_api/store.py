"""The objects of the fake API, and what requests do to them."""

from __future__ import annotations

import copy
import datetime
import itertools
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]
_OBJECT = re.compile(r"^(/api/v1|/apis/[^/]+/[^/]+)(/namespaces/[^/]+)?/([a-z]+)/([^/]+)$")
_COLLECTION = re.compile(r"^(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/([^/]+))?/([a-z]+)$")
_VERSION = re.compile(r"^/apis/[^/]+/[^/]+$")
_EVICTION = re.compile(r"^/api/v1/namespaces/([^/]+)/pods/([^/]+)/eviction$")


@dataclass(frozen=True)
class Answer:
    """Status code and JSON body."""

    status: int
    body: Any


def failure(code: int, reason: str, message: str, causes: list[JsonObject] | None = None) -> Answer:
    """An error answer."""
    return Answer(
        code,
        {
            "kind": "Status",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
            "details": {"causes": causes or []},
        },
    )


class Store:
    """Objects by path. `deleting` names pods that need a second look before they are gone (termination).

    `now` is the server's clock: it dates every write of a Lease.
    """

    def __init__(self) -> None:
        self.objects: dict[str, JsonObject] = {}
        self.denied: set[tuple[str, str]] = set()
        self.disruptions_allowed: dict[str, int] = {}
        self.sticky_pods: set[str] = set()
        self.now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC)
        self._versions = itertools.count(1)

    def add(self, collection: str, obj: JsonObject) -> JsonObject:
        """Put an object in as it is (uid and resourceVersion are added); `collection` is the path to POST to."""
        made = copy.deepcopy(obj)
        metadata = made.setdefault("metadata", {})
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata["resourceVersion"] = str(next(self._versions))
        found = re.match(r".*/namespaces/([^/]+)/[a-z]+$", collection)
        if found:
            metadata.setdefault("namespace", found[1])
        self.objects[f"{collection}/{metadata['name']}"] = made
        return made

    def handle(self, method: str, path: str, params: dict[str, str], body: Any) -> Answer:
        """Carry one request out."""
        if path == "/version":
            return Answer(200, {"gitVersion": "v1.36.1"})
        if path == "/apis":
            return Answer(200, {"groups": self._groups()})
        if method == "GET" and _VERSION.match(path):
            return self._kinds(path)
        if path.endswith("/selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            allowed = (asked["verb"], asked["resource"]) not in self.denied
            return Answer(201, {**body, "status": {"allowed": allowed}})
        eviction = _EVICTION.match(path)
        if eviction:
            return self._evict(eviction[1], eviction[2], body)
        if method == "GET" and _COLLECTION.match(path):
            return self._list(path, params)
        if method == "POST" and _COLLECTION.match(path):
            return self._create(path, body, dry_run=bool(params.get("dryRun")))
        return self._on_object(method, path, body, dry_run=bool(params.get("dryRun")))

    def _groups(self) -> list[JsonObject]:
        """Groups of the objects that are there."""
        found: dict[str, set[str]] = {}
        for path in self.objects:
            if path.startswith("/apis/"):
                group, version = path.split("/")[2:4]
                found.setdefault(group, set()).add(version)
        return [
            {"name": group, "versions": [{"version": one} for one in sorted(versions)]}
            for group, versions in sorted(found.items())
        ]

    def _kinds(self, path: str) -> Answer:
        """Kinds of this version of which there are objects."""
        kinds = {found[3] for found in map(_OBJECT.match, self.objects) if found is not None and found[1] == path}
        if not kinds:
            return failure(404, "NotFound", "the server could not find the requested resource")
        return Answer(200, {"kind": "APIResourceList", "resources": [{"name": one} for one in sorted(kinds)]})

    # -- collections ---------------------------------------------------------------------------------------------------

    def _list(self, path: str, params: dict[str, str]) -> Answer:
        found = _COLLECTION.match(path)
        assert found is not None
        wanted = []
        for key, obj in sorted(self.objects.items()):
            match = _OBJECT.match(key)
            if match is None or match[1] != found[1] or match[3] != found[3]:
                continue
            if found[2] and obj["metadata"].get("namespace") != found[2]:
                continue
            if _selected(obj, params):
                wanted.append(obj)
        start = int(params.get("continue") or 0)
        limit = int(params.get("limit") or len(wanted) or 1)
        metadata: JsonObject = {"resourceVersion": "1"}
        if start + limit < len(wanted):
            metadata["continue"] = str(start + limit)
        return Answer(
            200, {"kind": "List", "metadata": metadata, "items": copy.deepcopy(wanted[start : start + limit])}
        )

    def _create(self, path: str, body: JsonObject, *, dry_run: bool) -> Answer:
        made = copy.deepcopy(body)
        metadata = made["metadata"]
        if "name" not in metadata:
            metadata["name"] = f"{metadata['generateName']}{uuid.uuid4().hex[:5]}"
        if f"{path}/{metadata['name']}" in self.objects:
            return failure(409, "AlreadyExists", f'"{metadata["name"]}" already exists')
        self._date(path, made)
        return Answer(201, made if dry_run else copy.deepcopy(self.add(path, made)))

    def _date(self, path: str, obj: JsonObject) -> None:
        if "/leases" in path:
            stamp = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            obj["metadata"].setdefault("creationTimestamp", stamp)
            obj["metadata"]["managedFields"] = [{"manager": "test", "operation": "Update", "time": stamp}]

    # -- objects -------------------------------------------------------------------------------------------------------

    def _on_object(self, method: str, path: str, body: Any, *, dry_run: bool = False) -> Answer:
        obj = self.objects.get(path)
        if obj is None:
            return failure(404, "NotFound", f'"{path.rsplit("/", 1)[-1]}" not found')
        if method == "GET":
            return Answer(200, copy.deepcopy(obj))
        if method == "PATCH":
            given = body.get("metadata") or {}
            for key in ("uid", "resourceVersion"):
                if key in given and given[key] != obj["metadata"][key]:
                    return failure(409, "Conflict", f"the object has been modified: {key}")
            if dry_run:
                obj = copy.deepcopy(obj)
            _merge(obj, body)
            self._date(path, obj)
            obj["metadata"]["resourceVersion"] = str(next(self._versions))
            return Answer(200, copy.deepcopy(obj))
        if dry_run:
            return Answer(200, copy.deepcopy(obj))
        return self._delete(path, obj, (body or {}).get("preconditions") or {}, (body or {}).get("gracePeriodSeconds"))

    def _delete(self, path: str, obj: JsonObject, preconditions: JsonObject, grace: int | None) -> Answer:
        for key, value in preconditions.items():
            if obj["metadata"][key] != value:
                return failure(409, "Conflict", f"Precondition failed: {key} in precondition: {value}")
        if obj["metadata"]["name"] in self.sticky_pods and grace != 0:
            obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            return Answer(200, copy.deepcopy(obj))
        del self.objects[path]
        return Answer(200, {"kind": "Status", "status": "Success"})

    def _evict(self, namespace: str, name: str, body: JsonObject) -> Answer:
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        pod = self.objects.get(path)
        if pod is None:
            return failure(404, "NotFound", f'pods "{name}" not found')
        options = body["deleteOptions"]
        for budget, allowed in self.disruptions_allowed.items():
            if budget != pod["metadata"].get("labels", {}).get("app"):
                continue
            if allowed <= 0:
                causes = [
                    {
                        "reason": "DisruptionBudget",
                        "message": f"The disruption budget {budget} needs 3 healthy pods and has 3 currently",
                    }
                ]
                return failure(
                    429,
                    "TooManyRequests",
                    "Cannot evict pod as it would violate the pod's disruption budget.",
                    causes,
                )
            self.disruptions_allowed[budget] = allowed - 1
        return self._delete(path, pod, options.get("preconditions") or {}, options.get("gracePeriodSeconds"))


def _merge(target: JsonObject, patch: JsonObject) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = copy.deepcopy(value)


def _selected(obj: JsonObject, params: dict[str, str]) -> bool:
    for part in filter(None, params.get("fieldSelector", "").split(",")):
        name, _sign, wanted = part.partition("=")
        value: Any = obj
        for key in name.split("."):
            value = (value or {}).get(key)
        if (value or "") != wanted:
            return False
    labels = obj["metadata"].get("labels") or {}
    for part in filter(None, params.get("labelSelector", "").split(",")):
        name, _sign, wanted = part.partition("=")
        if labels.get(name) != wanted:
            return False
    return True
