"""monitoring_rules_info and monitoring_objects as Ansible runs them. What the API server does is asked in tests/integration."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import COMPONENTS
from ansible_collections.podnet.upkeep.plugins.modules import monitoring_objects, monitoring_rules_info

SYSTEM = "/api/v1/namespaces/kube-system"
MANAGER = ["kube-controller-manager", "--allocate-node-cidrs=true", "--cluster-cidr=10.0.0.0/16", "--secure-port=10300"]


def run(module: ModuleType, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """Run a module."""
    with patch_module_args(options), pytest.raises(SystemExit):
        module.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def cluster(api: FakeApi, manager: list[str], **config: str) -> None:
    """Cilium 1.18 with this configuration, and a controller-manager with these flags."""
    template = {"spec": {"containers": [{"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.18.4"}]}}
    labels = {"k8s-app": "cilium"}
    agents = {"metadata": {"name": "cilium", "labels": labels}, "spec": {"template": template}, "status": {}}
    api.store.add("/apis/apps/v1/namespaces/kube-system/daemonsets", agents)
    data = {key.replace("_", "-"): value for key, value in config.items()}
    api.store.add(f"{SYSTEM}/configmaps", {"metadata": {"name": "cilium-config"}, "data": data})
    pod = {"metadata": {"name": "kcm", "labels": {"component": "kube-controller-manager"}}}
    api.store.add(f"{SYSTEM}/pods", {**pod, "spec": {"containers": [{"name": "kcm", "command": manager}]}})


def test_what_is_stated(capsys: pytest.CaptureFixture[str]) -> None:
    """No cluster is asked; what nobody states is not there."""
    components = {"audit": True, "cilium": True, "cilium-operator": True}
    done = run(monitoring_rules_info, capsys, detect=False, cilium_version="1.15", components=components)
    assert "PodnetIdentityGcAbsent" in done["alerts"] and "PodnetSandboxSlow" not in done["alerts"]
    reasons = {name: one["reason"] for one in done["left_out"] for name in one["alerts"]}
    assert reasons["PodnetIdentityGcSlow"].endswith("is served by Cilium 1.17 and later; 1.15 runs")
    assert reasons["PodnetSandboxSlow"] == "kubelet is not there (kubelets, scraped)"
    assert done["cilium_version"] == "1.15" and done["kubernetes_version"] == ""
    assert done["components"] == ["cilium", "cilium-operator", "audit"] and not done["changed"]
    assert set(done["not_there"]) == set(COMPONENTS) - set(components)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cilium_version": "new"}, "cilium_version: 'new' is not a release; write it as 1.18."),
        ({"components": {"grafana": True}}, "components: there is no component 'grafana'; known are kube-apiserver, "),
        ({"components": {"audit": "maybe"}}, "components: audit is 'maybe'; write true or false."),
        ({"scrape_interval": "often"}, "scrape_interval: 'often' is no time for Prometheus; write it with its unit"),
        ({"thresholds": {"map_pressure": 90}}, "thresholds: map_pressure is '90'; it is a part of the whole"),
    ],
)
def test_what_cannot_be_used(options: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence."""
    assert run(monitoring_rules_info, capsys, detect=False, **options)["msg"].startswith(sentence)


def test_what_a_cluster_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """Releases, who serves metrics and where, numbers for identities, and why something is not there."""
    with FakeApi() as api:
        config = {"operator_prometheus_serve_addr": ":9999", "enable_metrics": "true", "max_connected_clusters": "511"}
        cluster(api, MANAGER, **config, cluster_id="3", ipam="eni", identity_allocation_mode="kvstore", kvstore="etcd")
        done = run(monitoring_rules_info, capsys, **api.options)
    assert done["cilium_version"] == "1.18" and done["kubernetes_version"] == "1.36"
    assert done["identity_capacity"] == 32768
    targets = {one["component"]: one for one in done["targets"]}
    assert targets["cilium-operator"]["port"] == 9999 and not targets["cilium-operator"]["https"]
    assert targets["kube-controller-manager"]["port"] == 10300 and targets["kube-controller-manager"]["https"]
    assert "PodnetCloudNodesInDeficit" in done["alerts"] and "PodnetNodeCidrPoolFull" in done["alerts"]
    assert "PodnetIdentitiesExhausted" not in done["alerts"]
    assert done["not_there"]["cilium-agent"].startswith("agents of Cilium serve no metrics (cilium-config: prometheus-")
    assert {"kvstore", "cloud-ipam"} <= set(done["components"])


@pytest.mark.parametrize(
    ("manager", "reason"),
    [
        ([*MANAGER, "--bind-address=127.0.0.1"], "listens at 127.0.0.1 only (--bind-address)"),
        ([*MANAGER[:1], "--allocate-node-cidrs=false"], "gives out no podCIDRs here (--allocate-node-cidrs)"),
    ],
)
def test_a_controller_manager_that_tells_nothing(
    manager: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is left out, unless somebody says that it can be scraped."""
    with FakeApi() as api:
        cluster(api, manager)
        done = run(monitoring_rules_info, capsys, **api.options)
        assert reason in done["not_there"]["kube-controller-manager"]
        assert "PodnetNodeCidrPoolFull" not in done["alerts"]
        said = run(monitoring_rules_info, capsys, **api.options, components={"kube-controller-manager": True})
        assert "PodnetNodeCidrPoolFull" in said["alerts"]


def test_without_cilium_and_control_plane(capsys: pytest.CaptureFixture[str]) -> None:
    """A managed cluster with another CNI."""
    with FakeApi() as api:
        done = run(monitoring_rules_info, capsys, **api.options)
    assert done["not_there"]["cilium"] == "the cluster has no Cilium"
    assert "a managed control plane, or it is no pod" in done["not_there"]["kube-controller-manager"]
    assert done["targets"] == [] and list(done["dashboards"]) == ["pod-networks"]


def test_what_is_not_ours_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A namespace that is not there, a ConfigMap of somebody else; nothing is written."""
    with FakeApi() as api:
        boards = {"identities": {"title": "x"}}
        failed = run(monitoring_objects, capsys, **api.options, dashboards=boards)
        assert failed["msg"] == "namespace: there is no namespace 'monitoring'; create it or name another one."
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "monitoring"}})
        theirs = {"metadata": {"name": "podnet-upkeep-identities"}, "data": {}}
        api.store.add("/api/v1/namespaces/monitoring/configmaps", theirs)
        failed = run(monitoring_objects, capsys, **api.options, dashboards=boards)
        assert "ConfigMap monitoring/podnet-upkeep-identities exists and is not of this collection" in failed["msg"]
        assert not api.count("PATCH") and not api.count("DELETE")
        failed = run(monitoring_objects, capsys, **api.options, name="Not-a-name")
        assert failed["msg"].startswith("name: 'Not-a-name' cannot be used; give 1 to 40 lower-case letters")


@pytest.mark.parametrize("module", [monitoring_objects, monitoring_rules_info])
def test_defaults_are_documented(module: ModuleType) -> None:
    """As they are."""
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    for name, option in documented.items():
        assert module.argument_spec()[name]["default"] == option["default"], name
