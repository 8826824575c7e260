"""A summary never outgrows its ConfigMap."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.modules.audit_summary import text_of

FINDINGS = [
    {"id": "node-cidr-overlap", "severity": "critical", "subject": {"name": f"w{number}"}, "summary": "ä" * 100, "x": 1}
    for number in range(500)
]


@pytest.mark.parametrize("max_bytes", [200, 1_000, 20_000, 1_000_000])
def test_as_many_findings_as_there_is_room_for(max_bytes: int) -> None:
    """Worst first; one more would not fit; how many are left out is said."""
    text, kept = text_of({"counts": {"critical": 500}}, FINDINGS, max_bytes)
    assert len(text.encode()) <= max_bytes
    written = json.loads(text)
    assert len(written["findings_shown"]) == kept and written["findings_left_out"] == 500 - kept
    assert [one["subject"]["name"] for one in written["findings_shown"]] == [f"w{number}" for number in range(kept)]
    assert (
        kept == 500 or len(text_of({"counts": {"critical": 500}}, FINDINGS[: kept + 1], 10**7)[0].encode()) > max_bytes
    )
    assert all(set(one) == {"id", "severity", "subject", "summary"} for one in written["findings_shown"])


def test_a_summary_that_does_not_fit() -> None:
    """One sentence."""
    with pytest.raises(InputError, match="summary: it has more than 50 bytes"):
        text_of({"text": "x" * 100}, [], 50)
