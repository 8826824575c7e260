"""What a testbed consists of: every part is optional and every number is a parameter."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")


class SpecError(ValueError):
    """A value of the specification cannot be used; the text names field, value and remedy."""


def _network(label: str, text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise SpecError(f"{label} {text!r}: give a network such as 10.121.0.0/16 ({error})") from error


def _check_name(kind: str, name: str) -> None:
    if not _NAME.match(name):
        raise SpecError(f"{kind} name {name!r}: use 1 to 40 lower-case letters, digits and inner hyphens")


@dataclass(frozen=True)
class ControlPlaneSpec:
    """etcd, kube-apiserver, kube-controller-manager and kube-scheduler.

    `cluster_cidrs` has one range, or two of different families for dual-stack (their order is the family order of
    podCIDRs). `extra_arguments` maps a component to further flags. `control_plane_node` is the name of a Node object
    that stands for the machine of the control plane, so that the controller-manager's static pod is visible as in a
    kubeadm cluster; it takes one block of the pool. None leaves it out.
    """

    cluster_cidrs: tuple[str, ...] = ("10.121.0.0/16",)
    node_mask_size_ipv4: int = 24
    node_mask_size_ipv6: int = 64
    service_ranges: tuple[str, ...] = ("10.96.0.0/16",)
    allocate_node_cidrs: bool = True
    control_plane_node: str | None = None
    extra_arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for label, ranges in (("cluster_cidrs", self.cluster_cidrs), ("service_ranges", self.service_ranges)):
            families = [_network(label, text).version for text in ranges]
            if not 1 <= len(ranges) <= 2 or len(set(families)) != len(families):
                raise SpecError(f"{label} {ranges!r}: give one range, or two of different families")
        for text in self.cluster_cidrs:
            network = _network("cluster_cidrs", text)
            size = self.mask_size(network.version)
            # upstream: pkg/controller/nodeipam/ipam/cidrset/cidr_set.go, clusterSubnetMaxDiff
            last = min(network.prefixlen + 16, network.max_prefixlen)
            if not network.prefixlen <= size <= last:
                raise SpecError(
                    f"node_mask_size_ipv{network.version} {size}: give {network.prefixlen} to {last} for blocks of {text}"
                )
        unknown = set(self.extra_arguments) - set(COMPONENTS)
        if unknown:
            raise SpecError(f"extra_arguments of {sorted(unknown)}: the components are {', '.join(COMPONENTS)}")
        if self.control_plane_node is not None:
            _check_name("control plane node", self.control_plane_node)

    def mask_size(self, family: int) -> int:
        """Prefix length of the blocks of one address family (4 or 6)."""
        return self.node_mask_size_ipv4 if family == 4 else self.node_mask_size_ipv6

    @property
    def dual_stack(self) -> bool:
        """Whether podCIDRs have two families."""
        return len(self.cluster_cidrs) == 2


@dataclass(frozen=True)
class CiliumOperatorSpec:
    """The real cilium-operator as a process; `config` adds or replaces keys of the ConfigMap cilium-config.

    With `pods` there is a process for each pod of its Deployment, which is as true as in a cluster (see operator_pods).
    """

    ipam: str = "cluster-pool"
    pool_ipv4_cidrs: tuple[str, ...] = ("10.60.0.0/22",)
    pool_ipv4_mask_size: int = 24
    identity_gc_interval: str = "30s"
    identity_heartbeat_timeout: str = "20s"
    endpoint_gc_interval: str = "20s"
    nodes_gc_interval: str = "20s"
    pods: bool = False
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KwokSpec:
    """kwok keeps simulated Nodes (annotation `kwok.x-k8s.io/node: fake`) Ready and runs pods on them.

    `exec_answers` maps a command line, as the caller of exec gives it, to the text it prints; `pod_exec_answers` does
    so for single pods ("NAMESPACE/NAME"), which then have those answers only. `logs` maps "NAMESPACE/NAME" of a pod to
    the text of its log.
    """

    nodes: int = 0
    exec_answers: Mapping[str, str] = field(default_factory=dict)
    pod_exec_answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.nodes < 0:
            raise SpecError(f"nodes {self.nodes}: give 0 or more")
        for label, pods in (("pod_exec_answers", self.pod_exec_answers), ("logs", self.logs)):
            for pod in pods:
                if pod.count("/") != 1:
                    raise SpecError(f"{label} {pod!r}: name the pod as NAMESPACE/NAME")


@dataclass(frozen=True)
class HostSpec:
    """One systemd-nspawn guest with sshd, containerd and the real kubelet."""

    name: str

    def __post_init__(self) -> None:
        _check_name("host", self.name)


@dataclass(frozen=True)
class TestbedSpec:
    """A whole testbed."""

    __test__ = False  # pytest: this is no test class although its name starts with Test

    name: str
    control_plane: ControlPlaneSpec = field(default_factory=ControlPlaneSpec)
    cilium: CiliumOperatorSpec | None = None
    kwok: KwokSpec | None = None
    hosts: tuple[HostSpec, ...] = ()

    def __post_init__(self) -> None:
        _check_name("testbed", self.name)
        names = [host.name for host in self.hosts]
        if len(set(names)) != len(names) or len(names) > 50:
            raise SpecError(f"hosts {names!r}: give at most 50 different names")

    def to_json(self) -> dict[str, Any]:
        """The specification as JSON values; `from_json` gives an equal one back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TestbedSpec:
        """The specification that `to_json` made `values` from."""
        plane = _tuples(values["control_plane"])
        plane["extra_arguments"] = _tuples(plane["extra_arguments"])
        return cls(
            name=values["name"],
            control_plane=ControlPlaneSpec(**plane),
            cilium=CiliumOperatorSpec(**_tuples(values["cilium"])) if values["cilium"] else None,
            kwok=KwokSpec(**values["kwok"]) if values["kwok"] else None,
            hosts=tuple(HostSpec(**host) for host in values["hosts"]),
        )


def _tuples(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in mapping.items()}
