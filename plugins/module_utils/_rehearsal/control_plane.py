# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One rehearsal: a folder with a control plane of its own, which is loaded, started, and ended in every outcome."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import time
import typing as t
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    InputError,
    RefusedError,
    WaitTimeoutError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_lock import exclusive
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_process import RunProcess, playbook_process
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.kubelets import stages
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.plane import Plane
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.processes import Processes, Run

_OWNER: t.Final = "owner.json"
_NAME: t.Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_ALLOCATOR_RUNS: t.Final = "Starting range CIDR allocator"
_NODES_ARE_READ: t.Final = 30.0
LEADER: t.Final = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
CONTROLLER_MANAGER: t.Final = "kube-controller-manager"
OPERATOR: t.Final = "cilium-operator"


def folder_of(work_dir: str, name: str) -> str:
    """The folder of a rehearsal. Raises InputError for a name that is none."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"name: {name!r} is no name of a rehearsal; use 1 to 40 lower-case letters, digits and inner hyphens."
        )
    return os.path.join(os.path.abspath(os.path.expanduser(work_dir)), name)


def is_there(folder: str) -> bool:
    """Whether this is the folder of a rehearsal."""
    return os.path.isdir(folder)


def claim(work_dir: str, name: str, run: Run, *, keep: bool) -> str:
    """A new folder for a rehearsal; what killed ones have left is ended before. Raises RefusedError, InputError.

    ``keep``: it stays when this playbook ends, until somebody ends it. Otherwise a keeper ends it with the playbook, also
    when that is killed.
    """
    folder = folder_of(work_dir, name)
    with exclusive(work_dir, "rehearsals", "a rehearsal"):
        sweep(work_dir, run)
        if os.path.exists(folder):
            raise RefusedError(
                f"The rehearsal {name} in {work_dir} runs, or was kept; end it with rehearse_state: absent, or choose another "
                "rehearse_name."
            )
        os.makedirs(folder, mode=0o700)
        process = playbook_process()
        owner = {"process": process.to_text() if process is not None and not keep else "", "kept": keep}
        with open(os.path.join(folder, _OWNER), "w", encoding="utf-8") as file:
            json.dump(owner, file)
    if process is not None and not keep:
        Processes(folder, run).keep(process.pid, process.started)
    return folder


def sweep(work_dir: str, run: Run) -> list[str]:
    """End and delete every rehearsal whose playbook has ended; their names. Those that were kept stay."""
    root = os.path.abspath(os.path.expanduser(work_dir))
    ended = []
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        folder = os.path.join(root, name)
        try:
            with open(os.path.join(folder, _OWNER), encoding="utf-8") as file:
                owner = json.load(file)
        except (OSError, ValueError):
            continue
        process = RunProcess.from_text(str(owner.get("process") or ""))
        if process is not None and process.has_ended():
            end(folder, run)
            ended.append(name)
    return ended


def end(folder: str, run: Run) -> list[str]:
    """End all processes of a rehearsal and delete its folder; names of the processes that ran. None there is fine."""
    if not is_there(folder):
        return []
    running = Processes(folder, run).stop_all()
    # a process that was ended in the middle of a write may have made a file while the folder is deleted
    for _attempt in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            break
        time.sleep(0.1)
    return running


class ControlPlane:
    """The control plane of one rehearsal."""

    def __init__(self, plane: Plane, run: Run) -> None:
        self.plane = plane
        self.processes = Processes(plane.folder, run)

    # -- life --------------------------------------------------------------------------------------------------------

    def start_etcd(self) -> None:
        """Start the etcd and wait until it answers. Raises WaitTimeoutError, ProcessError."""
        self._start("etcd")
        self._wait("etcd", lambda: self._answers(f"http://127.0.0.1:{self.plane.ports['etcd']}/health"), 30)

    def start_api(self, seconds: float = 180) -> KubeClient:
        """Start the API server, wait until it is ready, and write its kubeconfig. Raises WaitTimeoutError, ProcessError."""
        token = secrets.token_hex(24)
        _write(os.path.join(self.plane.folder, "tokens.csv"), f'{token},rehearsal,rehearsal,"system:masters"\n')
        self._start("kube-apiserver")
        authority = os.path.join(self.plane.certificates, "apiserver.crt")
        self._wait("kube-apiserver", lambda: os.path.exists(authority), 30)
        cluster = {"server": self.plane.server, "certificate-authority": authority}
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "rehearsal", "cluster": cluster}],
            "users": [{"name": "rehearsal", "user": {"token": token}}],
            "contexts": [{"name": "rehearsal", "context": {"cluster": "rehearsal", "user": "rehearsal"}}],
            "current-context": "rehearsal",
        }
        _write(self.plane.kubeconfig, json.dumps(kubeconfig))
        client = self.client()
        self._wait("kube-apiserver", lambda: _is_ready(client), seconds)
        return client

    def client(self) -> KubeClient:
        """Its administrator."""
        return KubeClient.from_options({"kubeconfig": self.plane.kubeconfig, "request_timeout": 300})

    def start_controllers(self, held_back: Callable[[], object]) -> None:
        """Start scheduler, controller-manager and the stand-in for kubelets; ``held_back`` is called when Nodes are known.

        Raises WaitTimeoutError with the last words of what does not start.
        """
        _write(os.path.join(self.plane.folder, "kwok.yaml"), stages())
        self._start("kube-scheduler")
        self._start(CONTROLLER_MANAGER)
        leads = _Leadership(self.client())
        self._wait(CONTROLLER_MANAGER, leads.is_there, 120)
        if "--allocate-node-cidrs=true" in self.plane.command(CONTROLLER_MANAGER):
            # one of a version that says it in other words has read the Nodes by then
            self._wait(CONTROLLER_MANAGER, lambda: self._allocator_runs() or leads.seconds > _NODES_ARE_READ, 120)
        held_back()
        self._start("kwok")

    def _allocator_runs(self) -> bool:
        return self.processes.says(CONTROLLER_MANAGER, _ALLOCATOR_RUNS)

    def require_controllers(self) -> None:
        """Raises WaitTimeoutError with the last words of the controller-manager when it has ended: nothing would happen."""
        if not self.processes.alive(CONTROLLER_MANAGER):
            raise WaitTimeoutError(
                f"{CONTROLLER_MANAGER} of the rehearsal has ended; the end of its log: {self.processes.tail(CONTROLLER_MANAGER)}",
                waited_for=CONTROLLER_MANAGER,
                seconds=0.0,
            )

    def start_operator(self, config: Mapping[str, str], seconds: float = 60) -> str:
        """Start the operator of Cilium with this configuration; its last words when it does not stay, else nothing."""
        folder = self.plane.operator_config
        if os.path.isdir(folder):
            shutil.rmtree(folder)
        os.makedirs(folder, mode=0o700)
        for key, value in config.items():
            if os.path.basename(key) == key and key not in (".", ".."):
                _write(os.path.join(folder, key), value)
        self.processes.stop(OPERATOR, number=signal.SIGTERM)
        self._start(OPERATOR)
        url = f"http://127.0.0.1:{self.plane.ports['operator-api']}/healthz"
        end_at = time.monotonic() + self.plane.patience(seconds)
        while self.processes.alive(OPERATOR) and time.monotonic() < end_at:
            if self._answers(url):
                return ""
            time.sleep(0.2)
        return f"cilium-operator does not start with this configuration: {self.processes.tail(OPERATOR)}"

    # -- parts -------------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        self.processes.start(name, self.plane.command(name))

    def _wait(self, name: str, condition: Callable[[], bool], seconds: float) -> None:
        patience = self.plane.patience(seconds)
        end_at = time.monotonic() + patience
        while not condition():
            runs = self.processes.alive(name)
            if not runs or time.monotonic() > end_at:
                words = f"is not ready within {patience:.0f} s" if runs else "does not start"
                raise WaitTimeoutError(
                    f"{name} of the rehearsal {words}; the end of its log: {self.processes.tail(name)}",
                    waited_for=name,
                    seconds=patience,
                )
            time.sleep(0.05)

    def _answers(self, url: str) -> bool:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


class _Leadership:
    """Whether a controller-manager leads, and for how long it has been seen to."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._since: float | None = None

    def is_there(self) -> bool:
        """Whether somebody holds the Lease."""
        lease = self._client.find(LEADER)
        holds = bool(((lease or {}).get("spec") or {}).get("holderIdentity"))
        self._since = (self._since or time.monotonic()) if holds else None
        return holds

    @property
    def seconds(self) -> float:
        """Since it was seen first."""
        return time.monotonic() - self._since if self._since is not None else 0.0


def _is_ready(client: KubeClient) -> bool:
    try:
        client.request("GET", "/readyz", repeat=False, timeout=5)
    except ApiError as error:
        # "ok" is no JSON
        return error.reason == "NotJson"
    return True


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
