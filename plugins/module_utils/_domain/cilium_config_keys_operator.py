# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keys of cilium-config that cilium-operator reads. Written by tests/tools/cilium_operator_keys.py; do not edit.

A line that is not indented says what the names below it have in common: kind, decoder (strict: durations need a unit;
lenient: without one they are nanoseconds; any: it does not matter to this kind), first and last release that have it so.
"""

from __future__ import annotations

RELEASES: tuple[str, ...] = ("1.14", "1.15", "1.16", "1.17", "1.18", "1.19", "1.20")
TABLE = """
bool any 1.14 1.15
    skip-cnp-status-startup-clean
bool any 1.14 1.16
    bgp-announce-lb-ip
bool any 1.14 1.17
    enable-k8s-endpoint-slice update-ec2-adapter-limit-via-api
bool any 1.14 1.19
    mesh-auth-mutual-enabled
bool any 1.14 1.20
    aws-enable-prefix-delegation aws-release-excess-ips aws-use-primary-address azure-use-primary-address debug
    enable-cilium-endpoint-slice enable-ipv4 enable-ipv6 enable-k8s enable-k8s-api-discovery enable-metrics
    operator-pprof remove-cilium-node-taints set-cilium-is-up-condition set-cilium-node-taints skip-crd-creation
    synchronize-k8s-nodes synchronize-k8s-services
bool any 1.15 1.20
    enable-gateway-api-secrets-sync enable-ingress-controller enable-ingress-proxy-protocol enable-ingress-secrets-sync
    enforce-ingress-https
bool any 1.16 1.16
    enable-node-port
bool any 1.16 1.20
    clustermesh-enable-endpoint-sync clustermesh-enable-mcs-api enable-gateway-api-alpn enable-gateway-api-app-protocol
    enable-gateway-api-proxy-protocol enable-l7-proxy enable-node-ipam enable-node-selector-labels
    gateway-api-hostnetwork-enabled ingress-hostnetwork-enabled validate-network-policy
bool any 1.17 1.18
    bpf-lb-proto-diff
bool any 1.17 1.20
    enable-lb-ipam enable-policy-secrets-sync
bool any 1.18 1.20
    enable-gops policy-default-local-cluster
bool any 1.19 1.19
    mesh-auth-enabled
bool any 1.19 1.20
    clustermesh-mcs-api-install-crds enable-ztunnel operator-prometheus-enable-tls
bool any 1.20 1.20
    alibaba-cloud-release-excess-ips clustermesh-default-global-namespace enable-cluster-pool-to-multi-pool-migration
    enable-ipsec enable-wireguard gateway-api-use-remote-address ingress-use-remote-address
duration lenient 1.14 1.14
    cnp-status-update-interval
duration lenient 1.14 1.19
    cilium-endpoint-gc-interval eni-gc-interval leader-election-lease-duration leader-election-renew-deadline
    leader-election-retry-period nodes-gc-interval
duration lenient 1.17 1.17
    kvstore-lease-ttl
duration strict 1.14 1.20
    identity-gc-interval identity-gc-rate-interval identity-heartbeat-timeout k8s-heartbeat-timeout
    mesh-auth-spire-server-connection-timeout
duration strict 1.16 1.20
    clustermesh-endpoint-updates-batch-period clustermesh-sync-timeout ingress-default-request-timeout
    k8s-client-connection-keep-alive k8s-client-connection-timeout
duration strict 1.17 1.20
    double-write-metric-reporter-interval
duration strict 1.18 1.20
    kvstore-lease-ttl
duration strict 1.19 1.20
    clustermesh-cache-ttl metrics-sampling-interval unmanaged-pod-watcher-interval
duration strict 1.20 1.20
    cilium-endpoint-gc-interval eni-gc-interval leader-election-lease-duration leader-election-renew-deadline
    leader-election-resource-lock-timeout leader-election-retry-period nodes-gc-interval
    policy-external-group-sync-interval
float lenient 1.14 1.14
    ces-write-qps-limit
float lenient 1.14 1.15
    cnp-status-cleanup-qps
float lenient 1.14 1.19
    limit-ipam-api-qps
float strict 1.14 1.16
    k8s-client-qps
float strict 1.15 1.15
    ces-write-qps-limit
float strict 1.17 1.20
    operator-k8s-client-qps
float strict 1.20 1.20
    limit-ipam-api-qps
int lenient 1.14 1.14
    ces-max-ciliumendpoints-per-ces ces-write-qps-burst
int lenient 1.14 1.15
    cnp-status-cleanup-burst
int lenient 1.14 1.18
    unmanaged-pod-watcher-interval
int lenient 1.14 1.19
    cluster-pool-ipv4-mask-size cluster-pool-ipv6-mask-size excess-ip-release-delay limit-ipam-api-burst
    parallel-alloc-workers
int lenient 1.17 1.19
    taint-sync-workers
int strict 1.14 1.16
    k8s-client-burst
int strict 1.14 1.20
    identity-gc-rate-limit
int strict 1.15 1.15
    ces-write-qps-burst
int strict 1.15 1.20
    ces-max-ciliumendpoints-per-ces
int strict 1.16 1.20
    clustermesh-concurrent-service-endpoint-syncs clustermesh-endpoints-per-slice
int strict 1.17 1.20
    operator-k8s-client-burst
int strict 1.19 1.20
    operator-pprof-block-profile-rate operator-pprof-mutex-profile-fraction
int strict 1.20 1.20
    cluster-pool-ipv4-mask-size cluster-pool-ipv6-mask-size excess-ip-release-delay limit-ipam-api-burst
    multi-pool-migration-workers parallel-alloc-workers proxy-idle-timeout-seconds proxy-stream-idle-timeout-seconds
    taint-sync-workers
int32 lenient 1.19 1.19
    aws-max-results-per-call
int32 strict 1.20 1.20
    aws-max-results-per-call
list any 1.14 1.20
    cluster-pool-ipv4-cidr cluster-pool-ipv6-cidr enable-cilium-operator-server-access ingress-lb-annotation-prefixes
    log-driver subnet-ids-filter
list any 1.15 1.20
    controller-group-metrics loadbalancer-l7-ports
list any 1.18 1.20
    k8s-api-server-urls
list any 1.19 1.20
    operator-prometheus-tls-client-ca-files
map any 1.14 1.17
    aws-instance-limit-mapping
map any 1.14 1.20
    auto-create-cilium-pod-ip-pools eni-gc-tags eni-tags instance-tags-filter kvstore-opt log-opt subnet-tags-filter
string any 1.14 1.16
    bgp-config-path
string any 1.14 1.17
    ces-slice-mode k8s-api-server
string any 1.14 1.20
    alibaba-cloud-vpc-id azure-resource-group azure-subscription-id azure-user-assigned-identity-id cilium-pod-labels
    cilium-pod-namespace cluster-name ec2-api-endpoint identity-allocation-mode ipam k8s-kubeconfig-path k8s-namespace
    k8s-service-proxy-name kvstore mesh-auth-spiffe-trust-domain mesh-auth-spire-agent-socket
    mesh-auth-spire-server-address operator-api-serve-addr operator-pprof-address operator-prometheus-serve-addr
    pod-restart-selector
string any 1.15 1.20
    gateway-api-secrets-namespace ingress-default-lb-mode ingress-default-secret-name ingress-default-secret-namespace
    ingress-secrets-namespace ingress-shared-lb-service-name loadbalancer-l7 loadbalancer-l7-algorithm
string any 1.16 1.16
    kube-proxy-replacement
string any 1.16 1.20
    ces-rate-limits clustermesh-config gateway-api-hostnetwork-nodelabelselector
    gateway-api-service-externaltrafficpolicy ingress-hostnetwork-nodelabelselector
string any 1.17 1.20
    default-lb-service-ipam enable-policy policy-secrets-namespace
string any 1.18 1.20
    identity-management-mode
string any 1.19 1.20
    operator-prometheus-tls-cert-file operator-prometheus-tls-key-file shell-sock-path
string any 1.20 1.20
    ipam-default-ip-pool ztunnel-ca-type
uint lenient 1.17 1.17
    kvstore-max-consecutive-quorum-errors
uint strict 1.18 1.20
    kvstore-max-consecutive-quorum-errors
uint16 strict 1.14 1.20
    gops-port operator-pprof-port
uint32 lenient 1.14 1.14
    cluster-id
uint32 lenient 1.15 1.15
    ingress-default-xff-num-trusted-hops
uint32 strict 1.15 1.20
    cluster-id max-connected-clusters
uint32 strict 1.16 1.20
    gateway-api-xff-num-trusted-hops ingress-default-xff-num-trusted-hops ingress-hostnetwork-shared-listener-port
uint32 strict 1.20 1.20
    ingress-hostnetwork-http-listener-port ingress-hostnetwork-https-listener-port
    ingress-hostnetwork-tls-passthrough-listener-port
"""
