"""Witnesses of a repair: what the API server saw (audit log), what became of a Node (watch), what a host looks like."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from testbed import Testbed

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class NodeVersion:
    """One version of a Node as a watch delivered it; `at` is a monotonic time in seconds."""

    kind: str
    uid: str
    unschedulable: bool
    pod_cidrs: tuple[str, ...]
    at: float = 0.0


class NodeWatch:
    """Records every version of one Node while the `with` block runs."""

    def __init__(self, testbed: Testbed, name: str) -> None:
        self._testbed = testbed
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.versions: list[NodeVersion] = []

    def __enter__(self) -> NodeWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=15)

    def _run(self) -> None:
        params = {"fieldSelector": f"metadata.name={self._name}"}
        for event in self._testbed.client.watch("/api/v1/nodes", params=params, stop=self._stop):
            node = event["object"]
            if node.get("kind") != "Node":
                continue
            spec = node.get("spec", {})
            self.versions.append(
                NodeVersion(
                    event["type"],
                    node["metadata"]["uid"],
                    bool(spec.get("unschedulable", False)),
                    tuple(spec.get("podCIDRs", ())),
                    time.monotonic(),
                )
            )


def requests_of(testbed: Testbed, user: str) -> Iterator[dict[str, Any]]:
    """Yield the API server's audit events of one user."""
    with Path(testbed.audit_log).open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event.get("user", {}).get("username") == user:
                yield event


def writes_of(testbed: Testbed, user: str) -> list[str]:
    """Return `verb requestURI` of every request of `user` that could change the cluster.

    A SelfSubjectAccessReview is a question although it is sent as a create; `dryRun=All` persists nothing.
    """
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in requests_of(testbed, user)
        if event["verb"] in WRITES
        and "selfsubject" not in event["requestURI"]
        and "dryRun=All" not in event["requestURI"]
    ]


@contextmanager
def untouched_cluster(testbed: Testbed, user: str) -> Iterator[None]:
    """Assert that `user` wrote nothing to the API while the block ran, and that it asked at least one question."""
    before = len(writes_of(testbed, user))
    asked = sum(1 for _event in requests_of(testbed, user))
    yield
    assert writes_of(testbed, user)[before:] == []
    assert sum(1 for _event in requests_of(testbed, user)) > asked, f"no request of {user}: the test saw nothing"


def host_fingerprint(testbed: Testbed, name: str) -> str:
    """What a repair would touch on a host: kubelet's and containerd's process, CNI files, links, sandboxes."""
    script = r"""
set -eu
systemctl show kubelet containerd --property=Id,MainPID,ActiveState,ExecMainStartTimestampMonotonic
find /etc/cni /var/lib/cni /etc/kubernetes /etc/containerd -type f -printf '%p %s %T@\n' | sort
ip -o link show | awk '{print $2}' | sort
ip -4 -o address show dev cni0 | awk '{print $4}'
crictl pods -q --no-trunc | sort
"""
    return str(testbed.hosts[name].run(script).stdout)
