"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler: the real ones, as recorded processes."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import time
from pathlib import Path

import urllib3

from . import binaries, objects, ports, processes
from .client import Client, ServerError
from .pki import Authority
from .spec import COMPONENTS, ControlPlaneSpec, TestbedSpec

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata"}],
}


class ControlPlane:
    """The control plane of one testbed, kept in its run folder."""

    def __init__(self, run_dir: Path, spec: ControlPlaneSpec, address: str) -> None:
        """`address`: where the API server listens (loopback, or the bridge when there are hosts)."""
        self.run_dir = run_dir
        self.spec = spec
        self.address = address
        self.pki_dir = run_dir / "pki"
        self.audit_log = run_dir / "log" / "audit.jsonl"

    # -- addresses and files ---------------------------------------------------------------------------------------

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://{self.address}:{ports.port(self.run_dir, 'api', self.address)}"

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig (group system:masters)."""
        return self.run_dir / "admin.conf"

    @property
    def authority(self) -> Authority:
        """The cluster's certificate authority."""
        return Authority(self.pki_dir)

    def kubeconfig_for(self, user: str, groups: tuple[str, ...] = ()) -> Path:
        """A kubeconfig of a user with these groups (its own certificate)."""
        path = self.run_dir / f"{user}.conf"
        if not path.exists():
            name = f"user-{user.replace(':', '-')}"
            certificate = self.authority.issue(name, user, groups)
            self.authority.kubeconfig(path, self.server, certificate)
        return path

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and wait until the API is ready (`wait_usable`: until pods can be created).

        Raises TimeoutError with the end of the API server's log when it is not ready within a minute.
        """
        authority = Authority.create(self.pki_dir)
        services = [str(ipaddress.ip_network(text)[1]) for text in self.spec.service_ranges]
        authority.issue(
            "apiserver",
            "kube-apiserver",
            dns_names=("kubernetes", "kubernetes.default.svc", "localhost"),
            ip_addresses=("127.0.0.1", *({self.address} - {"127.0.0.1"}), *services),
        )
        admin = authority.issue("admin", "kubernetes-admin", ("system:masters",))
        authority.kubeconfig(self.kubeconfig, self.server, admin)
        for component in ("kube-controller-manager", "kube-scheduler"):
            certificate = authority.issue(component, f"system:{component}")
            authority.kubeconfig(self.run_dir / f"{component}.conf", self.server, certificate)
        (self.run_dir / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY), encoding="utf-8")
        for component in COMPONENTS:
            self.start_component(component)
            if component == "kube-apiserver":
                self.wait_ready()

    def wait_usable(self, seconds: float = 180) -> None:
        """Wait for the controller-manager: no pod can be created before it has made the namespace's service account.

        Raises TimeoutError with the end of its log after `seconds`.
        """
        client = Client(self.kubeconfig)
        end = time.monotonic() + seconds
        for namespace in ("default", "kube-system"):
            while client.find(f"/api/v1/namespaces/{namespace}/serviceaccounts/default") is None:
                if time.monotonic() > end:
                    raise TimeoutError(
                        f"no service account in {namespace}: {processes.tail(self.run_dir, 'kube-controller-manager')}"
                    )
                time.sleep(0.05)

    def start_component(self, component: str) -> None:
        """Start one component of COMPONENTS."""
        binary = binaries.locate([component])[component]
        processes.start(self.run_dir, component, [str(binary), *self.arguments(component)])

    def stop_component(self, component: str) -> None:
        """Stop one component."""
        processes.stop(self.run_dir, component)

    def wait_ready(self, seconds: float = 180) -> None:
        """Poll /readyz until it says ok; TimeoutError after `seconds`."""
        client = Client(self.kubeconfig)
        end = time.monotonic() + seconds
        while True:
            try:
                if client.get("/readyz").get("text") == "ok":
                    return
            except (ServerError, urllib3.exceptions.HTTPError):
                pass  # not up yet: that is what is being waited for
            record = processes.read(self.run_dir, "kube-apiserver")
            if time.monotonic() > end or record is None or not processes.alive(record):
                raise TimeoutError(f"the API server is not ready: {processes.tail(self.run_dir, 'kube-apiserver')}")
            time.sleep(0.1)

    def restart_controller_manager(self, **changes: object) -> None:
        """Restart kube-controller-manager with changed fields of the spec (`cluster_cidrs=...` and so on).

        Its Lease is removed in between, as a controller-manager that releases it on exit would leave it, so that the
        next one leads within a second instead of fifteen. Whether the new one survives its start is not waited for:
        a range that does not cover the Nodes ends it, as in a real cluster.
        """
        changed = dataclasses.replace(self.spec, **changes)  # type: ignore[arg-type]
        self.stop_component("kube-controller-manager")
        self.spec = changed
        path = self.run_dir / "spec.json"
        whole = TestbedSpec.from_json(json.loads(path.read_text(encoding="utf-8")))
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(dataclasses.replace(whole, control_plane=self.spec).to_json()), encoding="utf-8")
        partial.rename(path)
        lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
        client = Client(self.kubeconfig)
        if client.find(lease) is not None:
            client.delete(lease)
        self.start_component("kube-controller-manager")
        self.publish()

    def publish(self) -> None:
        """Show the controller-manager with its real command line, where the spec names a Node for it."""
        if self.spec.control_plane_node is not None:
            objects.publish_control_plane(
                Client(self.kubeconfig),
                self.spec.control_plane_node,
                self.spec,
                self.arguments("kube-controller-manager"),
            )

    # -- command lines ---------------------------------------------------------------------------------------------

    def arguments(self, component: str) -> list[str]:
        """Command-line arguments of one component."""
        build = {
            "etcd": self._etcd,
            "kube-apiserver": self._apiserver,
            "kube-controller-manager": self._controller_manager,
            "kube-scheduler": self._scheduler,
        }[component]
        return [*build(), *self.spec.extra_arguments.get(component, ())]

    def _etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{ports.port(self.run_dir, use)}" for use in ("etcd", "etcd-peer"))
        return [
            "--name=testbed",
            f"--data-dir={self.run_dir / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=testbed={peer}",
            "--unsafe-no-fsync",
        ]

    def _apiserver(self) -> list[str]:
        pki = self.pki_dir
        return [
            f"--etcd-servers=http://127.0.0.1:{ports.port(self.run_dir, 'etcd')}",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            f"--secure-port={ports.port(self.run_dir, 'api', self.address)}",
            # the "kubernetes" Service would need an endpoint that is not loopback
            "--endpoint-reconciler-type=none",
            f"--service-cluster-ip-range={','.join(self.spec.service_ranges)}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            f"--kubelet-client-certificate={pki / 'admin.crt'}",
            f"--kubelet-client-key={pki / 'admin.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki / 'sa.pub'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            f"--audit-policy-file={self.run_dir / 'audit-policy.json'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",
        ]

    def _controller_manager(self) -> list[str]:
        spec, pki = self.spec, self.pki_dir
        flags = [
            f"--allocate-node-cidrs={'true' if spec.allocate_node_cidrs else 'false'}",
            f"--cluster-cidr={','.join(spec.cluster_cidrs)}",
            f"--service-cluster-ip-range={','.join(spec.service_ranges)}",
            *(f"--{name}={size}" for name, size in objects.mask_size_flags(spec)),
        ]
        return [
            *flags,
            f"--kubeconfig={self.run_dir / 'kube-controller-manager.conf'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={ports.port(self.run_dir, 'controller-manager')}",
            "--use-service-account-credentials=true",
            "--authorization-always-allow-paths=/healthz,/readyz,/livez,/metrics",
            f"--service-account-private-key-file={pki / 'sa.key'}",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--cluster-signing-cert-file={pki / 'ca.crt'}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            "--leader-elect=true",
            # by default it asks for each controller's service account at 20 requests/s: three seconds of its start
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ]

    def _scheduler(self) -> list[str]:
        config = self.run_dir / "kube-scheduler.conf"
        return [
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            "--bind-address=127.0.0.1",
            f"--secure-port={ports.port(self.run_dir, 'scheduler')}",
            "--leader-elect=false",
        ]
