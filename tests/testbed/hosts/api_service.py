"""The Service `kubernetes` for pods of the hosts: what kube-proxy and masquerading would give them, for this one Service.

Without it no pod reaches the API server: nothing stands behind the cluster IP, and no route leads from the bridge to pods.
"""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..testbed import Testbed


def open_to_pods(testbed: Testbed) -> None:
    """Lead pods of every host to the API server, and to whatever else listens on this machine's address of the bridge.

    The rules are in the guests; this machine's own firewall is left alone.
    """
    service = testbed.client.get("/api/v1/namespaces/default/services/kubernetes")["spec"]
    (port,) = service["ports"]
    target = urllib.parse.urlsplit(testbed.control_plane.server).netloc
    for name, host in testbed.hosts.items():
        rules = [
            f"PREROUTING -d {service['clusterIP']}/32 -p tcp --dport {port['port']} -j DNAT --to-destination {target}"
        ]
        ranges = testbed.client.get(f"/api/v1/nodes/{name}")["spec"]["podCIDRs"]
        rules += [f"POSTROUTING -s {one} -d {testbed.address}/32 -j MASQUERADE" for one in ranges if ":" not in one]
        host.run("set -e\n" + "\n".join(f"iptables -t nat -A {rule}" for rule in rules))
