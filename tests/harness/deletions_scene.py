"""A control plane with the journal of a clean-up, for the molecule scenario undo_deletions.

    python -m harness.deletions_scene up|down NAME      prints {"kubeconfig", "journal", "back", "away"} as JSON

The journal is written here by its description in the guide, not by the product.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec
from testbed.testbed import NoSuchTestbedError, take_down

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
TIME = "2026-11-01T00:00:00Z"


def identity(number: int, app: str) -> dict[str, Any]:
    """A CiliumIdentity as an agent creates it."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumIdentity",
        "metadata": {"name": str(number), "labels": {"io.kubernetes.pod.namespace": "shop"}},
        "security-labels": {"k8s:app": app, "k8s:io.kubernetes.pod.namespace": "shop"},
    }


def journal_lines(cluster: str, numbers: range) -> list[dict[str, Any]]:
    """A run that deleted all of them, and was killed before it knew of the last."""
    head = {
        "format": "podnet.upkeep.deletions/1",
        "run": "",
        "subject": "identities",
        "cluster": cluster,
        "started": TIME,
    }
    planned = []
    for number in numbers:
        made = identity(number, f"app-{number}")
        made["metadata"].update(uid=f"uid-{number}", resourceVersion="1", creationTimestamp=TIME)
        made["metadata"]["annotations"] = {"io.cilium.heartbeat": TIME}
        planned.append(
            {
                "time": TIME,
                "run": "",
                "kind": "CiliumIdentity",
                "path": f"{IDENTITIES}/{number}",
                "uid": f"uid-{number}",
                "evidence": "nothing refers to it",
                "outcome": "planned",
                "object": made,
            }
        )
    done = [{"time": TIME, "uid": one["uid"], "outcome": "deleted"} for one in planned[:-1]]
    return [head, *planned, *done]


def up(name: str) -> dict[str, Any]:
    """Bring it up; what the scenario has to know."""
    testbed = Testbed.create(TestbedSpec(name, ControlPlaneSpec(), CiliumOperatorSpec()))
    testbed.cilium.stop()
    client = testbed.client
    client.create(IDENTITIES, identity(301, "another"))  # the number is taken
    client.create(IDENTITIES, identity(900, "app-302"))  # the labels are served
    client.create(IDENTITIES, identity(303, "app-303"))  # it is there
    cluster = client.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    path = testbed.directory / "identities-20261101T000000Z-00000000.deletions.jsonl"
    path.write_text(
        "".join(json.dumps(line) + "\n" for line in journal_lines(cluster, range(300, 307))), encoding="utf-8"
    )
    return {
        "kubeconfig": str(testbed.kubeconfig),
        "journal": str(path),
        "back": ["300", "304", "305", "306"],
        "away": ["301", "302"],
    }


def main() -> int:
    """Bring it up and print what the scenario has to know, or take it down."""
    act, name = sys.argv[1:]
    if act == "up":
        print(json.dumps(up(name)))
        return 0
    try:
        take_down(name)
    except NoSuchTestbedError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
