"""kwok: simulated Nodes and pods by the thousand, and answers to `exec` from recorded texts.

kwok runs what `exec` asks for as a process of this machine. So the answers are given by one small program that stands
first in its PATH under every name that is asked for, and prints the recorded text of the whole command line.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import binaries, objects, processes
from .client import Client
from .control_plane import ControlPlane, free_port
from .spec import KwokSpec

_NAME = "kwok"


class Kwok:
    """The kwok controller of one testbed."""

    def __init__(self, run_dir: Path, spec: KwokSpec, control_plane: ControlPlane) -> None:
        self.run_dir = run_dir
        self.spec = spec
        self._control_plane = control_plane
        self._folder = run_dir / "kwok"

    def start(self) -> None:
        """Start kwok for Nodes with the annotation of `objects.KWOK_NODE` only: hosts keep their real kubelets."""
        self._folder.mkdir(exist_ok=True)
        self.record_answers(self.spec.exec_answers)
        answering = {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterExec",
            "metadata": {"name": "recorded"},
            "spec": {"execs": [{"local": {"workDir": str(self._folder)}}]},
        }
        stages = (Path(__file__).parent / "kwok_stages.yaml").read_text(encoding="utf-8")
        (self._folder / "kwok.yaml").write_text(f"{stages}---\n{json.dumps(answering)}\n", encoding="utf-8")
        address = self._control_plane.address
        port = free_port(address)
        certificate = self._control_plane.authority.issue("kwok", "kwok", ip_addresses=(address,))
        (key, value), *_rest = objects.KWOK_NODE.items()
        argv = [
            str(binaries.locate([_NAME])[_NAME]),
            f"--kubeconfig={self._control_plane.kubeconfig}",
            f"--config={self._folder / 'kwok.yaml'}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={key}={value}",
            f"--node-ip={address}",
            f"--node-port={port}",
            f"--server-address={address}:{port}",
            f"--tls-cert-file={certificate.cert}",
            f"--tls-private-key-file={certificate.key}",
            "--node-lease-duration-seconds=40",
        ]
        env = {"PATH": f"{self._folder / 'bin'}:/usr/bin:/bin", "HOME": str(self._folder)}
        processes.start(self.run_dir, _NAME, argv, env=env)
        if self.spec.nodes:
            self.create_nodes(self.spec.nodes)

    def record_answers(self, answers: Mapping[str, str]) -> None:
        """Let `exec` of each command line print its text (exit 0); others end with 127, as in a bare container."""
        programs, texts = self._folder / "bin", self._folder / "answers"
        for folder in (programs, texts):
            folder.mkdir(exist_ok=True)
        script = (
            "#!/bin/sh\n"
            'digest=$(printf "%s\\n" "${0##*/}" "$@" | sha256sum | cut -c1-64)\n'
            f"answer={shlex.quote(str(texts))}/$digest\n"
            '[ -r "$answer" ] || exit 127\n'
            'cat "$answer"\n'
        )
        for line, text in answers.items():
            words = shlex.split(line)
            digest = hashlib.sha256("".join(f"{word}\n" for word in words).encode()).hexdigest()
            (texts / digest).write_text(text, encoding="utf-8")
            program = programs / words[0]
            program.write_text(script, encoding="utf-8")
            program.chmod(0o755)

    def create_nodes(self, count: int, *, prefix: str = "simulated") -> list[str]:
        """Create `count` Nodes PREFIX-0... and return their names."""
        names = [f"{prefix}-{number}" for number in range(count)]
        client = Client(self._control_plane.kubeconfig)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: client.create("/api/v1/nodes", objects.node(name)), names))
        return names

    def create_pods(self, node: str, count: int, *, namespace: str = "default", prefix: str = "pod") -> None:
        """Create `count` pods that are bound to one simulated Node."""
        client = Client(self._control_plane.kubeconfig)

        def create(number: int) -> None:
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"{prefix}-{node}-{number}", "namespace": namespace},
                "spec": {
                    "nodeName": node,
                    "automountServiceAccountToken": False,
                    "containers": [{"name": "main", "image": "simulated"}],
                },
            }
            client.create(f"/api/v1/namespaces/{namespace}/pods", pod)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(create, range(count)))
