"""A kubelet for pods of the cilium-operator: it runs the real operator as a process for each pod, and says what becomes of it.

The rest is real: Deployment and ReplicaSets are made by kube-controller-manager, pods are bound by kube-scheduler to the one
Node that this kubelet has registered. As with a real one, the ConfigMap is a folder that a container finds as it is when it
starts, a container that exits is started again after a pause, readiness is asked at `/healthz`, and logs are served to the
API server. The operator has the permissions of its service account only.

`main` takes the folder of the testbed from the command line; it ends with SIGTERM, and its operators with it.
"""

from __future__ import annotations

import datetime
import http.server
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3

from . import binaries, ports, processes
from .client import Client, JsonObject, ServerError
from .objects import OPERATOR_NODE

NODE = "operator-host"
OPERATOR = "cilium-operator"
ACCOUNT = "system:serviceaccount:kube-system:cilium-operator"
_PODS = "/api/v1/namespaces/kube-system/pods"
_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE}"
_POLL = 0.3
_RENEWAL = 5.0
#: A real kubelet waits 10 s, then longer; here tests wait.
_PAUSES = (1.0, 2.0, 4.0)


def now() -> str:
    """Now, as objects have it."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def operator_command(folder: Path, kubeconfig: Path, *, api: int, metrics: int, gops: int) -> list[str]:
    """The operator with the configuration in a folder (a file for each key), on these ports, electing its leader in seconds."""
    return [
        str(binaries.locate([OPERATOR])[OPERATOR]),
        f"--config-dir={folder}",
        f"--k8s-kubeconfig-path={kubeconfig}",
        "--k8s-namespace=kube-system",
        f"--operator-api-serve-addr=127.0.0.1:{api}",
        "--enable-metrics",
        f"--operator-prometheus-serve-addr=127.0.0.1:{metrics}",
        f"--gops-port={gops}",
        "--leader-election-lease-duration=5s",
        "--leader-election-renew-deadline=3s",
        "--leader-election-retry-period=1s",
    ]


@dataclass
class Container:
    """The operator of one pod. `slot` decides about its ports, which the pods of one host cannot share."""

    uid: str
    slot: int
    restarts: int = 0
    started: str = ""
    again_at: float | None = None
    last: JsonObject = field(default_factory=dict)

    @property
    def process(self) -> str:
        """Name of its process in the records of the testbed, and of its log."""
        return f"{OPERATOR}-{self.uid[:13]}"


class Kubelet:
    """The one Node that operators run on."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.client = Client(run_dir / "admin.conf")
        self.containers: dict[str, Container] = {}
        self._written: dict[str, JsonObject] = {}
        self._renewed = 0.0

    def register(self, address: str, port: int) -> None:
        """Create the Node, Ready, and with the port at which logs are served."""
        labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", **OPERATOR_NODE}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}}
        if self.client.find(f"/api/v1/nodes/{NODE}") is None:
            self.client.create("/api/v1/nodes", node)
        amounts = {"cpu": "8", "memory": "16Gi", "pods": "110"}
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "",
            "lastTransitionTime": now(),
        }
        status = {
            "conditions": [{**ready, "lastHeartbeatTime": now()}],
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": NODE}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "capacity": amounts,
            "allocatable": amounts,
        }
        self.client.patch(f"/api/v1/nodes/{NODE}/status", {"status": status})

    def renew(self) -> None:
        """Renew the Node's Lease where it is time."""
        if time.monotonic() - self._renewed < _RENEWAL:
            return
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": NODE, "leaseDurationSeconds": 40, "renewTime": stamp}
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NODE}, "spec": spec}
        self.client.apply(_LEASE, lease)
        self._renewed = time.monotonic()

    def look(self) -> None:
        """Bring processes and what is said about pods in line, once."""
        self.renew()
        pods = self.client.list(_PODS, {"fieldSelector": f"spec.nodeName={NODE}"})
        for pod in pods:
            container = self._container(pod["metadata"]["uid"])
            if pod["metadata"].get("deletionTimestamp"):
                processes.stop(self.run_dir, container.process)
                self._remove(pod)
            else:
                self._run(container)
                self._report(pod, container)
        here = {pod["metadata"]["uid"] for pod in pods}
        for uid in set(self.containers) - here:  # deleted by force
            processes.stop(self.run_dir, self.containers.pop(uid).process)

    def stop(self) -> None:
        """End all operators."""
        for container in self.containers.values():
            processes.stop(self.run_dir, container.process)

    def _container(self, uid: str) -> Container:
        if uid not in self.containers:
            taken = {one.slot for one in self.containers.values()}
            slot = min(set(range(len(taken) + 1)) - taken)
            self.containers[uid] = Container(uid, slot)
        return self.containers[uid]

    def _remove(self, pod: JsonObject) -> None:
        metadata = pod["metadata"]
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        try:
            self.client.delete(f"{_PODS}/{metadata['name']}", {**options, "preconditions": {"uid": metadata["uid"]}})
        except ServerError as error:
            if error.status not in (404, 409):
                raise
        self.containers.pop(metadata["uid"], None)

    def _run(self, container: Container) -> None:
        """Start the container, or start it again where it has exited and its pause is over."""
        record = processes.read(self.run_dir, container.process)
        if record is not None and processes.alive(record):
            return
        if container.started and container.again_at is None:
            pause = _PAUSES[min(container.restarts, len(_PAUSES) - 1)]
            container.again_at = time.monotonic() + pause
            container.last = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": now()}}
            return
        if container.again_at is not None:
            if time.monotonic() < container.again_at:
                return
            container.again_at = None
            container.restarts += 1
            log = processes.log_of(self.run_dir, container.process)
            log.replace(log.with_suffix(f".{container.restarts}.log"))  # the log of a container is of its last start
        config = self.client.get("/api/v1/namespaces/kube-system/configmaps/cilium-config").get("data") or {}
        processes.start(self.run_dir, container.process, self._command(container, config))
        container.started = now()

    def _command(self, container: Container, config: dict[str, str]) -> list[str]:
        folder = self.run_dir / f"{container.process}-config"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for key, value in config.items():
            (folder / key).write_text(value, encoding="utf-8")
        metrics, gops = (ports.port(self.run_dir, f"cilium-{use}-{container.slot}") for use in ("metrics", "gops"))
        kubeconfig = self.run_dir / f"{ACCOUNT}.conf"
        return operator_command(folder, kubeconfig, api=self._health_port(container), metrics=metrics, gops=gops)

    def _health_port(self, container: Container) -> int:
        return ports.port(self.run_dir, f"cilium-api-{container.slot}")

    def _healthy(self, container: Container) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._health_port(container)}/healthz", timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _report(self, pod: JsonObject, container: Container) -> None:
        """Say how the container is, where that has changed."""
        record = processes.read(self.run_dir, container.process)
        alive = record is not None and processes.alive(record)
        ready = alive and self._healthy(container)
        running = {"running": {"startedAt": container.started}}
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}}
        status: JsonObject = {
            "name": pod["spec"]["containers"][0]["name"],
            "image": pod["spec"]["containers"][0]["image"],
            "imageID": "",
            "ready": ready,
            "restartCount": container.restarts,
            "state": running if alive else waiting,
            "lastState": container.last,
        }
        if self._written.get(container.uid) == status:
            return
        said = {"status": "True" if ready else "False", "lastTransitionTime": now()}
        conditions = [{"type": name, **said} for name in ("Ready", "ContainersReady")]
        conditions.append({"type": "Initialized", "status": "True", "lastTransitionTime": now()})
        body = {
            "phase": "Running",
            "startTime": container.started,
            "conditions": conditions,
            "containerStatuses": [status],
        }
        try:
            self.client.patch(
                f"{_PODS}/{pod['metadata']['name']}/status",
                {"metadata": {"uid": container.uid}, "status": body},
            )
        except ServerError as error:
            if error.status not in (404, 409):
                raise
            return
        self._written[container.uid] = status


class _Logs(http.server.BaseHTTPRequestHandler):
    """GET /containerLogs/NAMESPACE/POD/CONTAINER, as kubelets serve it."""

    kubelet: Kubelet

    def do_GET(self) -> None:
        """Send the log of a pod."""
        address = urlsplit(self.path)
        asked = {key: values[-1] for key, values in parse_qs(address.query).items()}
        words = address.path.strip("/").split("/")
        pod = self.kubelet.client.find(f"{_PODS}/{words[2]}") if words[0] == "containerLogs" else None
        if pod is None:
            self.send_error(404)
            return
        file = processes.log_of(self.kubelet.run_dir, f"{OPERATOR}-{pod['metadata']['uid'][:13]}")
        lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        if "tailLines" in asked:
            lines = lines[-int(asked["tailLines"]) :]
        text = b"".join(lines)[: int(asked.get("limitBytes", 1 << 30))]
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_words: Any) -> None:
        """Nothing is logged."""


def main() -> None:
    """Run until SIGTERM."""
    run_dir = Path(sys.argv[1])
    kubelet = Kubelet(run_dir)
    address = str(urlsplit(kubelet.client.server).hostname)
    server = http.server.ThreadingHTTPServer(
        (address, ports.port(run_dir, "operator-host", address)), type("Logs", (_Logs,), {"kubelet": kubelet})
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(run_dir / "pki" / f"{NODE}.crt", run_dir / "pki" / f"{NODE}.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_arguments: end.set())
    registered = False
    while not end.wait(_POLL):
        try:
            if not registered:
                kubelet.register(address, server.server_address[1])
                registered = True
            kubelet.look()
        except (ServerError, urllib3.exceptions.HTTPError, TimeoutError) as error:  # the API server restarts
            print(f"{now()} {error}", file=sys.stderr, flush=True)
    kubelet.stop()


if __name__ == "__main__":
    main()
