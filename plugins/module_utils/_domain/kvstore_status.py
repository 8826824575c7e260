# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What agents and snapshots say about the key-value store of Cilium.

Source of the texts: statusChecker and determineEndpointStatus of pkg/kvstore/etcd.go of cilium/cilium, from 1.14 on; the
keys: pkg/kvstore/allocator. The operator writes the heartbeat once a minute (HeartbeatWriteInterval), and agents take
the store for broken when none came for two.
"""

from __future__ import annotations

import base64
import binascii
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import mapping, text
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import DurationError, parse

HEARTBEAT_SECONDS = 60
# etcd's own default of --quota-backend-bytes, and the size above which its documentation advises against more
DEFAULT_QUOTA = 2 * 1024**3
LARGEST_DATABASE = 8 * 1024**3
_CONNECTED = re.compile(r"etcd: (\d+)/(\d+) connected")
_QUORUM = re.compile(r"has-quorum=(?:true|(.*?), consecutive-errors=\d+)(?:: (.*))?$", re.DOTALL)
_MEMBER = re.compile(r"(\d+\.\d+\.\d+\S*)( \(Leader\))?$")
_HEARTBEAT = re.compile(r"(\S+) since last heartbeat update has been received")
_SPACE = ("database space exceeded", "NOSPACE")
_UNCHECKED = "endpoint status checks are disabled"
_NANOSECONDS = 10**9


@dataclass(frozen=True)
class Member:
    """An etcd endpoint; ``error`` says why it could not be reached."""

    address: str
    version: str = ""
    leader: bool = False
    error: str = ""


@dataclass(frozen=True)
class KvstoreStatus:
    """One agent's view of the store; ``quorum`` None, ``connected`` None and ``members`` empty: it does not say."""

    state: str
    message: str
    quorum: bool | None
    connected: int | None = None
    endpoints: int | None = None
    members: tuple[Member, ...] = ()
    error: str = ""
    heartbeat_age: float | None = None
    space_exceeded: bool = False


def parse_status(state: str, message: str) -> KvstoreStatus:
    """Reads state and message of ``status.kvstore``; ``heartbeat_age`` is in seconds. Never fails: what it does not know
    it leaves out."""
    connected = _CONNECTED.search(message)
    quorum = _QUORUM.search(message)
    error = ""
    if quorum is not None:
        error = quorum[1] or ""
    elif state == "Failure" or message.startswith("Err:"):
        error = message.removeprefix("Err:").strip()
    has_quorum = quorum is not None and quorum[1] is None
    return KvstoreStatus(
        state=state,
        message=message,
        quorum=has_quorum if quorum is not None else (False if error else None),
        connected=int(connected[1]) if connected else None,
        endpoints=int(connected[2]) if connected else None,
        members=_members(quorum[2] or "") if quorum is not None else (),
        error=error,
        heartbeat_age=_heartbeat_age(message),
        space_exceeded=any(word in message for word in _SPACE),
    )


def _members(listed: str) -> tuple[Member, ...]:
    if not listed or listed == _UNCHECKED:
        return ()
    found = []
    for one in listed.split("; "):
        address, dash, rest = one.partition(" - ")
        known = _MEMBER.match(rest)
        if known:
            found.append(Member(address, known[1], bool(known[2])))
        elif dash:
            found.append(Member(address, error=rest))
    return tuple(found)


def _heartbeat_age(message: str) -> float | None:
    found = _HEARTBEAT.search(message)
    if found is None:
        return None
    try:
        return parse(found[1]) / _NANOSECONDS
    except DurationError:
        return None


# -- keys of a snapshot ------------------------------------------------------------------------------------------

_IDENTITIES = "cilium/state/identities/v1/"
_HEARTBEAT_KEY = "cilium/.heartbeat"


def summarize_keys(pairs: t.Any) -> list[dict[str, t.Any]]:
    """Entries of the resource ``kvstore`` for what ``cilium-dbg kvstore get --recursive PREFIX -o json`` printed.

    ``pairs`` is its decoded output, ``{key: {"Data": base64}}``. Kinds: ``identity-masters`` (one key for each identity),
    ``identity-orphans`` (of those, the ones that no Node uses), ``identity-locks`` (held at that moment) and
    ``heartbeat`` with its ``time``. A kind is there only when its prefix was in the output: absent is unknown.
    """
    masters: dict[str, str] = {}
    used: set[str] = set()
    locks = 0
    entries: list[dict[str, t.Any]] = []
    for key, value in mapping(pairs).items():
        if key == _HEARTBEAT_KEY:
            entries.append({"kind": "heartbeat", "count": 1, "time": _data(value).strip()})
        kind, _slash, rest = (
            key.removeprefix(_IDENTITIES).partition("/") if key.startswith(_IDENTITIES) else ("", "", "")
        )
        if kind == "id":
            masters[rest] = _data(value)
        elif kind == "value":
            used.add(rest.rpartition("/")[0])  # the last part is the address of the Node
        elif kind == "locks":
            locks += 1
    if masters or used:
        orphans = sum(1 for labels in masters.values() if labels not in used)
        entries.append({"kind": "identity-masters", "count": len(masters)})
        entries.append({"kind": "identity-orphans", "count": orphans})
        entries.append({"kind": "identity-locks", "count": locks})
    return entries


def _data(value: t.Any) -> str:
    written = text(mapping(value).get("Data"))
    try:
        return base64.b64decode(written, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return written


def counts_by_kind(entries: t.Iterable[Mapping[str, t.Any]]) -> dict[str, int]:
    """{kind: count} of the resource ``kvstore``."""
    found: dict[str, int] = {}
    for one in entries:
        number = one.get("count")
        if isinstance(number, int):
            found[text(one.get("kind"))] = found.get(text(one.get("kind")), 0) + number
    return found
