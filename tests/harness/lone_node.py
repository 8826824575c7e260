"""A Node without a machine, for a scenario of molecule: `python -m harness.lone_node TESTBED NAME ready|silent`.

kwok keeps a `ready` one as it is. The kubelet of a `silent` one seems to have stopped hours ago; nobody renews its Lease.
"""

from __future__ import annotations

import argparse
import datetime
import time

from testbed import Testbed, objects

_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


def create(testbed: Testbed, name: str, *, ready: bool) -> None:
    """Create the Node, and wait until it is as it is to be."""
    made = objects.node(name)
    del made["metadata"]["labels"]["type"], made["spec"]["taints"]  # by which it would be known to be simulated
    if not ready:
        del made["metadata"]["annotations"]  # by which kwok takes it
    uid = testbed.client.create("/api/v1/nodes", made)["metadata"]["uid"]
    if not ready:
        _fall_silent(testbed, name, uid)
    end = time.monotonic() + 60
    while not _is(testbed, name, "True" if ready else "Unknown"):
        if time.monotonic() > end:
            raise RuntimeError(f"Node {name} gets no podCIDR, or is not {'ready' if ready else 'silent'}")
        time.sleep(0.2)


def _is(testbed: Testbed, name: str, ready: str) -> bool:
    found = testbed.client.get(f"/api/v1/nodes/{name}")
    conditions = {one["type"]: one["status"] for one in (found.get("status") or {}).get("conditions") or []}
    return bool(found["spec"].get("podCIDR")) and conditions.get("Ready") == ready


def _fall_silent(testbed: Testbed, name: str, uid: str) -> None:
    beat = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "by the test"}
    condition.update(lastHeartbeatTime=beat, lastTransitionTime=beat)
    testbed.client.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [condition]}})
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
    # a short one, because a removal watches it for its whole time
    spec = {"holderIdentity": name, "leaseDurationSeconds": 1, "renewTime": beat.replace("Z", ".000000Z")}
    testbed.client.create(_LEASES, {"metadata": {"name": name, "ownerReferences": [owner]}, "spec": spec})
    time.sleep(2)  # it was written now, which counts as a sign of life


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="harness.lone_node", description="Creates a Node without a machine.")
    parser.add_argument("testbed")
    parser.add_argument("name")
    parser.add_argument("state", choices=["ready", "silent"])
    options = parser.parse_args()
    create(Testbed.attach(options.testbed), options.name, ready=options.state == "ready")


if __name__ == "__main__":
    main()
