"""The modules about cilium-config as Ansible runs them, over a small API."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi, Fault

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_memory import RESTORED
from ansible_collections.podnet.upkeep.plugins.modules import cilium_config, cilium_config_info, workload_rollout

NS = "/api/v1/namespaces/kube-system"
APPS = "/apis/apps/v1/namespaces/kube-system"
CONFIG = f"{NS}/configmaps/cilium-config"
IMAGE = "quay.io/cilium/cilium:v1.18.4"


@pytest.fixture(autouse=True)
def _no_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible keeps warnings for the whole process: those of these modules would be in answers of others."""
    monkeypatch.setattr(cilium_config.AnsibleModule, "warn", lambda _module, _text: None)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """Cilium 1.18 by Helm, with an operator that was created before the change of its configuration."""
    with FakeApi() as running:
        add = running.store.add
        add(
            f"{APPS}/daemonsets",
            {"metadata": {"name": "cilium"}, "spec": {"template": {"spec": {"containers": [{"image": IMAGE}]}}}},
        )
        helm = {"annotations": {"meta.helm.sh/release-name": "cilium"}}
        fields = [{"manager": "helm", "time": "2026-11-01T06:00:00Z", "fieldsV1": {}}]
        metadata = {"name": "cilium-config", **helm, "managedFields": fields}
        add(f"{NS}/configmaps", {"metadata": metadata, "data": {"identity-gc-interval": "15m0s"}})
        pod = {
            "name": "cilium-operator-1",
            "labels": {"io.cilium/app": "operator"},
            "creationTimestamp": "2026-11-01T05:00:00Z",
        }
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        add(f"{NS}/pods", {"metadata": pod, "spec": {"nodeName": "w1"}, "status": status})
        yield running


def run(module: Any, api: FakeApi, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """The printed answer."""
    with patch_module_args({**api.options, **options}), pytest.raises(SystemExit):
        module.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def test_present(api: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every documented value is there; the second time nothing changes."""
    warned: list[str] = []
    monkeypatch.setattr(cilium_config.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    answer = run(cilium_config, api, capsys, profile="faster_identity_gc", values={"identity-gc-rate-limit": 9000})
    assert answer["changed"] and answer["components"] == ["operator"] and answer["release"] == "1.18"
    assert answer["change"]["identity-gc-rate-limit"] == {"before": None, "after": "9000"}
    assert answer["owned_by"][0]["tool"] == "Helm"
    assert len(warned) == 1 and "will write its own values by the next helm upgrade" in warned[0]
    documented = set(yaml.safe_load(cilium_config.RETURN)) - {"refusals"}
    assert documented <= set(answer)
    again = run(cilium_config, api, capsys, profile="faster_identity_gc", values={"identity-gc-rate-limit": 9000})
    assert not again["changed"] and again["components"] == ["operator"] and len(warned) == 1
    back = run(cilium_config, api, capsys, state="restored")
    assert back["changed"] and api.store.objects[CONFIG]["data"] == {"identity-gc-interval": "15m0s"}
    assert not run(cilium_config, api, capsys, state="restored")["changed"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"values": {"identity-gc-interval": "600"}}, "missing unit in duration"),
        ({"values": {"identity-gc-interval": 600}}, "missing unit in duration"),
        ({"values": {"identity-gc-interval": ["5m"]}}, "neither a text nor a number"),
        ({"values": {"enable-identity-cache": True}}, "never had such a key"),
        ({}, "there is nothing to set"),
        ({"values": {"a": "b"}, "remove": ["a"]}, "decide for one of them"),
        ({"values": {"a": "b"}, "keys": ["a"]}, "it is for state: restored"),
        ({"state": "restored", "remove": ["a"]}, "takes no profile"),
        ({"add_pool_cidrs": ["10.61.0.5/16"]}, "add_pool_cidrs: '10.61.0.5/16' is not the beginning of a range"),
        (
            {"add_pool_cidrs": ["10.61.0.0/16"], "remove": ["cluster-pool-ipv4-cidr"]},
            "cluster-pool-ipv4-cidr is in values or remove as well",
        ),
        ({"state": "restored", "add_pool_cidrs": ["10.61.0.0/16"]}, "takes no profile"),
        ({"values": {"a": "b"}, "cilium_version": "new"}, "write it as 1.18"),
        ({"values": {"a": "b"}, "cilium_namespace": "other"}, "there is no ConfigMap other/cilium-config"),
    ],
)
def test_refusals(options: dict[str, Any], words: str, api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and nothing is written."""
    answer = run(cilium_config, api, capsys, **options)
    assert answer["failed"] and words in answer["msg"]
    assert api.count("PATCH") == 0


def test_a_risk_is_taken_by_its_name(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """And by no other."""
    options = {"values": {"identity-gc-interval": "0"}}
    assert run(cilium_config, api, capsys, **options, accepted_risks=["unknown-key"])["failed"]
    assert run(cilium_config, api, capsys, **options, accepted_risks=["harmful-value"])["changed"]


def test_a_restore_that_was_interrupted(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is remembered any more, and yet it is known who has to restart: until all of them have started since."""
    agent = {"name": "cilium-1", "labels": {"k8s-app": "cilium"}, "creationTimestamp": "2026-11-01T05:00:00Z"}
    api.store.add(f"{NS}/pods", {"metadata": agent, "spec": {"nodeName": "w1"}, "status": {"phase": "Running"}})
    run(cilium_config, api, capsys, values={"bpf-policy-map-max": 32768})
    run(cilium_config, api, capsys, profile="faster_identity_gc")
    back = run(cilium_config, api, capsys, state="restored")
    assert back["changed"] and back["components"] == ["operator", "agents"]
    again = run(cilium_config, api, capsys, state="restored")
    assert not again["changed"] and again["components"] == ["operator", "agents"]
    started = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    api.store.objects[f"{NS}/pods/cilium-operator-1"]["metadata"]["creationTimestamp"] = started
    again = run(cilium_config, api, capsys, state="restored")
    assert again["components"] == ["agents"] and set(again["restart"]) == {"bpf-policy-map-max"}
    # another change does not make it forgotten, and takes it along
    other = run(cilium_config, api, capsys, values={"identity-gc-rate-limit": 9000})
    assert other["components"] == ["operator", "agents"]
    api.store.objects[f"{NS}/pods/cilium-1"]["metadata"]["creationTimestamp"] = started
    assert run(cilium_config, api, capsys, values={"identity-gc-rate-limit": 9000})["components"] == ["operator"]
    last = run(cilium_config, api, capsys, state="restored")
    assert last["components"] == ["operator"]
    assert set(json.loads(api.store.objects[CONFIG]["metadata"]["annotations"][RESTORED])) == {"identity-gc-rate-limit"}


def test_info(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """The operator is older than the change, and its log cannot be read here."""
    answer = run(cilium_config_info, api, capsys, keys=["identity-gc-interval", "nobody"])
    assert set(yaml.safe_load(cilium_config_info.RETURN)) <= set(answer)
    assert answer["unknown_keys"] == ["nobody"] and answer["settings"]["identity-gc-interval"] == "15m0s"
    assert not answer["in_force"] and answer["operator_pods"][0]["older"]
    api.store.objects[f"{NS}/pods/cilium-operator-1"]["metadata"]["creationTimestamp"] = "2026-11-01T06:00:01Z"
    answer = run(cilium_config_info, api, capsys, keys=["identity-gc-interval"])
    assert answer["in_force"] and answer["operator_pods"][0]["known_by"] == "start"
    api.store.objects[CONFIG]["data"]["identity-gc-interval"] = "600"
    assert run(cilium_config_info, api, capsys)["would_not_start"]["operator"]


@pytest.mark.parametrize(
    ("log", "known_by", "in_force"),
    [
        ("  --labels='!foo,k8s:!bar'\n  --bpf-policy-map-max='32768'\n", "log", True),
        ("  --labels='!foo,k8s:!bar'\n  --bpf-policy-map-max='16384'\n", "start", False),
        ("  --bpf-policy-map-max='0x8000'\n", "start", True),
        ("", "start", True),
    ],
)
def test_agents_are_asked_by_their_logs(
    log: str, known_by: str, in_force: bool, api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that started since: one that says another value is not in force, one that says nothing is believed."""
    api.store.objects[CONFIG]["data"].update({"bpf-policy-map-max": "32768", "labels": "!foo k8s:!bar"})
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for number in range(5):
        agent = {"name": f"cilium-{number}", "labels": {"k8s-app": "cilium"}}
        agent["creationTimestamp"] = "2026-11-01T06:00:09Z"  # type: ignore[assignment]
        api.store.add(f"{NS}/pods", {"metadata": agent, "spec": {"nodeName": f"w{number}"}, "status": ready})
    api.faults = [Fault("GET", r"pods/cilium-\d/log", 200, log, times=9)]
    answer = run(cilium_config_info, api, capsys, keys=["bpf-policy-map-max", "labels"])
    agents = answer["agents"]
    assert (agents["known_by"], agents["in_force"], answer["in_force"]) == (known_by, in_force, in_force)
    assert [one["node"] for one in agents["asked"]] == ["w0", "w2", "w4"]
    assert [one["different"] for one in agents["asked"]] == [[] if in_force else ["bpf-policy-map-max"]] * 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"newer_than": "yesterday"}, "is no moment"),
        ({"method": "node_by_node"}, "is for a DaemonSet"),
        ({"nodes": ["w1"]}, "set method: node_by_node"),
        ({"name": "nothing"}, "there is no Deployment kube-system/nothing"),
    ],
)
def test_rollout_options(options: dict[str, Any], words: str, api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be is said in one sentence."""
    answer = run(
        workload_rollout,
        api,
        capsys,
        **{"kind": "Deployment", "name": "cilium-operator", "health_gate": False, **options},
    )
    assert answer["failed"] and words in answer["msg"]


def test_node_configs_that_have_another_value(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Both modules name CiliumNodeConfig, value and Nodes; and what an agent there says is no reason to doubt the change."""
    for name, labels in (("w1", {"size": "big"}), ("w2", {})):
        api.store.add("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
    spec = {"nodeSelector": {"matchLabels": {"size": "big"}}, "defaults": {"bpf-policy-map-max": "65536"}}
    configs = "/apis/cilium.io/v2/namespaces/kube-system/ciliumnodeconfigs"
    api.store.add(configs, {"metadata": {"name": "big"}, "spec": spec})
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    agent = {"name": "cilium-1", "labels": {"k8s-app": "cilium"}, "creationTimestamp": "2026-11-01T06:00:09Z"}
    api.store.add(f"{NS}/pods", {"metadata": agent, "spec": {"nodeName": "w1"}, "status": ready})
    expected = [{"key": "bpf-policy-map-max", "node_config": "big", "value": "65536", "count": 1, "nodes": ["w1"]}]
    answer = run(cilium_config, api, capsys, values={"bpf-policy-map-max": 32768, "identity-gc-rate-limit": 9000})
    assert answer["changed"] and answer["shadowed_by"] == expected
    api.faults = [Fault("GET", r"pods/cilium-1/log", 200, "  --bpf-policy-map-max='65536'\n", times=9)]
    answer = run(cilium_config_info, api, capsys, keys=["bpf-policy-map-max"], components=["agents"])
    assert answer["shadowed_by"] == expected and answer["in_force"], answer["agents"]
