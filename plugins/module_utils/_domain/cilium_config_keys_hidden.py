# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keys of cilium-config that no help text lists: flags that Cilium hides, and keys that are no flag at all.

Hidden flags by the source of the releases 1.14 to 1.20 (MarkHidden); the form of the tables is that of
cilium_config_keys_agent.py.
"""

from __future__ import annotations

AGENT = """
bool any 1.14 1.15
    disable-envoy-version-check
bool any 1.14 1.20
    bypass-ip-availability-upon-restore dnsproxy-insecure-skip-transparent-mode-check enable-icmp-rules
    enable-ipsec-xfrm-state-caching enable-k8s-networkpolicy enable-mke enable-srv6 enable-stale-cilium-endpoint-cleanup
    install-iptables-rules use-cilium-internal-ip-for-ipsec
bool any 1.15 1.15
    legacy-turn-off-k8s-event-handover
bool any 1.16 1.20
    allow-unsafe-policy-skb-usage bpf-lb-sock-terminate-pod-connections
bool any 1.17 1.17
    enable-experimental-lb enable-statedb-neighbor-sync kvstore-pod-network-support operator-manages-identities
bool any 1.17 1.20
    enable-cilium-clusterwide-network-policy enable-cilium-network-policy enable-non-default-deny-policies
bool any 1.18 1.20
    bpf-lb-ipip-sock-mark bpf-lb-nat46x64 restore wireguard-track-all-ips-fallback
bool any 1.19 1.19
    clustermesh-default-global-namespace
bool any 1.19 1.20
    enable-ciliumnode-crd lb-sock-terminate-all-protos
bool any 1.20 1.20
    bpf-lb-enable-wildcard-entries enable-datapath-plugins enable-k8s-cluster-network-policy fib-table-id-annotation
duration lenient 1.14 1.16
    kvstore-lease-ttl
duration lenient 1.14 1.20
    bpf-policy-map-full-reconciliation-interval dnsproxy-lock-timeout k8s-sync-timeout policy-trigger-interval
duration lenient 1.15 1.20
    max-internal-timer-delay
duration strict 1.14 1.20
    endpoint-gc-interval mesh-auth-signal-backoff-duration
duration strict 1.17 1.20
    lb-retry-backoff-max lb-retry-backoff-min
duration strict 1.18 1.20
    lb-init-wait-timeout lb-pressure-metrics-interval lb-state-file-interval
duration strict 1.20 1.20
    lb-reflector-wait-time
int lenient 1.14 1.17
    bpf-lb-affinity-map-max bpf-lb-maglev-map-max bpf-lb-rev-nat-map-max bpf-lb-service-backend-map-max
    bpf-lb-service-map-max bpf-lb-source-range-map-max
int lenient 1.14 1.18
    fqdn-regex-compile-lru-size max-controller-interval
int lenient 1.14 1.20
    bpf-filter-priority dnsproxy-lock-count
int lenient 1.17 1.20
    bpf-events-default-burst-limit bpf-events-default-rate-limit
int strict 1.18 1.20
    bpf-lb-affinity-map-max bpf-lb-maglev-map-max bpf-lb-rev-nat-map-max bpf-lb-service-backend-map-max
    bpf-lb-service-map-max bpf-lb-source-range-map-max
int strict 1.20 1.20
    ztunnel-endpoint-event-channel-buffer-size
list any 1.14 1.18
    cflags
map any 1.14 1.20
    bpf-map-event-buffers
string any 1.14 1.15
    derive-masquerade-ip-addr-from-device http-403-msg
string any 1.14 1.19
    node-port-algorithm node-port-mode
string any 1.14 1.20
    local-max-addr-scope mke-cgroup-mount node-port-acceleration srv6-encap-mode
string any 1.16 1.20
    derive-masq-ip-addr-from-device
string any 1.17 1.20
    boot-id-file config-sources config-sources-overrides
string any 1.20 1.20
    clustermesh-service-v2 subnet-topology
uint lenient 1.14 1.17
    k8s-service-cache-size
uint lenient 1.19 1.20
    fqdn-regex-compile-lru-size max-controller-interval
"""
OPERATOR = """
bool any 1.14 1.18
    enable-ipv4-egress-gateway
bool any 1.14 1.20
    disable-endpoint-crd enable-local-redirect-policy enable-srv6
bool any 1.16 1.20
    allow-unsafe-policy-skb-usage enable-icmp-rules
bool any 1.17 1.17
    kvstore-pod-network-support operator-manages-identities
bool any 1.17 1.18
    enable-node-port
bool any 1.17 1.20
    enable-cilium-clusterwide-network-policy enable-cilium-network-policy enable-k8s-networkpolicy
bool any 1.18 1.20
    enable-egress-gateway
bool any 1.19 1.19
    aws-pagination-enabled
bool any 1.19 1.20
    enable-ciliumnode-crd
bool any 1.20 1.20
    enable-k8s-cluster-network-policy register-dummy-external-group
duration lenient 1.14 1.16
    kvstore-lease-ttl
string any 1.17 1.20
    kube-proxy-replacement
string any 1.20 1.20
    ces-controller-mode clustermesh-service-v2
"""
# written by the charts of these releases (templates/cilium-configmap.yaml) and read by init containers, the CNI plugin or
# the shell scripts of the DaemonSet, or by nobody any more: neither agent nor operator knows them as a flag
CHART = """
chart any 1.14 1.14
    cnp-node-status-gc-interval disable-cnp-status-updates enable-gateway-api-secrets-sync enable-ingress-controller
    enable-ingress-secrets-sync enforce-ingress-https gateway-api-secrets-namespace ingress-default-lb-mode
    ingress-default-secret-name ingress-default-secret-namespace ingress-secrets-namespace
    ingress-shared-lb-service-name loadbalancer-l7 loadbalancer-l7-algorithm loadbalancer-l7-ports
chart any 1.14 1.15
    enable-gateway-api envoy-secrets-namespace
chart any 1.14 1.16
    enable-hubble-open-metrics
chart any 1.14 1.20
    clean-cilium-bpf-state clean-cilium-state cni-uninstall custom-cni-conf etcd-config
chart any 1.15 1.15
    enable-remote-node-identity install-egress-gateway-routes
chart any 1.15 1.20
    bgp-secrets-namespace
chart any 1.16 1.16
    enable-wireguard-userspace-fallback hubble-metrics-server-enable-tls hubble-metrics-server-tls-cert-file
    hubble-metrics-server-tls-client-ca-files hubble-metrics-server-tls-key-file
chart any 1.16 1.17
    enable-runtime-device-detection
chart any 1.17 1.17
    enable-high-scale-ipcache enable-k8s-terminating-endpoint
chart any 1.17 1.20
    enable-source-ip-verification
chart any 1.18 1.18
    enable-custom-calls enable-internal-traffic-policy enable-k8s-endpoint-slice enable-session-affinity
    enable-svc-source-range-check endpoint-policy-update-timeout l2-pod-announcements-interface
chart any 1.18 1.19
    hubble-redact-kafka-apikey
chart any 1.19 1.19
    enable-ipsec-encrypted-overlay
chart any 1.20 1.20
    hubble-prefer-ipv6 mesh-auth-enabled mesh-auth-mutual-enabled tofqdns-pre-cache
"""
# replaced by ReplaceDeprecatedFields of pkg/option/config.go: old name -> the key that it sets
DEPRECATED_NAMES = {
    "monitor-aggregation-level": "monitor-aggregation",
    "ct-global-max-entries-tcp": "bpf-ct-global-tcp-max",
    "ct-global-max-entries-other": "bpf-ct-global-any-max",
}
