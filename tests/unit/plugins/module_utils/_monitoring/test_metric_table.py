"""The table of metrics against what can be asked without a cluster: our own report."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from snapshots.report_documents import full

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import METRICS
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    AUDIT,
    CILIUM_AGENT,
    CILIUM_OPERATOR,
    MonitoredCluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._report.prometheus import prometheus


def test_metrics_of_the_audit_are_those_that_it_writes() -> None:
    """By name and by labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(prometheus(full())):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    for metric in METRICS.values():
        if metric.component == AUDIT:
            assert set(metric.labels) == found.get(metric.name), metric.name


def test_names_that_the_runbook_has_invented_are_nowhere() -> None:
    """They look real; no release has them."""
    invented = (
        "cilium_identity_count",
        "cilium_identity_allocation_count",
        "cilium_ipam_available_ips",
        "cilium_ipam_total_ips",
    )
    assert not set(invented) & set(METRICS)


def test_releases_decide() -> None:
    """A metric exists from its first release on; where the release is unknown the oldest counts."""

    def names(cilium: tuple[int, int] | None, component: str) -> set[str]:
        cluster = MonitoredCluster(frozenset({component}), cilium)
        return {one.name for one in METRICS.values() if one.component == component and one.exists_in(cluster)}

    assert "cilium_operator_identity_gc_latency" not in names((1, 16), CILIUM_OPERATOR)
    assert "cilium_operator_identity_gc_latency" in names((1, 17), CILIUM_OPERATOR)
    assert names(None, CILIUM_AGENT) == names((1, 14), CILIUM_AGENT) < names((1, 15), CILIUM_AGENT)
