"""Lets the API server serve every kind of object that an audit reads: those of CNIs that do not run here are empty."""

from __future__ import annotations

from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from testbed import Testbed

from .waiting import wait_until

#: A server that does not know ClusterCIDRs of its own group answers 404 for them whatever definition there is; discovery
#: names the version all the same, so that the permission matters.
NOT_SERVED = {"clustercidrs-in-tree"}
_BUILT_IN = (
    *("", "apps", "coordination.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io"),
    "apiregistration.k8s.io",
)
# of a group that has other kinds besides
_SERVED_ALREADY = {"networkpolicies.networking.k8s.io"}


def serve(testbed: Testbed) -> None:
    """Make a definition for each kind that is not served yet, and wait until all are."""
    collection = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    served = _SERVED_ALREADY | {one["metadata"]["name"] for one in testbed.client.list(collection)}
    for kind in RESOURCES.values():
        name = f"{kind.plural or kind.name}.{kind.group}"
        if kind.group in _BUILT_IN or name in served:
            continue
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        names = {"plural": kind.plural or kind.name, "singular": kind.kind.lower(), "kind": kind.kind}
        version = {"name": kind.versions[0], "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        testbed.client.create(
            collection,
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": name, "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
                "spec": {
                    "group": kind.group,
                    "names": {**names, "listKind": f"{kind.kind}List"},
                    "scope": "Namespaced" if kind.namespaced else "Cluster",
                    "versions": [version],
                },
            },
        )
    admin = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    wait_until("every kind is served", lambda: live.collect(admin, live.LiveOptions()).absent == NOT_SERVED)


def daemon_set(name: str) -> dict[str, Any]:
    """Objects of a CNI matter to an audit only where it runs; its DaemonSet is enough."""
    labels = {"app": name}
    container = {"name": "x", "image": "example.invalid/x"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"nodeSelector": {"no": "node"}, "containers": [container]},
            },
        },
    }
