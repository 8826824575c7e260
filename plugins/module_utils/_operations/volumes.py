# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Volumes that are still attached to a node although their pods are gone.

A Node that is deleted while a volume is attached leaves the attachment to a forced detach minutes later, and the pod
that moved elsewhere fails with Multi-Attach until then (kubernetes: attach-detach controller).
"""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient


def attached_volumes(client: KubeClient, node_name: str) -> list[str]:
    """PersistentVolumes attached to the node and not used by a pod that is still bound to it; sorted names."""
    attachments = [
        attachment
        for attachment in client.list("/apis/storage.k8s.io/v1/volumeattachments")
        if (attachment.get("spec") or {}).get("nodeName") == node_name
    ]
    if not attachments:
        return []
    in_use = _volumes_in_use(client, node_name)
    names = {
        str(((attachment.get("spec") or {}).get("source") or {}).get("persistentVolumeName") or "")
        or str(attachment["metadata"]["name"])
        for attachment in attachments
    }
    return sorted(names - in_use)


def _volumes_in_use(client: KubeClient, node_name: str) -> set[str]:
    """PersistentVolumes behind the claims of the pods on the node (DaemonSet and static pods after a drain)."""
    used = set()
    for pod in client.list("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={node_name}"}):
        for claim in _claims(pod):
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/persistentvolumeclaims/{claim}"
            found = client.find(path) or {}
            used.add(str((found.get("spec") or {}).get("volumeName") or ""))
    return used - {""}


def _claims(pod: JsonObject) -> list[str]:
    names = []
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        if volume.get("persistentVolumeClaim"):
            names.append(str(volume["persistentVolumeClaim"]["claimName"]))
        elif volume.get("ephemeral"):
            # The claim of a generic ephemeral volume is named after pod and volume.
            names.append(f"{pod['metadata']['name']}-{volume['name']}")
    return names
