# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads lists of the API page by page, some pages at once: who reads a page tells where the next begins, then parses it."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import (
    Gathered,
    PackedEndpoints,
    collected,
    collecting,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import EVENT_REASONS, Resource
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows import reduced
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

_PAGE_SIZE = 500
# The metadata of a list stand before its items, or (of custom resources) behind them: there without any doubt, because
# nothing else can stand at the very start or end. Their values hold no braces.
_START = re.compile(rb'\{"kind":"[A-Za-z]+","apiVersion":"[^"\\]*","metadata":(\{[^{}]*\}),"items":')
_END = re.compile(rb'\],"kind":"[A-Za-z]+","metadata":(\{[^{}]*\})\}\s*\Z')
_ENDS = 4096


def token_of(data: bytes) -> str:
    """The token of the page behind this one, found without parsing; empty when there is none, or it is not found."""
    found = _START.match(data[:_ENDS]) or _END.search(data[-_ENDS:])
    try:
        return str(json.loads(found[1]).get("continue") or "") if found else ""
    except ValueError:
        return ""


def read_page(client: KubeClient, job: Sequence[t.Any]) -> Iterator[t.Any]:
    """Says the token of the next page when it is known early, then (what is kept of the objects, the token).

    ``job`` is (resource, path, parameters). Raises ApiError.
    """
    resource, path, parameters = job
    data = client.get_text(path, parameters)
    early = token_of(data)
    if early:
        yield early
    page = client.decode(data, path)
    del data
    items = page.get("items") or []
    token = str((page.get("metadata") or {}).get("continue") or "")
    if early and early != token:
        raise ApiError(f"{client.host} answered {path} with a list whose metadata are not at its end.", path=path)
    del page
    items.reverse()
    found = []
    while items:  # each whole object goes as soon as its part is taken
        found.append(reduced(resource, items.pop()))
    yield found, token


@dataclass
class Listing:
    """One list that is being read, from the start once more when its continue token has expired (410)."""

    resource: str
    path: str
    selector: str = ""
    # whether the first page may be asked for
    may_start: Callable[[], bool] = lambda: True
    found: Gathered | PackedEndpoints = field(init=False)
    # pages that were asked for, and taken in their order; those that came early wait
    asked: int = 0
    taken: int = 0
    waiting: dict[int, tuple[list[t.Any], str]] = field(default_factory=dict)
    tokens: dict[int, str] = field(default_factory=dict)
    answered: bool = False
    finished: bool = False
    error: ApiError | None = None
    _restarted: bool = False
    # pages of an earlier start are thrown away
    start: int = 0

    def __post_init__(self) -> None:
        self.found = collecting(self.resource)

    def job(self) -> tuple[int, int, tuple[str, str, dict[str, t.Any]]] | None:
        """(start, page, job) of the page to read next; None while there is none."""
        if self.finished or (self.asked > 0 and self.asked not in self.tokens):
            return None
        if self.asked == 0 and not self.may_start():
            return None
        token = self.tokens.get(self.asked, "")
        chosen = {"fieldSelector": self.selector} if self.selector else {}
        parameters = {"limit": _PAGE_SIZE, **chosen, **({"continue": token} if token else {})}
        self.asked += 1
        return self.start, self.asked - 1, (self.resource, self.path, parameters)

    def said(self, start: int, page: int, value: t.Any, apart: bool) -> None:
        """Take what was said about a page: the token of the next one, or the objects."""
        if start != self.start or self.finished:
            return
        self.answered = True
        if isinstance(value, str):
            self.tokens[page + 1] = value
            return
        found, token = value
        if token:
            self.tokens[page + 1] = token
        self.waiting[page] = (found, token)
        while self.taken in self.waiting:
            found, token = self.waiting.pop(self.taken)
            self.taken += 1
            # what comes from elsewhere shares nothing yet with what is here
            self.found.take(_shared(self.resource, found) if apart else found)
            self.finished = not token

    def failed(self, start: int, error: ApiError) -> None:
        """Start over once when the token had expired; otherwise that is the end."""
        if start != self.start or self.finished:
            return
        if error.status != 410 or self._restarted:
            self.error, self.finished = error, True
            return
        self._restarted = True
        self.start += 1
        self.asked = self.taken = 0
        self.tokens, self.waiting, self.found = {}, {}, collecting(self.resource)


def _shared(resource: str, found: list[t.Any]) -> Iterator[t.Any]:
    return (one if isinstance(one, tuple) else reduced(resource, one) for one in found)


class KindReading:
    """One kind of object that is being listed: by the versions of its API in turn, events by their reasons."""

    def __init__(self, kind: Resource, versions: Sequence[str], may_start: Callable[[], bool]) -> None:
        self.kind = kind
        self._versions = list(versions)
        self._may_start = may_start
        self.listings: list[Listing] = []
        self.finished = False
        # None: the cluster does not serve it
        self.found: Sequence[Object] | None = None
        self.refused: ApiError | None = None
        self._next_version()

    def _next_version(self) -> None:
        if not self._versions:
            self.listings, self.finished = [], True
            return
        path = self.kind.path(self._versions.pop(0))
        selectors = [f"reason={one}" for one in EVENT_REASONS] if self.kind.name == "events" else [""]
        self.listings = [Listing(self.kind.name, path, selector, self._may_start) for selector in selectors]

    @property
    def answered(self) -> bool:
        """Whether a first page has come, or none will."""
        return self.finished or any(one.answered for one in self.listings)

    def look(self) -> None:
        """Go on after something has changed. Raises ApiError for a failure that is no missing permission."""
        error = next((one.error for one in self.listings if one.error is not None), None)
        if error is not None and error.status not in (403, 404):
            raise error
        if not all(one.finished for one in self.listings):
            return
        if error is None:
            self.finished = True
            parts = [collected(one.found) for one in self.listings]
            self.found = parts[0] if len(parts) == 1 else tuple(obj for part in parts for obj in part)
        elif error.status == 404:
            self._next_version()  # the group is served, this kind of it is not
        else:
            self.finished, self.refused = True, error


def next_job(
    lists: Iterable[KindReading],
) -> tuple[KindReading, Listing, tuple[int, int, tuple[str, str, dict[str, t.Any]]]] | None:
    """The next page of the first list that has one to read."""
    for reading in lists:
        for listing in reading.listings:
            job = listing.job()
            if job is not None:
                return reading, listing, job
    return None
