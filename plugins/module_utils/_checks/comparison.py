# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Two audits compared: which findings are new, which are gone, and how many are still there."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

Document = Mapping[str, t.Any]
_TEXTS = ("id", "severity", "summary")


def fault(older: t.Any) -> str:
    """What is missing in ``older`` to be the JSON result of an audit, as words; empty when nothing is."""
    if not isinstance(older, Mapping):
        return "it is not a JSON object"
    if "resources" in older and "format" in older:
        return "it is a saved state"
    if not isinstance(older.get("taken_at"), str):
        return "it has no taken_at"
    if not isinstance(older.get("unknown", {}), Mapping):
        return "unknown is not an object"
    findings = older.get("findings")
    if not isinstance(findings, list):
        return "it has no list of findings"
    for index, one in enumerate(findings):
        subject = one.get("subject") if isinstance(one, Mapping) else None
        names = [subject.get(key) for key in ("kind", "name", "namespace")] if isinstance(subject, Mapping) else [None]
        if not all(
            isinstance(text, str) for text in (*names, *(one.get(key) for key in _TEXTS if names[0] is not None))
        ):
            return f"findings[{index}] is not a finding"
    return ""


def compare(older: Document, newer: Document) -> dict[str, t.Any]:
    """``newer`` against ``older``, both documents of an audit (``older`` without ``fault``).

    A finding is the same when id and subject are; its summary and severity may have changed. ``with`` is when the older
    state was read. A finding about something that is not readable any more is not gone for sure: ``not_readable_now``
    and ``not_readable_before`` name what only one of the two audits could read.
    """
    before = {_key(one) for one in older["findings"]}
    now = {_key(one) for one in newer["findings"]}
    unknown_before, unknown_now = set(older.get("unknown") or {}), set(newer.get("unknown") or {})
    return {
        "with": older["taken_at"],
        "new": [one for one in newer["findings"] if _key(one) not in before],
        "gone": [one for one in older["findings"] if _key(one) not in now],
        "still": len(before & now),
        "not_readable_now": sorted(unknown_now - unknown_before),
        "not_readable_before": sorted(unknown_before - unknown_now),
    }


def _key(finding: Mapping[str, t.Any]) -> tuple[str, str, str, str]:
    subject = finding["subject"]
    return finding["id"], subject["kind"], subject["namespace"], subject["name"]
