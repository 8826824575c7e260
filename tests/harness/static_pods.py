"""What the kubelet of a control plane does for its static pods: a component that has ended is started again.

The controller-manager ends by itself when it loses its Lease, as it does while the API server is away for longer than ten
seconds.
"""

from __future__ import annotations

import datetime
import threading
from types import TracebackType

from harness.waiting import wait_until
from testbed import Testbed, processes

COMPONENTS = ("kube-controller-manager", "kube-scheduler")
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
_FRESH = 6.0  # seconds; they renew every two


class StaticPods:
    """Starts them again while the `with` block runs. One that a test has stopped stays so: it has no record."""

    def __init__(self, testbed: Testbed) -> None:
        self._testbed = testbed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> StaticPods:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        dead: dict[str, int] = {}  # seen once: a test that stops a component removes its record a moment later
        while not self._stop.wait(1.0):
            for name in COMPONENTS:
                record = processes.read(self._testbed.directory, name)
                if record is None or processes.alive(record):
                    dead.pop(name, None)
                elif dead.get(name) == record.pid:
                    self._testbed.control_plane.start_component(name)
                else:
                    dead[name] = record.pid


def wait_controllers(testbed: Testbed, _host: str = "") -> None:
    """Wait until the controller-manager renews its Lease, where a test has not stopped it; the scheduler has none."""
    if processes.read(testbed.directory, COMPONENTS[0]) is not None:
        wait_until("the controller-manager works", lambda: _seconds_since_renewal(testbed) < _FRESH)


def _seconds_since_renewal(testbed: Testbed) -> float:
    spec = (testbed.client.find(_LEASE) or {}).get("spec") or {}
    renewed = datetime.datetime.fromisoformat(spec.get("renewTime", "1970-01-01T00:00:00Z").replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.UTC) - renewed).total_seconds()
