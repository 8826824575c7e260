"""Asks the real kubelet of a host whether it serves the metrics that alerts and panels use: `TESTBED HOST`.

A pod with an image that is not there is enough: its sandbox is made before anybody looks for the image.
"""

from __future__ import annotations

import re
import sys
import time

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import METRICS, SCRAPED
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import KUBELET
from testbed import Testbed

_PODS = "/api/v1/namespaces/default/pods"
_NAME = "monitoring-probe"


def missing(testbed: Testbed, host: str, seconds: float = 40) -> set[str]:
    """Metrics of the table that the kubelet does not serve, after a sandbox was made on its host."""
    container = {"name": "x", "image": "testbed.local/nothing:1", "imagePullPolicy": "Never"}
    spec = {"nodeName": host, "terminationGracePeriodSeconds": 0, "containers": [container]}
    spec["tolerations"] = [{"operator": "Exists"}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _NAME}, "spec": spec}
    testbed.client.create(_PODS, pod)
    wanted = {one.name for one in METRICS.values() if one.component == KUBELET and one.known_by == SCRAPED}
    end = time.monotonic() + seconds
    try:
        while True:
            text = testbed.client.get(f"/api/v1/nodes/{host}/proxy/metrics")["text"]
            lacking = wanted - set(re.findall(r"^([a-z_]+)\{?", text, re.MULTILINE))
            if not lacking or time.monotonic() > end:
                return lacking
            time.sleep(0.5)
    finally:
        testbed.client.delete(f"{_PODS}/{_NAME}")


def main() -> int:
    """Print what is missing; 1 where something is."""
    lacking = missing(Testbed.attach(sys.argv[1]), sys.argv[2])
    for name in sorted(lacking):
        print(f"the kubelet serves no {name}", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
