# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The lock of a run: a Lease in the cluster that one holder has, and that everybody can see.

As leader election of client-go does it, but for one difference: whether a Lease is expired is judged by the API server's
clock alone (the time that it writes into ``managedFields``, and the creationTimestamp of a dry run). Clocks of two
controllers may differ by minutes; a lock that is taken over too early would mean two Nodes out at once.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError

DEFAULT_SECONDS = 300
_ATTEMPTS = 5


class LeaseLostError(RefusedError):
    """Somebody else holds the Lease now; this run must not go on."""


@dataclass(frozen=True)
class LeaseState:
    """A Lease as it was read. ``expired`` is judged by the server's clock; a Lease without holder is free."""

    holder: str
    since: str
    renewed: str
    expired: bool


class RunLease:
    """The Lease ``podnet-upkeep-<name>`` of a namespace, for one holder."""

    def __init__(
        self, client: KubeClient, name: str, namespace: str, holder: str, seconds: int = DEFAULT_SECONDS
    ) -> None:
        self._client = client
        self.name = f"podnet-upkeep-{name}"
        self.namespace = namespace
        self.holder = holder
        self.seconds = seconds
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{self.name}"

    def state(self) -> LeaseState | None:
        """The Lease now; None when there is none. Raises ApiError."""
        found = self._client.find(self._path)
        return None if found is None else self._state_of(found)

    def acquire(self, *, take_over: bool = False) -> bool:
        """Take the Lease, or renew it when it is ours already; whether it was ours.

        One of another holder is refused; an expired one is taken only with ``take_over``.
        Raises RefusedError naming the holder, ApiError.
        """
        for _attempt in range(_ATTEMPTS):
            found = self._client.find(self._path)
            try:
                if found is None:
                    self._client.create(self._collection, self._new())
                    return False
                ours = self._may_take(found, take_over=take_over)
                self._write(found, taken=not ours)
                return ours
            except ApiError as error:
                if error.status != 409:
                    raise
        raise RefusedError(
            f"The Lease {self.namespace}/{self.name} is changed by somebody else again and again; try later."
        )

    def would_acquire(self, *, take_over: bool = False) -> None:
        """Refuse as ``acquire`` would, and write nothing. Raises RefusedError, ApiError."""
        found = self._client.find(self._path)
        if found is not None:
            self._may_take(found, take_over=take_over)

    def renew(self) -> None:
        """Say that this run goes on. Raises LeaseLostError when the Lease is not ours any more, ApiError."""
        for _attempt in range(_ATTEMPTS):
            found = self._client.find(self._path)
            if found is None or self._holder(found) != self.holder:
                other = "nobody" if found is None else self._holder(found) or "nobody"
                raise LeaseLostError(
                    f"The Lease {self.namespace}/{self.name} of this run is held by {other} now: it was not renewed for "
                    f"longer than {self.seconds} seconds and taken over, or released. This run stops here."
                )
            try:
                self._write(found, taken=False)
                return
            except ApiError as error:
                if error.status != 409:
                    raise
        raise LeaseLostError(
            f"The Lease {self.namespace}/{self.name} cannot be renewed, because somebody writes into it."
        )

    def release(self) -> bool:
        """Give the Lease up, if it is ours; whether it was. Raises ApiError."""
        found = self._client.find(self._path)
        if found is None or self._holder(found) != self.holder:
            return False
        body = {
            "metadata": self._guard(found),
            "spec": {"holderIdentity": "", "renewTime": _now_micro(), "leaseDurationSeconds": 1},
        }
        try:
            self._client.patch(self._path, body)
        except ApiError as error:
            if error.status != 409:
                raise
            return False
        return True

    # -- internals -----------------------------------------------------------------------------------------------

    def _may_take(self, found: JsonObject, *, take_over: bool) -> bool:
        state = self._state_of(found)
        if state.holder == self.holder:
            return True
        if not state.holder:
            return False
        if not state.expired:
            raise RefusedError(
                f"Another run is under way: {state.holder} holds the Lease {self.namespace}/{self.name} since {state.since} "
                f"(renewed {state.renewed}). Wait for it, or stop it with `kubectl -n {self.namespace} patch configmap "
                f'{self.name} --type merge -p \'{{"data": {{"stop": "true"}}}}\'`.'
            )
        if not take_over:
            raise RefusedError(
                f"The run of {state.holder} was interrupted: the Lease {self.namespace}/{self.name} was last renewed "
                f"{state.renewed} and is expired. Go on with it from there, or, when you are sure that it runs nowhere any "
                "more, from here with take_over."
            )
        return False

    def _write(self, found: JsonObject, *, taken: bool) -> None:
        spec: JsonObject = {
            "holderIdentity": self.holder,
            "renewTime": _now_micro(),
            "leaseDurationSeconds": self.seconds,
        }
        if taken:
            spec["acquireTime"] = spec["renewTime"]
            spec["leaseTransitions"] = int((found.get("spec") or {}).get("leaseTransitions") or 0) + 1
        self._client.patch(self._path, {"metadata": self._guard(found), "spec": spec})

    def _new(self) -> JsonObject:
        now = _now_micro()
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "labels": {"app.kubernetes.io/managed-by": "podnet.upkeep"}},
            "spec": {
                "holderIdentity": self.holder,
                "acquireTime": now,
                "renewTime": now,
                "leaseDurationSeconds": self.seconds,
                "leaseTransitions": 0,
            },
        }

    def _state_of(self, found: JsonObject) -> LeaseState:
        spec = found.get("spec") or {}
        renewed = last_write(found)
        duration = datetime.timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0))
        holder = self._holder(found)
        return LeaseState(
            holder=holder,
            since=str(spec.get("acquireTime") or ""),
            renewed=renewed.strftime("%Y-%m-%dT%H:%M:%SZ"),
            expired=bool(holder) and self._server_time() > renewed + duration,
        )

    def _server_time(self) -> datetime.datetime:
        """Now by the API server's clock: nothing is written in a dry run, but it is dated."""
        probe = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"generateName": f"{self.name}-clock-"},
        }
        answer = self._client.create(self._collection, probe, dry_run=True)
        return parse_time(str(answer["metadata"]["creationTimestamp"]))

    @staticmethod
    def _holder(found: Mapping[str, t.Any]) -> str:
        return str((found.get("spec") or {}).get("holderIdentity") or "")

    @staticmethod
    def _guard(found: Mapping[str, t.Any]) -> JsonObject:
        metadata = found["metadata"]
        return {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}


def last_write(found: Mapping[str, t.Any]) -> datetime.datetime:
    """When the API server last took a write of this object: of its managedFields, else its creation."""
    metadata = found["metadata"]
    times = [str(one["time"]) for one in metadata.get("managedFields") or () if one.get("time")]
    return max(map(parse_time, times or [str(metadata["creationTimestamp"])]))


def parse_time(text: str) -> datetime.datetime:
    """A time as the API writes it, with or without fractions of a second."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _now_micro() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
