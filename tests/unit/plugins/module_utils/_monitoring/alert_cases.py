"""For each alert that is not generated from the catalogue: series with which it fires, and series with which it must not.

Series and values are written as promtool reads them (one value a minute; ``2+0.5x60`` begins at 2 and rises by a half). The
names and labels are those of the real programs: tests/integration/test_install_monitoring.py scrapes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """``fires`` must make exactly one alert with the labels ``gives``, and so must ``also``; ``quiet`` and each of
    ``quiet_too`` none. Asked at the minute ``at``."""

    fires: Series
    quiet: Series
    gives: str = ""
    at: int = 120
    also: Series = field(default_factory=dict)
    quiet_too: tuple[Series, ...] = ()


def objects(group: str, resource: str) -> str:
    """The series by which the API server counts objects."""
    return f'apiserver_resource_objects{{group="{group}",resource="{resource}",instance="api"}}'


IDENTITIES = objects("cilium.io", "ciliumidentities")
NODES, CSINODES, CILIUM_NODES = (
    objects("", "nodes"),
    objects("storage.k8s.io", "csinodes"),
    objects("cilium.io", "ciliumnodes"),
)
ALIVE = 'cilium_operator_identity_gc_entries{status="alive",identity_type="crd"}'
DELETED = 'cilium_operator_identity_gc_entries{status="deleted",identity_type="crd"}'
GOOD_RUNS = 'cilium_operator_identity_gc_runs{outcome="success",identity_type="crd"}'
BAD_RUNS = 'cilium_operator_identity_gc_runs{outcome="fail",identity_type="crd"}'
USAGE = 'node_ipam_controller_cidrset_usage_cidrs{clusterCIDR="10.0.0.0/16"}'
OTHER_USAGE = 'node_ipam_controller_cidrset_usage_cidrs{clusterCIDR="fd00::/48"}'
RETRIES = 'workqueue_retries_total{name="cidrallocator_node"}'
LEADS = 'leader_election_master_status{name="kube-controller-manager",instance="m1",job="kcm"}'
STARTED = 'process_start_time_seconds{instance="m1",job="kcm"}'
ALWAYS = "x240"


def cilium_pool(cidr: str, free: int, capacity: int, source: str = "host") -> Series:
    """What the audit of ``source`` says of one CIDR of a pool of Cilium."""
    labels = f'{{pool="default",family="IPv4",cidr="{cidr}",instance="{source}"}}'
    name = "podnet_upkeep_cilium_pool"
    return {f"{name}_free_blocks{labels}": f"{free}{ALWAYS}", f"{name}_capacity_blocks{labels}": f"{capacity}{ALWAYS}"}


def audit_time(source: str) -> str:
    """The series that says when the audit of ``source`` has read the state."""
    return f'podnet_upkeep_audit_timestamp_seconds{{job="node-exporter",instance="{source}"}}'


CASES: dict[str, Case] = {
    "PodnetIdentitiesExhausted": Case({IDENTITIES: "65280" + ALWAYS}, {IDENTITIES: "65279" + ALWAYS}),
    "PodnetIdentitiesNearlyExhausted": Case({IDENTITIES: "52300" + ALWAYS}, {IDENTITIES: "52200" + ALWAYS}),
    "PodnetIdentitiesInUse": Case(
        {ALIVE: "60000" + ALWAYS, DELETED: "0" + ALWAYS}, {ALIVE: "500" + ALWAYS, DELETED: "60000" + ALWAYS}
    ),
    # 100 a minute are 144,000 a day; 10 are 14,400
    "PodnetIdentitiesRunOut": Case(
        {IDENTITIES: "1000+100x600"},
        {IDENTITIES: "1000+10x600"},
        at=480,
        # a CronJob of which each run makes some, each hour
        also={IDENTITIES: " ".join(f"{number}x59" for number in range(4000, 60000, 5000))},
        # one step as a change of labels makes it: afterwards as before, or with the growth that every cluster has
        quiet_too=(
            {IDENTITIES: "4000x299 4000+1400x10 18000x600"},
            {IDENTITIES: "4000x299 4000+1400x10 18000+0.2x600"},
            {IDENTITIES: "4000x299 4000+4000x10 44000x600"},
        ),
    ),
    "PodnetIdentitiesRunOutByAudit": Case(
        {"podnet_upkeep_identities_exhausted_timestamp_seconds": "36000" + ALWAYS},
        {"podnet_upkeep_identities_exhausted_timestamp_seconds": "360000" + ALWAYS},
    ),
    "PodnetIdentityLabelValues": Case(
        {'podnet_upkeep_identity_label_values{key="job-name"}': "1001" + ALWAYS},
        {'podnet_upkeep_identity_label_values{key="job-name"}': "1000" + ALWAYS},
        'key="job-name"',
    ),
    "PodnetIdentityGcAbsent": Case({}, {GOOD_RUNS: "1" + ALWAYS}),
    "PodnetIdentityGcStopped": Case(
        {GOOD_RUNS: "7" + ALWAYS},
        {GOOD_RUNS: "7+0.05x240"},
        at=180,
        # one operator has hung, and the one that has taken over has hung too, after its first collection
        also={GOOD_RUNS: "7x20 stale", GOOD_RUNS.replace("}", ',instance="o2"}'): "_x30 1x240"},
        # a healthy operator: Prometheus has begun to scrape it; it returns after two hours; it returns within the window, and
        # its first collection has no sample before it; it goes away, and what it did last is still in the window
        quiet_too=(
            {GOOD_RUNS: " ".join(["5x13 6x14", *(f"{number}x15" for number in range(7, 22))])},
            {GOOD_RUNS: "7 stale _x119 1x14 2x14 3x60"},
            {GOOD_RUNS: "5x14 6x14 7x14 stale", GOOD_RUNS.replace("}", ',instance="o2"}'): "_x99 1x14 2x14 3x60"},
            {GOOD_RUNS: "5x14 6x14 7x14 8x14 stale"},
        ),
    ),
    # the first failure has no sample before it, a later one has
    "PodnetIdentityGcFailing": Case(
        {GOOD_RUNS: "1" + ALWAYS, BAD_RUNS: "_x100 1x100"},
        {GOOD_RUNS: "1" + ALWAYS, BAD_RUNS: "3" + ALWAYS},
        also={GOOD_RUNS: "1" + ALWAYS, BAD_RUNS: "1x100 2x100"},
    ),
    "PodnetIdentityGcSlow": Case(
        {'cilium_operator_identity_gc_latency{outcome="success",identity_type="crd"}': "601" + ALWAYS},
        {
            'cilium_operator_identity_gc_latency{outcome="success",identity_type="crd"}': "60" + ALWAYS,
            'cilium_operator_identity_gc_latency{outcome="fail",identity_type="crd"}': "900" + ALWAYS,
        },
    ),
    "PodnetIdentityCreationFailing": Case(
        {'cilium_operator_cid_controller_work_queue_event_count{resource="cid",outcome="fail"}': "0+1x240"},
        {
            'cilium_operator_cid_controller_work_queue_event_count{resource="cid",outcome="success"}': "0+9x240",
            'cilium_operator_cid_controller_work_queue_event_count{resource="pod",outcome="fail"}': "0+9x240",
        },
    ),
    "PodnetEndpointsWithoutIdentity": Case(
        {'cilium_endpoint_state{endpoint_state="waiting-for-identity",instance="a1"}': "2" + ALWAYS},
        {
            'cilium_endpoint_state{endpoint_state="waiting-for-identity",instance="a1"}': "0" + ALWAYS,
            'cilium_endpoint_state{endpoint_state="ready",instance="a1"}': "9" + ALWAYS,
        },
        'instance="a1"',
    ),
    "PodnetEndpointsNotReady": Case(
        {'cilium_endpoint_state{endpoint_state="not-ready",instance="a1"}': "1" + ALWAYS},
        # a quarter of an hour is not full: every tenth minute all are ready
        {'cilium_endpoint_state{endpoint_state="not-ready",instance="a1"}': " ".join(["1x8 0"] * 24)},
        'instance="a1",endpoint_state="not-ready"',
    ),
    "PodnetEndpointGcFailing": Case(
        {'cilium_operator_endpoint_gc_objects{outcome="fail"}': "0+1x240"},
        {
            'cilium_operator_endpoint_gc_objects{outcome="fail"}': "0+0.2x240",
            'cilium_operator_endpoint_gc_objects{outcome="success"}': "0+9x240",
        },
    ),
    "PodnetAgentAddressesExhausted": Case(
        {
            'cilium_ip_addresses{family="ipv4",instance="a1"}': "254" + ALWAYS,
            'cilium_ipam_capacity{family="ipv4",instance="a1"}': "254" + ALWAYS,
            'cilium_ip_addresses{family="ipv4",instance="a2"}': "20" + ALWAYS,
            'cilium_ipam_capacity{family="ipv4",instance="a2"}': "254" + ALWAYS,
        },
        # since 1.20 the capacity has a series for each CIDR
        {
            'cilium_ip_addresses{family="ipv4",instance="a1"}': "254" + ALWAYS,
            'cilium_ipam_capacity{family="ipv4",cidr="10.0.0.0/24",instance="a1"}': "254" + ALWAYS,
            'cilium_ipam_capacity{family="ipv4",cidr="10.0.9.0/24",instance="a1"}': "254" + ALWAYS,
        },
        'instance="a1",family="ipv4"',
    ),
    "PodnetAgentAddressesLow": Case(
        {
            'cilium_ip_addresses{family="ipv4",instance="a1"}': "240" + ALWAYS,
            'cilium_ipam_capacity{family="ipv4",instance="a1"}': "254" + ALWAYS,
        },
        {
            'cilium_ip_addresses{family="ipv4",instance="a1"}': "220" + ALWAYS,
            'cilium_ipam_capacity{family="ipv4",instance="a1"}': "254" + ALWAYS,
        },
        'instance="a1",family="ipv4"',
    ),
    "PodnetNodeAddressesLow": Case(
        {'podnet_upkeep_node_addresses_free{node="n1"}': "4" + ALWAYS},
        {'podnet_upkeep_node_addresses_free{node="n1"}': "5" + ALWAYS},
        'node="n1"',
    ),
    "PodnetCiliumPoolLow": Case(
        cilium_pool("10.0.0.0/16", 20, 256),
        cilium_pool("10.0.0.0/16", 30, 256),
        'pool="default",family="IPv4"',
        also={**cilium_pool("10.0.0.0/16", 0, 256), **cilium_pool("10.64.0.0/14", 100, 1024)},
        quiet_too=(
            # a CIDR was appended to the pool, which is the remedy: the first one stays full
            {**cilium_pool("10.0.0.0/16", 0, 256), **cilium_pool("10.64.0.0/14", 1000, 1024)},
            # two audits of the same pool are not twice its blocks; one of them knows more than the other
            {
                **cilium_pool("10.0.0.0/16", 0, 256),
                **cilium_pool("10.0.0.0/16", 0, 256, "other"),
                **cilium_pool("10.64.0.0/14", 200, 1024),
            },
        ),
    ),
    "PodnetCloudNodesInDeficit": Case(
        {'cilium_operator_ipam_nodes{category="in-deficit"}': "2" + ALWAYS},
        {
            'cilium_operator_ipam_nodes{category="in-deficit"}': "0" + ALWAYS,
            'cilium_operator_ipam_nodes{category="total"}': "9" + ALWAYS,
        },
    ),
    "PodnetCloudNodesAtCapacity": Case(
        {'cilium_operator_ipam_nodes{category="at-capacity"}': "2" + ALWAYS},
        {
            'cilium_operator_ipam_nodes{category="at-capacity"}': "0" + ALWAYS,
            'cilium_operator_ipam_nodes{category="total"}': "9" + ALWAYS,
        },
    ),
    "PodnetPolicyMapPressure": Case(
        {'cilium_bpf_map_pressure{map_name="cilium_policy_v2_*",instance="a1"}': "0.95" + ALWAYS},
        {
            'cilium_bpf_map_pressure{map_name="cilium_policy_v2_*",instance="a1"}': "0.85" + ALWAYS,
            'cilium_bpf_map_pressure{map_name="ct4_global",instance="a1"}': "0.95" + ALWAYS,
        },
        'instance="a1",map_name="cilium_policy_v2_*"',
    ),
    "PodnetMapPressure": Case(
        {'cilium_bpf_map_pressure{map_name="ct4_global",instance="a1"}': "0.95" + ALWAYS},
        {
            'cilium_bpf_map_pressure{map_name="cilium_policy_v2_*",instance="a1"}': "0.95" + ALWAYS,
            'cilium_bpf_map_pressure{map_name="ct4_global",instance="a1"}': "0.85" + ALWAYS,
        },
        'instance="a1",map_name="ct4_global"',
    ),
    "PodnetAgentControllersFailing": Case(
        {'cilium_controllers_failing{instance="a1"}': "1" + ALWAYS},
        {'cilium_controllers_failing{instance="a1"}': "0" + ALWAYS},
        'instance="a1"',
    ),
    "PodnetAgentConfigurationDiffers": Case(
        {'cilium_drift_checker_config_delta{instance="a1"}': "3" + ALWAYS},
        {'cilium_drift_checker_config_delta{instance="a1"}': "0" + ALWAYS},
        'instance="a1"',
    ),
    "PodnetKvstoreQuorumErrors": Case(
        {
            'cilium_kvstore_quorum_errors_total{error="quorum check failed",instance="a1"}': "_x116 1x60",
            'cilium_controllers_failing{instance="a1"}': "0" + ALWAYS,
        },
        {'cilium_kvstore_quorum_errors_total{error="quorum check failed",instance="a1"}': "4" + ALWAYS},
        'error="quorum check failed"',
        also={'cilium_kvstore_quorum_errors_total{error="quorum check failed",instance="a1"}': "1+1x240"},
    ),
    "PodnetNodeWaitsForCidr": Case(
        {USAGE: "1" + ALWAYS, RETRIES: "0+0.1x240"},
        # tries without want of blocks are the allocator's own, and other queues do not matter
        {USAGE: "0.5" + ALWAYS, RETRIES: "0+1x240", 'workqueue_retries_total{name="node"}': "0+9x240"},
    ),
    "PodnetNodeWaitsForCidrByAudit": Case(
        {'podnet_upkeep_pool_waiting_nodes{family="IPv4",cluster_cidr="10.0.0.0/16"}': "1" + ALWAYS},
        {'podnet_upkeep_pool_waiting_nodes{family="IPv4",cluster_cidr="10.0.0.0/16"}': "0" + ALWAYS},
        'family="IPv4",cluster_cidr="10.0.0.0/16"',
    ),
    "PodnetNodeCidrPoolFull": Case(
        {USAGE: "1" + ALWAYS, OTHER_USAGE: "0.1" + ALWAYS}, {USAGE: "0.996" + ALWAYS}, 'clusterCIDR="10.0.0.0/16"'
    ),
    "PodnetNodeCidrPoolLow": Case(
        {USAGE: "0.91" + ALWAYS, OTHER_USAGE: "0.1" + ALWAYS}, {USAGE: "0.9" + ALWAYS}, 'clusterCIDR="10.0.0.0/16"'
    ),
    "PodnetNodeCidrPoolLowByAudit": Case(
        {
            'podnet_upkeep_pool_free_blocks{family="IPv4",cluster_cidr="10.0.0.0/16"}': "20" + ALWAYS,
            'podnet_upkeep_pool_capacity_blocks{family="IPv4",cluster_cidr="10.0.0.0/16"}': "256" + ALWAYS,
        },
        {
            'podnet_upkeep_pool_free_blocks{family="IPv4",cluster_cidr="10.0.0.0/16"}': "30" + ALWAYS,
            'podnet_upkeep_pool_capacity_blocks{family="IPv4",cluster_cidr="10.0.0.0/16"}': "256" + ALWAYS,
        },
        'family="IPv4",cluster_cidr="10.0.0.0/16"',
    ),
    "PodnetNodesDrifted": Case(
        {"podnet_upkeep_drifted_nodes": "2" + ALWAYS}, {"podnet_upkeep_drifted_nodes": "0" + ALWAYS}
    ),
    "PodnetNodeChurn": Case({NODES: "10 11 " * 120}, {NODES: "10x9 11x9 " * 12}),
    "PodnetNodeCidrChurn": Case(
        {'node_ipam_controller_cidrset_cidrs_releases_total{clusterCIDR="10.0.0.0/16"}': "0+1x240"},
        {
            'node_ipam_controller_cidrset_cidrs_releases_total{clusterCIDR="10.0.0.0/16"}': "0+0.2x240",
            # a controller-manager that starts counts every Node as one that was given a block
            'node_ipam_controller_cidrset_cidrs_allocations_total{clusterCIDR="10.0.0.0/16"}': "0+9x240",
        },
    ),
    "PodnetCiliumNodesDangling": Case(
        {NODES: "10" + ALWAYS, CILIUM_NODES: "11" + ALWAYS}, {NODES: "11" + ALWAYS, CILIUM_NODES: "10" + ALWAYS}
    ),
    "PodnetCsinodesStale": Case(
        {NODES: "10" + ALWAYS, CSINODES: "11" + ALWAYS}, {NODES: "10" + ALWAYS, CSINODES: "10" + ALWAYS}
    ),
    "PodnetControllerManagerNotLeading": Case({LEADS: "0" + ALWAYS}, {LEADS: "1" + ALWAYS}),
    "PodnetControllerManagerRestarts": Case(
        {LEADS: "1" + ALWAYS, STARTED: " ".join(f"{number}x4" for number in range(1, 41))},
        {
            LEADS: "1" + ALWAYS,
            STARTED: "1x110 2x100",
            'process_start_time_seconds{instance="m1",job="other"}': " ".join(f"{n}x4" for n in range(1, 41)),
        },
        'instance="m1",job="kcm"',
    ),
    "PodnetSandboxFailures": Case(
        {'kubelet_run_podsandbox_errors_total{instance="n1:10250",node="n1"}': "0+1x240"},
        {'kubelet_run_podsandbox_errors_total{instance="n1:10250",node="n1"}': "0+0.1x240"},
        'instance="n1:10250",node="n1"',
    ),
    "PodnetSandboxSlow": Case(
        {
            'kubelet_run_podsandbox_duration_seconds_bucket{instance="n1:10250",node="n1",le="5"}': "0+1x240",
            'kubelet_run_podsandbox_duration_seconds_bucket{instance="n1:10250",node="n1",le="10"}': "0+9x240",
            'kubelet_run_podsandbox_duration_seconds_bucket{instance="n1:10250",node="n1",le="+Inf"}': "0+9x240",
        },
        {
            'kubelet_run_podsandbox_duration_seconds_bucket{instance="n1:10250",node="n1",le="5"}': "0+9x240",
            'kubelet_run_podsandbox_duration_seconds_bucket{instance="n1:10250",node="n1",le="10"}': "0+9x240",
            'kubelet_run_podsandbox_duration_seconds_bucket{instance="n1:10250",node="n1",le="+Inf"}': "0+9x240",
        },
        'instance="n1:10250",node="n1"',
    ),
    "PodnetAuditMissing": Case({}, {"podnet_upkeep_audit_timestamp_seconds": "1" + ALWAYS}),
    "PodnetAuditOld": Case(
        {audit_time("h1"): "600x2000"},
        # one each day that takes an hour
        {audit_time("h1"): "0x1499 86400x300"},
        'job="node-exporter",instance="h1"',
        at=1700,
        # another source is fresh
        also={audit_time("h1"): "600x2000", audit_time("h2"): "0+60x2000"},
    ),
    "PodnetAuditIncomplete": Case(
        {'podnet_upkeep_unknown_resource{resource="pods"}': "1" + ALWAYS},
        {"podnet_upkeep_audit_timestamp_seconds": "1" + ALWAYS},
        'resource="pods"',
    ),
}
