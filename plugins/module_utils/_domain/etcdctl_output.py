# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What etcdctl 3.4 to 3.6 and crictl print, and what they mean when they fail.

etcdctl writes its answer as one line of JSON to standard output, a log of JSON lines to standard error, and the reason why it
failed as a plain line behind them: ``Error: REASON``, or ``Failed to get the status of endpoint URL (REASON)`` for each member
that did not answer, whose status is then not in the answer. A lost connection is told as ``context deadline exceeded``; why it
was lost is in the log only.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import mapping, objects, sequence, text
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import (
    Member,
    Status,
    parse_alarms,
    parse_members,
    parse_status,
)

OLDEST = (3, 4)
_FAILED = re.compile(r"Failed to get the status of endpoint (\S+) \((.*)\)\s*$")
_VERSION = re.compile(r"etcdctl version: (\d+)\.(\d+)\.(\d+)")
_LATE = "context deadline exceeded"
_LONGEST = 300


class OutputError(ValueError):
    """What was printed is not what the command prints; the text says what it is instead."""


@dataclass(frozen=True)
class Mount:
    """A folder of a host that a container can write to."""

    inside: str
    outside: str


def printed_json(printed: str) -> t.Any:
    """The JSON of an answer, also behind lines of somebody else's, such as a greeting. Raises OutputError."""
    lines = [line for line in printed.splitlines() if line.strip()]
    for candidate in (printed, *(line for line in reversed(lines) if line.lstrip()[:1] in ("{", "["))):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    raise OutputError(f"it is no JSON, but {_shown(printed)}")


def statuses_of(printed: str) -> dict[str, Status]:
    """{endpoint: status} of ``endpoint status``; those that did not answer are left out. Raises OutputError."""
    found = printed_json(printed)
    if found is None:
        return {}
    if not isinstance(found, list):
        raise OutputError(f"it is no list of members, but {_shown(printed)}")
    statuses = {text(one.get("Endpoint")): parse_status(one.get("Status")) for one in objects(found)}
    if len(statuses) != len(found) or any(not one.member or not one.cluster for one in statuses.values()):
        raise OutputError(f"it does not tell which member each endpoint is, but {_shown(printed)}")
    return statuses


def members_of(printed: str) -> list[Member]:
    """The members of ``member list``. Raises OutputError."""
    members = parse_members(printed_json(printed))
    if not members or any(not one.identifier for one in members):
        raise OutputError(f"there is no member in it, but {_shown(printed)}")
    return members


def alarms_of(printed: str) -> tuple[tuple[int, str], ...]:
    """The alarms of ``alarm list`` and ``alarm disarm``. Raises OutputError."""
    found = printed_json(printed)
    if not isinstance(found, dict):
        raise OutputError(f"it is no list of alarms, but {_shown(printed)}")
    return parse_alarms(found)


def version_of(printed: str) -> tuple[int, int, int] | None:
    """The version of etcdctl; None when it tells none, as before 3."""
    found = _VERSION.search(printed)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def failures_of(errors: str) -> dict[str, str]:
    """{endpoint: why it did not answer} of ``endpoint status``."""
    found: dict[str, str] = {}
    cause = ""
    for line in errors.splitlines():
        failed = _FAILED.search(line)
        if failed is None:
            cause = _cause(line) or cause
            continue
        found[failed[1]] = _said(failed[2], cause)
        cause = ""
    return found


def reason_of(errors: str, printed: str = "") -> tuple[str, str]:
    """(etcd's own words, the same with what the log tells about a lost connection); a sentence without its end."""
    plain, cause = [], ""
    for line in errors.splitlines():
        logged = _cause(line)
        cause = logged or cause
        if line.strip() and not line.lstrip().startswith("{"):
            plain.append(line.strip())
    of_etcdctl = [line for line in plain if line.startswith(("Error: ", "Failed to "))]
    words = (of_etcdctl or plain or [line.strip() for line in printed.splitlines() if line.strip()] or [cause])[-1]
    words = (words or "it failed without a word").removeprefix("Error: ").rstrip(".")[:_LONGEST]
    return words, _said(words, cause)


def containers_of(printed: str) -> list[tuple[str, str]]:
    """(ID, namespace of its pod) of each container that ``crictl ps -o json`` shows. Raises OutputError."""
    found = printed_json(printed)
    if not isinstance(found, dict):
        raise OutputError(f"it is no list of containers, but {_shown(printed)}")
    listed = [
        (text(one.get("id")), text(mapping(one.get("labels")).get("io.kubernetes.pod.namespace")))
        for one in objects(found.get("containers"))
    ]
    if any(not re.fullmatch(r"[0-9a-zA-Z]+", identifier) for identifier, _namespace in listed):
        raise OutputError(f"a container has no ID in it: {_shown(printed)}")
    return listed


def mounts_of(printed: str) -> list[Mount]:
    """Folders of the host that a container can write to, of ``crictl inspect -o json``. Raises OutputError."""
    found = mapping(mapping(printed_json(printed)).get("status"))
    mounts = [
        Mount(text(one.get("containerPath")), text(one.get("hostPath")))
        for one in objects(sequence(found.get("mounts")))
        if one.get("readonly") is not True
    ]
    return [one for one in mounts if one.inside.startswith("/") and one.outside.startswith("/")]


def _cause(line: str) -> str:
    """What a line of the log tells about a connection: the innermost description."""
    if not line.lstrip().startswith("{"):
        return ""
    try:
        error = text(mapping(json.loads(line)).get("error"))
    except ValueError:
        return ""
    inner = error.rpartition("desc = ")[2].strip().strip('"').replace('\\"', "'").strip()
    return inner.rstrip(".")[:_LONGEST]


def _said(words: str, cause: str) -> str:
    """The reason behind a connection that was not there in time, where the log tells one."""
    if _LATE not in words or not cause or cause == _LATE:
        return words
    return words.replace(_LATE, f"{cause}; {_LATE}")


def _shown(printed: str) -> str:
    folded = " ".join(printed.split())
    return f"'{folded[:80]}{'...' if len(folded) > 80 else ''}'" if folded else "nothing"
