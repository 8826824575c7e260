# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What objects of a saved state look like: checked once when a file is read, so that no check meets a surprise.

An API server validates its objects; a file may have been cut, edited or made by something else.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# A shape is a type; a list with the shape of its items; or a dict of shapes by key. A key that ends in "*" must be
# there, the key "" stands for any. null under a named key is taken for absent; keys that are not named are not looked at.
Shape: t.TypeAlias = "type | list[t.Any] | dict[str, t.Any]"

_TEXTS: Shape = {"": str}
_OWNER: Shape = {"kind": str, "name": str, "uid": str, "controller": bool}
_METADATA: Shape = {
    "name*": str,
    "namespace": str,
    "uid": str,
    "resourceVersion": str,
    "creationTimestamp": str,
    "deletionTimestamp": str,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "finalizers": [str],
    "ownerReferences": [_OWNER],
    "generation": int,
    "managedFields": [{"manager": str, "operation": str, "time": str}],
}
_CONDITIONS: Shape = [{"type": str, "status": str, "reason": str, "message": str}]
_CONTAINER: Shape = {"name": str, "command": [str], "args": [str], "image": str}
_LEASE: Shape = {
    "metadata*": _METADATA,
    "spec": {
        "holderIdentity": str,
        "leaseTransitions": int,
        "leaseDurationSeconds": int,
        "acquireTime": str,
        "renewTime": str,
    },
}
_ADDRESSING: Shape = [{"ipv4": str, "ipv6": str}]
_NETWORKING: Shape = {"node": str, "addressing": _ADDRESSING}
_ANY_SPEC: Shape = {"metadata*": _METADATA, "spec": {}}
_SELECTOR: Shape = {
    "matchLabels": _TEXTS,
    "matchExpressions": [{"key*": str, "operator*": str, "values": [str]}],
}
_PEERS: Shape = {"podSelector": _SELECTOR, "namespaceSelector": _SELECTOR}
_FROM: Shape = [{"fromEndpoints": [_SELECTOR], "fromRequires": [_SELECTOR]}]
_TO: Shape = [{"toEndpoints": [_SELECTOR], "toRequires": [_SELECTOR], "toServices": [{}]}]
_RULE: Shape = {
    "endpointSelector": _SELECTOR,
    "nodeSelector": _SELECTOR,
    "ingress": _FROM,
    "ingressDeny": _FROM,
    "egress": _TO,
    "egressDeny": _TO,
}
_CILIUM_POLICY: Shape = {"metadata*": _METADATA, "spec": _RULE, "specs": [_RULE]}
SHAPES: Mapping[str, Shape] = {
    "nodes": {
        "metadata*": _METADATA,
        "spec": {
            "podCIDR": str,
            "podCIDRs": [str],
            "unschedulable": bool,
            "providerID": str,
            "taints": [{"key": str, "value": str, "effect": str}],
        },
        "status": {
            "addresses": [{"type": str, "address*": str}],
            "conditions": _CONDITIONS,
            "nodeInfo": _TEXTS,
            "capacity": _TEXTS,
            "allocatable": _TEXTS,
        },
    },
    "pods": {
        "metadata*": _METADATA,
        "spec": {
            "nodeName": str,
            "hostNetwork": bool,
            "serviceAccountName": str,
            "containers": [_CONTAINER],
            "namedPorts": [list],
        },
        "status": {
            "phase": str,
            "reason": str,
            "startTime": str,
            "waiting": str,
            "restarts": int,
            "podIPs": [{"ip*": str}],
        },
    },
    "namespaces": {"metadata*": _METADATA},
    "daemonsets": {"metadata*": _METADATA, "spec": {"images": [str]}, "status": {"": int}},
    "deployments": {"metadata*": _METADATA, "spec": {"replicas": int, "images": [str]}, "status": {"": int}},
    "configmaps": {"metadata*": _METADATA, "data": _TEXTS},
    "leases": _LEASE,
    "nodeleases": _LEASE,
    "csinodes": {"metadata*": _METADATA},
    "apiservices": {
        "metadata*": _METADATA,
        "spec": {"service": {"name": str, "namespace": str}},
        "status": {"conditions": _CONDITIONS},
    },
    "events": {
        "metadata*": _METADATA,
        "reason": str,
        "type": str,
        "message": str,
        "firstTimestamp": str,
        "lastTimestamp": str,
        "count": int,
        "involvedObject": _TEXTS,
        "source": _TEXTS,
    },
    "clusterroles": {
        "metadata*": _METADATA,
        "rules": [{"apiGroups": [str], "resources": [str], "resourceNames": [str], "verbs": [str]}],
    },
    "ciliumidentities": {"metadata*": _METADATA, "security-labels": _TEXTS},
    "ciliumendpoints": {
        "metadata*": _METADATA,
        "status": {"id": int, "identity": {"id": int}, "state": str, "networking": _NETWORKING},
    },
    "ciliumendpointslices": {
        "metadata*": _METADATA,
        "namespace": str,
        "endpoints": [{"name": str, "id": int, "pod-uid": str, "networking": _NETWORKING}],
    },
    "ciliumnodes": {
        "metadata*": _METADATA,
        "spec": {
            "addresses": [{"type": str, "ip": str}],
            "health": {"ipv4": str, "ipv6": str},
            "ipam": {
                "podCIDRs": [str],
                "pool": {"": {}},
                "pools": {
                    "requested": [{"pool": str, "needed": {}}],
                    "allocated": [{"pool": str, "cidrs": [str]}],
                },
            },
            "instance-id": str,
            "eni": {},
            "azure": {},
            "alibaba-cloud": {},
        },
        "status": {"ipam": {"used": {"": {}}, "operator-status": {"error": str}}},
    },
    "ciliumnodeconfigs": {"metadata*": _METADATA, "spec": {"nodeSelector": {}, "defaults": _TEXTS}},
    "ciliumpodippools": {
        "metadata*": _METADATA,
        "spec": {"ipv4": {"cidrs": [str], "maskSize": int}, "ipv6": {"cidrs": [str], "maskSize": int}},
    },
    "clustercidrs": {
        "metadata*": _METADATA,
        "spec": {"perNodeHostBits": int, "ipv4": str, "ipv6": str, "nodeSelector": {}},
    },
    "clustercidrs-in-tree": {
        "metadata*": _METADATA,
        "spec": {"perNodeHostBits": int, "ipv4": str, "ipv6": str, "nodeSelector": {}},
    },
    "ippools": {"metadata*": _METADATA, "spec": {"cidr": str, "blockSize": int, "disabled": bool}},
    "blockaffinities": {"metadata*": _METADATA, "spec": {"node": str, "cidr": str, "state": str}},
    "cninodes": _ANY_SPEC,
    "nodenetworkconfigs": {"metadata*": _METADATA, "spec": {}, "status": {}},
    "networkpolicies": {
        "metadata*": _METADATA,
        "spec": {
            "podSelector": _SELECTOR,
            "policyTypes": [str],
            "ingress": [{"from": [_PEERS]}],
            "egress": [{"to": [_PEERS]}],
        },
    },
    "ciliumnetworkpolicies": _CILIUM_POLICY,
    "ciliumclusterwidenetworkpolicies": _CILIUM_POLICY,
    "agents": {
        "node": str,
        "pod": str,
        "version": str,
        "error": str,
        "status": {},
        "endpoints": [{}],
        "labels": {"": [str]},
        "config": {},
    },
    "logs": {
        "namespace": str,
        "pod": str,
        "container": str,
        "node": str,
        "time": str,
        "text": str,
    },
    "metrics": {"component": str, "pod": str, "node": str, "samples": {"": float}},
    "hosts": {
        "node": str,
        "error": str,
        "bridge_addresses": [str],
        "flannel_subnets": [str],
        "conflists": [{"file": str, "plugins": list, "subnets": [str], "bridge": str}],
    },
    "kvstore": {"kind": str, "count": int, "time": str},
}
_WORDS: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
}


def fault(value: t.Any, shape: Shape, where: str) -> str:
    """The first place where ``value`` has not this shape, in words; empty when it has."""
    if isinstance(shape, dict):
        return _fault_of_mapping(value, shape, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is not a list"
        found = (fault(item, shape[0], f"{where}[{index}]") for index, item in enumerate(value))
        return next((text for text in found if text), "")
    # in Python, True is an int; in JSON, 1 is as good a number as 1.0
    accepted = (int, float) if shape is float else shape
    if not isinstance(value, accepted) or (shape in (int, float) and isinstance(value, bool)):
        return f"{where} is not {_WORDS[shape]}"
    return ""


def _fault_of_mapping(value: t.Any, shape: dict[str, t.Any], where: str) -> str:
    if not isinstance(value, dict):
        return f"{where} is not an object"
    if "" in shape:
        found = (fault(item, shape[""], f"{where}.{key}") for key, item in value.items())
        return next((text for text in found if text), "")
    for key, inner in shape.items():
        name = key.rstrip("*")
        item = value.get(name)
        if item is None:
            if key.endswith("*"):
                return f"{where}.{name} is missing"
            continue
        text = fault(item, inner, f"{where}.{name}")
        if text:
            return text
    return ""
