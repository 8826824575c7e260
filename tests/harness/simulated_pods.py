"""Pods on Nodes that kwok simulates."""

from __future__ import annotations

import time

from testbed.client import Client

from .waiting import wait_until

_LOOK_AGAIN = 10.0  # seconds


def wait_running(client: Client, path: str) -> None:
    """Wait until kwok lets a pod run; one that it has overlooked is seen again when its Node changes."""
    asked = time.monotonic()

    def runs() -> bool:
        nonlocal asked
        pod = client.get(path)
        if pod["status"].get("phase") == "Running":
            return True
        if time.monotonic() - asked > _LOOK_AGAIN:
            asked = time.monotonic()
            seen = {"metadata": {"annotations": {"testbed.local/looked-at": str(asked)}}}
            client.patch(f"/api/v1/nodes/{pod['spec']['nodeName']}", seen)
            client.patch(path, seen)
        return False

    wait_until(f"{path} runs", runs)
