"""The real `kubectl drain` as an oracle: its command line, and what its two streams say about each pod."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testbed import binaries

_EVICTING = re.compile(r"^evicting pod (?P<pod>\S+/\S+)(?: \(server dry run\))?$", re.MULTILINE)
_ANSWERED = re.compile(
    r'"Response" verb="(?P<verb>POST|DELETE)" url="\S+/namespaces/(?P<namespace>[^/]+)/pods/(?P<name>[^/?"]+)\S*" status="(?P<status>\d+)'
)
_UNABLE = re.compile(
    r'^error: unable to drain node "(?P<node>[^"]+)" due to error: (?P<errors>.*?), continuing command\.\.\.$',
    re.MULTILINE | re.DOTALL,
)
_FAILED = re.compile(r'error when evicting pods/"(?P<name>[^"]+)" -n "(?P<namespace>[^"]+)": (?P<words>[^\n\]]*)')
_AGAIN = re.compile(r'error when evicting pods/"(?P<name>[^"]+)" -n "(?P<namespace>[^"]+)" \(will retry after')
_REFERENCE = r"[a-z0-9.-]+/[a-z0-9.-]+"
_REFUSED = re.compile(
    rf"cannot delete (?P<message>.+?): (?P<pods>{_REFERENCE}(?:, {_REFERENCE})*)(?=, cannot delete |\]|$)"
)
_WARNED = re.compile(rf"(?P<message>[^;]+?): (?P<pods>{_REFERENCE}(?:, {_REFERENCE})*)(?:; |$)")


@dataclass(frozen=True)
class Options:
    """Options of a drain under the names of the module; `arguments` spells them for kubectl."""

    ignore_daemonsets: bool = False
    delete_emptydir_data: bool = False
    force: bool = False
    disable_eviction: bool = False
    pod_selector: str = ""
    grace_period: int = -1
    skip_wait_for_delete_timeout: int = 0

    def arguments(self) -> list[str]:
        """Flags of kubectl drain."""
        flags = [
            f"--{name.replace('_', '-')}={str(getattr(self, name)).lower()}"
            for name in ("ignore_daemonsets", "delete_emptydir_data", "force", "disable_eviction")
        ]
        return [
            *flags,
            f"--pod-selector={self.pod_selector}",
            f"--grace-period={self.grace_period}",
            f"--skip-wait-for-delete-timeout={self.skip_wait_for_delete_timeout}",
        ]


@dataclass
class Decisions:
    """What a drain decides about one Node.

    `removed` would go, `waiting` would be held up by a budget, `failing` could never be evicted, and these three are
    disjoint. `refusals` and `warnings` map a message to pods.
    """

    removed: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    refusals: dict[str, set[str]] = field(default_factory=dict)
    warnings: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class KubectlRun:
    """Exit code and streams of one run over one or several Nodes."""

    returncode: int
    stdout: str
    stderr: str

    def decisions(self, nodes: Iterable[str]) -> dict[str, Decisions]:
        """What was decided about each of these Nodes; the namespace of a pod is the name of its Node."""
        found = {node: Decisions() for node in nodes}
        statuses: dict[str, set[str]] = {}
        for match in _ANSWERED.finditer(self.stderr):
            statuses.setdefault(f"{match['namespace']}/{match['name']}", set()).add(match["status"])
        asked = {match["pod"] for match in _EVICTING.finditer(self.stdout)}
        asked |= {pod for pod, codes in statuses.items() if codes & {"200", "201"}}
        for match in _AGAIN.finditer(self.stderr):
            found[match["namespace"]].waiting.add(f"{match['namespace']}/{match['name']}")
        for match in _UNABLE.finditer(self.stderr):
            for failed in _FAILED.finditer(match["errors"]):
                pod = f"{failed['namespace']}/{failed['name']}"
                if "global timeout reached" not in failed["words"]:
                    found[failed["namespace"]].failing.add(pod)
            found[match["node"]].refusals = refusals_of(match["errors"])
        for line in self.stderr.splitlines():
            if line.startswith("Warning: "):
                for message, pods in warnings_of(line.removeprefix("Warning: ")).items():
                    (node,) = {pod.split("/")[0] for pod in pods}
                    found[node].warnings[message] = pods
        for pod in asked:
            decisions = found[pod.split("/")[0]]
            if pod not in decisions.waiting | decisions.failing:
                decisions.removed.add(pod)
        return found


def refusals_of(errors: str) -> dict[str, set[str]]:
    """Pods by message of one or several `cannot delete MESSAGE: POD, POD` with commas between them."""
    return {found["message"]: set(found["pods"].split(", ")) for found in _REFUSED.finditer(errors.removeprefix("["))}


def warnings_of(text: str) -> dict[str, set[str]]:
    """Pods by message of `MESSAGE: POD, POD; MESSAGE: POD`."""
    return {found["message"].strip(): set(found["pods"].split(", ")) for found in _WARNED.finditer(text)}


class Kubectl:
    """`kubectl drain` against one cluster."""

    def __init__(self, kubeconfig: Path) -> None:
        self._program = [str(binaries.locate(["kubectl"])["kubectl"]), f"--kubeconfig={kubeconfig}"]
        self._environment = {"HOME": str(kubeconfig.parent), "PATH": "/usr/bin:/bin"}

    def start(self, options: Options, where: Sequence[str], *, dry_run: bool, timeout: int) -> subprocess.Popen[str]:
        """Start a drain of the Nodes `where`.

        A dry run that deletes instead of evicting waits for the pods that it does not delete: it gets one second a Node.
        """
        if dry_run and options.disable_eviction:
            timeout = 1
        argv = [*self._program, "drain", *where, *options.arguments(), f"--timeout={timeout}s", "-v=6"]
        if dry_run:
            argv.append("--dry-run=server")
        return subprocess.Popen(
            argv, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )

    @staticmethod
    def result(process: subprocess.Popen[str], seconds: float = 120) -> KubectlRun:
        """Wait for what `start` started."""
        stdout, stderr = process.communicate(timeout=seconds)
        return KubectlRun(process.returncode, stdout, stderr)
