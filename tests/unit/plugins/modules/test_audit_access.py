"""The module as Ansible runs it, against an API server that keeps objects."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import FEATURES
from ansible_collections.podnet.upkeep.plugins.modules import audit_access


def run(api: FakeApi, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """Run the module."""
    with patch_module_args({**api.options, **options}), pytest.raises(SystemExit):
        audit_access.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def test_present_and_absent(capsys: pytest.CaptureFixture[str]) -> None:
    """What is returned for either, the diff included; a second run changes nothing."""
    with FakeApi() as api:
        for name in ("kube-system", "kube-node-lease"):
            api.store.add("/api/v1/namespaces", {"metadata": {"name": name}})
        first = run(api, capsys, features=["logs"])
        assert first["changed"] and first["user"] == "system:serviceaccount:kube-system:podnet-upkeep-audit"
        assert {one["action"] for one in first["objects"]} == {"created"}
        assert first["diff"]["before"] == {} and "ClusterRole podnet-upkeep-audit" in first["diff"]["after"]
        assert not run(api, capsys, features=["logs"])["changed"]
        checked = run(api, capsys, state="absent", _ansible_check_mode=True)
        assert checked["changed"] and {one["action"] for one in checked["objects"]} == {"deleted"}
        assert run(api, capsys, state="absent")["changed"]
        assert not run(api, capsys, state="absent")["changed"]


def test_what_cannot_be_done_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """A namespace that is not there, and an object of somebody else."""
    with FakeApi() as api:
        failed = run(api, capsys, namespace="nowhere")
        assert failed["msg"] == "namespace: there is no namespace 'nowhere'; create it or name another one."
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system"}})
        assert run(api, capsys)["msg"].startswith("The cluster has no namespace kube-node-lease")
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-node-lease"}})
        api.store.add("/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": "podnet-upkeep-audit"}})
        failed = run(api, capsys)
        assert "ServiceAccount kube-system/podnet-upkeep-audit exists and is not of this collection" in failed["msg"]


def test_every_feature_can_be_chosen() -> None:
    """The options of the module are the features that the code knows."""
    documented = yaml.safe_load(audit_access.DOCUMENTATION)["options"]["features"]["choices"]
    assert documented == audit_access.argument_spec()["features"]["choices"] == list(FEATURES)
