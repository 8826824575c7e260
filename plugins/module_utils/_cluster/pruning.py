# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keeps of each object only what checks need: a saved state is small and holds no secrets."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_cilium import (
    prune_cilium_node,
    prune_endpoint,
    prune_endpoint_slice,
    prune_identity,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import (
    KeyTable,
    Object,
    compact,
    metadata_of,
    metadata_with_owners,
    pick,
    shared,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import prune_pod
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_policies import (
    prune_cilium_policy,
    prune_network_policy,
)

_MESSAGE_LENGTH = 500


class _Condition(KeyTable, keys=("type", "status", "reason", "lastTransitionTime")):
    pass


def _node(obj: Mapping[str, t.Any]) -> Object:
    source = obj.get("status") or {}
    status = pick(source, "addresses", "nodeInfo")
    if "conditions" in source:
        keys = ("type", "status", "reason", "lastTransitionTime")
        status["conditions"] = [
            compact(_Condition, {key: shared(one[key]) for key in keys if key in one})
            for one in source["conditions"] or ()
        ]
    for key in ("capacity", "allocatable"):
        amounts = source.get(key) or {}
        status[key] = {name: value for name, value in amounts.items() if name == "pods" or "vpc.amazonaws.com" in name}
    metadata = metadata_of(obj, "resourceVersion", "annotations", "finalizers")
    labels = (obj.get("metadata") or {}).get("labels")
    if labels is not None:
        # every Node has other labels, but keys and most values are those of many
        metadata["labels"] = {shared(key): shared(value) for key, value in labels.items()}
    return {
        "metadata": metadata,
        "spec": pick(obj.get("spec"), "podCIDR", "podCIDRs", "unschedulable", "taints", "providerID"),
        "status": status,
    }


def _namespace(obj: Mapping[str, t.Any]) -> Object:
    return {"metadata": metadata_of(obj, "labels")}


def _images(spec: Mapping[str, t.Any]) -> list[str]:
    if "images" in spec:  # pruned before
        return list(spec["images"])
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return [str(one["image"]) for one in containers if one.get("image")]


def _daemon_set(obj: Mapping[str, t.Any]) -> Object:
    numbers = ("desiredNumberScheduled", "numberReady", "updatedNumberScheduled", "observedGeneration")
    return {
        "metadata": metadata_of(obj, "labels", "generation"),
        "spec": {"images": _images(obj.get("spec") or {})},
        "status": pick(obj.get("status"), *numbers),
    }


def _deployment(obj: Mapping[str, t.Any]) -> Object:
    numbers = ("replicas", "readyReplicas", "updatedReplicas", "observedGeneration")
    spec = obj.get("spec") or {}
    return {
        "metadata": metadata_of(obj, "labels", "generation"),
        "spec": {**pick(spec, "replicas"), "images": _images(spec)},
        "status": pick(obj.get("status"), *numbers),
    }


def _config_map(obj: Mapping[str, t.Any]) -> Object:
    metadata = metadata_of(obj, "resourceVersion", "labels")
    source = obj.get("metadata") or {}
    managers = [pick(one, "manager", "operation", "time") for one in source.get("managedFields") or ()]
    if managers:
        metadata["managedFields"] = managers
    annotations = {
        key: value
        for key, value in (source.get("annotations") or {}).items()
        if key != "kubectl.kubernetes.io/last-applied-configuration"
    }
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "data": dict(obj.get("data") or {})}


def _lease(obj: Mapping[str, t.Any]) -> Object:
    keys = ("holderIdentity", "leaseTransitions", "acquireTime", "renewTime", "leaseDurationSeconds")
    return {"metadata": metadata_with_owners(obj), "spec": pick(obj.get("spec"), *keys)}


def _with_owners_only(obj: Mapping[str, t.Any]) -> Object:
    return {"metadata": metadata_with_owners(obj)}


def _api_service(obj: Mapping[str, t.Any]) -> Object:
    status = obj.get("status") or {}
    return {
        "metadata": metadata_of(obj),
        "spec": pick(obj.get("spec"), "service", "group", "version"),
        "status": pick(status, "conditions"),
    }


def _event(obj: Mapping[str, t.Any]) -> Object:
    """``eventTime`` and ``series`` of newer writers become first and last timestamp and count."""
    kept: Object = {
        "metadata": metadata_of(obj),
        **pick(obj, "reason", "type"),
        "message": str(obj.get("message") or "")[:_MESSAGE_LENGTH],
    }
    series = obj.get("series") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or series.get("lastObservedTime") or obj.get("eventTime")
    if first:
        kept["firstTimestamp"] = first
    if last:
        kept["lastTimestamp"] = last
    kept["count"] = obj.get("count") or series.get("count") or 1
    kept["involvedObject"] = pick(obj.get("involvedObject"), "kind", "namespace", "name", "uid")
    source = pick(obj.get("source"), "component", "host")
    if not source and obj.get("reportingComponent"):
        source = {"component": obj["reportingComponent"], "host": obj.get("reportingInstance") or ""}
    kept["source"] = source
    return kept


def _cluster_role(obj: Mapping[str, t.Any]) -> Object:
    rules = [pick(one, "apiGroups", "resources", "resourceNames", "verbs") for one in obj.get("rules") or ()]
    return {"metadata": metadata_of(obj), "rules": rules}


def _with_spec(obj: Mapping[str, t.Any]) -> Object:
    return {"metadata": metadata_of(obj, "finalizers"), **pick(obj, "spec")}


def _with_status(obj: Mapping[str, t.Any]) -> Object:
    return {"metadata": metadata_with_owners(obj), **pick(obj, "spec", "status")}


PRUNERS: Mapping[str, Callable[[Mapping[str, t.Any]], Object]] = {
    "nodes": _node,
    "pods": prune_pod,
    "namespaces": _namespace,
    "daemonsets": _daemon_set,
    "deployments": _deployment,
    "configmaps": _config_map,
    "leases": _lease,
    "nodeleases": _lease,
    "csinodes": _with_owners_only,
    "apiservices": _api_service,
    "events": _event,
    "clusterroles": _cluster_role,
    "ciliumidentities": prune_identity,
    "ciliumendpoints": prune_endpoint,
    "ciliumendpointslices": prune_endpoint_slice,
    "ciliumnodes": prune_cilium_node,
    "ciliumnodeconfigs": _with_spec,
    "ciliumpodippools": _with_spec,
    "clustercidrs": _with_spec,
    "clustercidrs-in-tree": _with_spec,
    "ippools": _with_spec,
    "blockaffinities": _with_spec,
    "cninodes": _with_status,
    "nodenetworkconfigs": _with_status,
    "networkpolicies": prune_network_policy,
    "ciliumnetworkpolicies": prune_cilium_policy,
    "ciliumclusterwidenetworkpolicies": prune_cilium_policy,
}


def prune(resource: str, obj: Mapping[str, t.Any]) -> Object:
    """The part of ``obj`` that is kept in a ClusterState; an object that was pruned before stays as it is."""
    return PRUNERS[resource](obj)
