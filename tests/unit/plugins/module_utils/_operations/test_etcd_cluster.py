"""Who is asked, when members come and go; with doors that the test makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_cluster import EtcdCluster
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import EtcdCredentials
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError

URLS = {1: "https://m1:2379", 2: "https://m2:2379", 3: "https://m3:2379"}


class Members:
    """Three members; ``down`` answer nothing, ``leads`` maps endpoints to the member that is really behind them."""

    def __init__(self) -> None:
        self.down: set[int] = set()
        self.behind = {url: number for number, url in URLS.items()}
        self.clusters: dict[int, int] = {}
        self.quota: int | None = 100
        self.leader = {1: 1, 2: 1, 3: 1}
        self.compacted = 0
        self.asked: list[tuple[str, str]] = []

    def cluster(self, *endpoints: str) -> EtcdCluster:
        """The product's view, by these endpoints."""
        return EtcdCluster(endpoints, EtcdCredentials(), make_door=lambda url: Door(self, url))  # type: ignore[arg-type,return-value]


class Door:
    """One endpoint."""

    def __init__(self, members: Members, endpoint: str) -> None:
        self._members, self.endpoint = members, endpoint

    def ask(self, path: str, body: Mapping[str, Any] | None = None, **_any: Any) -> Any:
        number = self._members.behind[self.endpoint]
        self._members.asked.append((self.endpoint, path))
        if number in self._members.down:
            raise EtcdError(f"Cannot ask the etcd at {self.endpoint}: connection refused.")
        if path.endswith("member/list"):
            return {"members": [{"ID": str(one), "name": f"m{one}", "clientURLs": [url]} for one, url in URLS.items()]}
        if path.endswith("alarm"):
            return {"alarms": [{"memberID": "3", "alarm": "NOSPACE"}]}
        if path.endswith("range"):
            assert body is not None
            if int(body["revision"]) < self._members.compacted:
                raise EtcdError("x", status=400, words="mvcc: required revision has been compacted")
            return {}
        header = {"member_id": str(number), "cluster_id": str(self._members.clusters.get(number, 9)), "revision": "50"}
        told = {"dbSizeQuota": str(self._members.quota)} if self._members.quota else {}
        leader = str(self._members.leader[number])
        return {"header": header, "version": "3.6.10", "leader": leader, "raftTerm": "2", "raftIndex": "9", **told}

    def text(self, _path: str) -> str:
        """The metrics."""
        return "# HELP x\netcd_server_quota_backend_bytes 2.147483648e+09\n"


def test_one_endpoint_is_enough() -> None:
    """The others are found by what members advertise."""
    picture = Members().cluster(URLS[2]).picture()
    assert [one.endpoint for one in picture.members] == list(URLS.values()) and picture.quorum
    assert picture.alarms == ((3, "NOSPACE"),)


def test_the_endpoint_of_the_user_goes_away() -> None:
    """Who was seen before is asked, also for the alarms; nobody at all is an error that names the cause."""
    members = Members()
    cluster = members.cluster(URLS[1])
    cluster.picture()
    members.down, members.leader = {1}, {1: 1, 2: 2, 3: 2}
    picture = cluster.picture()
    assert picture.quorum and [one.title for one in picture.answering] == ["m2", "m3"]
    assert picture.alarms == ((3, "NOSPACE"),) and "connection refused" in picture.members[0].error
    members.down = {1, 2}
    picture = cluster.picture()
    assert not picture.quorum and picture.alarms is None
    members.down = {1, 2, 3}
    with pytest.raises(EtcdError, match="connection refused"):
        cluster.picture()


def test_alarms_are_asked_of_a_member_that_follows_a_leader() -> None:
    """One that is cut off from the others would let us wait."""
    members = Members()
    members.leader = {1: 0, 2: 2, 3: 2}
    picture = members.cluster(*URLS.values()).picture()
    assert picture.quorum and picture.alarms is not None
    assert (URLS[1], "/v3/maintenance/alarm") not in members.asked


def test_a_load_balancer_is_no_member() -> None:
    """Members are asked by what they advertise; what leads to another member is an error that says so."""
    members = Members()
    members.behind["https://balancer"] = 2
    assert [one.endpoint for one in members.cluster("https://balancer").picture().members] == list(URLS.values())
    members.behind[URLS[3]] = 1
    broken = members.cluster("https://balancer").picture().members[2]
    assert broken.status is None and "not that of a load balancer" in broken.error


def test_members_behind_other_addresses() -> None:
    """Where what they advertise cannot be reached from here, what the user gave is the way, and stays it."""
    members = Members()
    given = [f"https://forwarded:{number}" for number in URLS]
    members.behind.update(zip(given, URLS, strict=True))
    for url in URLS.values():
        members.behind[url] = 0
    members.down = {0}
    cluster = members.cluster(*given)
    assert [one.endpoint for one in cluster.picture().members] == given
    members.asked.clear()
    assert cluster.picture().quorum
    assert not [url for url, _path in members.asked if url in URLS.values()]


def test_endpoints_of_different_etcds() -> None:
    """Are refused."""
    members = Members()
    members.clusters = {2: 8}
    with pytest.raises(InputError, match="they are of different etcds: https://m"):
        members.cluster(URLS[1], URLS[2]).picture()
    with pytest.raises(InputError, match="endpoints: none is known"):
        members.cluster()


def test_the_quota_of_older_members_is_in_their_metrics() -> None:
    """Those of 3.6 tell it."""
    members = Members()
    assert {one.status.quota for one in members.cluster(URLS[1]).picture().members if one.status} == {100}
    members.quota = None
    assert {one.status.quota for one in members.cluster(URLS[1]).picture().members if one.status} == {2147483648}


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_the_last_compaction_is_found_by_asking(compacted: int, further: int) -> None:
    """Exactly, with few questions; a store that never was compacted is at 0 (or at 1, which forgets nothing)."""
    members = Members()
    cluster = members.cluster(URLS[1])
    member = cluster.picture().members[0]
    members.compacted = compacted
    members.asked.clear()
    newest = compacted + further
    assert cluster.compacted_to(member, newest) == (compacted if compacted > 1 else 0)
    assert len(members.asked) <= newest.bit_length() + 1
