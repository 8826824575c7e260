"""Where the allocator's settings are found in a cluster, and who wins."""

from __future__ import annotations

import json
from typing import Any

import pytest
from snapshots.small_clusters import config_map, controller_manager, lease, node, state

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.allocator import (
    disagreeing,
    find_settings,
    kubeadm_flags,
    replicas,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options

ON = "--allocate-node-cidrs=true"


def kubeadm(text: str) -> Any:
    """The ConfigMap kubeadm-config."""
    return config_map("kubeadm-config", ClusterConfiguration=text)


def cluster_cidrs(**resources: Any) -> list[str]:
    """What is found as cluster CIDR."""
    return [str(network) for network in find_settings(state(**resources)).cluster_cidrs]


@pytest.mark.parametrize("label", [{"component": "kube-controller-manager"}, {"k8s-app": "kube-controller-manager"}])
def test_pod_of_the_controller_manager(label: dict[str, str]) -> None:
    """By the label of kubeadm or of kOps, in command and args."""
    found = controller_manager("cp1", ON, **label)
    found["spec"]["containers"][0]["args"] = ["--cluster-cidr", "10.7.0.0/16"]
    settings = find_settings(state(pods=[found]))
    assert settings.allocate_node_cidrs is True
    assert [str(network) for network in settings.cluster_cidrs] == ["10.7.0.0/16"]
    assert settings.source == "pod kube-system/kube-controller-manager-cp1"


def test_other_pods_are_not_taken_for_it() -> None:
    """Another namespace, another label, or a pod that has ended."""
    elsewhere = controller_manager("a", "--cluster-cidr=10.1.0.0/16")
    elsewhere["metadata"]["namespace"] = "default"
    pods = [
        elsewhere,
        controller_manager("b", "--cluster-cidr=10.2.0.0/16", component="kube-scheduler"),
        controller_manager("c", "--cluster-cidr=10.3.0.0/16", phase="Failed"),
    ]
    assert replicas(state(pods=pods)) == []


@pytest.mark.parametrize(
    ("holder", "expected", "source"),
    [
        ("cp2_5b1e", "10.2.0.0/16", "pod kube-system/kube-controller-manager-cp2"),
        ("cp1_5b1e", "10.1.0.0/16", "pod kube-system/kube-controller-manager-cp1"),
        ("cp_5b1e", "10.1.0.0/16", "pod kube-system/kube-controller-manager-cp1 (which of 2 leads is not known)"),
    ],
)
def test_the_leader_decides(holder: str, expected: str, source: str) -> None:
    """By holderIdentity of the Lease; where it fits no Node, the source says so."""
    pods = [controller_manager(f"cp{n}", ON, f"--cluster-cidr=10.{n}.0.0/16") for n in (2, 1)]
    settings = find_settings(state(pods=pods, leases=[lease(holder)]))
    assert (str(settings.cluster_cidrs[0]), settings.source) == (expected, source)


def test_replicas_that_disagree() -> None:
    """Only where the settings differ, not where the flags are written otherwise."""
    same = [
        controller_manager("a", "--cluster-cidr", "10.1.0.0/16"),
        controller_manager("b", "--cluster-cidr=10.1.0.0/16"),
    ]
    assert disagreeing(state(pods=same)) == {}
    other = [*same, controller_manager("c", "--cluster-cidr=10.1.0.0/16", "--node-cidr-mask-size=25")]
    assert {name: one["node_mask_size_ipv4"] for name, one in disagreeing(state(pods=other)).items()} == {
        "kube-controller-manager-a": 24,
        "kube-controller-manager-b": 24,
        "kube-controller-manager-c": 25,
    }


def test_a_command_line_without_flags_is_unknown() -> None:
    """A start script hides them: neither off nor a disagreement."""
    hidden = controller_manager("a")
    settings = find_settings(state(pods=[hidden]))
    assert settings.allocate_node_cidrs is None and not settings.known and settings.source == "unknown"
    assert disagreeing(state(pods=[hidden, controller_manager("b", ON, "--cluster-cidr=10.1.0.0/16")])) == {}


MAP = """
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
networking: {podSubnet: 10.4.0.0/16, serviceSubnet: 10.96.0.0/12}
controllerManager:
  extraArgs: {node-cidr-mask-size: "25", allocate-node-cidrs: true}
"""
LIST = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
networking: {podSubnet: "10.4.0.0/16"}
controllerManager:
  extraArgs:
    - {name: node-cidr-mask-size, value: "26"}
    - {name: node-cidr-mask-size, value: "25"}
    - {name: service-cluster-ip-range, value: 10.96.0.0/12}
"""


@pytest.mark.parametrize("text", [MAP, LIST])
def test_kubeadm_config(text: str) -> None:
    """extraArgs is a mapping in v1beta3 and a list in v1beta4; the last of a name wins."""
    settings = find_settings(state(configmaps=[kubeadm(text)]))
    assert settings.source == "ConfigMap kube-system/kubeadm-config"
    assert settings.allocate_node_cidrs is True
    assert (str(settings.cluster_cidrs[0]), settings.mask_sizes[4]) == ("10.4.0.0/16", 25)
    assert str(settings.service_ranges[0]) == "10.96.0.0/12"


def test_kubeadm_without_pod_subnet_is_unknown() -> None:
    """It sets no flag then; whether the manifest was edited is not known, so it is not off."""
    settings = find_settings(state(configmaps=[kubeadm("networking: {serviceSubnet: 10.96.0.0/12}")]))
    assert settings.allocate_node_cidrs is None and settings.source == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "- a\n- b",
        "text",
        "networking: [1]",
        "controllerManager: {extraArgs: 7}",
        "controllerManager: {extraArgs: [7, {value: x}, {name: cluster-cidr}]}",
        "networking: {podSubnet: [10.0.0.0/16]}",
        "a: &a [*a]",
    ],
)
def test_a_broken_kubeadm_config_is_no_surprise(text: str) -> None:
    """Somebody edited it by hand: no exception, and no made-up range."""
    assert cluster_cidrs(configmaps=[kubeadm(text)]) == []
    assert isinstance(kubeadm_flags(state(configmaps=[kubeadm(text)])), (dict, type(None)))


def server(product: str, *words: str) -> Any:
    """A server Node of k3s or RKE2."""
    return node("s1", annotations={f"{product}.io/node-args": json.dumps(words)})


@pytest.mark.parametrize("product", ["k3s", "rke2"])
def test_server_arguments(product: str) -> None:
    """Their own names of flags, in both forms, and what they hand on."""
    words = ["server", "--cluster-cidr", "10.8.0.0/16", "--service-cidr=10.9.0.0/16"]
    words += ["--kube-controller-manager-arg", "node-cidr-mask-size=26"]
    settings = find_settings(state(nodes=[server(product, *words)]))
    assert settings.source == f"annotation {product}.io/node-args of Node s1"
    assert (str(settings.cluster_cidrs[0]), settings.mask_sizes[4]) == ("10.8.0.0/16", 26)
    assert str(settings.service_ranges[0]) == "10.9.0.0/16"


def test_server_defaults() -> None:
    """A server without arguments has the defaults of k3s; an agent says nothing."""
    assert cluster_cidrs(nodes=[server("k3s", "server")]) == ["10.42.0.0/16"]
    assert cluster_cidrs(nodes=[server("k3s", "agent", "--server", "https://s1:6443")]) == []


@pytest.mark.parametrize("text", ["", "{", "7", '"server"', "null", '{"server": 1}', "[" * 5000])
def test_broken_arguments_are_no_surprise(text: str) -> None:
    """An annotation is a text that anybody may write."""
    assert cluster_cidrs(nodes=[node("s1", annotations={"k3s.io/node-args": text})]) == []


def test_order_of_the_sources() -> None:
    """What the user states, the pods, the servers, kubeadm-config."""
    everything = {
        "pods": [controller_manager("a", ON, "--cluster-cidr=10.1.0.0/16")],
        "nodes": [server("k3s", "server", "--cluster-cidr=10.2.0.0/16")],
        "configmaps": [kubeadm("networking: {podSubnet: 10.3.0.0/16}")],
    }
    stated = settings_from_options({"cluster_cidrs": ["10.0.0.0/16"]})
    assert str(find_settings(state(**everything), stated).cluster_cidrs[0]) == "10.0.0.0/16"
    for name, expected in (("pods", "10.1.0.0/16"), ("nodes", "10.2.0.0/16"), ("configmaps", "10.3.0.0/16")):
        assert cluster_cidrs(**everything) == [expected]
        del everything[name]
    assert cluster_cidrs() == []
