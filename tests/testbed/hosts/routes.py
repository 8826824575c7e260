"""Gives every guest one route for each Node's podCIDR: what a cloud's route controller or kube-router does.

Runs as a recorded process of the testbed: `python -m testbed.hosts.routes RUN_DIR`.
"""

from __future__ import annotations

import ipaddress
import subprocess
import sys
import time
from pathlib import Path

import urllib3

from ..client import Client, ServerError
from ..testbed import Testbed
from .guest import init_pid

_PROTOCOL = "99"


def wanted_routes(nodes: list[dict[str, object]], host: str) -> dict[str, str]:
    """{podCIDR: address of its Node} of all Nodes but `host` itself, family by family."""
    routes: dict[str, str] = {}
    for node in nodes:
        metadata, spec, status = (node.get(key) or {} for key in ("metadata", "spec", "status"))
        assert isinstance(metadata, dict) and isinstance(spec, dict) and isinstance(status, dict)
        if metadata["name"] == host:
            continue
        addresses = [entry["address"] for entry in status.get("addresses") or () if entry["type"] == "InternalIP"]
        for cidr in spec.get("podCIDRs") or ():
            family = ipaddress.ip_network(cidr).version
            via = next((text for text in addresses if ipaddress.ip_address(text).version == family), None)
            if via is not None and not ipaddress.ip_address(via).is_loopback:
                routes[cidr] = via
    return routes


def _apply(pid: int, routes: dict[str, str], known: dict[str, str]) -> None:
    enter = ["nsenter", "-t", str(pid), "-n", "ip"]
    for cidr in known.keys() - routes.keys():
        subprocess.run([*enter, "route", "delete", cidr, "proto", _PROTOCOL], capture_output=True, check=False)
    for cidr, via in routes.items():
        if known.get(cidr) != via:
            command = [*enter, "route", "replace", cidr, "via", via, "proto", _PROTOCOL]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                print(f"{cidr} via {via}: {done.stderr.strip()}", file=sys.stderr, flush=True)
                routes = {key: value for key, value in routes.items() if key != cidr}
    known.clear()
    known.update(routes)


def main() -> None:
    """Follow the Nodes until the testbed's folder is gone or somebody ends the process."""
    run_dir = Path(sys.argv[1])
    testbed = Testbed(run_dir)
    client = Client(testbed.kubeconfig)
    known: dict[tuple[str, int], dict[str, str]] = {}
    while run_dir.exists():
        try:
            nodes = client.list("/api/v1/nodes")
        except (ServerError, urllib3.exceptions.HTTPError):
            nodes = []  # the API is down: keep the routes as they are
        if nodes:
            for host in testbed.hosts:
                pid = init_pid(run_dir, host)
                if pid is not None:
                    _apply(pid, wanted_routes(nodes, host), known.setdefault((host, pid), {}))
        time.sleep(0.5)


if __name__ == "__main__":
    main()
