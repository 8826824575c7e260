"""Command lines of the control plane, and the objects that show them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from testbed import ControlPlaneSpec, objects, paths
from testbed.control_plane import ControlPlane

MASKS = {
    "ipv4": (ControlPlaneSpec(node_mask_size_ipv4=26), {"node-cidr-mask-size": "26"}),
    "ipv6": (
        ControlPlaneSpec(cluster_cidrs=("fd00:1::/56",), service_ranges=("fd00:2::/112",), node_mask_size_ipv6=64),
        {"node-cidr-mask-size": "64"},
    ),
    "dual-stack": (
        ControlPlaneSpec(cluster_cidrs=("10.1.0.0/16", "fd00:1::/56"), node_mask_size_ipv4=25),
        {"node-cidr-mask-size-ipv4": "25", "node-cidr-mask-size-ipv6": "64"},
    ),
    "dual-stack, IPv6 first": (
        ControlPlaneSpec(cluster_cidrs=("fd00:1::/56", "10.1.0.0/16")),
        {"node-cidr-mask-size-ipv4": "24", "node-cidr-mask-size-ipv6": "64"},
    ),
}


def plane(spec: ControlPlaneSpec, address: str = "127.0.0.1") -> ControlPlane:
    """A control plane that was not started."""
    directory, _index = paths.claim("a", {})
    return ControlPlane(directory, spec, address)


def flags(arguments: list[str]) -> dict[str, str]:
    """{flag without dashes: value}; each may be given once."""
    pairs = [argument.removeprefix("--").partition("=")[::2] for argument in arguments]
    assert len({name for name, _value in pairs}) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("case", MASKS)
def test_mask_flags_fit_the_families(case: str) -> None:
    """The controller-manager refuses the single flag in dual-stack, and the family flags in single-stack."""
    spec, expected = MASKS[case]
    given = flags(plane(spec).arguments("kube-controller-manager"))
    assert {name: value for name, value in given.items() if name.startswith("node-cidr-mask")} == expected
    assert given["cluster-cidr"] == ",".join(spec.cluster_cidrs)
    assert given["service-cluster-ip-range"] == ",".join(spec.service_ranges)


@pytest.mark.parametrize("case", MASKS)
def test_kubeadm_config_agrees_with_the_command_line(case: str) -> None:
    """What the ConfigMap says is what runs."""
    spec, expected = MASKS[case]
    configuration = yaml.safe_load(objects.kubeadm_config(spec)["data"]["ClusterConfiguration"])
    extra = {entry["name"]: entry["value"] for entry in configuration["controllerManager"]["extraArgs"]}
    assert extra == expected
    assert configuration["networking"]["podSubnet"] == ",".join(spec.cluster_cidrs)


def test_allocator_that_is_off_is_off_everywhere() -> None:
    """Flag and ConfigMap say so."""
    spec = ControlPlaneSpec(allocate_node_cidrs=False)
    assert flags(plane(spec).arguments("kube-controller-manager"))["allocate-node-cidrs"] == "false"
    assert "allocate-node-cidrs" in objects.kubeadm_config(spec)["data"]["ClusterConfiguration"]


def test_further_arguments_come_last_and_to_their_component_only() -> None:
    """The last of two equal flags wins."""
    control_plane = plane(ControlPlaneSpec(extra_arguments={"kube-scheduler": ("--v=4",)}))
    assert control_plane.arguments("kube-scheduler")[-1] == "--v=4"
    assert "--v=4" not in control_plane.arguments("kube-apiserver")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_only_the_api_server_leaves_loopback(address: str) -> None:
    """It binds the bridge when there are hosts; everything else stays on loopback."""
    control_plane = plane(ControlPlaneSpec(), address)
    assert flags(control_plane.arguments("kube-apiserver"))["bind-address"] == address
    for component in ("kube-controller-manager", "kube-scheduler"):
        assert flags(control_plane.arguments(component))["bind-address"] == "127.0.0.1"
    for name, value in flags(control_plane.arguments("etcd")).items():
        if name.startswith("listen-"):
            assert value.startswith("http://127.0.0.1:")
    assert control_plane.server.startswith(f"https://{address}:")


def test_nodes_are_restricted_and_every_request_is_recorded() -> None:
    """The authorizers and the admission plug-in of a real cluster; an audit log that is complete at once."""
    given = flags(plane(ControlPlaneSpec()).arguments("kube-apiserver"))
    assert given["authorization-mode"] == "Node,RBAC"
    assert "NodeRestriction" in given["enable-admission-plugins"]
    assert given["audit-log-mode"] == "blocking"
    assert Path(given["audit-log-path"]).name == "audit.jsonl"


def test_static_pod_shows_the_command_line() -> None:
    """As `kubectl get pod -l component=kube-controller-manager` shows it in a kubeadm cluster."""
    arguments = plane(ControlPlaneSpec()).arguments("kube-controller-manager")
    pod = objects.controller_manager_pod("cp1", arguments)
    assert pod["metadata"]["name"] == "kube-controller-manager-cp1"
    assert pod["metadata"]["labels"]["component"] == "kube-controller-manager"
    assert pod["spec"]["containers"][0]["command"] == ["kube-controller-manager", *arguments]
