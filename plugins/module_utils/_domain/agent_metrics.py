# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The metrics of Cilium that checks use, by their names as Prometheus sees them.

Source: pkg/metrics/metrics.go and operator/metrics of cilium/cilium. Names differ between versions where both are listed.
``etcd_*`` are etcd's own: they are there where somebody saved them with a snapshot, or in the clustermesh-apiserver.
"""

from __future__ import annotations

OPERATOR_METRICS = (
    "cilium_operator_identity_gc_entries",
    "cilium_operator_identity_gc_runs",
    "cilium_operator_identity_gc_latency",
    "cilium_operator_endpoint_gc_objects",
    "cilium_operator_identity_crd_total_count",
    "cilium_operator_identity_kvstore_total_count",
    "cilium_operator_identity_crd_only_count",
    "cilium_operator_identity_kvstore_only_count",
    "cilium_operator_doublewrite_identity_crd_total_count",
    "cilium_operator_doublewrite_identity_kvstore_total_count",
    "cilium_operator_doublewrite_identity_crd_only_count",
    "cilium_operator_doublewrite_identity_kvstore_only_count",
    "cilium_operator_ipam_nodes",
    "cilium_operator_ipam_available_ips",
    "cilium_operator_ipam_used_ips",
    "cilium_operator_ipam_needed_ips",
)
AGENT_METRICS = (
    "cilium_identity",
    "cilium_endpoint_state",
    "cilium_ip_addresses",
    "cilium_ipam_capacity",
    "cilium_controllers_failing",
    "cilium_bpf_map_pressure",
    "cilium_drift_checker_config_delta",
    "cilium_kvstore_quorum_errors_total",
    "cilium_kvstore_sync_errors_total",
)
ETCD_METRICS = (
    "etcd_mvcc_db_total_size_in_bytes",
    "etcd_mvcc_db_total_size_in_use_in_bytes",
    "etcd_debugging_mvcc_db_total_size_in_bytes",
    "etcd_server_quota_backend_bytes",
    "etcd_server_has_leader",
)
WANTED_METRICS = frozenset((*OPERATOR_METRICS, *AGENT_METRICS, *ETCD_METRICS))
OPERATOR, AGENT = "operator", "agent"
# what prometheus.enabled of Helm sets; the keys of cilium-config that say otherwise
DEFAULT_PORTS = {OPERATOR: 9963, AGENT: 9962}
PORT_KEYS = {OPERATOR: "operator-prometheus-serve-addr", AGENT: "prometheus-serve-addr"}


def metrics_port(component: str, address: str) -> int:
    """The port in a key of ``PORT_KEYS`` (``:9963``, ``0.0.0.0:9963``); the usual one when the key says nothing."""
    port = address.rpartition(":")[2]
    return int(port) if port.isdecimal() and 0 < int(port) < 65536 else DEFAULT_PORTS[component]
