"""kwok: simulated Nodes and pods by the thousand, and answers to `exec` from recorded texts.

kwok runs what `exec` asks for as a process of this machine. So its PATH has nothing but one small program under every
name that is asked for, which prints the recorded text of the whole command line. (Only a command that is given with its
full path would really run.)
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import binaries, objects, ports, processes
from .client import Client
from .control_plane import ControlPlane
from .spec import KwokSpec

_NAME = "kwok"
_ANSWERS = "TESTBED_ANSWERS"


def _for_pod(kind: str, pod: str, spec: Mapping[str, object]) -> dict[str, object]:
    """A kwok resource that holds for one pod ("NAMESPACE/NAME")."""
    namespace, name = pod.split("/")
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


class Kwok:
    """The kwok controller of one testbed."""

    def __init__(self, run_dir: Path, spec: KwokSpec, control_plane: ControlPlane) -> None:
        self.run_dir = run_dir
        self.spec = spec
        self._control_plane = control_plane
        self._folder = run_dir / "kwok"

    def start(self) -> None:
        """Start kwok, and create the Nodes of the specification."""
        self.start_process()
        if self.spec.nodes:
            self.create_nodes(self.spec.nodes)

    def restart(self, **changes: object) -> None:
        """Restart kwok with changed answers (`pod_exec_answers=...`, `logs=...`); Nodes and pods stay as they are."""
        changed = dataclasses.replace(self.spec, **changes)  # type: ignore[arg-type]
        processes.stop(self.run_dir, _NAME)
        self.spec = changed
        self.start_process()

    def start_process(self) -> None:
        """Start kwok for Nodes with the annotation of `objects.KWOK_NODE` only: hosts keep their real kubelets."""
        self._folder.mkdir(exist_ok=True)
        stages = (Path(__file__).parent / "kwok_stages.yaml").read_text(encoding="utf-8")
        documents = [*self._exec_resources(), *self._log_resources()]
        text = "".join(f"---\n{json.dumps(document)}\n" for document in documents)
        (self._folder / "kwok.yaml").write_text(stages + text, encoding="utf-8")
        address = self._control_plane.address
        port = ports.port(self.run_dir, "kwok", address)
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
        env = {"PATH": str(self._folder / "bin"), "HOME": str(self._folder)}
        processes.start(self.run_dir, _NAME, argv, env=env)

    def _exec_resources(self) -> list[dict[str, object]]:
        self.record_answers(self.spec.exec_answers)
        made: list[dict[str, object]] = [
            {
                "apiVersion": "kwok.x-k8s.io/v1alpha1",
                "kind": "ClusterExec",
                "metadata": {"name": "recorded"},
                "spec": {"execs": [{"local": {"workDir": str(self._folder)}}]},
            }
        ]
        for pod, answers in self.spec.pod_exec_answers.items():
            self.record_answers(answers, pod)
            environment = [{"name": _ANSWERS, "value": str(self._texts(pod))}]
            spec = {"execs": [{"local": {"workDir": str(self._folder), "envs": environment}}]}
            made.append(_for_pod("Exec", pod, spec))
        return made

    def _log_resources(self) -> list[dict[str, object]]:
        """Logs in the format of the container runtime interface: time, stream, tag (F: full line), text."""
        folder = self._folder / "logs"
        folder.mkdir(exist_ok=True)
        made = []
        for pod, text in self.spec.logs.items():
            file = folder / pod.replace("/", ".")
            lines = (f"2026-01-01T00:00:00.000000000Z stdout F {line}\n" for line in text.splitlines())
            file.write_text("".join(lines), encoding="utf-8")
            made.append(_for_pod("Logs", pod, {"logs": [{"logsFile": str(file), "follow": False}]}))
        return made

    def _texts(self, pod: str) -> Path:
        return self._folder / "answers" / (pod.replace("/", ".") or "every-pod")

    def record_answers(self, answers: Mapping[str, str], pod: str = "") -> None:
        """Let `exec` of each command line print its text (exit 0) in every pod, or in one pod of `pod_exec_answers`.

        A command that was not recorded fails; works while kwok runs.
        """
        programs, texts = self._folder / "bin", self._texts(pod)
        for folder in (programs, texts):
            folder.mkdir(parents=True, exist_ok=True)
        script = (
            "#!/bin/sh\n"
            "PATH=/usr/bin:/bin\n"
            'digest=$(printf "%s\\n" "${0##*/}" "$@" | sha256sum | cut -c1-64)\n'
            f'answer="${{{_ANSWERS}:-{self._texts("")}}}/$digest"\n'
            '[ -r "$answer" ] || { echo "not recorded: ${0##*/} $*" >&2; exit 127; }\n'
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
