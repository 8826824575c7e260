"""Writes a sysdump, a folder of kubectl output and nothing else, as large as the largest cluster that we promise.

5,000 Nodes, 100,000 pods, 65,000 identities, 100,000 endpoints, each object with what real ones carry around
(managedFields, volumes, environment), so that files have the size of real ones.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

STAMP = "20261101-000000"
TIME = "2026-11-01T00:00:00Z"
MANAGED = [
    {
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            f"f:{part}": {f"f:field{index}": {} for index in range(8)} for part in ("metadata", "spec", "status")
        },
        "manager": manager,
        "operation": "Update",
        "time": TIME,
    }
    for manager in ("kube-controller-manager", "kubelet")
]


def uid(kind: int, number: int) -> str:
    """A uid."""
    return f"{kind:08d}-0000-4000-8000-{number:012d}"


def nodes(count: int) -> Iterator[dict[str, Any]]:
    """Nodes, each with its own /24."""
    for number in range(count):
        name = f"node-{number}"
        yield {
            "metadata": {
                "name": name,
                "uid": uid(1, number),
                "resourceVersion": str(number),
                "creationTimestamp": TIME,
                "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
                "managedFields": MANAGED,
            },
            "spec": {"podCIDR": f"10.{number // 256}.{number % 256}.0/24", "podCIDRs": [f"10.{number // 256}.{number % 256}.0/24"]},
            "status": {
                "addresses": [{"address": f"172.16.{number // 256}.{number % 256}", "type": "InternalIP"}],
                "capacity": {"cpu": "8", "pods": "110"},
                "conditions": [
                    {"lastHeartbeatTime": TIME, "lastTransitionTime": TIME, "reason": "KubeletReady", "status": "True", "type": kind}
                    for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
                ],
                "images": [
                    {"names": [f"registry.example/team/image-{image}@sha256:{'0' * 64}"], "sizeBytes": 1} for image in range(30)
                ],
                "nodeInfo": {"kubeletVersion": "v1.36.1", "osImage": "Linux"},
            },
        }  # fmt: skip


def pods(count: int, node_count: int) -> Iterator[dict[str, Any]]:
    """Running pods."""
    for number in range(count):
        on, app = number % node_count, number // 20
        yield {
            "metadata": {
                "name": f"app-{app}-{number}",
                "namespace": f"team-{app % 200}",
                "uid": uid(2, number),
                "creationTimestamp": TIME,
                "labels": {"app": f"app-{app}", "pod-template-hash": "6c9d7"},
                "managedFields": MANAGED,
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "blockOwnerDeletion": True,
                        "controller": True,
                        "kind": "ReplicaSet",
                        "name": f"app-{app}-6c9d7",
                        "uid": uid(3, app),
                    }
                ],
            },
            "spec": {
                "containers": [
                    {
                        "env": [{"name": f"VARIABLE_{one}", "value": "some value"} for one in range(8)],
                        "image": f"registry.example/team/app-{app}:1",
                        "name": "app",
                        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
                        "volumeMounts": [{"mountPath": "/var/run/secrets/x", "name": "token", "readOnly": True}],
                    }
                ],
                "nodeName": f"node-{on}",
                "serviceAccountName": "default",
                "tolerations": [{"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists"}] * 2,
                "volumes": [{"name": "token", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}}],
            },
            "status": {
                "conditions": [
                    {"lastTransitionTime": TIME, "status": "True", "type": kind}
                    for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
                ],
                "containerStatuses": [
                    {
                        "containerID": f"containerd://{'0' * 64}",
                        "image": f"registry.example/team/app-{app}:1",
                        "name": "app",
                        "ready": True,
                        "restartCount": 0,
                        "state": {"running": {"startedAt": TIME}},
                    }
                ],
                "phase": "Running",
                "podIPs": [{"ip": f"10.{on // 256}.{on % 256}.{number // node_count + 2}"}],
                "startTime": TIME,
            },
        }  # fmt: skip


def identities(count: int) -> Iterator[dict[str, Any]]:
    """Identities, each of its own application."""
    for number in range(count):
        labels = {"k8s:app": f"app-{number}", "k8s:io.kubernetes.pod.namespace": f"team-{number % 200}"}
        yield {
            "metadata": {
                "name": str(256 + number),
                "uid": uid(4, number),
                "resourceVersion": str(number),
                "creationTimestamp": TIME,
                "labels": {"io.kubernetes.pod.namespace": f"team-{number % 200}"},
                "managedFields": MANAGED[:1],
            },
            "security-labels": {
                **labels,
                "k8s:io.cilium.k8s.policy.cluster": "default",
                "k8s:io.cilium.k8s.policy.serviceaccount": "default",
            },
        }


def endpoints(count: int, node_count: int) -> Iterator[dict[str, Any]]:
    """Ready endpoints."""
    for number in range(count):
        on, app = number % node_count, number // 20
        yield {
            "metadata": {
                "name": f"app-{app}-{number}",
                "namespace": f"team-{app % 200}",
                "uid": uid(5, number),
                "creationTimestamp": TIME,
                "managedFields": MANAGED[:1],
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": f"app-{app}-{number}", "uid": uid(2, number)}
                ],
            },
            "status": {
                "external-identifiers": {"container-id": "0" * 64, "pod-name": f"team-{app % 200}/app-{app}-{number}"},
                "id": number % 4096,
                "identity": {"id": 256 + app, "labels": [f"k8s:app=app-{app}", "k8s:io.cilium.k8s.policy.cluster=default"]},
                "networking": {
                    "addressing": [{"ipv4": f"10.{on // 256}.{on % 256}.{number // node_count + 2}"}],
                    "node": f"172.16.{on // 256}.{on % 256}",
                },
                "state": "ready",
            },
        }  # fmt: skip


def lists(scale: float) -> dict[str, tuple[str, str, Iterator[dict[str, Any]]]]:
    """{file stem: (apiVersion, kind of the items, items)}."""
    node_count = int(5000 * scale)
    return {
        "k8s-nodes": ("v1", "Node", nodes(node_count)),
        "k8s-pods": ("v1", "Pod", pods(int(100_000 * scale), node_count)),
        "ciliumidentities": ("cilium.io/v2", "CiliumIdentity", identities(int(65_000 * scale))),
        "ciliumendpoints": ("cilium.io/v2", "CiliumEndpoint", endpoints(int(100_000 * scale), node_count)),
    }


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def yaml_list(api_version: str, kind: str, items: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """A list as cilium-cli writes it, item by item."""
    yield f"apiVersion: {api_version}\nitems:\n".encode()
    for item in items:
        lines = yaml.dump(item, Dumper=_Dumper, width=10**9).splitlines()
        yield ("- " + "\n  ".join(lines) + "\n").encode()
    yield f'kind: {kind}List\nmetadata:\n  resourceVersion: "9"\n'.encode()


def write_sysdump(path: Path, scale: float) -> int:
    """A sysdump; returns how many bytes its lists have unpacked."""
    size = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for stem, (api_version, kind, items) in lists(scale).items():
            with archive.open(f"cilium-sysdump-{STAMP}/{stem}-{STAMP}.yaml", "w", force_zip64=True) as file:
                for piece in yaml_list(api_version, kind, items):
                    size += file.write(piece)
    return size


def write_kubectl(folder: Path, scale: float) -> int:
    """Files as ``kubectl get -o json`` writes them; returns their size."""
    folder.mkdir()
    size = 0
    for stem, (api_version, kind, items) in lists(scale).items():
        with (folder / f"{stem}.json").open("w") as file:
            file.write('{\n    "apiVersion": "v1",\n    "items": [\n')
            for number, item in enumerate(items):
                text = json.dumps({"apiVersion": api_version, "kind": kind, **item}, indent=4)
                file.write((",\n" if number else "") + text)
            file.write('\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n')
            file.seek(0, io.SEEK_END)
            size += file.tell()
    return size
