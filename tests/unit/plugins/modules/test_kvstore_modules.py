"""kvstore_info and kvstore_maintenance as Ansible runs them, without an etcd or with one that does not answer."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi, Fault
from unit.plugins.module_utils._domain.test_etcd_members import ALARMS, MEMBERS, STATUS

from ansible_collections.podnet.upkeep.plugins.modules import kvstore_info, kvstore_maintenance

HERE = "https://127.0.0.1:9"
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config"}}


def run(module: Any, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """What the module prints."""
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def test_what_etcdctl_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Members, alarms and problems; documented keys are returned and no others."""
    found = run(kvstore_info, capsys, etcdctl={"status": STATUS, "members": MEMBERS, "alarms": ALARMS})
    assert set(found) - {"changed", "invocation", "warnings", "deprecations"} == set(
        yaml.safe_load(kvstore_info.RETURN)
    )
    assert found["quorum"] is True and found["leader"] == "etcd-0"
    assert [one["name"] for one in found["members"]] == ["etcd-0", "etcd-1", "etcd-2"]
    assert found["alarms"] == [{"member": "etcd-1", "alarm": "NOSPACE"}]
    assert found["database"]["share"] > 0.99 and found["contents"] is None
    assert [one.split()[0:3] for one in found["problems"][:2]] == [
        ["Member", "etcd-2", "does"],
        ["Nothing", "can", "be"],
    ]
    unlisted = run(kvstore_info, capsys, etcdctl={"status": "[]", "members": MEMBERS})
    assert unlisted["reachable"] is False and unlisted["alarms"] is None and unlisted["database"] is None
    assert "has no quorum: 0 of 3 members answer" in unlisted["problems"][0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"etcdctl": {"status": "table", "members": MEMBERS}}, "etcdctl.status: it is no JSON"),
        ({"etcdctl": {"status": STATUS, "members": "{}"}}, "etcdctl.members: there is no member in it"),
        ({"endpoints": [HERE], "seconds_between_looks": -1}, "seconds_between_looks: -1 is negative"),
        ({"endpoints": [HERE], "etcd_timeout": 0}, "etcd_timeout: 0 is no time to wait"),
        ({"endpoints": [HERE], "threshold_bytes": 0}, "threshold_bytes: 0 is too small; give 1 or more."),
        ({"endpoints": ["10.0.0.1:2379"]}, "write it as https://ADDRESS:PORT"),
        ({"endpoints": [HERE], "etcd_ca_cert": "/none.pem"}, "etcd_ca_cert: the file /none.pem does not exist"),
        ({"endpoints": [HERE]}, "Cannot ask the etcd at https://127.0.0.1:9: connection refused."),
    ],
)
def test_bad_options_of_kvstore_info(capsys: pytest.CaptureFixture[str], options: dict[str, Any], words: str) -> None:
    """One sentence that names option, value and remedy."""
    found = run(kvstore_info, capsys, **options)
    assert found.get("failed") and words in found["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep_revisions": -1}, "keep_revisions: -1 is too small; give 0 or more."),
        ({"min_gain": 0}, "min_gain: 0 is too small"),
        ({"member_timeout": 0}, "member_timeout: 0 is no time to wait"),
        ({"window_end": "soon"}, "window_end: 'soon' is no time"),
        ({}, "connection refused"),
    ],
)
def test_bad_options_of_kvstore_maintenance(
    capsys: pytest.CaptureFixture[str], options: dict[str, Any], words: str
) -> None:
    """Nothing is begun."""
    found = run(kvstore_maintenance, capsys, endpoints=[HERE], **options)
    assert found.get("failed") and words in found["msg"]


def test_a_port_that_is_no_etcd(capsys: pytest.CaptureFixture[str]) -> None:
    """Answers nothing in the time allowed."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = run(kvstore_info, capsys, endpoints=[endpoint], etcd_timeout=0.2)
    assert "no answer in the time allowed (etcd_timeout)" in found["msg"]


def test_a_cluster_that_uses_no_kvstore(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Is told so, and that is no problem; maintenance of what is not there is refused."""
    with FakeApi() as api:
        api.store.add(
            "/api/v1/namespaces/kube-system/configmaps", {**CONFIG, "data": {"identity-allocation-mode": "crd"}}
        )
        found = run(kvstore_info, capsys, **api.options, store="cilium")
        assert found["used"] is False and found["problems"] == [] and found["reachable"] is False
        assert found["contents_unknown"] == "Cilium keeps identities as objects and uses no kvstore"
        found = run(kvstore_info, capsys, **api.options)
        assert found["store"] == "apiserver" and "ask by etcdctl" in found["source"] and found["problems"] == []
        refused = run(kvstore_maintenance, capsys, **api.options, store="cilium", state_dir=str(tmp_path))
        assert "none were found, because Cilium keeps identities as objects" in refused["msg"]


def test_an_etcd_of_the_api_server_that_cannot_be_reached(capsys: pytest.CaptureFixture[str]) -> None:
    """Where Cilium uses no kvstore it is no failure; where it was asked for by name, it is."""
    etcd = {"name": "etcd", "command": ["etcd", "--advertise-client-urls=https://127.0.0.1:9"]}
    pod = {"metadata": {"name": "etcd-cp1", "labels": {"component": "etcd"}}, "spec": {"containers": [etcd]}}
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces/kube-system/pods", {"apiVersion": "v1", "kind": "Pod", **pod})
        found = run(kvstore_info, capsys, **api.options)
        assert found["endpoints"] == [HERE] and found["reachable"] is False and found["problems"] == []
        assert "connection refused" in found["contents_unknown"] and found["quorum"] is None
        refused = run(kvstore_info, capsys, **api.options, store="apiserver")
        assert refused["failed"] and "connection refused" in refused["msg"]


def test_cilium_config_that_may_not_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """With endpoints it would only tell more; without, it is the way to them."""
    with FakeApi() as api:
        api.faults.append(Fault("GET", "/api/v1/namespaces/kube-system/configmaps/cilium-config", status=403))
        found = run(kvstore_info, capsys, **api.options, endpoints=[HERE])
        assert "Cannot ask the etcd" in found["msg"] and not [one for one in api.faults if one.times]
