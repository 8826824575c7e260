# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What time it is for the API server: times in objects are its own, and our clock may be another."""

from __future__ import annotations

import datetime

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import parse_time


def server_time(client: KubeClient, namespace: str = "kube-system") -> datetime.datetime:
    """Now, by the clock that dates new objects: a Lease is created in a dry run, which stores nothing. Raises ApiError."""
    probe = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"generateName": "podnet-upkeep-clock-"},
    }
    answer = client.create(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", probe, dry_run=True)
    return parse_time(str(answer["metadata"]["creationTimestamp"]))
