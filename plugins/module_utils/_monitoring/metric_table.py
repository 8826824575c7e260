# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Every metric that alerts and panels use: who serves it, since which release, with which labels, and how that is known.

Sources, read in the releases named (Cilium 1.14.19, 1.15.19, 1.16.19, 1.17.15, 1.18.4, 1.19.4 and 1.20.0; Kubernetes 1.27.16,
1.28.15, 1.30.14, 1.31.0 to 1.34.0 and 1.36.1):
operator/identitygc/metrics.go, operator/endpointgc/metrics.go, operator/metrics/metrics.go, operator/pkg/ciliumidentity/metrics.go,
pkg/metrics/{metrics,status,registry}.go, pkg/ipam/metrics, operator/pkg/ipam/metrics and pkg/driftchecker/metrics.go of cilium/cilium;
pkg/controller/nodeipam/ipam/cidrset/metrics.go, pkg/kubelet/metrics/metrics.go, apiserver pkg/storage/etcd3/metrics/metrics.go,
component-base/metrics/prometheus of kubernetes/kubernetes.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    API_SERVER,
    AUDIT,
    CILIUM_AGENT,
    CILIUM_OPERATOR,
    CONTROLLER_MANAGER,
    KUBELET,
    MonitoredCluster,
)

#: ``scraped``: the tests scrape it from the real program. ``event``: so too, but it appears with the first such event only.
#: ``source``: read in the source code only, because the tests have no such program or no such cloud.
SCRAPED: t.Final = "scraped"
EVENT: t.Final = "event"
SOURCE: t.Final = "source"


@dataclass(frozen=True)
class Metric:
    """One metric. ``until`` is the last release that has it; ``labels`` are those that expressions may name."""

    name: str
    component: str
    labels: tuple[str, ...] = ()
    since: Release = (0, 0)
    until: Release | None = None
    known_by: str = SCRAPED
    text: str = ""

    def exists_in(self, cluster: MonitoredCluster) -> bool:
        """Whether the release that runs has it."""
        release = cluster.release_of(self.component)
        return self.component == AUDIT or (self.since <= release and (self.until is None or release <= self.until))


def _operator(name: str, *labels: str, since: Release = (1, 14), known_by: str = SCRAPED, text: str = "") -> Metric:
    return Metric(f"cilium_operator_{name}", CILIUM_OPERATOR, labels, since, None, known_by, text)


def _agent(name: str, *labels: str, since: Release = (1, 14), text: str = "") -> Metric:
    return Metric(f"cilium_{name}", CILIUM_AGENT, labels, since, None, SOURCE, text)


def _audit(name: str, *labels: str, text: str = "") -> Metric:
    return Metric(f"podnet_upkeep_{name}", AUDIT, labels, text=text)


_ALL: t.Final = (
    # -- cilium-operator -------------------------------------------------------------------------------------------------
    _operator(
        "identity_gc_entries", "status", text="identities at the end of a collection; label identity_type since 1.17"
    ),
    _operator("identity_gc_runs", "outcome", text="collections of identities that have run"),
    _operator("identity_gc_latency", "outcome", since=(1, 17), text="seconds that the last collection took"),
    _operator("endpoint_gc_objects", "outcome", known_by=EVENT, text="CiliumEndpoints that a collection has looked at"),
    _operator(
        *("cid_controller_work_queue_event_count", "resource", "outcome"),
        since=(1, 17),
        known_by=EVENT,
        text="identities and pods that the operator has worked on",
    ),
    _operator("ipam_nodes", "category", known_by=SOURCE, text="Nodes by category: total, in-deficit, at-capacity"),
    _operator("ipam_available_ips", "target_node", known_by=SOURCE, text="addresses that a Node still has"),
    _operator("ipam_used_ips", "target_node", known_by=SOURCE, text="addresses in use on a Node"),
    # -- agents of Cilium ------------------------------------------------------------------------------------------------
    _agent("identity", "type", text="identities that this agent knows; their sum over agents means nothing"),
    _agent("endpoint_state", "endpoint_state", text="endpoints of this agent by state"),
    _agent("ip_addresses", "family", text="addresses that this agent has given out"),
    _agent(
        "ipam_capacity",
        "family",
        since=(1, 15),
        text="addresses that this agent has; one series for each CIDR since 1.20",
    ),
    _agent("controllers_failing", text="controllers of this agent that fail"),
    _agent("bpf_map_pressure", "map_name", text="how full a BPF map is; without a series where it is nearly empty"),
    _agent("kvstore_quorum_errors_total", "error", text="checks of the kvstore's quorum that have failed"),
    _agent("drift_checker_config_delta", since=(1, 17), text="settings of this agent that differ from cilium-config"),
    # -- Kubernetes ------------------------------------------------------------------------------------------------------
    Metric(
        "node_ipam_controller_cidrset_usage_cidrs",
        CONTROLLER_MANAGER,
        ("clusterCIDR",),
        text="part of the blocks in use, 0 to 1",
    ),
    Metric(
        "node_ipam_controller_cirdset_max_cidrs",
        CONTROLLER_MANAGER,
        ("clusterCIDR",),
        text="blocks there are (the name is misspelt)",
    ),
    Metric(
        *("node_ipam_controller_cidrset_cidrs_allocations_total", CONTROLLER_MANAGER, ("clusterCIDR",)),
        text="blocks that were given out",
    ),
    Metric(
        *("node_ipam_controller_cidrset_cidrs_releases_total", CONTROLLER_MANAGER, ("clusterCIDR",)),
        known_by=EVENT,
        text="blocks that came back",
    ),
    Metric(
        "workqueue_retries_total",
        CONTROLLER_MANAGER,
        ("name",),
        (1, 31),
        text="queue cidrallocator_node: Nodes that were tried again",
    ),
    Metric("leader_election_master_status", CONTROLLER_MANAGER, ("name",), text="1 where this one leads"),
    Metric("process_start_time_seconds", CONTROLLER_MANAGER, ("job",), text="when the process started"),
    Metric("apiserver_storage_objects", API_SERVER, ("resource",), (0, 0), (1, 33), text="objects of a kind"),
    Metric("apiserver_resource_objects", API_SERVER, ("group", "resource"), (1, 34), text="objects of a kind"),
    Metric("kubelet_run_podsandbox_duration_seconds_bucket", KUBELET, ("le",), text="how long sandboxes of pods take"),
    Metric(
        "kubelet_run_podsandbox_errors_total",
        KUBELET,
        (),
        known_by=EVENT,
        text="sandboxes of pods that could not be made",
    ),
    Metric("kubelet_started_pods_total", KUBELET, (), text="pods that were started"),
    # -- our own audit ---------------------------------------------------------------------------------------------------
    _audit("audit_timestamp_seconds", text="when the state was read"),
    _audit("findings", "id", "severity", text="findings by id"),
    _audit("unknown_resource", "resource", text="1 for what could not be read"),
    _audit("nodes", text="Nodes"),
    _audit("drifted_nodes", text="Nodes with a finding about their podCIDR that a new registration mends"),
    _audit("pool_capacity_blocks", "family", "cluster_cidr", text="blocks of the cluster CIDR"),
    _audit("pool_used_blocks", "family", "cluster_cidr", text="blocks in use"),
    _audit("pool_free_blocks", "family", "cluster_cidr", text="blocks that are free"),
    _audit("pool_waiting_nodes", "family", "cluster_cidr", text="Nodes that wait for a block"),
    _audit("cilium_pool_capacity_blocks", "pool", "family", "cidr", text="blocks of a pool of Cilium"),
    _audit("cilium_pool_free_blocks", "pool", "family", "cidr", text="free blocks of a pool of Cilium"),
    _audit("identities_capacity", text="numbers that the cluster can give"),
    _audit("identities_used", text="identities in the range"),
    _audit("identities_free", text="numbers that are free"),
    _audit("identities", "class", text="identities by class"),
    _audit("identities_of_namespace", "namespace", text="identities of the namespaces with most"),
    _audit("identity_label_values", "key", text="distinct values of the label keys with most"),
    _audit("identity_label_identities", "key", text="identities there are because of one label key"),
    _audit("identity_gc_verdict", "verdict", text="1 for the verdict on the collection"),
    _audit("identities_created_per_hour", text="new identities an hour"),
    _audit("identities_exhausted_timestamp_seconds", text="when no identity will be left"),
    _audit("endpoints", "state", text="endpoints by state"),
    _audit("endpoints_without_pod", text="endpoints whose pod is gone"),
    _audit("pods_without_endpoint", text="pods without endpoint"),
    _audit("node_addresses_free", "node", text="pod addresses left on the Nodes with fewest"),
)
METRICS: t.Final[Mapping[str, Metric]] = {one.name: one for one in _ALL}

#: {word in expressions: (group, resource) whose objects the API server counts}
_OBJECTS: t.Final = {
    "nodes": ("", "nodes"),
    "pods": ("", "pods"),
    "csinodes": ("storage.k8s.io", "csinodes"),
    "ciliumnodes": ("cilium.io", "ciliumnodes"),
    "ciliumidentities": ("cilium.io", "ciliumidentities"),
    "ciliumendpoints": ("cilium.io", "ciliumendpoints"),
}


def object_counts(cluster: MonitoredCluster) -> dict[str, str]:
    """{``objects:WORD``: the selector of how many objects of that kind the API server stores}, by its release."""
    found = {}
    for word, (group, resource) in _OBJECTS.items():
        if METRICS["apiserver_resource_objects"].exists_in(cluster):
            selector = f'apiserver_resource_objects{{group="{group}",resource="{resource}"}}'
        else:
            selector = f'apiserver_storage_objects{{resource="{resource + ("." + group if group else "")}"}}'
        found[f"objects:{word}"] = selector
    return found
