"""When maintenance may begin, what it does, and when an alarm may be disarmed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import (
    MEBIBYTE,
    Limits,
    below_quota,
    in_words,
    limit_of,
    plan,
    refusals,
    safe_revision,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Member, Picture, Status

GIBIBYTE = 1024 * MEBIBYTE
LIMITS = Limits()
HEALTHY = Status(1, 9, "3.6.10", 600 * MEBIBYTE, 100 * MEBIBYTE, 2 * GIBIBYTE, 1, 2, 500, 500, 50_000)


def member(number: int, **changes: Any) -> Member:
    """A member that answers; the first one leads."""
    return Member(
        number, f"m{number}", endpoint=f"https://m{number}", status=replace(HEALTHY, member=number, **changes)
    )


def picture(*members: Member, alarms: Any = ()) -> Picture:
    """Three members where none are given."""
    return Picture(members or (member(1), member(2), member(3)), alarms)


def test_a_healthy_one_may_be_maintained() -> None:
    """Also when it is full."""
    assert refusals(picture(), LIMITS) == []
    assert refusals(picture(alarms=((2, "NOSPACE"),)), LIMITS) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            picture(member(1), member(2), Member(3, "m3", error="connection refused")),
            "Member m3 does not answer: connection",
        ),
        (picture(member(1), Member(2, "m2", error="x"), Member(3, "m3", error="x")), "no quorum: 1 of 3 members"),
        (picture(member(1), member(2, leader=0), member(3, leader=0)), "do not follow one leader"),
        (picture(member(1, committed=5000), member(2), member(3, applied=5000)), "Member m2 is 4500 entries behind"),
        (picture(member(1), member(2), replace(member(3), learner=True)), "is a learner"),
        (picture(member(1), member(2), member(3, version="3.6.9")), "different versions"),
        (picture(member(1), member(2, downgrading=True), member(3)), "in a downgrade"),
        (picture(alarms=((2, "CORRUPT"),)), "CORRUPT of m2. Its data differs .* never disarm"),
        (picture(alarms=((2, "NOSPACE"), (3, "CORRUPT"))), "CORRUPT of m3"),
        (Picture((member(1), member(2), member(3)), None, "no answer"), "Alarms cannot be listed: no answer"),
        (picture(*(member(one, version="3.5.5") for one in (1, 2, 3))), "upgrade to 3.5.6"),
        (picture(*(member(one, version="3.3.27") for one in (1, 2, 3))), "3.4 or newer"),
    ],
)
def test_refusals(changed: Picture, words: str) -> None:
    """Each by its own sentence."""
    import re

    assert re.search(words, " ".join(refusals(changed, LIMITS))), refusals(changed, LIMITS)


def test_nothing_is_done_where_nothing_is_gained() -> None:
    """Little to forget, and little free room; a run that has just been is the usual case of it."""
    small = picture(*(member(one, size=110 * MEBIBYTE) for one in (1, 2, 3)))
    assert plan(small, 45_000, LIMITS).empty
    assert plan(small, 39_000, LIMITS).compact_to == 49_000
    assert plan(picture(), 49_000, LIMITS).defragment == (2, 3, 1)


def test_what_is_full_is_always_worth_it() -> None:
    """One revision, and a twentieth of the room."""
    full = picture(
        member(1, in_use=590 * MEBIBYTE), member(2, in_use=560 * MEBIBYTE), member(3), alarms=((1, "NOSPACE"),)
    )
    found = plan(full, 48_999, LIMITS)
    assert found.compact_to == 49_000 and found.disarm and found.urgent and found.defragment == (3, 2, 1)
    assert plan(full, 49_000, LIMITS).compact_to == 0
    assert plan(full, 49_000, LIMITS).defragment == (3, 2)


def test_a_store_that_stays_nearly_full_is_not_compacted_for_each_write() -> None:
    """A tenth of the usual number must be there to forget."""
    nearly = picture(*(member(one, size=2000 * MEBIBYTE, in_use=1990 * MEBIBYTE) for one in (1, 2, 3)))
    assert plan(nearly, 48_500, LIMITS).empty
    assert plan(nearly, 48_000, LIMITS).compact_to == 49_000


def test_the_slowest_member_says_what_may_be_forgotten() -> None:
    """Nothing that one member has not applied."""
    assert safe_revision(picture(member(1), member(2, revision=30_000), member(3)), LIMITS) == 29_000
    assert safe_revision(picture(member(1), member(2, revision=30), member(3)), LIMITS) == 0


def test_the_leader_is_the_last() -> None:
    """However much room it has."""
    sizes = picture(member(1, size=GIBIBYTE), member(2), member(3, size=700 * MEBIBYTE))
    assert plan(sizes, 49_000, LIMITS).defragment == (3, 2, 1)


def test_when_an_alarm_may_be_disarmed() -> None:
    """When all are below their quota; where it is unknown, when what was full is a tenth smaller."""
    before = picture(*(member(one, size=2 * GIBIBYTE) for one in (1, 2, 3)), alarms=((2, "NOSPACE"),))
    assert below_quota(picture(), before, LIMITS) == []
    (reason,) = below_quota(picture(member(1), member(2), member(3, size=2 * GIBIBYTE)), before, LIMITS)
    assert reason == "member m3 has 2 GiB of its quota of 2 GiB"
    unknown = picture(*(member(one, size=int(1.9 * GIBIBYTE), quota=None) for one in (1, 2, 3)))
    (reason,) = below_quota(unknown, before, LIMITS)
    assert "its quota is unknown (give quota_bytes)" in reason and reason.startswith("member m2")
    assert below_quota(unknown, before, Limits(quota=3 * GIBIBYTE)) == []
    assert below_quota(picture(*(member(one, quota=None) for one in (1, 2, 3))), before, LIMITS) == []
    assert "m1 does not answer" in below_quota(picture(Member(1, "m1", error="x"), member(2)), before, LIMITS)[0]


def test_limits() -> None:
    """The quota, etcd's usual one where it is unknown, and never more than the threshold."""
    assert limit_of(HEALTHY, LIMITS) == limit_of(replace(HEALTHY, quota=None), LIMITS) == 2 * GIBIBYTE
    assert limit_of(replace(HEALTHY, quota=16 * GIBIBYTE), LIMITS) == 8 * GIBIBYTE
    assert limit_of(replace(HEALTHY, quota=None), Limits(quota=GIBIBYTE)) == GIBIBYTE


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 5000))
def test_a_plan_keeps_what_must_be_kept(size: int, in_use: int, revision: int, compacted: int, kept: int) -> None:
    """Whatever the numbers: never newer than allowed, never backwards, and nobody twice."""
    limits = replace(LIMITS, keep_revisions=kept)
    seen = picture(member(1, size=size, in_use=min(in_use, size), revision=revision), member(2), member(3))
    found = plan(seen, compacted, limits)
    if found.compact_to:
        assert compacted < found.compact_to <= min(revision, 50_000) - kept
    assert len(set(found.defragment)) == len(found.defragment) and not found.disarm


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"), (16 * MEBIBYTE, "16 MiB"), (1.5 * GIBIBYTE, "1.5 GiB")],
)
def test_sizes_in_words(size: float, words: str) -> None:
    """In the unit that fits."""
    assert in_words(size) == words
