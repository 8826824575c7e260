"""Unused identities and held locks, by two looks."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import identity_range
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_keys import (
    LOCKS,
    MASTERS,
    USERS,
    Key,
    heartbeat_age,
    holders,
    nodes_of,
    orphans,
    still_held,
    still_unused,
)

RANGE = identity_range(0)


def master(number: object, labels: str, written: int = 1) -> Key:
    """A master key."""
    return Key(f"{MASTERS}{number}", labels, written)


def test_labels_are_compared_whole() -> None:
    """Neither the beginning of other labels nor a Node of a longer path makes an identity used."""
    masters = [
        master(300, "k8s:a=b;"),
        master(301, "k8s:a=b;k8s:c=d;"),
        master(302, "k8s:p=x//y;"),
        master(303, "k8s:p=x/z;"),
    ]
    users = [f"{USERS}k8s:a=b;k8s:c=d;/10.0.0.1", f"{USERS}k8s:p=x/y;/10.0.0.1", f"{USERS}k8s:p=x/10.0.0.1"]
    assert [one.number for one in orphans(masters, users, RANGE)] == [300, 303]


def test_other_clusters_are_left_out() -> None:
    """By the numeric range, at both of its ends; and so is what is no number."""
    masters = [master(number, "x;") for number in (255, 256, 65535, 65536, "abc", "-300", "\u0663\u0663\u0663")]
    assert [one.number for one in orphans(masters, [], RANGE)] == [256, 65535]
    assert [one.number for one in orphans(masters, [], None)] == [255, 256, 65535, 65536]
    assert [one.number for one in orphans([master(65536 + 7, "x;")], [], identity_range(1))] == [65543]


def test_what_was_written_in_between_is_in_use_again() -> None:
    """As the operator compares its rounds: unused in both, and not written."""
    first = orphans([master(300, "a;", 5), master(301, "b;", 6)], [], RANGE)
    second = orphans([master(300, "a;", 9), master(301, "b;", 6), master(302, "c;", 7)], [], RANGE)
    assert [one.number for one in still_unused(first, second)] == [301]


def test_the_oldest_key_of_a_lock_holds_it() -> None:
    """The others wait; a lock that was given back and taken again is not stale."""
    path = f"{LOCKS}k8s:a=b;.lock"
    held = [Key(f"{path}/2", "", 20, 2), Key(f"{path}/1", "", 10, 1), Key(f"{LOCKS}id/300.lock/3", "", 30, 3)]
    locks = holders(held)
    assert [(one.subject, one.key.lease, one.waiting) for one in locks] == [("id/300", 3, 0), ("k8s:a=b;", 1, 1)]
    later = [Key(f"{path}/2", "", 20, 2), Key(f"{path}/1", "", 10, 1), Key(f"{LOCKS}id/300.lock/3", "", 31, 3)]
    assert [one.subject for one in still_held(locks, later)] == ["k8s:a=b;"]
    assert still_held(locks, []) == []


def test_nodes_that_use_labels() -> None:
    """By the last part of the key."""
    assert nodes_of([f"{USERS}k8s:a=b/c;/10.0.0.1", f"{USERS}k8s:a=b/c;/10.0.0.2"]) == {
        "k8s:a=b/c;": ["10.0.0.1", "10.0.0.2"]
    }


def test_age_of_the_heartbeat() -> None:
    """In seconds; what is no time has none."""
    now = datetime.datetime(2026, 11, 1, 6, 1, tzinfo=datetime.timezone.utc)
    assert heartbeat_age("2026-11-01T06:00:00Z\n", now) == 60
    assert heartbeat_age("2026-11-01T07:00:30+01:00", now) == 30
    assert heartbeat_age("soon", now) is None


LABELS = st.lists(st.sampled_from(["k8s:a=b;", "k8s:c=d;", "k8s:e=f/g;"]), min_size=1, max_size=3, unique=True).map(
    "".join
)


@given(st.dictionaries(st.integers(256, 65535), LABELS, max_size=12), st.sets(LABELS, max_size=6))
def test_each_identity_is_used_or_not(masters: dict[int, str], used: set[str]) -> None:
    """Exactly those whose labels have a key of a Node are used."""
    keys = [master(number, labels) for number, labels in masters.items()]
    found = orphans(keys, [f"{USERS}{labels}/10.0.0.1" for labels in used], RANGE)
    assert [one.number for one in found] == sorted(number for number, labels in masters.items() if labels not in used)
    assert still_unused(found, found) == found
