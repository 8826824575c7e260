# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What speaks against registering a Node anew beyond its own object: health checks of machines, hosts, IPAM.

A MachineHealthCheck that selects a machine replaces it as soon as its Node is deleted, without any time-out (cluster-api:
machinehealthcheck_targets.go, MachineHealthCheckNodeDeletedReason; the machine API of OpenShift does the same).
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import IpamEvidence
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_of_node import model_of_node
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import (
    MICROK8S,
    MICROK8S_CONTROL_PLANE,
    MICROK8S_WORKER,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.disruption_budgets import selector_matches

_PAUSED = "cluster.x-k8s.io/paused"
_MACHINE, _NAMESPACE, _CLUSTER = (
    "cluster.x-k8s.io/machine",
    "cluster.x-k8s.io/cluster-namespace",
    "cluster.x-k8s.io/cluster-name",
)
_OPENSHIFT_MACHINE = "machine.openshift.io/machine"
_CLUSTER_API = ("/apis/cluster.x-k8s.io/v1beta2", "/apis/cluster.x-k8s.io/v1beta1")
_OPENSHIFT = ("/apis/machine.openshift.io/v1beta1",)


def further_objections(client: KubeClient, context: Context, node: Object) -> list[Objection]:
    """Objections to register this Node anew, besides those of ``provider.deletion_refusals``. Raises ApiError."""
    return [
        *_no_host_access(node),
        *_server_of_microk8s(node),
        *_other_ipam(context, node),
        *_health_checks(client, node),
    ]


def _no_host_access(node: Object) -> list[Objection]:
    """Hosts on which no kubelet can be stopped and started over SSH by systemd."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    image = str(info.get("osImage") or "")
    labels: Mapping[str, str] = (node.get("metadata") or {}).get("labels") or {}
    name = name_of(node)
    if image.startswith("Talos"):
        reason = f"Node {name} runs Talos ({image}), which has no SSH: restart its kubelet with talosctl instead"
        return [Objection("no-host-access", reason)]
    if info.get("operatingSystem") == "windows" or labels.get("kubernetes.io/os") == "windows":
        reason = f"Node {name} runs Windows, whose kubelet and CNI state these steps do not know"
        return [Objection("no-host-access", reason)]
    return []


def _server_of_microk8s(node: Object) -> list[Objection]:
    """kubelite of MicroK8s is kubelet, API server and controllers in one process, but on a worker.

    Releases before 1.24 have no label for the role, so that a worker cannot be told.
    """
    labels: Mapping[str, str] = (node.get("metadata") or {}).get("labels") or {}
    if MICROK8S_WORKER in labels or not {MICROK8S, MICROK8S_CONTROL_PLANE} & set(labels):
        return []
    name = name_of(node)
    if MICROK8S_CONTROL_PLANE in labels:
        reason = f"Node {name} is a server of MicroK8s: its kubelet cannot be stopped without its API server (kubelite)"
        return [Objection("kubelet-is-api-server", reason)]
    reason = (
        f"Node {name} is one of MicroK8s without the label {MICROK8S_WORKER}: if it is a server, its kubelet cannot be "
        "stopped without its API server (kubelite)"
    )
    return [Objection("kubelet-is-api-server", reason, "kubelet-is-api-server")]


def _other_ipam(context: Context, node: Object) -> list[Objection]:
    """A Node whose own pods get their addresses in another way than those of the cluster."""
    cluster = context.ipam_model
    labels: Mapping[str, str] = (node.get("metadata") or {}).get("labels") or {}
    own = model_of_node(labels, None, cluster, IpamEvidence())
    if not cluster.node_spec_is_truth or own.node_spec_is_truth:
        return []  # of the whole cluster, the preflight of the cluster says it
    reason = f"Pods on Node {name_of(node)} do not get addresses out of Node.spec.podCIDRs ({own.name}: {own.evidence})"
    return [Objection("ipam-model", reason)]


def _health_checks(client: KubeClient, node: Object) -> list[Objection]:
    annotations: Mapping[str, str] = (node.get("metadata") or {}).get("annotations") or {}
    if annotations.get(_OPENSHIFT_MACHINE):
        namespace, _slash, machine = annotations[_OPENSHIFT_MACHINE].rpartition("/")
        return _of_machine(client, node, _OPENSHIFT, namespace or "openshift-machine-api", machine, "")
    if annotations.get(_MACHINE):
        namespace = annotations.get(_NAMESPACE, "default")
        return _of_machine(client, node, _CLUSTER_API, namespace, annotations[_MACHINE], annotations.get(_CLUSTER, ""))
    return []


def _of_machine(
    client: KubeClient, node: Object, roots: tuple[str, ...], namespace: str, machine: str, cluster: str
) -> list[Objection]:
    """The MachineHealthChecks that select the machine and are not paused; that they may not be read, where there are any.

    Where this API does not serve them, they may be in a management cluster: then the annotation of the Node is an objection
    by itself. The API server refuses what it does not serve in the same way as what it does, so that is asked first.
    """
    for root in roots:
        if not _served(client, root):
            continue
        try:
            selecting = _selecting(client, f"{root}/namespaces/{namespace}", machine, cluster)
        except ApiError as error:
            if error.status != 403:
                raise
            reason = (
                f"Node {name_of(node)}: whether a MachineHealthCheck would replace its machine {namespace}/{machine} as soon as "
                f"the Node is deleted cannot be read ({str(error).rstrip('.')})"
            )
            return [Objection("machine-health-check-unknown", reason, "machine-health-check-unknown")]
        if selecting is None:
            continue
        if not selecting:
            return []
        reason = (
            f"Node {name_of(node)}: MachineHealthCheck {namespace}/{', '.join(selecting)} selects its machine {machine} and "
            f"replaces it as soon as the Node is deleted; pause it with the annotation {_PAUSED} first"
        )
        return [Objection("machine-health-check", reason)]
    return []


def _selecting(client: KubeClient, folder: str, machine: str, cluster: str) -> list[str] | None:
    """Names of those that select the machine; None where the machine is not in this API. Raises ApiError."""
    found = client.find(f"{folder}/machines/{machine}")
    if found is None:
        return None
    if cluster and _is_paused(client.find(f"{folder}/clusters/{cluster}")):
        return []
    labels = (found.get("metadata") or {}).get("labels") or {}
    return sorted(
        name_of(check)
        for check in client.list(f"{folder}/machinehealthchecks")
        if not _is_paused(check) and _of_cluster(check, cluster) and _selects(check, labels)
    )


def _served(client: KubeClient, root: str) -> bool:
    """Whether this API serves machines and their health checks. Every authenticated user may ask that by default."""
    try:
        found = client.find(root)
    except ApiError as error:
        if error.status != 403:
            raise
        return True  # unknown, so what follows tells
    names = {str(one.get("name")) for one in (found or {}).get("resources") or ()}
    return {"machines", "machinehealthchecks"} <= names


def _selects(check: Mapping[str, t.Any], labels: Mapping[str, str]) -> bool:
    return selector_matches((check.get("spec") or {}).get("selector"), labels)


def _of_cluster(check: Mapping[str, t.Any], cluster: str) -> bool:
    return not cluster or (check.get("spec") or {}).get("clusterName") in (None, cluster)


def _is_paused(obj: Mapping[str, t.Any] | None) -> bool:
    if obj is None:
        return False
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    return _PAUSED in annotations or bool((obj.get("spec") or {}).get("paused"))
