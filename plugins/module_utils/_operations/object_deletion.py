# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Delete one object, exactly the one that was judged, and find out what became of it."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    DELETED,
    FINALIZING,
    GONE,
    IN_USE,
    REFUSED,
    UNKNOWN,
    Candidate,
    Outcome,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_pace import Pace
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_LOST_ANSWER = "the answer was lost; a look afterwards found the object gone"


#: The outcome of one object, and a sentence where the whole run has to stop.
Deleted = tuple[Outcome, str]


class ObjectDeletion:
    """Sends DELETE with uid and resourceVersion.

    A request whose answer is lost, or that failed within the server, is never just repeated: the object is looked at
    first, and only the very same one is asked for again. 429 holds back the requests of all threads.
    """

    def __init__(self, client: KubeClient, pace: Pace, clock: Clock, patience: float) -> None:
        """``patience``: seconds for which one object is tried."""
        self._client = client
        self._pace = pace
        self._clock = clock
        self._patience = patience

    def delete(self, candidate: Candidate) -> Deleted:
        """Delete it. Never raises for what the API answers."""
        end = self._clock.now() + self._patience
        pause, ambiguous = _FIRST_PAUSE, False
        while True:
            try:
                answer = self._client.delete(
                    candidate.path, uid=candidate.uid, resource_version=candidate.resource_version, repeat=False
                )
                return _accepted(candidate, answer)
            except ApiError as error:
                wait = error.retry_after or pause
                if error.status != 429 and (ambiguous or _is_ambiguous(error)):
                    ambiguous = True
                    seen = self._look(candidate, error, end)
                    if seen is not None:
                        return seen
                final = _final(candidate, error)
                if final is not None:
                    return final
                if self._clock.now() + wait > end:
                    return _surprise(candidate, error)
                if error.status == 429:
                    self._pace.hold(wait)
                    self._pace.wait()
                else:
                    self._clock.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _look(self, candidate: Candidate, lost: ApiError, end: float) -> Deleted | None:
        """What became of it after a request without a clear answer; None when the very same object is there.

        An API server that restarts is waited for until ``end``.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                found = self._client.request("GET", candidate.path, repeat=False)
                break
            except ApiError as error:
                if error.status == 404:
                    return Outcome(candidate, DELETED, _LOST_ANSWER), ""
                if not error.transient or self._clock.now() + pause > end:
                    return (
                        Outcome(candidate, UNKNOWN, str(lost)),
                        f"What became of {candidate.words} is not known: {lost} A look at it failed as well: {error}",
                    )
            self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        metadata = found.get("metadata") or {}
        if metadata.get("uid") != candidate.uid:
            return Outcome(candidate, DELETED, _LOST_ANSWER), ""
        if metadata.get("deletionTimestamp"):
            return Outcome(candidate, FINALIZING, _finalizers(metadata)), ""
        if metadata.get("resourceVersion") != candidate.resource_version:
            return Outcome(candidate, IN_USE, "it was changed since the plan"), ""
        return None


def _accepted(candidate: Candidate, answer: JsonObject) -> Deleted:
    metadata = answer.get("metadata") or {}
    if metadata.get("uid") == candidate.uid and metadata.get("finalizers"):
        return Outcome(candidate, FINALIZING, _finalizers(metadata)), ""
    return Outcome(candidate, DELETED), ""


def _is_ambiguous(error: ApiError) -> bool:
    """Whether the server may have done it, or may still be at it."""
    return error.status >= 500 or error.status == 0


def _final(candidate: Candidate, error: ApiError) -> Deleted | None:
    """The outcome where the answer leaves no doubt; None where waiting helps."""
    if error.status == 404 and error.reason == "NotFound":
        return Outcome(candidate, GONE), ""
    if error.status == 409:
        return Outcome(candidate, IN_USE, "it was changed or made anew since the plan"), ""
    if error.status == 429 or _is_ambiguous(error):
        return None
    return _surprise(candidate, error)


def _surprise(candidate: Candidate, error: ApiError) -> Deleted:
    return Outcome(candidate, REFUSED, str(error)), f"{candidate.words} could not be deleted: {error}"


def _finalizers(metadata: t.Mapping[str, t.Any]) -> str:
    names = ", ".join(metadata.get("finalizers") or []) or "nothing that it names"
    return f"its deletion is accepted and waits for {names}"
