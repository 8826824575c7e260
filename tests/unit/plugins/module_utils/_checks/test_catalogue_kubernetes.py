"""The catalogue of the Kubernetes side: every entry can happen, and says all it has to say."""

from __future__ import annotations

import pytest
from snapshots.provoked_kubernetes import PROVOKED
from snapshots.small_clusters import context, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    catalogue_control_plane,
    catalogue_events,
    catalogue_host_network,
    control_plane,
    events,
    host_network,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks

KINDS = (*catalogue_events.KINDS, *catalogue_control_plane.KINDS, *catalogue_host_network.KINDS)
CHECKS = (events.check, control_plane.check, host_network.check)


def test_every_entry_is_provoked() -> None:
    """None is forgotten, none is made up."""
    assert set(PROVOKED) == {kind.id for kind in KINDS}


@pytest.mark.parametrize("identifier", PROVOKED)
def test_a_finding_has_everything_an_operator_needs(identifier: str) -> None:
    """Fact, evidence, meaning, why it matters, how to verify, and what mends it; not more than ten names."""
    made = context(**PROVOKED[identifier])
    found = [one for one in run_checks(made) if one.id == identifier]
    assert found
    for one in found:
        result = one.to_dict()
        assert result["severity"] in SEVERITIES
        assert all(result[key] for key in ("title", "summary", "meaning", "why", "verify", "evidence"))
        assert "because" in CATALOGUE[identifier].remedy or result["remedy"]["playbook"] or result["severity"] == "info"


def test_a_healthy_cluster_has_none() -> None:
    """And an empty one, and one of which nothing could be read."""
    for made in (context(nodes=[node("a", "10.0.0.0/24")]), context(), context(allocator=None)):
        assert [one.id for check in CHECKS for one in check(made)] == []
    unknown = dict.fromkeys(context().state.resources, "forbidden")
    assert [one.id for check in CHECKS for one in check(context(unknown=unknown))] == []
