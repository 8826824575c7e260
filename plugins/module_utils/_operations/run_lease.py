# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The lock of a run: a Lease in the cluster that one holder has, and that everybody can see.

As leader election of client-go does it, but for two differences. Whether a Lease is expired is judged by the API server's
clock alone (the time that it writes into ``managedFields``, and the creationTimestamp of a dry run). Clocks of two
controllers may differ by minutes; a lock that is taken over too early would mean two Nodes out at once. And a holder has
one name for each of its runs (``NAME #RUN``), with the process that runs it: the same command goes on at once with a run
that was killed, and what the killed one has left behind (workers of Ansible outlive it) loses the Lease.
"""

from __future__ import annotations

import datetime
import re
import typing as t
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_process import RunProcess
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, wait_for

DEFAULT_SECONDS = 300
PROCESS = "podnet.upkeep/process"
_ATTEMPTS = 5
_RUN = re.compile(r" #[0-9a-f]{8}$")
#: How long a write waits for an API server that restarts, in seconds. The same request may be sent again, it is guarded.
_PATIENCE = 90.0


class LeaseLostError(RefusedError):
    """Somebody else holds the Lease now; this run must not go on. ``held_by`` is empty when nobody does."""

    def __init__(self, message: str, held_by: str = "") -> None:
        super().__init__(message)
        self.held_by = held_by

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "held_by": self.held_by}


@dataclass(frozen=True)
class LeaseState:
    """A Lease as it was read. ``expired`` is judged by the server's clock, and None where that may not be asked.

    A Lease without holder is free. ``expires`` is when it is valid until without being renewed.
    """

    holder: str
    since: str
    renewed: str
    expires: str
    expired: bool | None


def name_of_holder(holder: str) -> str:
    """The holder without its run: ``admin@bastion 1f0c2a #9d3e5a01`` -> ``admin@bastion 1f0c2a``."""
    return _RUN.sub("", holder)


class RunLease:
    """The Lease ``podnet-upkeep-<name>`` of a namespace, for one holder.

    ``holder`` with a run in it must be met exactly; without one, any run of this holder is. ``process`` is the
    ansible-playbook that acts, None where that is not known.
    """

    def __init__(
        self,
        client: KubeClient,
        name: str,
        namespace: str,
        holder: str,
        seconds: int = DEFAULT_SECONDS,
        *,
        process: RunProcess | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self.name = f"podnet-upkeep-{name}"
        self.namespace = namespace
        self.holder = holder
        self.seconds = seconds
        self._process = process
        self._clock = clock or Clock()
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{self.name}"

    def state(self) -> LeaseState | None:
        """The Lease now; None when there is none. Raises ApiError."""
        found = self._client.find(self._path)
        return None if found is None else self.state_of(found)

    def state_of(self, found: JsonObject) -> LeaseState:
        """This Lease as it was read. Raises ApiError."""
        holder, renewed, expires = _holder(found), last_write(found), _end(found)
        try:
            expired: bool | None = bool(holder) and self._server_time() > expires
        except ApiError as error:
            if error.status != 403:
                raise
            expired = None
        since = str((found.get("spec") or {}).get("acquireTime") or "")
        return LeaseState(holder, since, _stamp(renewed), _stamp(expires), expired)

    def acquire(self, *, take_over: bool = False) -> bool:
        """Take the Lease, or go on with it when this very playbook has it; whether it had. ``holder`` is ours then.

        One of another living run is refused, an expired one of another holder is taken only with ``take_over``.
        Raises RefusedError naming the holder, ApiError.
        """
        for _attempt in range(_ATTEMPTS):
            found = self._client.find(self._path)
            ours = found is not None and self._may_take(found, take_over=take_over)
            holder = _holder(found) if found is not None and ours else self._named_for_this_run()
            try:
                if found is None:
                    self._client.create(self._collection, self._new(holder))
                else:
                    self._write(found, holder, taken=not ours)
            except ApiError as error:
                if error.status != 409:
                    raise
            else:
                self.holder = holder
                return ours
        raise RefusedError(
            f"The Lease {self.namespace}/{self.name} is changed by somebody else again and again; try later."
        )

    def would_acquire(self, *, take_over: bool = False) -> None:
        """Refuse as ``acquire`` would, and write nothing. Raises RefusedError, ApiError."""
        found = self._client.find(self._path)
        if found is not None:
            self._may_take(found, take_over=take_over)

    def is_left_behind(self, *, take_over: bool = False) -> bool:
        """Whether a run that lives no more still has it, and ``acquire`` would take it. Raises ApiError."""
        found = self._client.find(self._path)
        if found is None or not _holder(found):
            return False
        try:
            return not self._may_take(found, take_over=take_over)
        except RefusedError:
            return False
        except ApiError as error:
            if error.status != 403:
                raise
            return False  # who may not ask for the server's time may not take it either

    def renew(self, *, patience: float = _PATIENCE) -> None:
        """Say that this run goes on; an API server that restarts is waited for.

        Raises LeaseLostError when the Lease is not ours any more, WaitTimeoutError (without patience ApiError), ApiError.
        """
        if patience:
            wait_for("the Lease of the run is renewed", self._renew, timeout=patience, clock=self._clock)
        else:
            self._renew()

    def release(self) -> bool:
        """Give the Lease up, if it is ours; whether it was. Raises WaitTimeoutError, ApiError."""
        return wait_for("the Lease of the run is released", self._release, timeout=_PATIENCE, clock=self._clock)

    # -- internals -----------------------------------------------------------------------------------------------

    def _renew(self) -> bool:
        for _attempt in range(_ATTEMPTS):
            found = self._client.find(self._path)
            if found is None or not self._is_ours(found):
                other = "" if found is None else _holder(found)
                raise LeaseLostError(
                    f"The Lease {self.namespace}/{self.name} of this run ({self.holder}) is held by {other or 'nobody'} now: "
                    f"it was not renewed for longer than {self.seconds} seconds and taken over, released or deleted, or the "
                    "same command was started again. This run stops here.",
                    other,
                )
            try:
                self._write(found, _holder(found), taken=False)
                return True
            except ApiError as error:
                if error.status not in (404, 409):
                    raise
        raise LeaseLostError(
            f"The Lease {self.namespace}/{self.name} cannot be renewed, because somebody writes into it."
        )

    def _release(self) -> bool:
        for _attempt in range(_ATTEMPTS):
            found = self._client.find(self._path)
            if found is None or not self._is_ours(found):
                return False
            body = {
                "metadata": {**_guard(found), "annotations": {PROCESS: None}},
                "spec": {"holderIdentity": "", "renewTime": _now_micro(), "leaseDurationSeconds": 1},
            }
            try:
                self._client.patch(self._path, body)
                return True
            except ApiError as error:
                if error.status not in (404, 409):
                    raise
        return False

    def _is_ours(self, found: JsonObject) -> bool:
        holder = _holder(found)
        return bool(holder) and self.holder in (holder, name_of_holder(holder))

    def _named_for_this_run(self) -> str:
        return f"{name_of_holder(self.holder)} #{uuid.uuid4().hex[:8]}"

    def _may_take(self, found: JsonObject, *, take_over: bool) -> bool:
        """Whether this very playbook has the Lease already; raises RefusedError when it may not be taken."""
        holder = _holder(found)
        if not holder:
            return False
        known = _process(found)
        same_name = name_of_holder(holder) == name_of_holder(self.holder)
        if same_name and (holder == self.holder or (known is not None and known == self._process)):
            return True
        ended = known.has_ended() if known is not None else None
        if same_name and ended:
            return False
        if ended is False or not self._server_time() > _end(found):
            raise RefusedError(self._under_way(found, known if ended is False else None, same_name=same_name))
        if not same_name and not take_over:
            raise RefusedError(
                f"The run of {holder} was interrupted: the Lease {self.namespace}/{self.name} was last renewed "
                f"{_stamp(last_write(found))} and is expired. Go on with it from there, or, when you are sure that it runs "
                "nowhere any more, from here with take_over."
            )
        return False

    def _under_way(self, found: JsonObject, process: RunProcess | None, *, same_name: bool) -> str:
        since = (found.get("spec") or {}).get("acquireTime") or "an unknown time"
        where = f", process {process.pid} of this machine" if process is not None else ""
        sentence = (
            f"Another run is under way: {_holder(found)}{where} holds the Lease {self.namespace}/{self.name} since {since} "
            f"(renewed {_stamp(last_write(found))}). Wait for it, or stop it with `kubectl -n {self.namespace} patch "
            f'configmap {self.name} --type merge -p \'{{"data": {{"stop": "true"}}}}\'`.'
        )
        if same_name and process is None:
            sentence += (
                f" If it was killed: it expires {_stamp(_end(found))}, and then the same command goes on with it."
            )
        return sentence

    def _write(self, found: JsonObject, holder: str, *, taken: bool) -> None:
        spec: JsonObject = {
            "holderIdentity": holder,
            "renewTime": _now_micro(),
            "leaseDurationSeconds": self.seconds,
        }
        metadata: JsonObject = _guard(found)
        if taken:
            spec["acquireTime"] = spec["renewTime"]
            spec["leaseTransitions"] = int((found.get("spec") or {}).get("leaseTransitions") or 0) + 1
            metadata["annotations"] = {PROCESS: self._process.to_text() if self._process else None}
        self._client.patch(self._path, {"metadata": metadata, "spec": spec})

    def _new(self, holder: str) -> JsonObject:
        now = _now_micro()
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.name,
                "labels": {"app.kubernetes.io/managed-by": "podnet.upkeep"},
                "annotations": {PROCESS: self._process.to_text()} if self._process else {},
            },
            "spec": {
                "holderIdentity": holder,
                "acquireTime": now,
                "renewTime": now,
                "leaseDurationSeconds": self.seconds,
                "leaseTransitions": 0,
            },
        }

    def _server_time(self) -> datetime.datetime:
        """Now by the API server's clock: nothing is written in a dry run, but it is dated."""
        probe = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"generateName": f"{self.name}-clock-"},
        }
        answer = self._client.create(self._collection, probe, dry_run=True)
        return parse_time(str(answer["metadata"]["creationTimestamp"]))


def _holder(found: Mapping[str, t.Any]) -> str:
    return str((found.get("spec") or {}).get("holderIdentity") or "")


def _process(found: Mapping[str, t.Any]) -> RunProcess | None:
    return RunProcess.from_text(str((found["metadata"].get("annotations") or {}).get(PROCESS) or ""))


def _guard(found: Mapping[str, t.Any]) -> JsonObject:
    metadata = found["metadata"]
    return {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}


def _end(found: Mapping[str, t.Any]) -> datetime.datetime:
    """When the Lease is expired if nobody renews it. One that a person left without duration has ours."""
    seconds = int((found.get("spec") or {}).get("leaseDurationSeconds") or DEFAULT_SECONDS)
    return last_write(found) + datetime.timedelta(seconds=seconds)


def last_write(found: Mapping[str, t.Any]) -> datetime.datetime:
    """When the API server last took a write of this object: of its managedFields.

    Where those were cleared, the holder's own clock has to do: without it the Lease would look as old as its creation.
    """
    metadata = found["metadata"]
    times = [str(one["time"]) for one in metadata.get("managedFields") or () if one.get("time")]
    if not times:
        times = [str(metadata["creationTimestamp"]), str((found.get("spec") or {}).get("renewTime") or "")]
    return max(parse_time(text) for text in times if text)


def parse_time(text: str) -> datetime.datetime:
    """A time as the API writes it, with or without fractions of a second."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def _stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _now_micro() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
