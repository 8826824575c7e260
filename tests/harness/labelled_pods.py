"""Namespaces and pods with labels of every kind that matters to Cilium's label filter, generated from a seed."""

from __future__ import annotations

import random
from typing import Any

#: Filters of every kind: none, excludes, includes, both, patterns, and what people get wrong.
FILTERS = (
    "",
    r"k8s:!job-name k8s:!batch\.kubernetes\.io/job-name k8s:!helm\.sh/chart$",
    r"k8s:app$ k8s:version k8s:team",
    r"k8s:!io\.cilium\.k8s\.namespace\.labels k8s:!.*name$ k8s:![[:alpha:]]+\.example\.com/(build|run)-id",
    "!k8s:version",
    r"k8s:!io\.kubernetes\.pod\.namespace k8s:!io\.cilium\.k8s\.policy\.serv k8s:!app(lication)?$",
    "any:app k8s:!version",
    r"k8s:app k8s:!app\.kubernetes\.io/(version|instance) k8s:io\.cilium\.k8s\.policy\.serviceaccount",
    r"k8s:!version,k8s:!team k8s:!\w{3}\.example\.com",
    r"k8s:![a-z]+-(selector|hash) topology\.kubernetes\.io k8s:annotation k8s:pod-template-generation$",
)
NAMESPACES = ("batch", "db", "shop", "shop-eu", "tools")
ACCOUNTS = ("default", "reader")
_VALUES = {
    "app": 12,
    "application": 3,
    "version": 4,
    "team": 3,
    "tier": 2,
    "job-name": 40,
    "batch.kubernetes.io/job-name": 40,
    "batch.kubernetes.io/controller-uid": 40,
    "batch.kubernetes.io/job-completion-index": 5,
    "controller-uid": 40,
    "pod-template-hash": 20,
    "pod-template-generation": 5,
    "controller-revision-hash": 10,
    "statefulset.kubernetes.io/pod-name": 20,
    "apps.kubernetes.io/pod-index": 6,
    "app.kubernetes.io/name": 6,
    "app.kubernetes.io/version": 4,
    "app.kubernetes.io/instance": 6,
    "helm.sh/chart": 6,
    "topology.kubernetes.io/zone": 3,
    "beta.kubernetes.io/arch": 2,
    "failure-domain.beta.kubernetes.io/zone": 3,
    "kubernetes.io/os": 2,
    "node.kubernetes.io/pool": 2,
    "k8s.io/group": 2,
    "io.kubernetes.pod.extra": 2,
    "io.kubernetes.pod.namespace": 2,
    "io.cilium.k8s.policy.cluster": 2,
    "io.cilium.k8s.namespace.labels.team": 2,
    "annotation.example.com": 2,
    "etcd_node": 2,
    "ci.example.com/build-id": 30,
    "ci.example.com/run-id": 30,
    "spark-app-selector": 10,
    "rollouts-pod-template-hash": 10,
    "k8s-app": 3,
    "name": 5,
}


def namespaces(seed: int) -> list[dict[str, Any]]:
    """Namespaces with labels of their own."""
    chance = random.Random(seed)
    wanted = ("team", "env", "k8s.io/group", "app.kubernetes.io/part-of", "topology.kubernetes.io/region", "job-name")
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {key: f"v{chance.randrange(3)}" for key in wanted if chance.random() < 0.5},
            },
        }
        for name in NAMESPACES
    ]


def pods(count: int, seed: int) -> list[dict[str, Any]]:
    """So many pods that no scheduler takes; some are on the host's network, some have no label at all."""
    chance = random.Random(seed + 1)
    made = []
    for number in range(count):
        keys = chance.sample(sorted(_VALUES), chance.choice((0, 1, 2, 3, 4, 6, 9)))
        labels = {key: f"{key.rpartition('/')[2][:3]}-{chance.randrange(_VALUES[key])}" for key in keys}
        ports = [{"name": "http", "containerPort": 80}] if chance.random() < 0.3 else []
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"p-{number}", "namespace": chance.choice(NAMESPACES), "labels": labels},
                "spec": {
                    "schedulerName": "nobody",
                    "serviceAccountName": chance.choice(ACCOUNTS),
                    "hostNetwork": chance.random() < 0.05,
                    "containers": [{"name": "main", "image": "simulated", "ports": ports}],
                },
            }
        )
    return made
