"""Checks of the kvstore: whether there is one, how it is, and what is said when nobody knows."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.agent_entries import agent, metrics, silent
from snapshots.provoked_agents import GIBIBYTE, cilium, kvstore
from snapshots.small_clusters import context

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import kvstore as checks
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding

SIZE, QUOTA = "etcd_mvcc_db_total_size_in_bytes", "etcd_server_quota_backend_bytes"


def found(**more: Any) -> dict[str, Finding]:
    """{id: finding} about the kvstore."""
    return {one.id: one for one in checks.check(context(**more))}


def test_a_cluster_without_kvstore() -> None:
    """Nothing to say, and the report says that there is none."""
    made = context(**cilium(agent("a")))
    assert list(checks.check(made)) == []
    section = checks.section(made)
    assert section is not None and section["used"] is False and section["members"] == []
    assert checks.section(context()) is None


def test_nobody_knows_whether_there_is_one() -> None:
    """Without cilium-config and agents."""
    more = cilium(unknown={"configmaps": "forbidden"})
    del more["configmaps"]
    made = context(**more)
    assert list(checks.check(made)) == [] and checks.section(made) is None


@pytest.mark.parametrize("entries", [[], [silent("a")], [agent("a")]])
def test_nobody_says_how_it_is(entries: list[Any]) -> None:
    """Unknown is said, and is not well."""
    more = kvstore(*entries)
    assert set(found(**more)) == {"kvstore-unobserved"}
    section = checks.section(context(**more))
    assert section is not None and section["used"] is True and section["state"] is None


def test_why_it_is_unknown() -> None:
    """The missing permission is named."""
    more = kvstore(unknown={"agents": "the permission to create pods/exec is missing"})
    del more["agents"]
    assert "the permission to create pods/exec is missing" in found(**more)["kvstore-unobserved"].summary


def test_one_of_three_members_is_down() -> None:
    """A warning: the quorum is still there. So is a cluster of the mesh."""
    entries = [agent(name, "kvstore-degraded") for name in "ab"]
    results = found(**kvstore(*entries))
    assert set(results) == {"kvstore-member-down", "remote-cluster-not-ready"}
    down = results["kvstore-member-down"]
    assert down.summary == ("Agents of 2 Nodes (a, b) reach 2 of 3 endpoints of the kvstore (https://etcd-2.etcd:2379)")
    assert down.evidence["endpoints"] == [{"address": "https://etcd-2.etcd:2379", "error": "context deadline exceeded"}]
    remote = results["remote-cluster-not-ready"]
    assert remote.subject.name == "east" and remote.evidence["failures"] == 23
    section = checks.section(context(**kvstore(*entries)))
    assert section is not None
    assert [(one["address"][8:14], one["leader"]) for one in section["members"]] == [
        ("etcd-0", True),
        ("etcd-1", False),
        ("etcd-2", False),
    ]


def test_the_quorum_is_lost_for_some() -> None:
    """The heartbeat is late and the space is gone: both are named, and nobody is called down."""
    results = found(**kvstore(agent("a", "kvstore-quorum-lost"), agent("b", "kvstore-degraded")))
    assert set(results) >= {"kvstore-quorum-lost", "kvstore-heartbeat-late", "kvstore-space-exceeded"}
    assert results["kvstore-quorum-lost"].evidence["asked"] == 2
    assert results["kvstore-heartbeat-late"].evidence["seconds"] == 241


@pytest.mark.parametrize(
    ("samples", "severity"),
    [
        ({SIZE: 1.5 * GIBIBYTE}, None),
        ({SIZE: 1.7 * GIBIBYTE}, "warning"),
        ({SIZE: 3 * GIBIBYTE}, "warning"),
        ({SIZE: 3 * GIBIBYTE, QUOTA: 4 * GIBIBYTE}, None),
        ({SIZE: 3.5 * GIBIBYTE, QUOTA: 4 * GIBIBYTE}, "warning"),
        ({SIZE: 3.9 * GIBIBYTE, QUOTA: 4 * GIBIBYTE}, "critical"),
        ({SIZE: 7 * GIBIBYTE, QUOTA: 100 * GIBIBYTE}, "warning"),
        ({}, None),
    ],
)
def test_size_of_the_database(samples: dict[str, float], severity: str | None) -> None:
    """Against its quota and what etcd advises; a quota that is not known makes nothing critical."""
    results = found(**kvstore(agent("a", "kvstore-degraded"), metrics=[metrics(samples, "etcd")]))
    large = results.get("kvstore-database-large")
    assert (large.severity if large else None) == severity


@pytest.mark.parametrize(("written", "late"), [("2026-10-31T23:57:00Z", True), ("2026-10-31T23:58:30Z", False)])
def test_heartbeat_of_a_snapshot(written: str, late: bool) -> None:
    """By the state's clock."""
    entries = [{"kind": "heartbeat", "count": 1, "time": written}]
    assert ("kvstore-heartbeat-late" in found(**kvstore(kvstore=entries))) is late


def test_counts_of_keys_that_are_not_identities() -> None:
    """A count of all keys below a prefix is no count of identities."""
    assert set(found(**kvstore(kvstore=[{"kind": "identities", "count": 900_000}]))) == {"kvstore-unobserved"}


def test_double_writes_agree() -> None:
    """Both names of the metrics; zero on both sides is what is wanted."""
    for name in (
        "cilium_operator_identity_kvstore_only_count",
        "cilium_operator_doublewrite_identity_kvstore_only_count",
    ):
        for value in (0.0, 3.0):
            more = kvstore(
                config={"identity-allocation-mode": "doublewrite-readcrd"}, metrics=[metrics({name: value}, "operator")]
            )
            assert ("kvstore-identities-inconsistent" in found(**more)) is bool(value)
