# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Command lines of the control plane of a rehearsal: everything listens on loopback, and nothing is kept on disk safely."""

from __future__ import annotations

import os
import random
import shutil
import socket
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.etcd_load import LARGEST_REQUEST, MOST_OPERATIONS
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.rebuild import NODE_MARK

NEEDED: t.Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
OPERATORS: t.Final = ("cilium-operator", "cilium-operator-generic")
PORTS: t.Final = (
    *("etcd", "etcd-peer", "api", "controller-manager", "scheduler", "kwok"),
    *("operator-api", "operator-metrics", "operator-gops"),
)
# below the ports that Linux gives to outgoing connections: one that is free now is so when its process binds it
_FIRST_PORT: t.Final = 20000
_LAST_PORT: t.Final = 32000
_LEASE_SECONDS_OF_MANY: t.Final = 300
# each Lease is renewed when a quarter of its time is over
_RENEWALS_A_SECOND: t.Final = 10
_MANY_NODES: t.Final = 200
_NODES_OF_A_THOUSAND: t.Final = 1000


def programs(folders: Sequence[str]) -> dict[str, str]:
    """Paths of the programs by name, looked up in ``folders``, KUBEBUILDER_ASSETS and PATH; an operator may be missing.

    Raises InputError that names what is missing.
    """
    places = [*folders, os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ.get("PATH", os.defpath)]
    search = os.pathsep.join(filter(None, places))
    found = {name: path for name in (*NEEDED, *OPERATORS) if (path := shutil.which(name, path=search))}
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise InputError(
            f"programs: {', '.join(missing)} cannot be found in {', '.join(folders) or 'no folder'}, KUBEBUILDER_ASSETS or PATH; "
            "name the folders that have them (setup-envtest brings etcd and kube-apiserver, dl.k8s.io the others of "
            "Kubernetes, its own page of releases kwok)."
        )
    if "cilium-operator" not in found and "cilium-operator-generic" in found:
        found["cilium-operator"] = found["cilium-operator-generic"]
    return found


def free_ports() -> dict[str, int]:
    """A free port of loopback for each use. Raises InputError when there are none."""
    found: dict[str, int] = {}
    numbers = iter(random.sample(range(_FIRST_PORT, _LAST_PORT), 2000))
    for use in PORTS:
        chosen = next((number for number in numbers if _is_free(number)), None)
        if chosen is None:
            raise InputError(
                f"programs: no port from {_FIRST_PORT} to {_LAST_PORT} of 127.0.0.1 is free; end what listens there."
            )
        found[use] = chosen
    return found


def _is_free(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Plane:
    """One control plane: its folder, programs, ports, and what the snapshot says of its settings."""

    folder: str
    paths: Mapping[str, str]
    ports: Mapping[str, int]
    allocator: AllocatorSettings
    nodes: int = 0
    cilium_config: Mapping[str, str] = field(default_factory=dict)
    cilium_namespace: str = "kube-system"

    @property
    def certificates(self) -> str:
        """Where the API server puts the certificate that it signs itself."""
        return os.path.join(self.folder, "certificates")

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://127.0.0.1:{self.ports['api']}"

    @property
    def operator_config(self) -> str:
        """Folder with one file for each key of the configuration of Cilium."""
        return os.path.join(self.folder, "cilium-config")

    @property
    def kubeconfig(self) -> str:
        """Kubeconfig of an administrator."""
        return os.path.join(self.folder, "kubeconfig")

    def command(self, name: str) -> list[str]:
        """Command line of one process."""
        arguments = {
            "etcd": self._etcd,
            "kube-apiserver": self._api_server,
            "kube-controller-manager": self._controller_manager,
            "kube-scheduler": self._scheduler,
            "kwok": self._kwok,
            "cilium-operator": self._operator,
        }[name]()
        return [self.paths[name], *arguments]

    def _etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{self.ports[use]}" for use in ("etcd", "etcd-peer"))
        return [
            "--name=rehearsal",
            f"--data-dir={os.path.join(self.folder, 'etcd')}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=rehearsal={peer}",
            "--unsafe-no-fsync",
            f"--max-txn-ops={MOST_OPERATIONS}",
            f"--max-request-bytes={LARGEST_REQUEST}",
            f"--quota-backend-bytes={8 << 30}",
            "--logger=zap",
            "--log-level=warn",
        ]

    def _api_server(self) -> list[str]:
        key = os.path.join(self.certificates, "apiserver.key")
        return [
            f"--etcd-servers=http://127.0.0.1:{self.ports['etcd']}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.ports['api']}",
            f"--cert-dir={self.certificates}",
            # the Service "kubernetes" would need an endpoint that is not loopback
            "--endpoint-reconciler-type=none",
            f"--service-cluster-ip-range={self._service_ranges()}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={os.path.join(self.folder, 'tokens.csv')}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            # service accounts and priorities of the snapshot's pods are not here
            "--disable-admission-plugins=ServiceAccount,Priority",
            "--allow-privileged=true",
            "--max-requests-inflight=4000",
            "--max-mutating-requests-inflight=2000",
        ]

    def _service_ranges(self) -> str:
        return ",".join(str(one) for one in self.allocator.service_ranges) or "10.96.0.0/16"

    def _controller_manager(self) -> list[str]:
        known = self.allocator.known and self.allocator.allocate_node_cidrs is not False
        flags = [f"--allocate-node-cidrs={'true' if known else 'false'}"]
        if known:
            flags.append(f"--cluster-cidr={','.join(str(one) for one in self.allocator.cluster_cidrs)}")
            if self.allocator.service_ranges:
                flags.append(f"--service-cluster-ip-range={self._service_ranges()}")
            sizes = {one: self.allocator.mask_sizes[one] for one in self.allocator.families}
            if len(sizes) == 1:
                flags += [f"--node-cidr-mask-size={size}" for size in sizes.values()]
            else:
                flags += [f"--node-cidr-mask-size-ipv{family}={size}" for family, size in sizes.items()]
        return [
            *flags,
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.ports['controller-manager']}",
            f"--root-ca-file={os.path.join(self.certificates, 'apiserver.crt')}",
            f"--service-account-private-key-file={os.path.join(self.certificates, 'apiserver.key')}",
            "--authorization-always-allow-paths=/healthz,/readyz,/livez,/metrics",
            "--controllers=*,-root-ca-certificate-publisher-controller,-serviceaccount-token-controller,-bootstrap-signer-controller",
            f"--node-monitor-grace-period={self.grace}s",
            *self._leads,
            # at its start the garbage collector asks for each owner that it has not met yet: two requests for each pod
            "--kube-api-qps=3000",
            "--kube-api-burst=6000",
        ]

    def patience(self, seconds: float) -> float:
        """So many seconds for a small cluster; more for one with thousands of Nodes, which all processes read at their start."""
        return seconds * (1 + self.nodes / _NODES_OF_A_THOUSAND)

    @property
    def lease_seconds(self) -> int:
        """How long the Lease of a simulated Node lasts: renewals of thousands would be all that this machine does."""
        if self.nodes <= _MANY_NODES:
            return 40
        return max(_LEASE_SECONDS_OF_MANY, 4 * self.nodes // _RENEWALS_A_SECOND)

    @property
    def _leads(self) -> list[str]:
        """How long a leader tries to renew its Lease before it ends: nobody else waits here, and the machine is busy."""
        return [
            "--leader-elect=true",
            f"--leader-elect-lease-duration={self.patience(15):.0f}s",
            f"--leader-elect-renew-deadline={self.patience(10):.0f}s",
        ]

    @property
    def grace(self) -> int:
        """Seconds until a Node whose Lease is not renewed is not Ready."""
        return 2 * self.lease_seconds if self.nodes > _MANY_NODES else 50

    def _scheduler(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.ports['scheduler']}",
            *self._leads,
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]

    def _kwok(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--config={os.path.join(self.folder, 'kwok.yaml')}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={NODE_MARK}=true",
            "--node-ip=127.0.0.1",
            f"--server-address=127.0.0.1:{self.ports['kwok']}",
            f"--node-lease-duration-seconds={self.lease_seconds}",
        ]

    def _operator(self) -> list[str]:
        return [
            f"--config-dir={self.operator_config}",
            f"--k8s-kubeconfig-path={self.kubeconfig}",
            f"--k8s-namespace={self.cilium_namespace}",
            f"--operator-api-serve-addr=127.0.0.1:{self.ports['operator-api']}",
            f"--operator-prometheus-serve-addr=127.0.0.1:{self.ports['operator-metrics']}",
            f"--gops-port={self.ports['operator-gops']}",
        ]
