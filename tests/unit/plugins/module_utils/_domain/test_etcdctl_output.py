"""What etcdctl 3.4.13, 3.5.21 and 3.6.10 and crictl really printed, and what is no answer of theirs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.plugins.module_utils._domain.test_etcd_members import ALARMS, MEMBERS, STATUS

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcdctl_output import (
    Mount,
    OutputError,
    alarms_of,
    containers_of,
    failures_of,
    members_of,
    mounts_of,
    printed_json,
    reason_of,
    statuses_of,
    version_of,
)

# recorded; the one of 3.4 tells no quota, and no header where no alarm is raised
STATUS_3_4 = (
    '[{"Endpoint":"http://127.0.0.1:23479","Status":{"header":{"cluster_id":12277069208388550054,'
    '"member_id":15306742208207408090,"revision":13,"raft_term":2},"version":"3.4.13","dbSize":20480,'
    '"leader":15306742208207408090,"raftIndex":16,"raftTerm":2,"raftAppliedIndex":16,"dbSizeInUse":16384}}]'
)
STATUS_3_5 = (
    STATUS_3_4.replace("3.4.13", "3.5.21")
    .replace("23479", "23579")
    .replace("15306742208207408090", "15059061561040732302")
)
LOST_3_4 = (
    '{"level":"warn","ts":"2026-11-21T18:49:02.521Z","caller":"clientv3/retry_interceptor.go:62","msg":"retrying of unary '
    'invoker failed","target":"passthrough:///http://127.0.0.1:9","attempt":0,"error":"rpc error: code = DeadlineExceeded desc '
    '= latest balancer error: connection error: desc = \\"transport: Error while dialing dial tcp 127.0.0.1:9: connect: '
    'connection refused\\""}\n'
    "Failed to get the status of endpoint http://127.0.0.1:9 (context deadline exceeded)\n"
)
LOST_3_6 = (
    '{"level":"warn","ts":"2026-11-21T18:36:30.613139Z","logger":"etcd-client","caller":"v3@v3.6.10/retry_interceptor.go:68",'
    '"msg":"retrying of unary invoker failed","target":"etcd-endpoints://0x2b8beccb1c20/127.0.0.1:20305","peer":"Peer{Addr: '
    '<nil>, LocalAddr: <nil>, AuthInfo: <nil>}","method":"/etcdserverpb.Maintenance/Status","attempt":0,"error":"rpc error: '
    'code = DeadlineExceeded desc = latest balancer error: connection error: desc = \\"transport: authentication handshake '
    'failed: tls: failed to verify certificate: x509: certificate signed by unknown authority\\""}\n'
    "Failed to get the status of endpoint https://127.0.0.1:20305 (context deadline exceeded)\n"
)
COMPACTED = (
    '{"level":"warn","ts":"2026-11-21T18:48:59.947Z","caller":"clientv3/retry_interceptor.go:62","msg":"retrying of unary '
    'invoker failed","target":"endpoint://client-ae75198c/127.0.0.1:23479","attempt":0,"error":"rpc error: code = OutOfRange '
    'desc = etcdserver: mvcc: required revision has been compacted"}\n'
    "Error: etcdserver: mvcc: required revision has been compacted\n"
)


@pytest.mark.parametrize(("printed", "version", "quota"), [(STATUS_3_4, "3.4.13", None), (STATUS_3_5, "3.5.21", None)])
def test_statuses_of_older_versions(printed: str, version: str, quota: int | None) -> None:
    """They have no quota, which is unknown and not zero."""
    ((_endpoint, status),) = statuses_of(printed).items()
    assert (status.version, status.quota, status.size, status.in_use) == (version, quota, 20480, 16384)
    assert status.member == status.leader and status.committed == status.applied == 16


def test_statuses_of_3_6() -> None:
    """By endpoint; a greeting of the host before them does no harm."""
    found = statuses_of(f"Authorized users only!\n{STATUS}\n")
    assert [one.quota for one in found.values()] == [16777216, 16777216]
    assert list(found) == ["https://127.0.0.1:20303", "https://127.0.0.1:20304"]
    assert statuses_of("null\n") == statuses_of("[]\n") == {}  # 3.6 and before, where no member answered
    assert [one.name for one in members_of(MEMBERS)] == ["etcd-0", "etcd-1", "etcd-2"]
    assert alarms_of(ALARMS) == ((16083866642921327977, "NOSPACE"),)
    assert alarms_of("{}\n") == ()  # 3.4


@pytest.mark.parametrize(
    ("parse", "printed", "words"),
    [
        (statuses_of, "", "no JSON, but nothing"),
        (statuses_of, "bash: etcdctl: command not found", "no JSON, but 'bash: etcdctl"),
        (statuses_of, "{}", "no list of members"),
        (statuses_of, '[{"Endpoint": "https://a:1"}]', "does not tell which member"),
        (
            statuses_of,
            '[{"Endpoint": "https://a:1", "Status": {"header": {"member_id": "8e9e"}}}]',
            "does not tell which",
        ),
        (statuses_of, '["https://a:1"]', "does not tell which member"),
        (statuses_of, STATUS[:100], "no JSON"),
        (members_of, "{}", "no member in it"),
        (members_of, '{"members": [{"name": "a"}]}', "no member in it"),
        (members_of, "8e9e05c52164694d, started, a, http://a:1, http://a:2, false", "no JSON"),
        (alarms_of, "[]", "no list of alarms"),
        (alarms_of, "memberID:1 alarm:NOSPACE", "no JSON"),
        (containers_of, "[]", "no list of containers"),
        (containers_of, '{"containers": [{"id": "../../x"}]}', "has no ID"),
        (containers_of, '{"containers": [{}]}', "has no ID"),
    ],
)
def test_what_is_no_answer(parse: object, printed: str, words: str) -> None:
    """Is said, with its beginning."""
    assert callable(parse)
    with pytest.raises(OutputError, match=words):
        parse(printed)


@given(st.text(max_size=200))
def test_whatever_is_printed(printed: str) -> None:
    """Is understood or refused, never more."""
    for parse in (statuses_of, members_of, alarms_of, containers_of, mounts_of):
        try:
            parse(printed)
        except OutputError as error:
            assert len(str(error)) < 300
    failures_of(printed)
    words, said = reason_of(printed, printed)
    assert words and said
    version_of(printed)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda one: (
            st.lists(one, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "Endpoint",
                        "Status",
                        "header",
                        "member_id",
                        "members",
                        "ID",
                        "alarms",
                        "containers",
                        "id",
                        "status",
                        "mounts",
                    ]
                ),
                one,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_json_is_printed(value: object) -> None:
    """The same."""
    for parse in (statuses_of, members_of, alarms_of, containers_of, mounts_of):
        try:
            parse(json.dumps(value))
        except OutputError:
            continue


def test_reasons() -> None:
    """etcd's own words, and why a connection was lost, which only the log tells."""
    words, said = reason_of(COMPACTED)
    assert words == said == "etcdserver: mvcc: required revision has been compacted"
    assert reason_of('{"level":"info","msg":"x"}\nError: open /none: no such file or directory\n')[0] == (
        "open /none: no such file or directory"
    )
    assert reason_of("", "") == ("it failed without a word", "it failed without a word")
    found = failures_of(LOST_3_4 + LOST_3_6)
    assert "connection refused" in found["http://127.0.0.1:9"] and "context deadline" in found["http://127.0.0.1:9"]
    assert "x509: certificate signed by unknown authority" in found["https://127.0.0.1:20305"]
    assert failures_of(COMPACTED) == {}


def test_versions() -> None:
    """Of etcdctl itself."""
    assert version_of("etcdctl version: 3.4.13\nAPI version: 3.4\n") == (3, 4, 13)
    assert version_of("etcdctl version: 3.6.10\nAPI version: 3.6\n") == (3, 6, 10)
    assert version_of("No help topic for 'version'") is None


def test_containers() -> None:
    """Of crictl, with the namespaces of their pods; only folders that a container may write to."""
    listed = {"containers": [{"id": "0a1b", "labels": {"io.kubernetes.pod.namespace": "kube-system"}}, {"id": "ff"}]}
    assert containers_of(json.dumps(listed, indent=2)) == [("0a1b", "kube-system"), ("ff", "")]
    assert containers_of('{"containers": []}') == []
    mounts = [
        {"containerPath": "/var/lib/etcd", "hostPath": "/srv/etcd", "readonly": False},
        {"containerPath": "/etc/hosts", "hostPath": "/x", "readonly": True},
        {"containerPath": "", "hostPath": "/x"},
    ]
    assert mounts_of(json.dumps({"status": {"mounts": mounts}})) == [Mount("/var/lib/etcd", "/srv/etcd")]
    assert mounts_of("{}") == []


def test_json_behind_a_log() -> None:
    """The last line that is JSON counts where it is not all."""
    assert printed_json('{"level":"warn"}\n{"a": 1}\n') == {"a": 1}
