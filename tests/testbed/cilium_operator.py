"""The real cilium-operator (generic) as a process: CRDs, identity, endpoint and node GC, cluster-pool IPAM."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from . import objects, operator_pods, ports, processes
from .client import Client
from .control_plane import ControlPlane
from .spec import CiliumOperatorSpec

_NAME = "cilium-operator"
CRDS = (
    "ciliumcidrgroups",
    "ciliumclusterwidenetworkpolicies",
    "ciliumendpoints",
    "ciliumidentities",
    "ciliuml2announcementpolicies",
    "ciliumloadbalancerippools",
    "ciliumnetworkpolicies",
    "ciliumnodeconfigs",
    "ciliumnodes",
    "ciliumpodippools",
)


class CiliumOperator:
    """The operator of one testbed; it reads its options from the folder `cilium-config`, one file for each key."""

    def __init__(self, run_dir: Path, spec: CiliumOperatorSpec, control_plane: ControlPlane) -> None:
        self.run_dir = run_dir
        self.spec = spec
        self._control_plane = control_plane

    def start(self) -> None:
        """Publish the objects of an installation and start the operator (`wait_ready`: until it works)."""
        client = Client(self._control_plane.kubeconfig)
        for path, made in objects.cilium_objects(self.spec):
            client.apply(path, made)
        self.start_process()

    def wait_ready(self, seconds: float = 180) -> None:
        """Wait until the operator has registered its CRDs, one a second; then it starts its GC and IPAM.

        Raises TimeoutError with the end of its log when it has not after `seconds`.
        """
        client = Client(self._control_plane.kubeconfig)
        end = time.monotonic() + seconds
        while True:
            missing = set(CRDS) - _established(client)
            if not missing:
                return
            record = processes.read(self.run_dir, self._process)
            if time.monotonic() > end or record is None or not processes.alive(record):
                raise TimeoutError(f"cilium-operator has not registered {sorted(missing)}: {self.log_tail()}")
            time.sleep(0.1)

    @property
    def _process(self) -> str:
        return operator_pods.NODE if self.spec.pods else _NAME

    def start_process(self) -> None:
        """Start the operator with the configuration as it is now; with `pods`, what starts one for each pod."""
        if self.spec.pods:
            self._start_pods()
            return
        folder = self.run_dir / "cilium-config"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for key, value in objects.cilium_config(self.spec).items():
            (folder / key).write_text(value, encoding="utf-8")
        api, metrics, gops = (ports.port(self.run_dir, f"cilium-{use}") for use in ("api", "metrics", "gops"))
        kubeconfig = self._control_plane.kubeconfig
        argv = operator_pods.operator_command(folder, kubeconfig, api=api, metrics=metrics, gops=gops)
        processes.start(self.run_dir, _NAME, argv)

    def _start_pods(self) -> None:
        account = self._control_plane.kubeconfig_for(
            operator_pods.ACCOUNT, ("system:serviceaccounts", "system:serviceaccounts:kube-system")
        )
        assert account.name == f"{operator_pods.ACCOUNT}.conf"
        address = self._control_plane.address
        self._control_plane.authority.issue(operator_pods.NODE, operator_pods.NODE, ip_addresses=(address,))
        argv = [sys.executable, "-c", "from testbed import operator_pods; operator_pods.main()", str(self.run_dir)]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        processes.start(self.run_dir, operator_pods.NODE, argv, env=env)

    def stop(self) -> None:
        """Stop the operator, or all of its pods' processes."""
        processes.stop(self.run_dir, self._process, timeout=30)

    def log_tail(self, lines: int = 5) -> str:
        """The end of its log."""
        names = [record.name for record in processes.records(self.run_dir) if record.name.startswith(_NAME)]
        return processes.tail(self.run_dir, names[0] if names else self._process, lines)


def _established(client: Client) -> set[str]:
    """Plural names of the CustomResourceDefinitions that the API server serves."""
    return {
        crd["spec"]["names"]["plural"]
        for crd in client.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        for condition in crd.get("status", {}).get("conditions") or ()
        if condition["type"] == "Established" and condition["status"] == "True"
    }
