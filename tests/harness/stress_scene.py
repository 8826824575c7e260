"""What a stress test leaves that was killed, for its Molecule scenario: `python -m harness.stress_scene KUBECONFIG`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import (
    namespace_object,
    namespace_of,
    pod_object,
)
from testbed.client import Client

RUN = "0123456789"
PODS = 3


def main() -> int:
    """Create the namespace and some pods that no Node takes."""
    client = Client(Path(sys.argv[1]))
    client.create("/api/v1/namespaces", namespace_object(RUN, "2026-01-01T00:00:00+00:00", "molecule"))
    space = f"/api/v1/namespaces/{namespace_of(RUN)}"
    while client.find(f"{space}/serviceaccounts/default") is None:
        time.sleep(0.2)
    for number in range(PODS):
        made = pod_object(RUN, number, "app", "none", {"nodeSelector": {"testbed.podnet/nobody": "true"}})
        client.create(f"{space}/pods", made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
