"""A simulated label filter against the real cilium-operator, which makes identities of plain pods under the real filter.

The prediction is made before the filter is set. Then the operator is started with it: the identities that it creates must be
those that were predicted, and with the old ones, which nobody collects here, there must be as many as the predicted peak.
Started with another filter, the operator of 1.18.4 now and then gives the number of an old identity to a new one, before it knows
all old ones (it logs "Updating CID"): so many may be less.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_simulation import (
    RESOURCES,
    FilterSimulation,
    simulate,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from harness.identity_cluster import create_all
from harness.labelled_pods import ACCOUNTS, FILTERS, NAMESPACES, namespaces, pods
from harness.playbook import run_playbook
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, KwokSpec, Testbed, TestbedSpec
from testbed.cilium_operator import CiliumOperator

pytestmark = pytest.mark.testbed

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
MANAGED = {
    "identity-management-mode": "operator",
    "operator-k8s-client-qps": "1000",
    "operator-k8s-client-burst": "2000",
}
SEED = 20261101
Labels = frozenset[tuple[str, str]]


@pytest.fixture
def cluster() -> Iterator[Testbed]:
    """A control plane, and the operator, which makes identities and collects none."""
    spec = TestbedSpec(
        name=f"label-filter-{os.getpid()}",
        cilium=CiliumOperatorSpec(
            endpoint_gc_interval="1h", nodes_gc_interval="1h", identity_gc_interval="0s", config=MANAGED
        ),
        kwok=KwokSpec(),
    )
    with Testbed.up(spec) as testbed:
        testbed.kwok.create_nodes(1, prefix="w")
        yield testbed


def fill(testbed: Testbed, count: int, seed: int) -> None:
    """Namespaces, accounts and pods."""
    create_all(testbed.client, [("/api/v1/namespaces", one) for one in namespaces(seed)])
    accounts = [f"/api/v1/namespaces/{name}/serviceaccounts" for name in NAMESPACES]
    for path in accounts:
        for name in ACCOUNTS[1:]:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
            testbed.client.create(path, account)
    wait_until(
        "the accounts of all namespaces", lambda: all(testbed.client.find(f"{path}/default") for path in accounts)
    )
    made = pods(count, seed)
    create_all(testbed.client, [(f"/api/v1/namespaces/{one['metadata']['namespace']}/pods", one) for one in made])


def restarted(testbed: Testbed, labels: str) -> None:
    """The operator with another filter, which cilium-config shows too."""
    testbed.cilium.stop()
    spec = dataclasses.replace(testbed.cilium.spec, config={**MANAGED, "labels": labels})
    testbed.cilium = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    testbed.cilium.start()


def written(testbed: Testbed) -> list[Labels]:
    """The labels of all identities that exist."""
    return [frozenset(one["security-labels"].items()) for one in testbed.client.list(IDENTITIES)]


def simulated(testbed: Testbed, labels: str | None = None, **more: Any) -> FilterSimulation:
    """What is predicted for a filter now."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    return simulate(Context(live.collect(client, live.LiveOptions(resources=RESOURCES))), labels, **more)


def sets_of(found: FilterSimulation) -> set[Labels]:
    """The identities that it expects afterwards."""
    assert found.pods is not None, found.not_simulated
    return {frozenset(one.items()) for one in found.pods.after.labels}


def until_created(testbed: Testbed, expected: set[Labels], existing: set[Labels], seconds: float) -> set[Labels]:
    """Until all of these identities exist, and besides them nothing but the old ones; what exists then."""

    def missing() -> set[Labels]:
        return expected - set(written(testbed))

    try:
        wait_until("identities as predicted", lambda: not missing(), seconds)
    except AssertionError as error:
        left = [sorted(one) for one in missing()]
        raise AssertionError(f"{error}: {len(left)} missing {left[:2]}; {testbed.cilium.log_tail(3)}") from error
    now = set(written(testbed))
    more = [sorted(one) for one in now - expected - existing]
    assert not more, f"{len(more)} more than predicted: {more[:2]}"
    overwritten = existing - now
    assert not overwritten & expected
    assert len(overwritten) <= testbed.cilium.log_tail(1_000_000).count('msg="Updating CID"')
    return now


def compare(testbed: Testbed, filters: tuple[str, ...], seconds: float) -> list[tuple[str, int, int]]:
    """Each filter in turn; (filter, identities that pods need, identities that exist afterwards)."""
    present = simulated(testbed)
    existing = sets_of(present)
    assert until_created(testbed, existing, set(), seconds) == existing
    seen = [("", len(existing), len(existing))]
    for labels in filters:
        found = simulated(testbed, labels)
        assert found.now == len(sets_of(present)) and found.objects == len(existing)
        expected = sets_of(found)
        assert found.after == len(expected)
        restarted(testbed, labels)
        before, existing = existing, until_created(testbed, expected, existing, seconds)
        assert found.peak == len(existing | before) >= len(written(testbed))
        present = simulated(testbed)
        assert sets_of(present) == expected
        seen.append((labels, len(expected), len(existing)))
    return seen


def test_the_operator_creates_what_is_predicted(cluster: Testbed, tmp_path: Path) -> None:
    """Of generated pods under a sample of the filters; then the playbook says of a policy that it would be dead."""
    fill(cluster, 300, SEED)
    sample = random.Random(SEED).sample(FILTERS[1:], 2)
    seen = compare(cluster, tuple(sample), 180)
    assert all(count > 20 for _labels, count, _existing in seen)
    live_selector, dead_selector = {"matchLabels": {"k8s-app": "k8s-0"}}, {"matchLabels": {"version": "ver-1"}}
    for name, selector in (("stays", live_selector), ("dies", dead_selector)):
        policy = {"metadata": {"name": name}, "spec": {"podSelector": selector, "policyTypes": ["Ingress"]}}
        cluster.client.create(POLICIES, {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", **policy})
    restarted(cluster, "")
    report = tmp_path / "label-filter.md"
    variables = {
        "simulate_label_filter_kubeconfig": str(cluster.kubeconfig),
        "simulate_label_filter_labels": "k8s:!version$",
        "simulate_label_filter_report_markdown": str(report),
    }
    done = run_playbook("podnet.upkeep.simulate_label_filter", variables=variables)
    assert done.returncode == 0, done.output
    assert "dead  NetworkPolicy shop/dies spec.podSelector" in done.output and "shop/stays" not in done.output
    assert "policies-affected" in done.output and "NetworkPolicy shop/dies" in report.read_text(encoding="utf-8")
    strict = {**variables, "simulate_label_filter_fail_on_refusal": True}
    assert run_playbook("podnet.upkeep.simulate_label_filter", variables=strict).returncode != 0


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_the_operator_creates_what_is_predicted_for_thousands_of_pods(cluster: Testbed, seed: int) -> None:
    """Under every filter."""
    fill(cluster, 3000, seed)
    for labels, count, existing in compare(cluster, FILTERS[1:], 240):
        print(f"{count} identities, {existing} exist, with '{labels}'")
