"""The metrics, read back with the parser of the Prometheus client."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from snapshots.report_documents import PARTS, full, sick
from snapshots.small_clusters import audited, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, REASSIGN
from ansible_collections.podnet.upkeep.plugins.module_utils._report.prometheus import MOST_NODES, prometheus

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(document: Any) -> Samples:
    """{(name, labels): value} of all metrics; each has a type and a text, and no sample is there twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(prometheus(document)):
        assert family.name.startswith("podnet_upkeep_")
        assert family.type == "gauge" and family.documentation and family.samples
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found and sample.timestamp is None
            found[key] = sample.value
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    """The value of one sample."""
    return samples[f"podnet_upkeep_{name}", tuple(sorted(labels.items()))]


def names(samples: Samples) -> set[str]:
    """Names of all metrics."""
    return {name.removeprefix("podnet_upkeep_") for name, _labels in samples}


def test_all_metrics() -> None:
    """Numbers of the document are the numbers of the metrics."""
    document = full()
    samples = read(document)
    assert value(samples, "audit_timestamp_seconds") == 1793512800
    assert value(samples, "findings", id="node-cidr-overlap", severity="critical") == 2
    assert value(samples, "findings_by_severity", severity="critical") == document["summary"]["critical"]
    assert value(samples, "nodes") == 12
    assert value(samples, "pool_free_blocks", family="IPv4", cluster_cidr="10.244.0.0/20") == 0
    assert value(samples, "pool_waiting_nodes", family="IPv4", cluster_cidr="10.244.0.0/20") == 1
    assert value(samples, "cilium_pool_used_blocks", pool="default", family="IPv4", cidr="10.0.0.0/16") == 250
    assert value(samples, "identities_used") == 64100 and value(samples, "identities_capacity") == 65279
    assert value(samples, "identities", **{"class": "leaked"}) == 42148
    assert value(samples, "identity_gc_verdict", verdict="broken") == 1
    assert value(samples, "identities_created_per_hour") == 88.4
    assert value(samples, "identities_exhausted_timestamp_seconds") == 1793560800
    assert value(samples, "endpoints", state="ready") == 21704
    assert value(samples, "node_addresses_free", node="worker-1") == 52
    assert value(samples, "unknown_resource", resource="events") == 1
    label = "batch.kubernetes.io/job-name"
    assert value(samples, "identity_label_values", key=label) == 41000
    assert value(samples, "identity_label_identities", key=label) == 40990
    assert value(samples, "identities_of_namespace", namespace="team-3") == 8997
    drifted = {one["subject"]["name"] for one in document["findings"] if CATALOGUE[one["id"]].playbook == REASSIGN}
    assert value(samples, "drifted_nodes") == len(drifted) > 1


def test_what_is_unknown_has_no_sample() -> None:
    """Not zero: the pool whose free blocks are not known, the Node whose addresses are not, the part that is absent."""
    samples = read(full())
    assert (
        "podnet_upkeep_cilium_pool_free_blocks",
        (("cidr", "fd00::/104"), ("family", "IPv6"), ("pool", "mars")),
    ) not in samples
    assert ("podnet_upkeep_node_addresses_free", (("node", "control-1"),)) not in samples
    absent = {
        "identities",
        "identities_used",
        "endpoints",
        "cilium_pool_free_blocks",
    }
    assert not absent & names(read(sick()))
    assert "nodes" not in names(read(audited(unknown={"nodes": "forbidden"})))


@pytest.mark.parametrize("part", PARTS)
def test_without_a_part(part: str) -> None:
    """The others stay."""
    assert read({**full(), part: None}).items() <= read(full()).items()


def test_the_scarcest_nodes_have_a_series() -> None:
    """Of thousands, those with the fewest free addresses; how many were left out is a number as well."""
    document = audited(nodes=[node(f"n{number:04}") for number in range(MOST_NODES + 70)])
    for index, one in enumerate(document["nodes"]):
        one["addresses"] = {"capacity": 9000, "used": index, "free": 9000 - index}
    samples = read(document)
    shown = {labels[0][1] for name, labels in samples if name == "podnet_upkeep_node_addresses_free"}
    assert shown == {f"n{number:04}" for number in range(70, MOST_NODES + 70)}
    assert value(samples, "node_addresses_omitted") == 70


@given(st.text(max_size=30))
def test_any_label_survives(state: str) -> None:
    """Quotes, backslashes, line feeds, anything: one sample, read back as it was (a carriage return is a blank)."""
    document = {**sick_document, "endpoints": {"count": 1, "states": {state: 1}}}
    text = prometheus(document).encode("utf-8").decode("utf-8")
    found = [
        sample.labels["state"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.name == "podnet_upkeep_endpoints"
    ]
    assert found == [state.replace("\r", " ")]


sick_document = sick()


def test_deterministic() -> None:
    """Byte for byte."""
    assert prometheus(full()) == prometheus(full())
