"""What is kept of objects as the API server writes them: enough, the same when pruned again, and little of it."""

from __future__ import annotations

import copy
import json
import sys
from typing import Any

import pytest
from bench import big_cluster

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import PRUNERS, prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.shape import SHAPES, fault

SIZE = big_cluster.Size()
META = {"name": "x", "uid": "u", "creationTimestamp": "2026-10-01T08:00:00Z", "managedFields": [{"manager": "m"}]}
OWNED = {**META, "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "x", "uid": "n"}]}
CONTAINER = {
    "name": "agent",
    "image": "quay.io/cilium/cilium:v1.18.4",
    "command": ["cilium-agent"],
    "env": [{"name": "PASSWORD", "value": "secret-of-a-pod"}],
    "ports": [{"name": "metrics", "containerPort": 9962}, {"containerPort": 80}],
}
AGENT = {
    "metadata": {**META, "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
    "spec": {"nodeName": "a", "hostNetwork": True, "containers": [CONTAINER]},
    "status": {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "containerStatuses": [{"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
    },
}
TEMPLATE = {"template": {"spec": {"containers": [CONTAINER]}}}
SERVICE = {"service": {"name": "metrics-server", "namespace": "kube-system"}, "caBundle": "AAAA"}
RAW: dict[str, list[Any]] = {
    "nodes": [big_cluster.node(7)],
    "pods": [big_cluster.pod(7, SIZE), big_cluster.pod(99_999, SIZE), AGENT],
    "namespaces": [{"metadata": {**META, "labels": {"a": "b"}}, "status": {"phase": "Active"}}],
    "daemonsets": [{"metadata": META, "spec": TEMPLATE, "status": {"numberReady": 2, "numberMisscheduled": 0}}],
    "deployments": [{"metadata": META, "spec": {"replicas": 2, **TEMPLATE}, "status": {"readyReplicas": 1}}],
    "configmaps": [{"metadata": {**META, "annotations": {"a": "b"}}, "data": {"key": "value"}}],
    "leases": [{"metadata": META, "spec": {"holderIdentity": "cp1_1", "leaseTransitions": 3, "renewTime": "t"}}],
    "nodeleases": [{"metadata": OWNED, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 40}}],
    "csinodes": [{"metadata": OWNED, "spec": {"drivers": []}}],
    "apiservices": [{"metadata": META, "spec": SERVICE, "status": {"conditions": [{"type": "Available"}]}}],
    "events": [
        {
            "metadata": META,
            "reason": "FailedCreatePodSandBox",
            "message": "m" * 2000,
            "eventTime": "2026-10-01T08:00:00.000001Z",
            "series": {"count": 5, "lastObservedTime": "2026-10-01T09:00:00.000001Z"},
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "d", "uid": "u", "fieldPath": "f"},
            "reportingComponent": "kubelet",
            "reportingInstance": "a",
        }
    ],
    "clusterroles": [{"metadata": META, "rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]}],
    "ciliumidentities": [big_cluster.identity(7, SIZE)],
    "ciliumendpoints": [big_cluster.endpoint(7, SIZE)],
    "ciliumendpointslices": [
        {"metadata": META, "namespace": "d", "endpoints": [{"name": "p", "id": 256, "networking": {"node": "1.1.1.1"}}]}
    ],
    "ciliumnodes": [{**big_cluster.cilium_node(7), "spec": {"eni": {"vpc-id": "v", "tags": {"a": "b"}}, "ipam": {}}}],
    "ciliumnodeconfigs": [{"metadata": META, "spec": {"defaults": {"a": "b"}, "nodeSelector": {"matchLabels": {}}}}],
    "ciliumpodippools": [{"metadata": META, "spec": {"ipv4": {"cidrs": ["10.0.0.0/8"], "maskSize": 24}}}],
    "clustercidrs": [{"metadata": META, "spec": {"perNodeHostBits": 8, "ipv4": "10.0.0.0/16"}}],
    "clustercidrs-in-tree": [{"metadata": META, "spec": {"perNodeHostBits": 8, "ipv4": "10.0.0.0/16"}}],
    "ippools": [{"metadata": META, "spec": {"cidr": "10.0.0.0/16", "blockSize": 26}}],
    "blockaffinities": [{"metadata": META, "spec": {"node": "a", "cidr": "10.0.0.0/26", "state": "confirmed"}}],
    "cninodes": [{"metadata": OWNED, "spec": {"features": []}, "status": {}}],
    "nodenetworkconfigs": [{"metadata": OWNED, "spec": {}, "status": {"assignedIPCount": 16}}],
}
RULE = {
    "endpointSelector": {"matchLabels": {"app": "cart"}},
    "enableDefaultDeny": {"ingress": False},
    "ingress": [
        {"fromEndpoints": [{"matchExpressions": [{"key": "k8s:team", "operator": "In", "values": ["a"]}]}]},
        {"fromCIDR": ["10.0.0.0/8"], "toPorts": [{"ports": [{"port": "80"}], "rules": {"http": [{"path": "/x"}]}}]},
    ],
    "egressDeny": [{"toRequires": [{}], "toServices": [{"k8sService": {"serviceName": "s"}}], "toFQDNs": [{}]}],
}
RAW |= {
    "networkpolicies": [
        {
            "metadata": {**META, "annotations": {"a": "b"}},
            "spec": {
                "podSelector": None,
                "policyTypes": ["Ingress"],
                "ingress": [
                    {
                        "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"namespaceSelector": {}, "podSelector": None}],
                        "ports": [{"port": 80}],
                    },
                    {},
                ],
                "egress": None,
            },
        }
    ],
    "ciliumnetworkpolicies": [{"metadata": META, "spec": RULE, "specs": [RULE, {"nodeSelector": {}}], "status": {}}],
    "ciliumclusterwidenetworkpolicies": [{"metadata": META, "specs": [RULE]}, {"metadata": META, "spec": None}],
}
EVERY = [(resource, obj) for resource, objects in RAW.items() for obj in objects]


def test_every_resource_is_pruned_and_has_a_shape() -> None:
    """No kind of object is read without all three."""
    assert set(RAW) == set(PRUNERS) == set(RESOURCES) and set(RESOURCES) <= set(SHAPES)


@pytest.mark.parametrize(("resource", "obj"), EVERY)
def test_pruned_is_pruned(resource: str, obj: Any) -> None:
    """Pruning again changes nothing, the API's object is left alone, and the result has the shape that files must have."""
    before = copy.deepcopy(obj)
    once = prune(resource, obj)
    assert obj == before
    assert prune(resource, once) == once
    assert prune(resource, json.loads(json.dumps(once))) == once
    assert fault(once, SHAPES[resource], resource) == ""
    text = json.dumps(once)
    assert "secret-of-a-pod" not in text and "managedFields" not in text.replace(
        '"managedFields": [{"manager": "m"}]', ""
    )


def test_a_pod_keeps_what_identities_and_addresses_need() -> None:
    """And no more: command lines only of Cilium and of the controller-manager."""
    kept = prune("pods", AGENT)
    assert kept["spec"]["namedPorts"] == [["metrics", "TCP", 9962]]
    assert kept["spec"]["containers"][0]["image"] == CONTAINER["image"]
    assert kept["status"] == {
        "phase": "Running",
        "podIPs": [{"ip": "10.0.0.1"}],
        "waiting": "CrashLoopBackOff",
        "restarts": 3,
    }
    other = prune("pods", big_cluster.pod(7, SIZE))
    assert "containers" not in other["spec"] and other["spec"]["serviceAccountName"] == "service-7"


def test_times_and_count_of_an_event_of_either_api() -> None:
    """events.k8s.io writes eventTime and series, the older API the three others."""
    (new,) = RAW["events"]
    kept = prune("events", new)
    assert (kept["firstTimestamp"], kept["lastTimestamp"]) == (new["eventTime"], "2026-10-01T09:00:00.000001Z")
    assert kept["count"] == 5 and len(kept["message"]) == 500
    assert kept["source"] == {"component": "kubelet", "host": "a"}
    old = prune(
        "events", {"metadata": META, "firstTimestamp": "1", "lastTimestamp": "2", "count": 4, "eventTime": None}
    )
    assert (old["firstTimestamp"], old["lastTimestamp"], old["count"]) == ("1", "2", 4)


def test_pods_of_a_workload_share_what_is_equal() -> None:
    """Labels and owner are one object in memory, and mappings of a kind share their keys."""
    first, second = (prune("pods", json.loads(json.dumps(big_cluster.pod(number, SIZE)))) for number in (3, 1003))
    assert first["metadata"]["labels"] is second["metadata"]["labels"]
    assert first["metadata"]["ownerReferences"] is second["metadata"]["ownerReferences"]
    assert sys.getsizeof(first["metadata"]) < sys.getsizeof(dict(first["metadata"].items()))


def test_a_policy_keeps_its_selectors_at_their_places() -> None:
    """And neither ports nor addresses."""
    (policy,) = RAW["networkpolicies"]
    assert prune("networkpolicies", policy)["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{}, {"namespaceSelector": {}}]}, {}],
        "egress": [],
    }
    rule = prune("ciliumclusterwidenetworkpolicies", RAW["ciliumclusterwidenetworkpolicies"][0])["specs"][0]
    assert rule == {
        "endpointSelector": RULE["endpointSelector"],
        "ingress": [
            {"fromEndpoints": [{"matchExpressions": [{"key": "k8s:team", "operator": "In", "values": ["a"]}]}]},
            {},
        ],
        "egressDeny": [{"toRequires": [{}], "toServices": [{}]}],
    }
