"""Specifications: what cannot work is refused in one sentence, and what is written is read back."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from testbed import CiliumOperatorSpec, ControlPlaneSpec, HostSpec, KwokSpec, SpecError, TestbedSpec

BAD: dict[str, tuple[Callable[[], object], str]] = {
    "name": (lambda: TestbedSpec("Upper"), "testbed name 'Upper': use 1 to 40 lower-case"),
    "empty name": (lambda: TestbedSpec(""), "testbed name ''"),
    "path as name": (lambda: TestbedSpec("../x"), "testbed name"),
    "host name": (lambda: HostSpec("h_1"), "host name 'h_1'"),
    "same hosts": (lambda: TestbedSpec("a", hosts=(HostSpec("h1"), HostSpec("h1"))), "different names"),
    "no network": (lambda: ControlPlaneSpec(cluster_cidrs=("10.0.0/8",)), "cluster_cidrs '10.0.0/8': give a network"),
    "host bits": (lambda: ControlPlaneSpec(cluster_cidrs=("10.121.0.1/16",)), "has host bits set"),
    "no range": (lambda: ControlPlaneSpec(cluster_cidrs=()), "give one range, or two of different families"),
    "same family": (lambda: ControlPlaneSpec(cluster_cidrs=("10.1.0.0/16", "10.2.0.0/16")), "different families"),
    "service range": (lambda: ControlPlaneSpec(service_ranges=("x",)), "service_ranges 'x'"),
    "mask too short": (lambda: ControlPlaneSpec(node_mask_size_ipv4=15), "node_mask_size_ipv4 15: give 16 to 32"),
    "mask too long": (
        lambda: ControlPlaneSpec(cluster_cidrs=("fd00::/40",), node_mask_size_ipv6=64),
        "node_mask_size_ipv6 64: give 40 to 56 for blocks of fd00::/40",
    ),
    "component": (
        lambda: ControlPlaneSpec(extra_arguments={"kubelet": ()}),
        r"\['kubelet'\]: the components are etcd, kube-apiserver",
    ),
    "kwok nodes": (lambda: KwokSpec(nodes=-1), "nodes -1"),
    "pod of answers": (lambda: KwokSpec(logs={"cilium-x": ""}), "logs 'cilium-x': name the pod as NAMESPACE/NAME"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_value_is_refused_with_field_and_remedy(case: str) -> None:
    """Every refusal is one line that names the field and the value."""
    make, text = BAD[case]
    with pytest.raises(SpecError, match=text) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_specification_survives_json() -> None:
    """What a process wrote into the run folder is what an attaching one works with."""
    spec = TestbedSpec(
        "full",
        control_plane=ControlPlaneSpec(
            cluster_cidrs=("fd00:10:140::/60", "10.140.0.0/20"),
            service_ranges=("fd00:10:96::/112", "10.96.0.0/16"),
            control_plane_node="cp1",
            extra_arguments={"kube-controller-manager": ("--node-monitor-grace-period=10s",)},
        ),
        cilium=CiliumOperatorSpec(pool_ipv4_cidrs=("10.60.0.0/24", "10.61.0.0/24"), config={"labels": "k8s:!version"}),
        kwok=KwokSpec(3, {"cilium-dbg version": "1.18.4"}, {"kube-system/cilium-a": {"x": "y"}}, {"a/b": "text"}),
        hosts=(HostSpec("h1"), HostSpec("h2")),
    )
    assert TestbedSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert TestbedSpec.from_json(json.loads(json.dumps(TestbedSpec("bare").to_json()))) == TestbedSpec("bare")


def test_mask_size_is_that_of_the_family() -> None:
    """Each family has its own."""
    spec = ControlPlaneSpec(node_mask_size_ipv4=25, node_mask_size_ipv6=120)
    assert (spec.mask_size(4), spec.mask_size(6)) == (25, 120)
