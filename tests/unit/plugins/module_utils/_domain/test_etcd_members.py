"""Members, quorum and lag, of the gateway's answers and of what etcdctl 3.6.10 printed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import (
    UNLIMITED,
    Member,
    Picture,
    Status,
    alarms_in_words,
    number,
    of_etcdctl,
    parse_alarms,
    parse_members,
    parse_status,
)

HEADER = '"header":{"cluster_id":18180972385881913094,"member_id":%d,"revision":109,"raft_term":3}'
# etcd-2 was killed; recorded from etcdctl 3.6.10
STATUS = (
    '[{"Endpoint":"https://127.0.0.1:20303","Status":{'
    + HEADER % 10682625041467779237
    + ',"version":"3.6.10","dbSize":16629760,"leader":10682625041467779237,"raftIndex":120,"raftTerm":3,"raftAppliedIndex":120,'
    '"errors":["memberID:16083866642921327977 alarm:NOSPACE "],"dbSizeInUse":14794752,"storageVersion":"3.6.0",'
    '"dbSizeQuota":16777216,"downgradeInfo":{}}},{"Endpoint":"https://127.0.0.1:20304","Status":{'
    + HEADER
    % 16083866642921327977
    + ',"version":"3.6.10","dbSize":16764928,"leader":10682625041467779237,"raftIndex":120,"raftTerm":3,"raftAppliedIndex":119,'
    '"dbSizeInUse":14794752,"storageVersion":"3.6.0","dbSizeQuota":16777216,"downgradeInfo":{}}}]'
)
MEMBERS = (
    '{"header":{"cluster_id":18180972385881913094,"member_id":10682625041467779237,"raft_term":3},"members":['
    '{"ID":4091474472805989096,"name":"etcd-2","peerURLs":["https://127.0.0.1:20302"],"clientURLs":["https://127.0.0.1:20305"]},'
    '{"ID":10682625041467779237,"name":"etcd-0","peerURLs":["https://127.0.0.1:20300"],"clientURLs":["https://127.0.0.1:20303"]},'
    '{"ID":16083866642921327977,"name":"etcd-1","peerURLs":["https://127.0.0.1:20301"],"clientURLs":["https://127.0.0.1:20304"]}]}'
)
ALARMS = (
    '{"header":{"cluster_id":18180972385881913094,"member_id":10682625041467779237,"revision":109,"raft_term":3},'
    '"alarms":[{"memberID":16083866642921327977,"alarm":1}]}'
)
# of the gateway, which writes 64-bit numbers as texts
GATEWAY = {
    "header": {
        "cluster_id": "12598836755150812584",
        "member_id": "16836862445277619365",
        "revision": "1",
        "raft_term": "2",
    },
    "version": "3.6.10",
    "dbSize": "28672",
    "leader": "4658977200653764670",
    "raftIndex": "8",
    "raftTerm": "2",
    "raftAppliedIndex": "8",
    "dbSizeInUse": "24576",
    "storageVersion": "3.6.0",
    "dbSizeQuota": "16777216",
    "downgradeInfo": {},
}


def member(identifier: int, *, leader: int = 1, term: int = 2, applied: int = 100, **changes: Any) -> Member:
    """A member that answers."""
    status = Status(identifier, 9, "3.6.10", 100, 50, 1000, leader, term, applied, applied, 77)
    return Member(identifier, f"m{identifier}", status=replace(status, **changes))


def test_an_answer_of_the_gateway() -> None:
    """Texts are numbers, and what is left out is zero or unknown."""
    status = parse_status(GATEWAY)
    assert (status.member, status.leader, status.revision) == (16836862445277619365, 4658977200653764670, 1)
    assert (status.size, status.in_use, status.gain, status.quota) == (28672, 24576, 4096, 16777216)
    assert status.release == (3, 6, 10) and not status.too_old
    older = {key: value for key, value in GATEWAY.items() if key != "dbSizeQuota"}
    assert parse_status(older).quota is None and parse_status(older, 5).quota == 5
    assert parse_status({**GATEWAY, "dbSizeQuota": "-1"}, 5).quota == UNLIMITED
    assert parse_status({"version": "3.3.25"}).too_old and parse_status("nonsense").too_old
    assert parse_alarms({"alarms": [{"memberID": "5", "alarm": "NOSPACE"}]}) == ((5, "NOSPACE"),)
    assert parse_alarms({"alarms": [{"memberID": 5, "alarm": 2}]}) == ((5, "CORRUPT"),)


def test_what_etcdctl_printed() -> None:
    """The one that does not answer is there, and so is the alarm by name."""
    picture = of_etcdctl(json.loads(STATUS), json.loads(MEMBERS), json.loads(ALARMS))
    assert [one.title for one in picture.members] == ["etcd-0", "etcd-1", "etcd-2"]
    assert picture.members[2].error and picture.quorum
    assert picture.leader is not None and picture.leader.title == "etcd-0"
    assert picture.lag(picture.members[1]) == 1 and picture.lag(picture.members[2]) is None
    assert alarms_in_words(picture.alarms or (), picture) == "NOSPACE of etcd-1"
    assert of_etcdctl([], json.loads(MEMBERS), None).alarms is None
    assert not of_etcdctl([], json.loads(MEMBERS), None).quorum


@pytest.mark.parametrize(
    ("members", "quorum"),
    [
        ([member(1), member(2), member(3)], True),
        ([member(1), member(2), Member(3, "m3", error="down")], True),
        ([member(1), Member(2, "m2", error="down"), Member(3, "m3", error="down")], False),
        ([member(1), member(2, leader=0), member(3, leader=0)], False),
        ([member(1, term=2), member(2, leader=2, term=3), member(3, leader=3, term=4)], False),
        # a learner does not count
        ([member(1), Member(2, "m2", error="down"), Member(3, "m3", learner=True, error="down")], False),
        ([member(1), Member(3, "m3", learner=True, error="down")], True),
    ],
)
def test_quorum(members: list[Member], quorum: bool) -> None:
    """A majority of those that vote follows one leader of one term."""
    assert Picture(tuple(members)).quorum is quorum


def test_of_two_leaders_the_newer_one_leads() -> None:
    """A leader that is cut off believes for a while that it leads."""
    picture = Picture((member(1, leader=1, term=2), member(2, leader=2, term=3), member(3, leader=2, term=3)))
    assert picture.quorum and picture.leader is not None and picture.leader.identifier == 2


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_numbers_of_both_writings(value: int) -> None:
    """Equal as text and as number."""
    assert number(str(value)) == number(value) == value


@given(st.one_of(st.none(), st.booleans(), st.text(alphabet="abc-. \u0663"), st.lists(st.integers())))
def test_what_is_no_number_is_zero(value: Any) -> None:
    """Never an error."""
    assert number(value) == 0


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_nonsense_is_read(value: Any) -> None:
    """Nobody promised the shape."""
    assert parse_status(value).member == 0 or isinstance(value, dict)
    assert isinstance(parse_members(value), list) and isinstance(parse_alarms(value), tuple)
