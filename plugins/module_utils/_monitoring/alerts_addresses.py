# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Alerts about endpoints of Cilium and addresses of pods."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import Alert
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    AUDIT,
    CILIUM,
    CILIUM_AGENT,
    CILIUM_OPERATOR,
    CLOUD_IPAM,
    DRIFT_CHECKER,
    KVSTORE,
)

_GROUP = "addresses"
ALERTS: tuple[Alert, ...] = (
    Alert(
        "PodnetEndpointsWithoutIdentity",
        _GROUP,
        "agent-identity-unresolved",
        'sum by (instance) (cilium_endpoint_state{endpoint_state="waiting-for-identity"}) > 0',
        "5m",
        (CILIUM_AGENT,),
        "{{ $value }} endpoints of the agent {{ $labels.instance }} get no security identity",
        "Their pods do not start. No number is free, the kvstore or the API server refuses, or the operator makes none.",
    ),
    Alert(
        "PodnetEndpointsNotReady",
        _GROUP,
        "endpoint-state-bad",
        "sum by (instance, endpoint_state) "
        '(cilium_endpoint_state{endpoint_state=~"not-ready|waiting-to-regenerate|regenerating|restoring|invalid"}) > 0',
        "15m",
        (CILIUM_AGENT,),
        "{{ $value }} endpoints of the agent {{ $labels.instance }} stay in the state {{ $labels.endpoint_state }}",
        "Endpoints pass through this state within seconds. That some stay there means that policy is not in force for them.",
    ),
    Alert(
        "PodnetEndpointGcFailing",
        _GROUP,
        "endpoint-without-pod",
        'sum(increase(cilium_operator_endpoint_gc_objects{outcome="fail"}[15m])) > <endpoint_failures>',
        "15m",
        (CILIUM_OPERATOR,),
        "The operator cannot delete CiliumEndpoints whose pods are gone",
        "{{ $value | humanize }} deletions in a quarter of an hour have failed. Identities of such endpoints are never collected.",
    ),
    Alert(
        "PodnetAgentAddressesExhausted",
        _GROUP,
        "agent-addresses-exhausted",
        "sum by (instance, family) (cilium_ip_addresses) >= sum by (instance, family) (cilium_ipam_capacity)",
        "1m",
        (CILIUM_AGENT,),
        "The agent {{ $labels.instance }} has given out all of its {{ $labels.family }} addresses",
        "{{ $value }} addresses are given out. No further pod starts on this Node.",
    ),
    Alert(
        "PodnetAgentAddressesLow",
        _GROUP,
        "cilium-node-addresses-low",
        "sum by (instance, family) (cilium_ip_addresses) / sum by (instance, family) (cilium_ipam_capacity) "
        "> <node_addresses_used_ratio>",
        "15m",
        (CILIUM_AGENT,),
        "{{ $value | humanizePercentage }} of the {{ $labels.family }} addresses of the agent {{ $labels.instance }} are given out",
        "When the rest is given out too, no further pod starts on this Node.",
    ),
    Alert(
        "PodnetNodeAddressesLow",
        _GROUP,
        "node-addresses-exhausted",
        "min by (node) (podnet_upkeep_node_addresses_free) < <node_addresses_left>",
        "5m",
        (AUDIT,),
        "Node {{ $labels.node }} has {{ $value }} pod addresses left",
        "When they are used no further pod starts there, whatever maxPods of the kubelet says.",
        "warning",
    ),
    Alert(
        "PodnetCiliumPoolLow",
        _GROUP,
        "cilium-pool-headroom-low",
        # a series for each CIDR of a pool, and for each audit that knows it; CIDRs are appended, so the first ones stay full
        "sum by (pool, family) (min by (pool, family, cidr) (podnet_upkeep_cilium_pool_free_blocks)) / "
        "sum by (pool, family) (max by (pool, family, cidr) (podnet_upkeep_cilium_pool_capacity_blocks)) < <pool_left_ratio>",
        "5m",
        (AUDIT, CILIUM),
        "{{ $value | humanizePercentage }} of the {{ $labels.family }} blocks in Cilium's pool {{ $labels.pool }} are free",
        "New Nodes get no block from a pool that is full. Cilium itself serves no metric about its pools.",
    ),
    Alert(
        "PodnetCloudNodesInDeficit",
        _GROUP,
        "cilium-node-addresses-low",
        'max(cilium_operator_ipam_nodes{category="in-deficit"}) > 0',
        "15m",
        (CILIUM_OPERATOR, CLOUD_IPAM),
        "{{ $value }} Nodes have fewer addresses than they need",
        "The operator could not get addresses for them from the cloud in a quarter of an hour: limits, subnets, permissions.",
    ),
    Alert(
        "PodnetCloudNodesAtCapacity",
        _GROUP,
        "cilium-node-addresses-exhausted",
        'max(cilium_operator_ipam_nodes{category="at-capacity"}) > 0',
        "15m",
        (CILIUM_OPERATOR, CLOUD_IPAM),
        "{{ $value }} Nodes cannot get more addresses",
        "Their machines have as many interfaces and addresses as their type allows.",
    ),
    Alert(
        "PodnetPolicyMapPressure",
        _GROUP,
        "agent-policy-map-pressure",
        'max by (instance, map_name) (cilium_bpf_map_pressure{map_name=~".*policy.*"}) > <map_pressure>',
        "5m",
        (CILIUM_AGENT,),
        "A policy map of the agent {{ $labels.instance }} is {{ $value | humanizePercentage }} full",
        "Each identity that a policy allows takes an entry. Traffic of identities without an entry is dropped.",
    ),
    Alert(
        "PodnetMapPressure",
        _GROUP,
        "agent-map-pressure",
        'max by (instance, map_name) (cilium_bpf_map_pressure{map_name!~".*policy.*"}) > <map_pressure>',
        "15m",
        (CILIUM_AGENT,),
        "The map {{ $labels.map_name }} of the agent {{ $labels.instance }} is {{ $value | humanizePercentage }} full",
        "What does not fit into a map is not known to the datapath.",
    ),
    Alert(
        "PodnetAgentControllersFailing",
        _GROUP,
        "agent-controller-failing",
        "max by (instance) (cilium_controllers_failing) > 0",
        "15m",
        (CILIUM_AGENT,),
        "{{ $value }} controllers of the agent {{ $labels.instance }} fail",
        "Controllers keep the agent in step with the cluster. cilium-dbg status --all-controllers names them.",
    ),
    Alert(
        "PodnetAgentConfigurationDiffers",
        _GROUP,
        "agent-configuration-differs",
        "max by (instance) (cilium_drift_checker_config_delta) > 0",
        "1h",
        (CILIUM_AGENT, DRIFT_CHECKER),
        "{{ $value }} settings of the agent {{ $labels.instance }} differ from cilium-config",
        "The agent has started before the configuration was changed, or runs with an override.",
    ),
    Alert(
        "PodnetKvstoreQuorumErrors",
        _GROUP,
        "kvstore-quorum-lost",
        "sum by (error) (increase(cilium_kvstore_quorum_errors_total[5m])) > 0 or "
        "sum by (error) (cilium_kvstore_quorum_errors_total unless cilium_kvstore_quorum_errors_total offset 5m) > 0 "
        "and on() count(cilium_controllers_failing offset 5m) > 0",
        "2m",
        (CILIUM_AGENT, KVSTORE),
        "Agents find no quorum in the kvstore",
        "The error is {{ $labels.error }}. Without a quorum no identity can be allocated.",
    ),
)
