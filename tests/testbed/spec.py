"""What a testbed consists of: every part is optional and every number is a parameter."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")


class SpecError(ValueError):
    """A value of the specification cannot be used; the text names field, value and remedy."""


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
            families = [ipaddress.ip_network(text).version for text in ranges]
            if not 1 <= len(ranges) <= 2 or len(set(families)) != len(families):
                raise SpecError(f"{label} {ranges!r}: give one range, or two of different families")
        if self.control_plane_node is not None:
            _check_name("control plane node", self.control_plane_node)

    @property
    def dual_stack(self) -> bool:
        """Whether podCIDRs have two families."""
        return len(self.cluster_cidrs) == 2


@dataclass(frozen=True)
class CiliumOperatorSpec:
    """The real cilium-operator as a process; `config` adds or replaces keys of the ConfigMap cilium-config."""

    ipam: str = "cluster-pool"
    pool_ipv4_cidrs: tuple[str, ...] = ("10.60.0.0/22",)
    pool_ipv4_mask_size: int = 24
    identity_gc_interval: str = "30s"
    identity_heartbeat_timeout: str = "20s"
    endpoint_gc_interval: str = "20s"
    nodes_gc_interval: str = "20s"
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KwokSpec:
    """kwok keeps simulated Nodes (annotation `kwok.x-k8s.io/node: fake`) Ready and runs pods on them.

    `exec_answers` maps a command line, as the caller of exec gives it, to the text it prints.
    """

    nodes: int = 0
    exec_answers: Mapping[str, str] = field(default_factory=dict)


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
