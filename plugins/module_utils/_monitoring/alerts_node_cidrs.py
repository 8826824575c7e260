# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Alerts about podCIDRs of Nodes, who gives them out, and pods that get no sandbox."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import Alert
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    API_SERVER,
    AUDIT,
    CILIUM,
    CONTROLLER_MANAGER,
    KUBELET,
)

_GROUP = "node-cidrs"
_SANDBOXES = "sandboxes"
ALERTS: tuple[Alert, ...] = (
    Alert(
        "PodnetNodeWaitsForCidr",
        _GROUP,
        "node-cidr-missing",
        'sum(increase(workqueue_retries_total{name="cidrallocator_node"}[30m])) > 0 and on() '
        "max(node_ipam_controller_cidrset_usage_cidrs) >= 1",
        "1m",
        (CONTROLLER_MANAGER,),
        "A Node waits for a podCIDR, and no block is free",
        "kube-controller-manager has tried {{ $value | humanize }} times in half an hour. Pods of that Node do not start.",
    ),
    Alert(
        "PodnetNodeWaitsForCidrByAudit",
        _GROUP,
        "node-cidr-missing",
        "max by (family, cluster_cidr) (podnet_upkeep_pool_waiting_nodes) > 0",
        "1m",
        (AUDIT,),
        "{{ $value }} Nodes wait for an {{ $labels.family }} block of {{ $labels.cluster_cidr }}",
        "Pods of these Nodes do not start, or get addresses that belong to other Nodes.",
    ),
    Alert(
        "PodnetNodeCidrPoolFull",
        _GROUP,
        "pod-cidr-pool-exhausted",
        "max by (clusterCIDR) (node_ipam_controller_cidrset_usage_cidrs) >= 1",
        "5m",
        (CONTROLLER_MANAGER,),
        "No block of {{ $labels.clusterCIDR }} is free",
        "The next Node gets no podCIDR. kube-controller-manager gives out blocks only of the range that it has started with.",
    ),
    Alert(
        "PodnetNodeCidrPoolLow",
        _GROUP,
        "pod-cidr-headroom-low",
        "max by (clusterCIDR) (node_ipam_controller_cidrset_usage_cidrs) > <pool_used_ratio>",
        "15m",
        (CONTROLLER_MANAGER,),
        "{{ $value | humanizePercentage }} of the blocks of {{ $labels.clusterCIDR }} are in use",
        "The metric is a part of the whole, although its description speaks of percent.",
        "warning",
    ),
    Alert(
        "PodnetNodeCidrPoolLowByAudit",
        _GROUP,
        "pod-cidr-headroom-low",
        "min by (family, cluster_cidr) (podnet_upkeep_pool_free_blocks / podnet_upkeep_pool_capacity_blocks) < <pool_left_ratio>",
        "5m",
        (AUDIT,),
        "{{ $value | humanizePercentage }} of the {{ $labels.family }} blocks of {{ $labels.cluster_cidr }} are free",
        "The audit counts blocks of Nodes, also where kube-controller-manager cannot be scraped.",
        "warning",
    ),
    Alert(
        "PodnetNodesDrifted",
        _GROUP,
        "",
        "max(podnet_upkeep_drifted_nodes) > 0",
        "5m",
        (AUDIT,),
        "{{ $value }} Nodes have a podCIDR that does not fit the cluster",
        "Out of range, overlapping, of another size or missing: the alerts of single findings say which. reassign_pod_cidrs mends them.",
        "critical",
    ),
    Alert(
        "PodnetNodeChurn",
        _GROUP,
        "",
        "max(changes(<objects:nodes>[1h])) > <registrations_per_hour>",
        "5m",
        (API_SERVER,),
        "The number of Nodes has changed {{ $value }} times in an hour",
        "Nodes come and go. Each registration takes a block and may give the Node another podCIDR than its host still uses.",
        "warning",
    ),
    Alert(
        "PodnetNodeCidrChurn",
        _GROUP,
        "",
        "sum(increase(node_ipam_controller_cidrset_cidrs_releases_total[1h])) > <registrations_per_hour>",
        "5m",
        (CONTROLLER_MANAGER,),
        "{{ $value | humanize }} Nodes have given their podCIDR back in an hour",
        "A block that comes back is given to the next Node, while state of the former one may still be on its host.",
        "warning",
    ),
    Alert(
        "PodnetCiliumNodesDangling",
        _GROUP,
        "cilium-node-dangling",
        "max(<objects:ciliumnodes>) - max(<objects:nodes>) > <dangling_objects>",
        "30m",
        (API_SERVER, CILIUM),
        "There are {{ $value }} more CiliumNodes than Nodes",
        "A CiliumNode without Node keeps its block of Cilium's pool, and other agents still have routes to it.",
    ),
    Alert(
        "PodnetCsinodesStale",
        _GROUP,
        "stale-csinode",
        "max(<objects:csinodes>) - max(<objects:nodes>) > <dangling_objects>",
        "30m",
        (API_SERVER,),
        "There are {{ $value }} more CSINodes than Nodes",
        "A CSINode goes with its Node. One that stays says that the garbage collector does not work.",
    ),
    Alert(
        "PodnetControllerManagerNotLeading",
        _GROUP,
        "controller-manager-lease-stale",
        'absent(leader_election_master_status{name="kube-controller-manager"} == 1)',
        "5m",
        (CONTROLLER_MANAGER,),
        "No kube-controller-manager says that it leads",
        "None runs, none wins the election, or none is scraped. Without one no Node gets a podCIDR.",
    ),
    Alert(
        "PodnetControllerManagerRestarts",
        _GROUP,
        "controller-manager-crash-loop",
        "changes(process_start_time_seconds[30m]) > <controller_manager_starts> and on (job, instance) "
        'max_over_time(leader_election_master_status{name="kube-controller-manager"}[30m]) >= 0',
        "0s",
        (CONTROLLER_MANAGER,),
        "kube-controller-manager on {{ $labels.instance }} has started {{ $value }} times in half an hour",
        "Mostly a Node holds a podCIDR outside of the configured cluster CIDR: it then exits after it has won the election.",
    ),
    Alert(
        "PodnetSandboxFailures",
        _SANDBOXES,
        "sandbox-failures-unexplained",
        "sum by (instance, node) (increase(kubelet_run_podsandbox_errors_total[15m])) > <sandbox_failures>",
        "5m",
        (KUBELET,),
        "{{ $value | humanize }} pod sandboxes on {{ $labels.instance }} have failed in a quarter of an hour",
        "Pods on this Node stay in ContainerCreating. An audit explains such failures by what else it finds.",
    ),
    Alert(
        "PodnetSandboxSlow",
        _SANDBOXES,
        "sandbox-failures-unexplained",
        "histogram_quantile(0.95, sum by (instance, node, le) (rate(kubelet_run_podsandbox_duration_seconds_bucket[15m]))) "
        "> <sandbox_seconds>",
        "15m",
        (KUBELET,),
        "Pod sandboxes on {{ $labels.instance }} take {{ $value | humanizeDuration }}",
        "The CNI answers late: an agent that waits for identities or addresses shows first here, before pods fail.",
    ),
)
