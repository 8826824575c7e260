# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What the dashboards show: panels by dashboard and row, each with its expressions and what it needs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    API_SERVER,
    AUDIT,
    CILIUM,
    CILIUM_AGENT,
    CILIUM_OPERATOR,
    CLOUD_IPAM,
    CONTROLLER_MANAGER,
    CRD_IDENTITIES,
    KUBELET,
)

TIME_SERIES: t.Final = "timeseries"
STAT: t.Final = "stat"
TABLE: t.Final = "table"
IDENTITIES: t.Final = "identities"
POD_NETWORKS: t.Final = "pod-networks"
#: {key of a dashboard: (title, unique id in Grafana)}
DASHBOARDS: t.Final = {
    IDENTITIES: ("podnet.upkeep / Cilium identities", "podnet-upkeep-identities"),
    POD_NETWORKS: ("podnet.upkeep / Pod networks", "podnet-upkeep-pod-networks"),
}


@dataclass(frozen=True)
class Panel:
    """One panel. ``queries``: (expression, legend); words in angle brackets are those of alerts. ``unit`` is Grafana's."""

    dashboard: str
    row: str
    title: str
    queries: tuple[tuple[str, str], ...]
    needs: tuple[str, ...]
    unit: str = "short"
    kind: str = TIME_SERIES
    text: str = ""


_USE: t.Final = "Use of the range"
_GC: t.Final = "Collection"
_AUDITED: t.Final = "Where identities come from"
_CIDRS: t.Final = "Pod CIDRs of Nodes"
_ADDRESSES: t.Final = "Addresses"
_ENDPOINTS: t.Final = "Endpoints"
_SANDBOXES: t.Final = "Pod sandboxes"
_FINDINGS: t.Final = "Audit"

PANELS: t.Final[tuple[Panel, ...]] = (
    Panel(
        *(IDENTITIES, _USE, "Numbers taken"),
        (("max(<objects:ciliumidentities>) / <capacity>", "taken"),),
        (API_SERVER, CRD_IDENTITIES),
        *(
            "percentunit",
            STAT,
            "CiliumIdentities that the API server stores, of the numbers that this cluster can give.",
        ),
    ),
    Panel(
        *(IDENTITIES, _USE, "Identities"),
        (("max(<objects:ciliumidentities>)", "stored"), ("vector(<capacity>)", "most there can be")),
        (API_SERVER, CRD_IDENTITIES),
    ),
    Panel(
        *(IDENTITIES, _USE, "In use at the last collection"),
        (('max by (status) (cilium_operator_identity_gc_entries{status=~"alive|deleted"})', "{{status}}"),),
        (CILIUM_OPERATOR,),
    ),
    Panel(
        *(IDENTITIES, _USE, "New identities an hour"),
        (("max(podnet_upkeep_identities_created_per_hour)", "audit"),),
        (AUDIT, CILIUM),
    ),
    Panel(
        *(IDENTITIES, _GC, "Collections an hour"),
        (("sum by (outcome) (increase(cilium_operator_identity_gc_runs[1h]))", "{{outcome}}"),),
        (CILIUM_OPERATOR,),
    ),
    Panel(
        *(IDENTITIES, _GC, "Time that a collection takes"),
        (("max by (outcome) (cilium_operator_identity_gc_latency)", "{{outcome}}"),),
        (CILIUM_OPERATOR,),
        "s",
    ),
    Panel(
        *(IDENTITIES, _GC, "Endpoints collected"),
        (("sum by (outcome) (increase(cilium_operator_endpoint_gc_objects[1h]))", "{{outcome}}"),),
        (CILIUM_OPERATOR,),
    ),
    Panel(
        *(IDENTITIES, _GC, "Identities by class"),
        (("max by (class) (podnet_upkeep_identities)", "{{class}}"),),
        (AUDIT, CILIUM),
    ),
    Panel(
        *(IDENTITIES, _AUDITED, "Values of label keys"),
        (("topk(10, max by (key) (podnet_upkeep_identity_label_values))", "{{key}}"),),
        (AUDIT, CILIUM),
    ),
    Panel(
        *(IDENTITIES, _AUDITED, "Identities there are because of one label key"),
        (("topk(10, max by (key) (podnet_upkeep_identity_label_identities))", "{{key}}"),),
        (AUDIT, CILIUM),
    ),
    Panel(
        *(IDENTITIES, _AUDITED, "Identities by namespace"),
        (("topk(10, max by (namespace) (podnet_upkeep_identities_of_namespace))", "{{namespace}}"),),
        (AUDIT, CILIUM),
    ),
    Panel(
        *(IDENTITIES, _AUDITED, "Free numbers"),
        (("min(podnet_upkeep_identities_free)", "free"),),
        (AUDIT, CILIUM),
        *("short", STAT),
    ),
    Panel(
        *(POD_NETWORKS, _CIDRS, "Blocks in use"),
        (("max by (clusterCIDR) (node_ipam_controller_cidrset_usage_cidrs)", "{{clusterCIDR}}"),),
        (CONTROLLER_MANAGER,),
        "percentunit",
    ),
    Panel(
        *(POD_NETWORKS, _CIDRS, "Blocks there are"),
        (("max by (clusterCIDR) (node_ipam_controller_cirdset_max_cidrs)", "{{clusterCIDR}}"),),
        (CONTROLLER_MANAGER,),
    ),
    Panel(
        *(POD_NETWORKS, _CIDRS, "Blocks given out and given back an hour"),
        (
            ("sum(increase(node_ipam_controller_cidrset_cidrs_allocations_total[1h]))", "given out"),
            ("sum(increase(node_ipam_controller_cidrset_cidrs_releases_total[1h]))", "given back"),
        ),
        (CONTROLLER_MANAGER,),
    ),
    Panel(
        *(POD_NETWORKS, _CIDRS, "Nodes tried again for want of a block"),
        (('sum(increase(workqueue_retries_total{name="cidrallocator_node"}[1h]))', "tries an hour"),),
        (CONTROLLER_MANAGER,),
    ),
    Panel(
        *(POD_NETWORKS, _CIDRS, "Nodes"),
        (("max(<objects:nodes>)", "Nodes"), ("max(<objects:csinodes>)", "CSINodes")),
        (API_SERVER,),
    ),
    Panel(
        *(POD_NETWORKS, _CIDRS, "Nodes and CiliumNodes"),
        (("max(<objects:nodes>)", "Nodes"), ("max(<objects:ciliumnodes>)", "CiliumNodes")),
        (API_SERVER, CILIUM),
    ),
    Panel(
        *(POD_NETWORKS, _CIDRS, "Blocks by the audit"),
        (
            ("max by (cluster_cidr) (podnet_upkeep_pool_used_blocks)", "{{cluster_cidr}} in use"),
            ("max by (cluster_cidr) (podnet_upkeep_pool_free_blocks)", "{{cluster_cidr}} free"),
            ("max by (cluster_cidr) (podnet_upkeep_pool_waiting_nodes)", "{{cluster_cidr}} Nodes that wait"),
        ),
        (AUDIT,),
    ),
    Panel(
        *(POD_NETWORKS, _CIDRS, "Nodes whose podCIDR does not fit"),
        (("max(podnet_upkeep_drifted_nodes)", "Nodes"),),
        (AUDIT,),
        *("short", STAT),
    ),
    Panel(
        *(POD_NETWORKS, _ADDRESSES, "Free blocks in pools of Cilium"),
        (
            (
                "sum by (pool, family) (min by (pool, family, cidr) (podnet_upkeep_cilium_pool_free_blocks))",
                "{{pool}} {{family}}",
            ),
        ),
        (AUDIT, CILIUM),
    ),
    Panel(
        *(POD_NETWORKS, _ADDRESSES, "Nodes with the fewest free addresses"),
        (("bottomk(10, min by (node) (podnet_upkeep_node_addresses_free))", "{{node}}"),),
        (AUDIT,),
    ),
    Panel(
        *(POD_NETWORKS, _ADDRESSES, "Addresses given out by agents"),
        (
            (
                "topk(10, sum by (instance, family) (cilium_ip_addresses) / sum by (instance, family) (cilium_ipam_capacity))",
                "{{instance}} {{family}}",
            ),
        ),
        (CILIUM_AGENT,),
        "percentunit",
    ),
    Panel(
        *(POD_NETWORKS, _ADDRESSES, "Nodes by what the cloud gives them"),
        (("max by (category) (cilium_operator_ipam_nodes)", "{{category}}"),),
        (CILIUM_OPERATOR, CLOUD_IPAM),
    ),
    Panel(
        *(POD_NETWORKS, _ADDRESSES, "Addresses left from the cloud"),
        (("bottomk(10, min by (target_node) (cilium_operator_ipam_available_ips))", "{{target_node}}"),),
        (CILIUM_OPERATOR, CLOUD_IPAM),
    ),
    Panel(
        *(POD_NETWORKS, _ENDPOINTS, "Endpoints by state"),
        (("sum by (endpoint_state) (cilium_endpoint_state)", "{{endpoint_state}}"),),
        (CILIUM_AGENT,),
    ),
    Panel(
        *(POD_NETWORKS, _ENDPOINTS, "Endpoints by state, by the audit"),
        (("max by (state) (podnet_upkeep_endpoints)", "{{state}}"),),
        (AUDIT, CILIUM),
    ),
    Panel(
        *(POD_NETWORKS, _ENDPOINTS, "Pods and endpoints that lack each other"),
        (
            ("max(podnet_upkeep_endpoints_without_pod)", "endpoints without pod"),
            ("max(podnet_upkeep_pods_without_endpoint)", "pods without endpoint"),
        ),
        (AUDIT, CILIUM),
    ),
    Panel(
        *(POD_NETWORKS, _ENDPOINTS, "Controllers of agents that fail"),
        (("topk(10, max by (instance) (cilium_controllers_failing))", "{{instance}}"),),
        (CILIUM_AGENT,),
    ),
    Panel(
        *(POD_NETWORKS, _SANDBOXES, "Time that 95 of 100 sandboxes take"),
        (
            (
                "topk(10, histogram_quantile(0.95, "
                "sum by (instance, le) (rate(kubelet_run_podsandbox_duration_seconds_bucket[15m]))))",
                "{{instance}}",
            ),
        ),
        (KUBELET,),
        "s",
    ),
    Panel(
        *(POD_NETWORKS, _SANDBOXES, "Sandboxes that fail, an hour"),
        (
            ("topk(10, sum by (instance) (increase(kubelet_run_podsandbox_errors_total[1h])))", "{{instance}}"),
            ("sum(increase(kubelet_started_pods_total[1h]))", "pods started, all Nodes"),
        ),
        (KUBELET,),
    ),
    Panel(
        *(POD_NETWORKS, _FINDINGS, "Findings of the last audit"),
        (("max by (id, severity) (podnet_upkeep_findings)", ""),),
        (AUDIT,),
        *("short", TABLE),
    ),
    Panel(
        *(POD_NETWORKS, _FINDINGS, "Age of the last audit"),
        (("time() - max by (job, instance) (podnet_upkeep_audit_timestamp_seconds)", "{{job}} {{instance}}"),),
        (AUDIT,),
        *("s", STAT),
    ),
)
