"""Serves the large cluster over HTTP, every page made beforehand: a server that costs nothing while it is measured.

python -m bench.big_api [FACTOR]      prints its port, serves until its standard input ends
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from . import big_cluster

PAGE_SIZE = 500
_NAMESPACED = ("Pod", "DaemonSet", "CiliumEndpoint")


def answers(size: big_cluster.Size) -> dict[tuple[str, int], bytes]:
    """{(path, first object): page}."""
    made = {}
    for path, (_kind, count, _make) in big_cluster.collections(size).items():
        for start in range(0, max(count, 1), PAGE_SIZE):
            made[path, start] = big_cluster.page(path, start, PAGE_SIZE, size)
    return made


def _resources(group_version: str) -> bytes:
    """What kubectl asks for before anything else: the kinds of one version of a group."""
    root = f"/api/{group_version}" if "/" not in group_version else f"/apis/{group_version}"
    found = [
        {"name": path.rpartition("/")[2], "singularName": "", "namespaced": kind in _NAMESPACED, "kind": kind}
        for path, (kind, _count, _make) in big_cluster.collections(big_cluster.Size()).items()
        if path.rpartition("/")[0] == root
    ]
    resources = [{**one, "verbs": ["get", "list"]} for one in found]
    return json.dumps({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}).encode()


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def objects() -> dict[str, bytes]:
    """{path: object} of what is looked up by name, and of discovery."""
    config = {"metadata": {"name": "cilium-config", "namespace": "kube-system"}, "data": big_cluster.CONFIG}
    groups = [_group("apps", "v1"), _group("cilium.io", "v2")]
    return {
        "/version": json.dumps({"gitVersion": "v1.34.2"}).encode(),
        "/api": json.dumps({"kind": "APIVersions", "versions": ["v1"]}).encode(),
        "/apis": json.dumps({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}).encode(),
        "/api/v1": _resources("v1"),
        "/apis/apps/v1": _resources("apps/v1"),
        "/apis/cilium.io/v2": _resources("cilium.io/v2"),
        "/api/v1/namespaces/kube-system/configmaps/cilium-config": json.dumps(config).encode(),
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    pages: dict[tuple[str, int], bytes]
    named: dict[str, bytes]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        data = self.server.named.get(url.path)
        if data is None and "limit" in query:
            empty = b'{"kind":"List","metadata":{},"items":[]}'
            data = self.server.pages.get((url.path, int(query.get("continue", 0))), empty)
        status = 200 if data is not None else 404
        body = data or b'{"kind":"Status","code":404,"message":"not found"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def main() -> None:
    """Serve until standard input ends."""
    factor = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    server = _Server(("127.0.0.1", 0), _Handler)
    server.pages, server.named = answers(big_cluster.Size().scaled(factor)), objects()
    print(server.server_address[1], sum(map(len, server.pages.values())), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
