"""Constant HTTP requests to the Ready endpoints of a Service, as a proxy on a machine beside the cluster sends them.

    unshare --net python -m harness.request_client RUN_DIR OUTPUT WORKERS

Runs in a network namespace of its own, which ends with it: `attach` puts that namespace on the testbed's bridge. It
follows EndpointSlices and Nodes by itself: an address that is not ready any more gets no new request, and each podCIDR
has a route to its Node. No request is tried again. One JSON line for each request goes to OUTPUT.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import urllib3

from testbed import Testbed
from testbed.client import Client, ServerError
from testbed.hosts import network

from .workload import PORT

SERVICE = "web"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_TIMEOUT = 3.0
_PAUSE = 0.02
_TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Request:
    """One request: when it was sent (seconds since the epoch), to which pod address on which Node, and what came back."""

    sent: float
    seconds: float
    address: str
    node: str
    error: str


@contextmanager
def constant_requests(testbed: Testbed, output: Path, workers: int = 4) -> Iterator[None]:
    """Requests for as long as the block runs; `read` reads them afterwards."""
    command = ["unshare", "--net", sys.executable, "-m", "harness.request_client"]
    with (output.with_suffix(".log")).open("wb") as log:
        process = subprocess.Popen(
            [*command, str(testbed.directory), str(output), str(workers)],
            cwd=_TESTS,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
        try:
            _attach(testbed, process.pid)
            _wait_for_first(output, process)
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()  # it ends when its input does, also when this process is killed
            code = process.wait(timeout=30)
    assert code == 0, output.with_suffix(".log").read_text(encoding="utf-8")


def read(output: Path) -> list[Request]:
    """All requests in the order in which they were sent."""
    lines = output.read_text(encoding="utf-8").splitlines()
    return sorted((Request(**json.loads(line)) for line in lines), key=lambda request: request.sent)


def _attach(testbed: Testbed, pid: int) -> None:
    """Give the client's namespace an address on the bridge, once it has left ours."""
    end = time.monotonic() + 10
    ours = Path("/proc/self/ns/net").readlink()
    while Path(f"/proc/{pid}/ns/net").readlink() == ours:
        assert time.monotonic() < end, "the client did not get its network namespace"
        time.sleep(0.01)
    link = f"vc-pnu{testbed.index}"
    network.ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    network.ip("link", "set", link, "master", network.bridge_name(testbed.index), "up")
    inside = ["nsenter", "-t", str(pid), "-n", "ip"]
    address = f"{network.host_address(testbed.index, 190)}/24"
    for words in (
        ["link", "set", "lo", "up"],
        ["address", "add", address, "dev", "eth0"],
        ["link", "set", "eth0", "up"],
    ):
        subprocess.run([*inside, *words], check=True)


def _wait_for_first(output: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while not output.exists() or output.stat().st_size == 0:
        log = output.with_suffix(".log").read_text(encoding="utf-8")
        assert process.poll() is None and time.monotonic() < end, f"no request was answered: {log}"
        time.sleep(0.05)


class _Targets:
    """Ready addresses of the Service, and routes to the podCIDRs of all Nodes."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._slices: dict[str, dict[str, str]] = {}
        self._routes: dict[str, str] = {}
        self.ready: list[tuple[str, str]] = []

    def follow(self) -> None:
        """Lay the routes that are needed now; then follow both for ever, each in a thread of its own."""
        for node in Client(self._kubeconfig).list("/api/v1/nodes"):
            self._see_node("ADDED", node)
        for path, see in ((_SLICES, self._see_slice), ("/api/v1/nodes", self._see_node)):
            threading.Thread(target=self._follow, args=(path, see), daemon=True).start()

    def _follow(self, path: str, see: Callable[[str, dict[str, Any]], None]) -> None:
        client = Client(self._kubeconfig)
        while True:
            try:
                for event in client.follow(path):
                    see(event["type"], event["object"])
            except (ServerError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                print(f"{path}: {error}", file=sys.stderr, flush=True)
                time.sleep(0.1)

    def _see_slice(self, event: str, body: dict[str, Any]) -> None:
        if body["metadata"].get("labels", {}).get("kubernetes.io/service-name") != SERVICE:
            return
        self._slices.pop(body["metadata"]["name"], None)
        if event != "DELETED":
            self._slices[body["metadata"]["name"]] = {
                endpoint["addresses"][0]: endpoint.get("nodeName", "")
                for endpoint in body.get("endpoints") or ()
                if (endpoint.get("conditions") or {}).get("ready")
            }
        self.ready = sorted({pair for one in self._slices.values() for pair in one.items()})

    def _see_node(self, event: str, body: dict[str, Any]) -> None:
        addresses = [one["address"] for one in body.get("status", {}).get("addresses") or ()]
        for cidr in body["spec"].get("podCIDRs") or ():
            via = next((address for address in addresses if address.startswith("10.98.")), None)
            if event != "DELETED" and via and self._routes.get(cidr) != via:
                subprocess.run(["ip", "route", "replace", cidr, "via", via], check=True)
                self._routes[cidr] = via


def _work(targets: _Targets, output: TextIO, lock: threading.Lock, stop: threading.Event, seed: int) -> None:
    chooser = random.Random(seed)
    while not stop.is_set():
        ready = targets.ready
        if not ready:
            request = Request(time.time(), 0.0, "", "", "no endpoint is ready")
            time.sleep(_PAUSE)
        else:
            request = _send(*chooser.choice(ready))
        with lock:
            output.write(json.dumps(request.__dict__) + "\n")
            output.flush()
        time.sleep(_PAUSE)


def _send(address: str, node: str) -> Request:
    """One request over a connection of its own."""
    sent, began = time.time(), time.monotonic()
    error = ""
    connection = http.client.HTTPConnection(address, PORT, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/hostname")
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or not body.startswith(b"web-"):
            error = f"HTTP {response.status}: {body[:80]!r}"
    except (OSError, http.client.HTTPException) as failure:
        error = f"{type(failure).__name__}: {failure}"
    finally:
        connection.close()
    return Request(sent, time.monotonic() - began, address, node, error)


def main() -> None:
    """Send requests until standard input ends."""
    run_dir, output, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    stop, lock = threading.Event(), threading.Lock()
    end = time.monotonic() + 20
    show = ["ip", "-4", "address", "show", "dev", "eth0", "up"]
    while not subprocess.run(show, capture_output=True, check=False).stdout:
        time.sleep(0.02)
    targets = _Targets(run_dir / "admin.conf")
    targets.follow()
    while not targets.ready and time.monotonic() < end:
        time.sleep(0.02)
    with output.open("w", encoding="utf-8") as file:
        threads = [threading.Thread(target=_work, args=(targets, file, lock, stop, seed)) for seed in range(workers)]
        for thread in threads:
            thread.start()
        for _line in itertools.takewhile(bool, iter(sys.stdin.readline, None)):
            pass
        stop.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
