"""Asks the real kubelet of a host whether it serves the metrics of alerts, and whether panels show them: `TESTBED HOST`.

A pod with an image that is not there is enough: its sandbox is made before anybody looks for the image. Without a program of
the CNI it cannot be made, and the kubelet counts that.
"""

from __future__ import annotations

import re
import sys
import time

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import EVENT, METRICS, SCRAPED
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import KUBELET
from harness import panel_data
from testbed import Testbed

_PODS = "/api/v1/namespaces/default/pods"
_NAME = "monitoring-probe"
_PROGRAM = "/usr/lib/cni/bridge"


def missing(testbed: Testbed, host: str) -> set[str]:
    """Metrics of the table that the kubelet does not serve after one sandbox was made on its host, and one could not be."""
    wanted = [one for one in METRICS.values() if one.component == KUBELET]
    lacking = lacking_after_a_pod(testbed, host, {one.name for one in wanted if one.known_by == SCRAPED})
    testbed.hosts[host].run(f"mv {_PROGRAM} {_PROGRAM}.away")
    try:
        return lacking | lacking_after_a_pod(testbed, host, {one.name for one in wanted if one.known_by == EVENT})
    finally:
        testbed.hosts[host].run(f"mv {_PROGRAM}.away {_PROGRAM}")


def lacking_after_a_pod(testbed: Testbed, host: str, wanted: set[str], seconds: float = 120) -> set[str]:
    """Those of ``wanted`` that do not appear when a pod starts on the host."""
    container = {"name": "x", "image": "testbed.local/nothing:1", "imagePullPolicy": "Never"}
    spec = {"nodeName": host, "terminationGracePeriodSeconds": 0, "containers": [container]}
    name = f"{_NAME}-{time.monotonic_ns()}"
    spec["tolerations"] = [{"operator": "Exists"}]
    testbed.client.create(_PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    end = time.monotonic() + seconds
    try:
        while True:
            lacking = wanted - set(re.findall(r"^([a-z_]+)\{?", answer(testbed, host), re.MULTILINE))
            if not lacking or time.monotonic() > end:
                return lacking
            time.sleep(0.5)
    finally:
        testbed.client.delete(f"{_PODS}/{name}")


def answer(testbed: Testbed, host: str) -> str:
    """All metrics of the kubelet, as the API server hands them on."""
    return str(testbed.client.get(f"/api/v1/nodes/{host}/proxy/metrics")["text"])


def main() -> int:
    """Print what is missing; 1 where something is. Without promtool, panels are judged by their metrics alone."""
    testbed, host = Testbed.attach(sys.argv[1]), sys.argv[2]
    before = answer(testbed, host)
    wrong = [f"the kubelet serves no {name}" for name in sorted(missing(testbed, host))]
    panels = panel_data.expressions(KUBELET)
    if panel_data.PROMTOOL and panels:
        after = answer(testbed, host)
        # what appears with its first event is there twice: one value is no increase
        served = panel_data.scraped(before, after, after, job=KUBELET, instance=host)
        wrong += [f"a panel shows nothing: {expr}" for expr in panel_data.without_data(panels, served)]
    for line in wrong if panels else ["no panel is of kubelets"]:
        print(line, file=sys.stderr)
    return 1 if wrong or not panels else 0


if __name__ == "__main__":
    sys.exit(main())
