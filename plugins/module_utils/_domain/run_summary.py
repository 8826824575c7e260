# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a playbook hands to AWX: counts, findings and paths in one shape, within a number of bytes.

AWX keeps it with the job (`artifacts`) and gives it to the nodes of a workflow that follow as extra variables. It drops
results above 700,000 characters (`MAX_EVENT_RES_DATA` of AWX, `MAX_EVENT_RES` of ansible-runner), so nothing here may grow
with the cluster: findings are told by kind, lists are cut, and what was cut is counted.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping, Sequence

# of one text, in characters
LONGEST_TEXT = 300
# of the message of a run that failed
LONGEST_FAILURE = 1000
# of one list, before the whole is measured
LONGEST_LIST = 200
LEAST_BYTES = 2048

_SEVERITIES = ("critical", "warning", "info")


class SummaryError(ValueError):
    """A limit that leaves no room for a summary, in one sentence."""


def _short(value: t.Any, longest: int = LONGEST_TEXT) -> str:
    text = str(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def size(summary: Mapping[str, t.Any]) -> int:
    """Bytes of a summary as JSON in ASCII, which no encoder that AWX uses makes longer."""
    return len(json.dumps(summary).encode("ascii"))


def _numbers(counts: Mapping[str, t.Any]) -> dict[str, int | float]:
    return {
        _short(key): value
        for key, value in list(counts.items())[:LONGEST_LIST]
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _grouped(findings: Sequence[Mapping[str, t.Any]]) -> tuple[list[dict[str, t.Any]], dict[str, dict[str, t.Any]]]:
    """Findings by kind, worst first, and what each playbook would mend."""
    kinds: dict[str, dict[str, t.Any]] = {}
    # names in the order of findings, each once
    remedies: dict[str, dict[str, dict[str, None]]] = {}
    for finding in findings:
        identifier = _short(finding.get("id", ""))
        subject = finding.get("subject") or {}
        playbook = _short((finding.get("remedy") or {}).get("playbook") or "")
        kind = kinds.setdefault(
            identifier,
            {
                "id": identifier,
                "severity": _short(finding.get("severity", "")),
                "title": _short(finding.get("title", "")),
                "number": 0,
                "subjects": [],
                "playbook": playbook,
            },
        )
        kind["number"] += 1
        name = "/".join(part for part in (str(subject.get("namespace") or ""), str(subject.get("name") or "")) if part)
        if name:
            kind["subjects"].append(_short(name))
        if playbook:
            remedy = remedies.setdefault(playbook, {"findings": {}, "hosts": {}})
            remedy["findings"][identifier] = None
            if subject.get("kind") == "Node" and subject.get("name"):
                remedy["hosts"][_short(subject["name"])] = None
    order = {severity: place for place, severity in enumerate(_SEVERITIES)}
    ordered = sorted(kinds.values(), key=lambda kind: order.get(kind["severity"], len(order)))
    return ordered, {name: {key: list(names) for key, names in remedy.items()} for name, remedy in remedies.items()}


def _lists(summary: Mapping[str, t.Any]) -> list[tuple[str, list[t.Any]]]:
    """Every list that may be cut, with the name under which it is counted."""
    lists: list[tuple[str, list[t.Any]]] = [("hosts", summary["hosts"])]
    lists += [("subjects", kind["subjects"]) for kind in summary["findings"]]
    for remedy in summary["remedies"].values():
        lists += [("hosts", remedy["hosts"]), ("ids", remedy["findings"])]
    return [*lists, ("findings", summary["findings"])]


def _cut(summary: dict[str, t.Any], longest: int, what: Sequence[str]) -> None:
    for name, entries in _lists(summary):
        if name in what and len(entries) > longest:
            if name in summary["omitted"]:
                summary["omitted"][name] += len(entries) - longest
            del entries[longest:]


def _fit(summary: dict[str, t.Any], max_bytes: int) -> None:
    """Cut lists until the summary fits: names first, because kinds of findings say more."""
    _cut(summary, LONGEST_LIST, ("subjects", "hosts", "findings", "ids"))
    for what in (("subjects",), ("hosts",), ("findings", "ids")):
        longest = LONGEST_LIST
        while size(summary) > max_bytes and longest:
            longest //= 2
            _cut(summary, longest, what)
    longest = LONGEST_FAILURE
    while size(summary) > max_bytes and longest > 50:
        longest //= 2
        summary["failure"] = _short(summary["failure"], longest)
    if size(summary) > max_bytes:
        summary.update(counts=dict(list(summary["counts"].items())[:5]), remedies={}, paths={})


def run_summary(
    playbook: str,
    *,
    check_mode: bool,
    counts: Mapping[str, t.Any],
    findings: Sequence[Mapping[str, t.Any]],
    findings_in_all: int,
    hosts: Sequence[t.Any],
    paths: Mapping[str, t.Any],
    max_bytes: int,
    failure: str = "",
) -> dict[str, t.Any]:
    """The summary of one run, of at most ``max_bytes`` bytes as JSON.

    In: numbers, findings as `audit_info` returns them with how many there were in all, Nodes that the run is about, and
    files that it wrote, and why it failed where it did. Out: the same keys for every playbook. Raises SummaryError for a limit that leaves no room.
    """
    if max_bytes < LEAST_BYTES:
        raise SummaryError(
            f"max_bytes is {max_bytes}; give at least {LEAST_BYTES}, because less has no room for any summary"
        )
    kinds, remedies = _grouped(findings)
    summary: dict[str, t.Any] = {
        "playbook": _short(playbook),
        "check_mode": check_mode,
        "failure": _short(failure, LONGEST_FAILURE),
        "counts": _numbers(counts),
        "findings": kinds,
        "remedies": remedies,
        "hosts": [_short(host) for host in dict.fromkeys(hosts)],
        "paths": {_short(key): _short(path) for key, path in list(paths.items())[:20] if path},
        "omitted": {"findings": max(findings_in_all - len(findings), 0), "hosts": 0, "subjects": 0},
    }
    _fit(summary, max_bytes)
    return summary
