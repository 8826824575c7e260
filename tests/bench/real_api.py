"""The live audit on the real API server, beside fetching and parsing the same pages from it.

    python -m bench.real_api [FACTOR] [ROUNDS]    FACTOR of 5,000 Nodes, 100,000 pods, 65,000 identities, 100,000 endpoints

Objects are created for real, which takes most of the time (0.2: about a minute). The controller-manager and the
cilium-operator are stopped meanwhile: they would delete what has no owner.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec, processes

from . import big_cluster
from .big_api import PAGE_SIZE
from .contest import Contender, compare

_CREATORS = 8


class _Connection:
    """One connection with the admin's certificate."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        pair = base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"])
        with tempfile.NamedTemporaryFile() as file:  # the ssl module takes files only
            file.write(pair)
            file.flush()
            context.load_cert_chain(file.name)
        host = cluster["server"].removeprefix("https://")
        self._http = http.client.HTTPSConnection(host, context=context)

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        """The body of the answer."""
        data = None if body is None else json.dumps(body)
        self._http.request(method, path, data, {"Content-Type": "application/json"})
        response = self._http.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        return answer


def _as_created(path: str, kind: str, obj: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(path to POST to, body): as a server takes it."""
    metadata = {key: obj["metadata"][key] for key in ("name", "namespace", "labels") if key in obj["metadata"]}
    group = path.split("/")[2] + "/" + path.split("/")[3] if path.startswith("/apis") else "v1"
    body = {**obj, "apiVersion": group, "kind": kind, "metadata": metadata}
    if "namespace" in metadata:
        root, _slash, plural = path.rpartition("/")
        path = f"{root}/namespaces/{metadata['namespace']}/{plural}"
    if kind == "Pod":
        body["spec"] = {**body["spec"], "containers": [{**one, "resources": {}} for one in body["spec"]["containers"]]}
        body["spec"].pop("serviceAccountName")  # none of these exists
    return path, body


def fill(testbed: Testbed, size: big_cluster.Size) -> int:
    """Create everything, statuses included; how many objects."""
    collections = big_cluster.collections(size)
    del collections["/apis/apps/v1/daemonsets"]
    first = ("/api/v1/namespaces", "/api/v1/nodes")
    for paths in ([first[0]], [first[1]], [path for path in collections if path not in first]):
        threads = [
            threading.Thread(target=_create, args=(testbed.kubeconfig, size, paths, start))
            for start in range(_CREATORS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sum(count for _kind, count, _make in collections.values())


def _create(kubeconfig: Path, size: big_cluster.Size, paths: list[str], start: int) -> None:
    connection = _Connection(kubeconfig)
    for path in paths:
        kind, count, make = big_cluster.collections(size)[path]
        for number in range(start, count, _CREATORS):
            obj = make(number)
            target, body = _as_created(path, kind, obj)
            connection.request("POST", target, body)
            name = obj["metadata"]["name"]
            if kind == "Namespace":  # the controller-manager, which makes it, is stopped
                account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
                connection.request("POST", f"{target}/{name}/serviceaccounts", account)
            if kind in ("Pod", "Node"):
                status = {"apiVersion": "v1", "kind": kind, "metadata": body["metadata"], "status": obj["status"]}
                connection.request("PUT", f"{target}/{name}/status", {**body, **status})


def fetch_and_parse(kubeconfig: Path) -> str:
    """Every page that the audit reads, as bytes and through json."""
    connection, objects = _Connection(kubeconfig), 0
    for path in big_cluster.collections(big_cluster.Size()):
        token = ""
        while True:
            page = json.loads(connection.request("GET", f"{path}?limit={PAGE_SIZE}&continue={token}"))
            objects += len(page["items"])
            token = page["metadata"].get("continue") or ""
            if not token:
                break
    return f"{objects} objects"


def main() -> None:
    """Fill a testbed, then both contenders in turn."""
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 0.2
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    spec = TestbedSpec(f"bench-{os.getpid()}", ControlPlaneSpec(), CiliumOperatorSpec())
    with Testbed.up(spec) as testbed, tempfile.TemporaryDirectory() as folder:
        for name in ("kube-controller-manager", "cilium-operator"):
            processes.stop(testbed.directory, name)
        started = time.monotonic()
        made = fill(testbed, big_cluster.Size().scaled(factor))
        print(f"{made} objects created in {time.monotonic() - started:.0f} s")
        path = str(testbed.kubeconfig)
        least = "from bench import real_api; from pathlib import Path"
        contenders = [
            Contender("fetch_and_parse", least, f"real_api.fetch_and_parse(Path({path!r}))"),
            Contender("live_audit", "from bench import live_audit", f"live_audit.audit(kubeconfig={path!r})"),
        ]
        compare(contenders, rounds, {"BENCH_FOLDER": folder})


if __name__ == "__main__":
    main()
