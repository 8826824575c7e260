"""Room in a real etcd while other runs are under way: none is begun beside one that lives, and one that began stops."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi
from unit.fake_api.server import Request

from ansible_collections.podnet.upkeep.plugins.modules import kvstore_maintenance
from testbed.etcd_cluster import EtcdCluster, EtcdSpec

pytestmark = pytest.mark.testbed

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


def lease(name: str, holder: str, age: float) -> dict[str, Any]:
    """The Lease of a run of this collection that was renewed so many seconds ago."""
    written = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    stamp = written.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {
            "name": f"podnet-upkeep-{name}",
            "labels": {"app.kubernetes.io/managed-by": "podnet.upkeep"},
            "managedFields": [{"manager": "test", "operation": "Update", "time": stamp}],
        },
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 300, "acquireTime": stamp, "renewTime": stamp},
    }


def test_room_is_made_beside_no_other_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Agents that restart need the store. A run that is long dead, and who may not look, stop nothing."""

    def act(etcd: EtcdCluster, api: FakeApi, **more: Any) -> dict[str, Any]:
        options = {
            **api.options,
            "endpoints": list(etcd.endpoints),
            "etcd_ca_cert": str(etcd.ca),
            "etcd_client_cert": str(etcd.client.cert),
            "etcd_client_key": str(etcd.client.key),
            "keep_revisions": 0,
            **dict.fromkeys(("min_revisions", "min_gain"), 1),
            "snapshot_dir": str(tmp_path / "snapshots"),
            "state_dir": str(tmp_path),
            **more,
        }
        with patch_module_args(options), pytest.raises(SystemExit):
            kvstore_maintenance.main()
        printed: dict[str, Any] = json.loads(capsys.readouterr().out)
        return printed

    with EtcdCluster.up(EtcdSpec(f"kvbeside-{os.getpid()}", members=1)) as etcd, FakeApi() as api:
        for number in range(50):
            etcd.put("a", str(number).encode() * 20_000)
        api.store.add(LEASES, lease("cilium", "ana@bastion #1", 5))
        assert act(etcd, api, _ansible_check_mode=True)["due"]
        refused = act(etcd, api)
        assert refused.get("failed") and "Nothing was done: ana@bastion #1 holds the Lease" in refused["msg"], refused
        assert "podnet-upkeep-cilium" in refused["msg"] and not (tmp_path / "snapshots").exists()

        # one that takes its Lease in the middle: nothing further is begun
        api.store.objects.clear()
        looks: list[str] = []

        def late(request: Request) -> None:
            looks.extend([request.path] if request.path == LEASES else [])
            if len(looks) == 3:
                api.store.add(LEASES, lease("clean-identities", "bob@bastion #2", 5))
                looks.append("")

        api.before_request = late
        stopped = act(etcd, api)
        assert stopped.get("failed") and "bob@bastion #2" in stopped["msg"], stopped
        assert [one["step"] for one in stopped["steps"]] == ["snapshot"]

        api.store.objects.clear()
        api.store.add(LEASES, lease("cilium", "ana@bastion #1", 4000))
        done = act(etcd, api)
        assert done["changed"] and [one["step"] for one in done["steps"]][-1] == "defragment", done
