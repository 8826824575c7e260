# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings as HTML: grouped by kind, worst first, with what mends them."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._report.markup import OPEN_ROWS, escaped, sortable, tag
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import (
    Document,
    about,
    missing,
    part_of,
    rows_of,
)

FindingDict = Mapping[str, t.Any]
# evidence of more subjects of one kind is left to the JSON report; of one subject, so many characters are shown
_MOST_EVIDENCE = 100
_LONGEST_EVIDENCE = 4000
_MOST_OF_A_KIND = 1000
# all rows and evidence together; a kind that comes after a flood still has its first rows
_ROOM = 1_200_000
_ROWS_OF_EACH = 5
_NAMES_IN_A_COMMAND = 10


class _Room:
    """How many characters of rows still fit into the file."""

    def __init__(self, left: int) -> None:
        self.left = left

    def takes(self, text: str) -> bool:
        self.left -= len(text)
        return self.left >= 0


def _groups(document: Document) -> dict[tuple[str, str], list[FindingDict]]:
    groups: dict[tuple[str, str], list[FindingDict]] = {}
    for finding in document["findings"]:
        groups.setdefault((finding["severity"], finding["id"]), []).append(finding)
    return groups


def anchors(document: Document) -> dict[str, str]:
    """{id of a finding: where the gravest of its kind stands in the page}."""
    places: dict[str, str] = {}
    for severity, identifier in _groups(document):
        places.setdefault(identifier, f"{severity}-{identifier}")
    return places


def findings(document: Document) -> str:
    """All groups, or a sentence that says why there is none."""
    groups = _groups(document)
    if groups:
        new = {_key(one) for one in rows_of((part_of(document, "comparison") or {}).get("new"))}
        room = _Room(_ROOM)
        return "".join(_group(of_kind, new, room) for of_kind in groups.values())
    if missing(document):
        return '<div class="panel">None, but not everything could be read: see what is unknown.</div>'
    if document["ipam_model"]["name"] == "unknown":
        return '<div class="panel">None, but podCIDRs of Nodes were not judged: the IPAM model is not known.</div>'
    return '<div class="panel"><span class="tag ok">none</span> Everything that was checked is in order.</div>'


def _key(finding: FindingDict) -> tuple[t.Any, ...]:
    subject = finding["subject"]
    return finding["id"], subject["kind"], subject["namespace"], subject["name"]


def _group(found: Sequence[FindingDict], new: set[tuple[t.Any, ...]], room: _Room) -> str:
    """Findings of one kind: what it means and what mends it once, then a row for each subject."""
    first, count = found[0], len(found)
    rows: list[str] = []
    for finding in found[:_MOST_OF_A_KIND]:
        row = _row(finding, with_evidence=count <= _MOST_EVIDENCE, is_new=_key(finding) in new)
        if not room.takes(row) and len(rows) >= _ROWS_OF_EACH:
            break
        rows.append(row)
    table = sortable(f"Findings {first['id']}", (("About", False), ("What was found", False)), rows, count - len(rows))
    table = table.replace('<table class="sortable">', '<table class="sortable found">', 1)
    if count > OPEN_ROWS:
        table = f'<details class="rows"><summary>{count} findings</summary>{table}</details>'
    return (
        f'<section class="panel group {escaped(first["severity"])}" id="{escaped(first["severity"])}-{escaped(first["id"])}">'
        f'<div class="head">{tag(first["severity"])}<h3>{escaped(first["title"])}</h3><code>{escaped(first["id"])}</code>'
        f'<span class="count muted">{count if count > 1 else ""}</span></div>'
        f"<p>{escaped(first['meaning'])} {escaped(first['why'])}</p>{table}"
        f"{_place(first)}<dl><dt>Verify by hand</dt><dd><pre>{escaped(_verify(found))}</pre></dd>"
        f"<dt>Remedy</dt><dd>{escaped(first['remedy']['text'])}{_command(found)}</dd></dl></section>"
    )


def _place(finding: FindingDict) -> str:
    """Where it stands in the decision path; nothing in an audit without one."""
    if not finding.get("place"):
        return ""
    return f'<p class="small muted">Place in the decision path: <code>{escaped(finding["place"])}</code></p>'


def _verify(found: Sequence[FindingDict]) -> str:
    """The command of the only subject, else that of the catalogue, one line for each part."""
    text = found[0]["verify"] if len(found) == 1 else found[0]["verify_of_kind"]
    return "\n".join(str(text).split("; "))


def _command(found: Sequence[FindingDict]) -> str:
    """One command for all subjects of the group; without names where they are many, which means: all that need it."""
    remedy = found[0]["remedy"]
    if not remedy["command"]:
        return ""
    command = f"ansible-playbook -i INVENTORY {remedy['playbook']}"
    variables: dict[str, set[str]] = {}
    for finding in found:
        for name, values in finding["remedy"]["variables"].items():
            if isinstance(values, list):
                variables.setdefault(name, set()).update(str(one) for one in values)
    if variables and all(len(values) <= _NAMES_IN_A_COMMAND for values in variables.values()):
        command += f" -e '{json.dumps({name: sorted(values) for name, values in variables.items()})}'"
    return f'<pre>{escaped(command)}</pre><span class="muted small">Add --check --diff to see the plan first; it writes nothing.</span>'


def _row(finding: FindingDict, *, with_evidence: bool, is_new: bool) -> str:
    subject = finding["subject"]
    evidence = ""
    if with_evidence and finding["evidence"]:
        text = json.dumps(finding["evidence"], indent=1, sort_keys=True, ensure_ascii=False, default=str)
        if len(text) > _LONGEST_EVIDENCE:
            text = f"{text[:_LONGEST_EVIDENCE]}\n... the JSON report has all"
        evidence = f"<details><summary>evidence</summary><pre>{escaped(text)}</pre></details>"
    words = escaped(f"{finding['severity']} {finding['id']}")
    new = ' <span class="tag new">new</span>' if is_new else ""
    return (
        f'<tr data-f="{words}"><th scope="row"><span class="muted small">{escaped(subject["kind"])}</span><br>'
        f"{escaped(about(subject))}{new}</th><td>{escaped(finding['summary'])}{evidence}</td></tr>"
    )
