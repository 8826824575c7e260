# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keys of cilium-config that cilium-agent reads. Written by tests/tools/cilium_operator_keys.py; do not edit.

A line that is not indented says what the names below it have in common: kind, decoder (strict: durations need a unit;
lenient: without one they are nanoseconds; any: it does not matter to this kind), first and last release that have it so.
"""

from __future__ import annotations

RELEASES: tuple[str, ...] = ("1.14", "1.15", "1.16", "1.17", "1.18", "1.19", "1.20")
TABLE = """
bool any 1.14 1.14
    enable-k8s-event-handover enable-remote-node-identity install-egress-gateway-routes single-cluster-route
    wireguard-encapsulate
bool any 1.14 1.15
    enable-runtime-device-detection enable-wireguard-userspace-fallback
bool any 1.14 1.16
    bgp-announce-lb-ip bgp-announce-pod-cidr enable-high-scale-ipcache enable-k8s-terminating-endpoint
bool any 1.14 1.17
    egress-multi-home-ip-rule-compat enable-custom-calls enable-external-ips enable-host-port enable-hubble-recorder-api
    enable-ipv4-egress-gateway enable-k8s-endpoint-slice enable-node-port enable-recorder enable-session-affinity
    enable-svc-source-range-check join-cluster restore
bool any 1.14 1.19
    hubble-prefer-ipv6 mesh-auth-enabled
bool any 1.14 1.20
    allow-icmp-frag-needed annotate-k8s-node auto-create-cilium-node-resource auto-direct-node-routes
    bpf-lb-external-clusterip bpf-lb-sock bpf-lb-sock-hostns-only cni-exclusive cni-external-routing debug
    disable-endpoint-crd dns-policy-unload-on-shutdown dnsproxy-enable-transparent-mode
    enable-auto-protect-node-port-range enable-bandwidth-manager enable-bbr enable-bgp-control-plane
    enable-bpf-clock-probe enable-bpf-masquerade enable-bpf-tproxy enable-cilium-endpoint-slice
    enable-endpoint-health-checking enable-endpoint-routes enable-envoy-config enable-health-check-nodeport
    enable-health-checking enable-host-firewall enable-host-legacy-routing enable-hubble enable-identity-mark
    enable-ip-masq-agent enable-ipsec enable-ipsec-key-watcher enable-ipv4 enable-ipv4-big-tcp
    enable-ipv4-fragment-tracking enable-ipv4-masquerade enable-ipv6 enable-ipv6-big-tcp enable-ipv6-masquerade
    enable-ipv6-ndp enable-k8s enable-k8s-api-discovery enable-l2-announcements enable-l2-neigh-discovery
    enable-l2-pod-announcements enable-l7-proxy enable-local-node-route enable-local-redirect-policy enable-monitor
    enable-nat46x64-gateway enable-pmtu-discovery enable-sctp enable-service-topology enable-tracing
    enable-unreachable-routes enable-vtep enable-well-known-identities enable-wireguard enable-xdp-prefilter
    enable-xt-socket-fallback encrypt-node external-envoy-proxy http-normalize-path hubble-disable-tls
    hubble-export-file-compress hubble-skip-unknown-cgroup-ids install-no-conntrack-iptables-rules iptables-random-fully
    k8s-require-ipv4-pod-cidr k8s-require-ipv6-pod-cidr keep-config log-system-load node-port-bind-protection
    policy-audit-mode pprof preallocate-bpf-maps prepend-iptables-chains tofqdns-enable-dns-compression trace-sock
bool any 1.15 1.17
    hubble-redact-kafka-apikey
bool any 1.15 1.18
    enable-encryption-strict-mode encryption-strict-mode-allow-remote-node-identities
bool any 1.15 1.20
    enable-health-check-loadbalancer-ip enable-masquerade-to-route-source hubble-redact-enabled
    hubble-redact-http-urlquery hubble-redact-http-userinfo
bool any 1.16 1.18
    enable-ipsec-encrypted-overlay
bool any 1.16 1.20
    bpf-events-drop-enabled bpf-events-policy-verdict-enabled bpf-events-trace-enabled direct-routing-skip-unreachable
    disable-envoy-version-check disable-external-ip-mitigation enable-active-connection-tracking enable-gateway-api
    enable-ingress-controller enable-ipip-termination enable-node-selector-labels enable-route-mtu-for-cni-chaining
    enable-tcx envoy-keep-cap-netbindservice force-device-detection hubble-drop-events multicast-enabled
    policy-accounting use-full-tls-context
bool any 1.17 1.17
    bpf-lb-proto-diff enable-internal-traffic-policy enable-lrp-address-matcher-override
bool any 1.17 1.20
    bpf-conntrack-accounting bpf-distributed-lru bpf-lb-algorithm-annotation bpf-lb-mode-annotation
    bpf-lb-source-range-all-types enable-bgp-control-plane-status-report enable-drift-checker enable-dynamic-config
    enable-dynamic-lifecycle-manager enable-endpoint-lockdown-on-policy-overflow enable-hubble-open-metrics
    enable-policy-secrets-sync hubble-metrics-server-enable-tls install-uplink-routes-for-delegated-ipam
    policy-secrets-only-from-secrets-namespace
bool any 1.18 1.20
    agent-health-require-k8s-connectivity enable-bbr-hostns-only enable-bgp-legacy-origin-attribute
    enable-egress-gateway enable-gops enable-ipv6-fragment-tracking enable-standalone-dns-proxy
    hubble-network-policy-correlation-enabled policy-default-local-cluster tofqdns-preallocate-identities
bool any 1.19 1.20
    enable-encryption-strict-mode-egress enable-encryption-strict-mode-ingress enable-extended-ip-protocols
    enable-lb-ipam enable-no-service-endpoints-routable enable-node-ipam enable-remote-node-masquerade enable-ztunnel
    encryption-strict-egress-allow-remote-node-identities eni-delete-on-termination eni-disable-prefix-delegation
    eni-use-primary-address hubble-drop-events-extended kube-proxy-replacement only-masquerade-default-pool
    proxy-use-original-source-address
bool any 1.20 1.20
    enable-dynamic-source-lookup-nodeport envoy-access-log-enabled envoy-node-locality-enabled prefer-ipv6
duration lenient 1.14 1.14
    iptables-lock-timeout
duration lenient 1.14 1.15
    envoy-config-timeout ip-allocation-timeout
duration lenient 1.14 1.17
    arping-refresh-period crd-wait-timeout kvstore-connectivity-timeout kvstore-periodic-sync
duration lenient 1.14 1.18
    conntrack-gc-interval conntrack-gc-max-interval dnsproxy-concurrency-processing-grace-period
    ipsec-key-rotation-duration
duration lenient 1.14 1.20
    allocator-list-timeout bpf-ct-timeout-regular-any bpf-ct-timeout-regular-tcp bpf-ct-timeout-regular-tcp-fin
    bpf-ct-timeout-regular-tcp-syn bpf-ct-timeout-service-any bpf-ct-timeout-service-tcp
    bpf-ct-timeout-service-tcp-grace identity-change-grace-period identity-restore-grace-period
    ipam-cilium-node-update-rate l2-announcements-lease-duration l2-announcements-renew-deadline
    l2-announcements-retry-period monitor-aggregation-interval tofqdns-idle-connection-grace-period
    tofqdns-proxy-response-max-delay
duration lenient 1.15 1.18
    wireguard-persistent-keepalive
duration lenient 1.16 1.16
    hubble-drop-events-interval
duration lenient 1.17 1.17
    kvstore-lease-ttl
duration lenient 1.18 1.20
    identity-max-jitter
duration lenient 1.19 1.20
    hive-log-threshold hive-start-timeout hive-stop-timeout
duration strict 1.14 1.14
    clustermesh-ip-identities-sync-timeout
duration strict 1.14 1.20
    agent-liveness-update-interval egress-gateway-reconciliation-trigger-interval k8s-heartbeat-timeout
    mesh-auth-gc-interval
duration strict 1.15 1.20
    clustermesh-sync-timeout endpoint-bpf-prog-watchdog-interval iptables-lock-timeout mesh-auth-mutual-connect-timeout
duration strict 1.16 1.20
    envoy-config-retry-interval envoy-config-timeout k8s-client-connection-keep-alive k8s-client-connection-timeout
    nat-map-stats-interval
duration strict 1.17 1.20
    endpoint-regen-interval envoy-policy-restore-timeout hubble-drop-events-interval
duration strict 1.18 1.20
    crd-wait-timeout identity-allocation-sync-interval identity-allocation-timeout kvstore-lease-ttl
    metrics-sampling-interval status-collector-failure-threshold status-collector-interval
    status-collector-probe-check-timeout status-collector-warning-threshold
duration strict 1.19 1.20
    clustermesh-cache-ttl conntrack-gc-interval conntrack-gc-max-interval dnsproxy-concurrency-processing-grace-period
    endpoint-policy-update-timeout hubble-export-aggregation-interval hubble-lost-event-send-interval
    ipsec-key-rotation-duration vtep-sync-interval wireguard-persistent-keepalive
float lenient 1.14 1.20
    bpf-map-dynamic-size-ratio
float lenient 1.18 1.20
    connectivity-probe-frequency-ratio
float strict 1.14 1.20
    k8s-client-qps
float strict 1.19 1.20
    bpf-policy-map-pressure-metrics-threshold
int lenient 1.14 1.14
    cluster-id kvstore-max-consecutive-quorum-errors tunnel-port
int lenient 1.14 1.15
    proxy-idle-timeout-seconds proxy-max-connection-duration-seconds proxy-max-requests-per-connection
    proxy-prometheus-port
int lenient 1.14 1.16
    hubble-event-buffer-capacity hubble-event-queue-size hubble-export-file-max-backups hubble-export-file-max-size-mb
    hubble-recorder-sink-queue-size policy-queue-size
int lenient 1.14 1.17
    bpf-lb-map-max bpf-policy-map-max bpf-sock-rev-map-max
int lenient 1.14 1.18
    agent-health-port dns-max-ips-per-restored-rule mtu
int lenient 1.14 1.20
    bpf-auth-map-max bpf-ct-global-any-max bpf-ct-global-tcp-max bpf-fragments-map-max bpf-nat-global-max
    bpf-neigh-global-max cluster-health-port dnsproxy-concurrency-limit dnsproxy-socket-linger-timeout
    endpoint-queue-size route-metric tofqdns-endpoint-max-ip-per-hostname tofqdns-max-deferred-connection-deletes
    tofqdns-min-ttl tofqdns-proxy-port trace-payloadlen
int lenient 1.17 1.20
    health-check-icmp-failure-threshold
int lenient 1.18 1.20
    trace-payloadlen-overlay
int strict 1.14 1.20
    egress-gateway-policy-map-max k8s-client-burst mesh-auth-mutual-listener-port mesh-auth-queue-size
    mesh-auth-rotated-identities-queue-size monitor-queue-size
int strict 1.16 1.20
    nat-map-stats-entries proxy-admin-port proxy-idle-timeout-seconds proxy-max-connection-duration-seconds
    proxy-max-requests-per-connection proxy-prometheus-port
int strict 1.17 1.17
    hubble-recorder-sink-queue-size
int strict 1.17 1.20
    hubble-event-buffer-capacity hubble-event-queue-size hubble-export-file-max-backups hubble-export-file-max-size-mb
int strict 1.18 1.20
    bpf-lb-map-max bpf-policy-map-max bpf-policy-stats-map-max bpf-sock-rev-map-max envoy-http-upstream-linger-timeout
    standalone-dns-proxy-server-port
int strict 1.19 1.20
    agent-health-port dns-max-ips-per-restored-rule eni-first-interface-index hubble-drop-events-rate-limit
    ipam-max-allocate ipam-min-allocate ipam-pre-allocate mtu pprof-block-profile-rate pprof-mutex-profile-fraction
    proxy-max-active-downstream-connections
list any 1.14 1.15
    endpoint-status
list any 1.14 1.16
    hubble-metrics
list any 1.14 1.20
    agent-labels debug-verbose devices disable-iptables-feeder-rules enable-cilium-api-server-access
    enable-cilium-health-api-server-access exclude-local-address hubble-monitor-events hubble-tls-client-ca-files
    ipv4-pod-subnets ipv6-pod-subnets labels log-driver metrics monitor-aggregation-flags node-port-range
    vlan-bpf-bypass vtep-cidr vtep-endpoint vtep-mac
list any 1.15 1.16
    hubble-export-allowlist hubble-export-denylist
list any 1.15 1.20
    controller-group-metrics egress-masquerade-interfaces hubble-export-fieldmask hubble-redact-http-headers-allow
    hubble-redact-http-headers-deny nodeport-addresses policy-cidr-match-mode
list any 1.16 1.20
    exclude-node-label-patterns node-labels
list any 1.17 1.20
    hubble-drop-events-reasons hubble-metrics-server-tls-client-ca-files ignore-flags-drift-checker
list any 1.18 1.20
    k8s-api-server-urls lrp-address-matcher-cidrs
list any 1.19 1.20
    alibabacloud-security-groups alibabacloud-vswitches eni-security-groups eni-subnet-ids hubble-export-fieldaggregate
map any 1.14 1.15
    api-rate-limit
map any 1.14 1.20
    fixed-identity-mapping ipam-multi-pool-pre-allocation kvstore-opt log-opt
map any 1.19 1.20
    alibabacloud-security-group-tags alibabacloud-vswitch-tags eni-exclude-interface-tags eni-security-group-tags
    eni-subnet-tags ipam-static-ip-tags
string any 1.14 1.14
    bpf-lb-dev-ip-addr-inherit egress-masquerade-interfaces
string any 1.14 1.15
    sidecar-istio-proxy-image
string any 1.14 1.16
    bgp-config-path bpf-lb-dsr-l4-xlate k8s-watcher-endpoint-selector
string any 1.14 1.17
    hubble-recorder-storage-path k8s-api-server l2-pod-announcements-interface
string any 1.14 1.18
    kube-proxy-replacement
string any 1.14 1.19
    encrypt-interface tofqdns-pre-cache
string any 1.14 1.20
    agent-not-ready-taint-key allow-localhost bpf-lb-acceleration bpf-lb-algorithm bpf-lb-dsr-dispatch
    bpf-lb-maglev-hash-seed bpf-lb-mode bpf-lb-rss-ipv4-src-cidr bpf-lb-rss-ipv6-src-cidr bpf-root
    certificates-directory cgroup-root cluster-name clustermesh-config cni-chaining-mode cni-chaining-target
    cni-log-file container-ip-local-reserved-ports datapath-mode direct-routing-device enable-policy envoy-log
    hubble-export-file-path hubble-listen-address hubble-metrics-server hubble-socket-path hubble-tls-cert-file
    hubble-tls-key-file identity-allocation-mode ip-masq-agent-config-path ipam ipsec-key-file ipv4-native-routing-cidr
    ipv4-node ipv4-range ipv4-service-loopback-address ipv4-service-range ipv6-cluster-alloc-cidr ipv6-mcast-device
    ipv6-native-routing-cidr ipv6-node ipv6-range ipv6-service-range k8s-kubeconfig-path k8s-namespace
    k8s-service-proxy-name kube-proxy-replacement-healthz-bind-address kvstore label-prefix-file lib-dir
    local-router-ipv4 local-router-ipv6 mesh-auth-spiffe-trust-domain mesh-auth-spire-admin-socket monitor-aggregation
    node-encryption-opt-out-labels pprof-address procfs prometheus-serve-addr read-cni-conf routing-mode socket-path
    state-dir tofqdns-dns-reject-response-code tunnel-protocol vtep-mask write-cni-conf-when-ready
string any 1.15 1.18
    encryption-strict-mode-cidr
string any 1.15 1.20
    hubble-flowlogs-config-path ipam-default-ip-pool service-no-backend-response
string any 1.16 1.16
    hubble-drop-events-reasons
string any 1.16 1.20
    api-rate-limit envoy-secrets-namespace gateway-api-secrets-namespace ingress-secrets-namespace static-cnp-path
string any 1.17 1.20
    dynamic-lifecycle-config envoy-default-log-level hubble-dynamic-metrics-config-path hubble-export-allowlist
    hubble-export-denylist hubble-metrics hubble-metrics-server-tls-cert-file hubble-metrics-server-tls-key-file
    policy-secrets-namespace tunnel-source-port-range
string any 1.18 1.20
    bgp-router-id-allocation-ip-pool bgp-router-id-allocation-mode identity-management-mode
    l2-pod-announcements-interface-pattern lb-state-file status-collector-stackdump-path underlay-protocol
string any 1.19 1.20
    azure-interface-name default-lb-service-ipam encryption-strict-egress-cidr ipv6-service-loopback-address
    packetization-layer-pmtud-mode policy-deny-response shell-sock-path
string any 1.20 1.20
    datapath-plugins-state-dir envoy-xds-mode
uint lenient 1.14 1.15
    http-idle-timeout http-max-grpc-timeout http-request-timeout http-retry-count http-retry-timeout
    proxy-connect-timeout proxy-gid restored-proxy-ports-age-limit
uint lenient 1.14 1.16
    bpf-lb-maglev-table-size
uint lenient 1.15 1.17
    kvstore-max-consecutive-quorum-errors
uint strict 1.16 1.20
    envoy-access-log-buffer-size envoy-base-id http-idle-timeout http-max-grpc-timeout http-request-timeout
    http-retry-count http-retry-timeout proxy-connect-timeout proxy-gid proxy-initial-fetch-timeout
    restored-proxy-ports-age-limit
uint strict 1.17 1.20
    bpf-lb-maglev-table-size policy-queue-size
uint strict 1.18 1.20
    http-stream-idle-timeout kvstore-max-consecutive-quorum-errors
uint16 strict 1.14 1.20
    gops-port pprof-port
uint16 strict 1.15 1.20
    tunnel-port
uint16 strict 1.16 1.20
    proxy-portrange-max proxy-portrange-min
uint32 lenient 1.14 1.15
    proxy-xff-num-trusted-hops-egress proxy-xff-num-trusted-hops-ingress
uint32 strict 1.15 1.20
    bpf-node-map-max cluster-id max-connected-clusters
uint32 strict 1.16 1.20
    proxy-xff-num-trusted-hops-egress proxy-xff-num-trusted-hops-ingress
uint32 strict 1.17 1.20
    proxy-max-concurrent-retries
uint32 strict 1.19 1.20
    proxy-cluster-max-connections proxy-cluster-max-requests
uint32 strict 1.20 1.20
    proxy-cluster-max-pending-requests
uint8 lenient 1.19 1.20
    ip-tracing-option-type
"""
