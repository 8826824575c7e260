"""Gives every guest one route for each Node's podCIDR: what a cloud's route controller or kube-router does.

Runs as a recorded process of the testbed: `python -m testbed.hosts.routes RUN_DIR`.
"""

from __future__ import annotations

import ipaddress
import json
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


def _in_guest(pid: int, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["nsenter", "-t", str(pid), "-n", "ip", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _routes_there(pid: int) -> dict[str, str]:
    """The routes that an earlier process of this kind left in the guest."""
    routes: dict[str, str] = {}
    for family in ("-4", "-6"):
        done = _in_guest(pid, "-json", family, "route", "show", "proto", _PROTOCOL)
        if done.returncode == 0 and done.stdout.strip():
            routes.update({entry["dst"]: entry["gateway"] for entry in json.loads(done.stdout) if "gateway" in entry})
    return routes


def _apply(pid: int, wanted: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    """Bring the guest's routes from `known` to `wanted`; returns those that are there now."""
    there = dict(known)
    for cidr in known.keys() - wanted.keys():
        _in_guest(pid, "route", "delete", cidr, "proto", _PROTOCOL)
        del there[cidr]
    for cidr, via in wanted.items():
        if there.get(cidr) != via:
            done = _in_guest(pid, "route", "replace", cidr, "via", via, "proto", _PROTOCOL)
            if done.returncode == 0:
                there[cidr] = via
            else:
                print(f"{cidr} via {via}: {done.stderr.strip()}", file=sys.stderr, flush=True)
    return there


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
                    before = known.get((host, pid))
                    wanted = wanted_routes(nodes, host)
                    known[host, pid] = _apply(pid, wanted, _routes_there(pid) if before is None else before)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
