"""Ranges of identity numbers, as the table of the documentation of Cilium has them."""

from __future__ import annotations

import re

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import (
    IdentityRangeError,
    identity_range,
    range_of_config,
)


@pytest.mark.parametrize(
    ("cluster_id", "clusters", "minimum", "maximum", "capacity"),
    [
        (0, 255, 256, 65535, 65280),
        (3, 255, 196608, 262143, 65536),
        (255, 255, 255 << 16, (1 << 24) - 1, 65536),
        (0, 511, 256, 32767, 32512),
        (3, 511, 98304, 131071, 32768),
        (511, 511, 511 << 15, (1 << 24) - 1, 32768),
    ],
)
def test_ranges(cluster_id: int, clusters: int, minimum: int, maximum: int, capacity: int) -> None:
    """Cluster 0 leaves out what is reserved; the ranges of clusters do not touch."""
    found = identity_range(cluster_id, clusters)
    assert (found.minimum, found.maximum, found.capacity) == (minimum, maximum, capacity)
    assert minimum in found and maximum in found and minimum - 1 not in found and maximum + 1 not in found
    assert "256" not in found
    if cluster_id < clusters:
        assert identity_range(cluster_id + 1, clusters).minimum == maximum + 1


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"cluster-id": "256"}, "cluster-id is 256; give 0 to 255"),
        ({"cluster-id": "one"}, "cluster-id is 'one'; it must be a number"),
        ({"cluster-id": "-1"}, "cluster-id is '-1'"),
        ({"max-connected-clusters": "300"}, "max-connected-clusters is 300"),
    ],
)
def test_bad_settings(config: dict[str, str], words: str) -> None:
    """Key and value are named."""
    with pytest.raises(IdentityRangeError, match=re.escape(words)):
        range_of_config(config)


def test_settings() -> None:
    """Absent and empty values are the defaults."""
    assert range_of_config({}).minimum == 256
    assert range_of_config({"cluster-id": "", "max-connected-clusters": "511"}).capacity == 32512
    assert range_of_config({"cluster-id": " 2 "}).cluster_id == 2
