"""stale_pod_cleanup, cilium_endpoint_cleanup and cilium_node_cleanup as Ansible runs them, against a faulty API server."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi, Fault

from ansible_collections.podnet.upkeep.plugins.modules import (
    cilium_endpoint_cleanup,
    cilium_node_cleanup,
    stale_pod_cleanup,
)

PODS = "/api/v1/namespaces/shop/pods"
ENDPOINTS = "/apis/cilium.io/v2/namespaces/shop/ciliumendpoints"
CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def ago(seconds: float) -> str:
    """A moment so long ago, as the API writes it."""
    return (NOW - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(name: str, phase: str = "Running", age: float = 90_000, ended: float = 80_000, **more: Any) -> dict[str, Any]:
    """A pod of ReplicaSet cart on Node w1; `ended` seconds ago where its phase says so."""
    state: dict[str, Any] = {"running": {"startedAt": ago(age)}}
    if phase in ("Succeeded", "Failed"):
        state = {"terminated": {"finishedAt": ago(ended), "exitCode": int(phase == "Failed"), "reason": "Error"}}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart", "uid": "rs-1", "controller": True}
    return {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": ago(age),
            "ownerReferences": [owner],
            **more.pop("metadata", {}),
        },
        "spec": {"nodeName": "w1", "containers": [{"name": "c"}], **more.pop("spec", {})},
        "status": {
            "phase": phase,
            "startTime": ago(age),
            "podIPs": [{"ip": more.pop("ip", "10.0.1.9")}],
            "containerStatuses": [{"name": "c", "state": state}],
            **more.pop("status", {}),
        },
    }


def endpoint(name: str, uid: str = "", age: float = 90_000, **more: Any) -> dict[str, Any]:
    """A CiliumEndpoint of the pod of its name."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid or f"uid-{name}"}
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": ago(age),
            "ownerReferences": [owner],
            **more.pop("metadata", {}),
        },
        "status": {
            "id": 7,
            "identity": {"id": more.pop("identity", 4711)},
            "state": more.pop("state", "ready"),
            "networking": {"node": "192.0.2.1", "addressing": [{"ipv4": more.pop("ip", "10.0.1.9")}]},
        },
    }


def cilium_node(name: str, block: str, owner: str = "", age: float = 90_000, **more: Any) -> dict[str, Any]:
    """A CiliumNode with a block, of the Node with this uid."""
    owners = [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": owner}] if owner else []
    return {
        "metadata": {"name": name, "creationTimestamp": ago(age), "ownerReferences": owners, **more},
        "spec": {"ipam": {"podCIDRs": [block]}, "addresses": [{"type": "InternalIP", "ip": f"192.0.2.{name[1:]}"}]},
    }


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """Node w1 with an agent, its CiliumNode, and Cilium in cluster-pool mode."""
    with FakeApi() as running:
        add = running.store.add
        add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        addresses = [{"type": "InternalIP", "address": "192.0.2.1"}]
        add("/api/v1/nodes", {"metadata": {"name": "w1", "uid": "node-1"}, "status": {"addresses": addresses}})
        config = {
            "ipam": "cluster-pool",
            "cluster-pool-ipv4-cidr": "10.0.0.0/22",
            "cluster-pool-ipv4-mask-size": "24",
            "enable-ipv6": "false",
        }
        add("/api/v1/namespaces/kube-system/configmaps", {"metadata": {"name": "cilium-config"}, "data": config})
        labels = {"k8s-app": "cilium"}
        add("/apis/apps/v1/namespaces/kube-system/daemonsets", {"metadata": {"name": "cilium", "labels": labels}})
        agent = pod("cilium-1", metadata={"labels": labels}, spec={"hostNetwork": True})
        add("/api/v1/namespaces/kube-system/pods", agent)
        add(CILIUM_NODES, cilium_node("w1", "10.0.1.0/24", "node-1"))
        yield running


class Cleanup:
    """Runs one of the modules; `check` for check mode."""

    def __init__(self, api: FakeApi, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        self.api, self._capsys, self.folder = api, capsys, tmp_path

    def __call__(self, module: ModuleType, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {
            **self.api.options,
            "journal_path": str(self.folder),
            "rate": 0,
            "_ansible_check_mode": check,
            **options,
        }
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        printed: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        if not printed.get("failed"):
            documented = set(yaml.safe_load(module.RETURN)) | {
                "changed",
                "invocation",
                "warnings",
                "deprecations",
                "diff",
            }
            assert set(printed) <= documented, set(printed) - documented
        return printed


@pytest.fixture
def cleanup(api: FakeApi, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cleanup:
    """The modules against the fake API."""
    return Cleanup(api, capsys, tmp_path / "journals")


def writes(api: FakeApi) -> list[str]:
    """Requests that change something; the question for the time is a dry run."""
    return [f"{one.method} {one.path}" for one in api.requests if one.method != "GET" and "dryRun" not in one.params]


def names(result: dict[str, Any]) -> list[str]:
    """Names of the candidates."""
    return [one["name"] for one in result["candidates"]]


def test_pods_that_have_ended(api: FakeApi, cleanup: Cleanup) -> None:
    """Check mode shows all and writes nothing; the run deletes just that; the second one changes nothing."""
    job = {"apiVersion": "batch/v1", "kind": "Job", "name": "backup", "uid": "j", "controller": True}
    for one in (
        pod("alive"),
        pod("evicted", "Failed", status={"reason": "Evicted", "containerStatuses": []}),
        pod("crashed", "Failed"),
        pod("young", "Failed", ended=60),
        pod("history", "Succeeded", metadata={"ownerReferences": [job]}),
        pod("bare", "Succeeded", metadata={"ownerReferences": []}),
        pod("kept", "Failed", metadata={"finalizers": ["x/y"]}),
        pod("unheard", "Failed", status={"containerStatuses": [{"name": "c", "state": {"running": {}}}]}),
        pod("hanging", metadata={"deletionTimestamp": ago(4000)}),
    ):
        api.store.add(PODS, one)
    planned = cleanup(stale_pod_cleanup, check=True)
    assert names(planned) == ["crashed", "evicted"] and planned["changed"] and not writes(api)
    assert planned["reasons"] == {"Evicted": 1, "Error": 1}
    assert planned["kept"] == {"bare": 1, "container-running": 1, "finalizers": 1, "job": 1, "young": 1}
    assert [one["pod"] for one in planned["terminating"]] == ["shop/hanging"]
    assert planned["frees_addresses"]["expected"] == 0
    assert planned["frees_addresses"]["reason"].startswith("Frees no addresses")
    assert planned["frees_addresses"]["reused"] == 2  # 10.0.1.9 is the address of pod alive
    assert planned["diff"]["before"].count("\n") == 2 and planned["diff"]["after"] == ""

    done = cleanup(stale_pod_cleanup)
    assert done["counts"]["deleted"] == 2 and done["counts"]["before"] == 7 and done["counts"]["after"] == 5
    assert sorted(writes(api)) == [f"DELETE {PODS}/crashed", f"DELETE {PODS}/evicted"]
    assert json.loads(Path(done["journal_path"]).read_text(encoding="utf-8").splitlines()[0])
    again = cleanup(stale_pod_cleanup)
    assert not again["changed"] and not again["candidates"]

    every = cleanup(
        stale_pod_cleanup, check=True, min_age=0, include_job_pods=True, include_bare_pods=True, reasons=["Error"]
    )
    assert names(every) == ["bare", "history", "young"]


def test_a_pod_that_changes_before_its_turn(api: FakeApi, cleanup: Cleanup) -> None:
    """Is spared: by the proof when it runs again or is another one, by its resourceVersion when it changes after that."""
    for name in ("a", "b", "c", "d"):
        api.store.add(PODS, pod(name, "Failed"))

    def change(request: Any) -> None:
        objects = api.store.objects
        if request.method == "GET" and request.path == f"{PODS}/a":
            objects[f"{PODS}/a"]["status"]["phase"] = "Running"
        if request.method == "GET" and request.path == f"{PODS}/b":
            objects[f"{PODS}/b"]["metadata"]["uid"] = "another"
        if request.method == "DELETE" and request.path == f"{PODS}/c":
            objects[f"{PODS}/c"]["metadata"]["resourceVersion"] = "999"

    api.before_request = change
    done = cleanup(stale_pod_cleanup)
    assert {one["name"] for one in done["spared"]} == {"a", "b", "c"}
    assert done["counts"]["deleted"] == 1 and set(api.store.objects) >= {f"{PODS}/{name}" for name in "abc"}


def test_faults_while_pods_are_deleted(api: FakeApi, cleanup: Cleanup) -> None:
    """A lost answer is looked up, 429 is waited for; a proof that cannot be had stops the run, which goes on later."""
    for number in range(30):
        api.store.add(PODS, pod(f"p{number:02}", "Failed"))
    api.faults += [
        Fault("DELETE", f"{PODS}/p05", status=0, after=True),
        Fault("DELETE", f"{PODS}/p06", status=0),
        Fault("DELETE", f"{PODS}/p07", status=429, headers={"Retry-After": "0"}, body={"kind": "Status"}),
        Fault("GET", f"{PODS}/p25", status=403, body={"kind": "Status", "message": "no"}, times=1),
    ]
    stopped = cleanup(stale_pod_cleanup, batch_size=20)
    assert stopped["failed"] and stopped["counts"]["deleted"] == 20 and "goes on" in stopped["msg"]
    assert cleanup(stale_pod_cleanup)["counts"]["deleted"] == 10


def test_endpoints(api: FakeApi, cleanup: Cleanup) -> None:
    """Dead: gone, replaced, ended. Not: alive, fresh, of a CiliumNode that exists, with the address of the new pod."""
    for one in (
        pod("alive", ip="10.0.1.1"),
        pod("new", metadata={"uid": "second"}, ip="10.0.1.2"),
        pod("same-address", metadata={"uid": "second"}, ip="10.0.1.3"),
        pod("ended", "Succeeded"),
        pod("ended-now", "Succeeded", ended=10),
        pod("elsewhere", spec={"nodeName": "w9"}),
    ):
        api.store.add(PODS, one)
    health = {"ownerReferences": [{"kind": "CiliumNode", "name": "w1", "uid": "x"}]}
    lost = {"ownerReferences": [{"kind": "CiliumNode", "name": "w8", "uid": "x"}]}
    for made in (
        endpoint("alive", ip="10.0.1.1"),
        endpoint("gone", identity=5000),
        endpoint("gone-now", age=10),
        endpoint("written-now", metadata={"managedFields": [{"time": ago(5)}]}),
        endpoint("new", ip="10.0.1.77"),
        endpoint("same-address", ip="10.0.1.3"),
        endpoint("ended"),
        endpoint("ended-now"),
        endpoint("health", metadata=health),
        endpoint("lost", metadata=lost),
        endpoint("elsewhere"),
    ):
        api.store.add(ENDPOINTS, made)
    planned = cleanup(cilium_endpoint_cleanup, check=True)
    assert names(planned) == ["ended", "gone", "lost", "new"] and not writes(api)
    assert planned["reasons"] == {"pod-ended": 1, "pod-gone": 1, "owner-gone": 1, "pod-replaced": 1}
    assert planned["kept"] == {"address-in-use": 1, "node-may-live": 1, "young": 3}
    assert planned["identities_released"] == 1
    assert planned["collection"]["verdict"] == "unknown"
    assert names(cleanup(cilium_endpoint_cleanup, check=True, powered_off=["w9"])) == [
        *("elsewhere", "ended", "gone", "lost", "new"),
    ]
    done = cleanup(cilium_endpoint_cleanup)
    assert done["counts"]["deleted"] == 4
    assert not cleanup(cilium_endpoint_cleanup)["changed"]


def test_endpoints_are_proved_again(api: FakeApi, cleanup: Cleanup) -> None:
    """A pod that comes back, or an agent that takes the endpoint over, saves it."""
    for name in ("back", "taken", "gone"):
        api.store.add(ENDPOINTS, endpoint(name))
    looked = []

    def change(request: Any) -> None:
        if request.path == f"{PODS}/back" and request.method == "GET":
            looked.append(request.path)
            api.store.add(PODS, pod("back"))
        if request.path == f"{ENDPOINTS}/taken" and request.method == "DELETE":
            api.store.objects[f"{ENDPOINTS}/taken"]["metadata"]["resourceVersion"] = "77777"

    api.before_request = change
    done = cleanup(cilium_endpoint_cleanup)
    assert looked and {one["name"] for one in done["spared"]} == {"back", "taken"}
    assert done["counts"]["deleted"] == 1


@pytest.mark.parametrize("resource", ["pods", "nodes", "ciliumnodes"])
def test_an_incomplete_picture_judges_nothing(api: FakeApi, cleanup: Cleanup, resource: str) -> None:
    """What cannot be read would look gone."""
    api.store.add(ENDPOINTS, endpoint("gone"))
    api.store.add(CILIUM_NODES, cilium_node("w9", "10.0.2.0/24", "node-9"))
    api.faults.append(Fault("GET", f"/{resource}$", status=403, body={"kind": "Status", "message": "no"}, times=99))
    for module in (cilium_endpoint_cleanup, cilium_node_cleanup):
        refused = cleanup(module)
        assert refused["failed"] and ("not complete" in refused["msg"] or "permission" in refused["msg"])
    assert not writes(api)


def test_what_no_deletion_mends(api: FakeApi, cleanup: Cleanup) -> None:
    """Stuck endpoints lead to an agent, pods without endpoint to an eviction of one pod of each controller."""
    api.store.add(PODS, pod("stuck"))
    api.store.add(ENDPOINTS, endpoint("stuck", state="not-ready"))
    api.store.add(PODS, pod("passing"))
    written = {"managedFields": [{"time": ago(60)}]}
    api.store.add(ENDPOINTS, endpoint("passing", state="waiting-for-identity", metadata=written))
    for number in (1, 2):
        api.store.add(PODS, pod(f"lacking-{number}", ip=f"10.0.1.{number}"))
    api.store.add(PODS, pod("bare", metadata={"ownerReferences": []}, ip="10.0.1.7"))
    found = cleanup(cilium_endpoint_cleanup)
    assert [(one["node"], one["agent"], one["states"]) for one in found["agents_to_restart"]] == [
        ("w1", "cilium-1", {"not-ready": 1})
    ]
    assert [one["name"] for one in found["pods_without_endpoint"]] == ["bare", "lacking-1", "lacking-2"]
    assert not found["changed"] and not writes(api)

    planned = cleanup(cilium_endpoint_cleanup, check=True, recreate_pods=True)
    assert planned["changed"] and planned["recreated"]["chosen"] == ["shop/lacking-1"] and not writes(api)
    done = cleanup(cilium_endpoint_cleanup, recreate_pods=True)
    assert done["recreated"]["evicted"] == ["shop/lacking-1"] and done["recreated"]["left"] == 2
    assert writes(api) == [f"POST {PODS}/lacking-1/eviction"]

    api.store.disruptions_allowed["cart"] = 0
    api.store.objects[f"{PODS}/lacking-2"]["metadata"]["labels"] = {"app": "cart"}
    held = cleanup(cilium_endpoint_cleanup, recreate_pods=True)
    assert not held["changed"] and "disruption budget" in held["recreated"]["refused"][0]["words"]


def test_the_trap_of_interval_zero(api: FakeApi, cleanup: Cleanup, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not only turn the collection off."""
    warned: list[str] = []
    monkeypatch.setattr(cilium_endpoint_cleanup.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    config = api.store.objects["/api/v1/namespaces/kube-system/configmaps/cilium-config"]["data"]
    config["cilium-endpoint-gc-interval"] = "0s"
    found = cleanup(cilium_endpoint_cleanup)
    assert found["collection"]["verdict"] == "broken" and "does not start" in warned[0]
    config.update({"identity-allocation-mode": "kvstore", "kvstore": "etcd"})
    found = cleanup(cilium_endpoint_cleanup)
    assert found["collection"]["verdict"] == "off"
    assert "deletes every CiliumEndpoint once when it starts" in warned[1]


QUICK = {"settle_seconds": 0}


def test_cilium_nodes(api: FakeApi, cleanup: Cleanup) -> None:
    """Those without Node go, unless something speaks for them; each with its sentence."""
    add = api.store.add
    add("/api/v1/nodes", {"metadata": {"name": "w2", "uid": "second"}})
    for made in (
        cilium_node("w2", "10.0.2.0/24", "first"),
        cilium_node("w3", "10.0.3.0/24", "node-3"),
        cilium_node("w4", "10.0.4.0/24", "node-4", age=60),
        cilium_node("w5", "10.0.5.0/24", annotations={"cilium.io/do-not-gc": "true"}),
        cilium_node("w6", "10.0.6.0/24", "node-6"),
        cilium_node("w7", "10.0.7.0/24", "node-7"),
        cilium_node("w8", "10.0.1.0/24", "node-8"),
    ):
        add(CILIUM_NODES, made)
    add(PODS, pod("user", ip="10.0.6.9"))
    add(ENDPOINTS, endpoint("left", ip="10.0.7.9"))
    planned = cleanup(cilium_node_cleanup, check=True, max_share=1, **QUICK)
    assert names(planned) == ["w2", "w3"] and not writes(api)
    reasons = {one["name"]: " ".join(one["reasons"]) for one in planned["kept"]}
    assert "quarantine" in reasons["w4"] and "do-not-gc" in reasons["w5"] and "pods shop/user" in reasons["w6"]
    assert "CiliumEndpoints shop/left" in reasons["w7"] and "w1 has addresses of its blocks" in reasons["w8"]
    assert [one["drain_first"] for one in planned["conflicts"]] == ["w8"]
    accepted = cleanup(cilium_node_cleanup, check=True, max_share=1, accepted_risks=["kept", "shares-block"], **QUICK)
    assert names(accepted) == ["w2", "w3", "w5", "w8"]
    refused = cleanup(cilium_node_cleanup, nodes=["w6"], **QUICK)
    assert refused["failed"] and "shop/user" in refused["msg"]
    too_many = cleanup(cilium_node_cleanup, max_share=0.2, **QUICK)
    assert too_many["failed"] and "max_share" in too_many["msg"] and not writes(api)

    done = cleanup(cilium_node_cleanup, **QUICK)
    assert done["counts"]["deleted"] == 2 and done["pool_after"]["free"] == done["pool_before"]["free"] + 2
    assert not cleanup(cilium_node_cleanup, **QUICK)["changed"]


def test_an_agent_saves_its_cilium_node(api: FakeApi, cleanup: Cleanup) -> None:
    """On a Node of the name, also while its pod waits; an unfinished registration and a Node that comes back do so too."""
    api.store.add(CILIUM_NODES, cilium_node("w9", "10.0.2.0/24", "node-9"))
    agent = pod("cilium-9", "Pending", metadata={"labels": {"k8s-app": "cilium"}}, spec={"nodeName": "w9"})
    api.store.add("/api/v1/namespaces/kube-system/pods", agent)
    kept = cleanup(cilium_node_cleanup, **QUICK)["kept"]
    assert "cilium-9" in " ".join(kept[0]["reasons"])
    del api.store.objects["/api/v1/namespaces/kube-system/pods/cilium-9"]

    looks = []

    def come_back(request: Any) -> None:
        if request.path == "/api/v1/nodes":
            looks.append(1)
            if len(looks) == 2:
                api.store.add("/api/v1/nodes", {"metadata": {"name": "w9", "uid": "node-9b"}})

    api.before_request = come_back
    watched = cleanup(cilium_node_cleanup, settle_seconds=1)
    assert not watched["changed"] and "a moment ago" in watched["kept"][0]["reasons"][0]
    assert not writes(api)


def test_the_collection_that_somebody_turned_off(api: FakeApi, cleanup: Cleanup) -> None:
    """With nodes-gc-interval 0 CiliumNodes without owner are wanted, and need the risk's name."""
    config = api.store.objects["/api/v1/namespaces/kube-system/configmaps/cilium-config"]["data"]
    config["nodes-gc-interval"] = "0s"
    api.store.add(CILIUM_NODES, cilium_node("w9", "10.0.2.0/24"))
    kept = cleanup(cilium_node_cleanup, **QUICK)["kept"]
    assert "nodes-gc-off" in kept[0]["reasons"][0]
    assert names(cleanup(cilium_node_cleanup, check=True, accepted_risks=["nodes-gc-off"], **QUICK)) == ["w9"]
    wrong = cleanup(cilium_node_cleanup, accepted_risks=["everything"], **QUICK)
    assert wrong["msg"].startswith("accepted_risks: there is no risk everything")
