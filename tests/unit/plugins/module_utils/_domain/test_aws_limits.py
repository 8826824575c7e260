"""What EC2 instances hold."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.aws_limits import (
    instance_limits,
    known_instance_types,
)


@pytest.mark.parametrize(
    ("kind", "max_pods"),
    # as misc/eni-max-pods.txt of aws/amazon-vpc-cni-k8s has them
    [
        ("t3.nano", 4), ("t3.small", 11), ("t3a.small", 8), ("t3.medium", 17), ("t3.large", 35), ("m4.large", 20),
        ("m5.large", 29), ("m5.xlarge", 58), ("m5.4xlarge", 234), ("m5.24xlarge", 737), ("c6in.32xlarge", 394),
        ("d3en.12xlarge", 89), ("g6e.12xlarge", 292), ("i4i.24xlarge", 437), ("inf1.24xlarge", 321), ("p5.48xlarge", 100),
        ("hpc6id.32xlarge", 51), ("u-12tb1.metal", 147), ("c7a.metal-48xl", 737), ("trn1.32xlarge", 247),
    ],
)  # fmt: skip
def test_maximum_of_pods(kind: str, max_pods: int) -> None:
    """Interfaces times addresses but one, and two pods with the host's network."""
    limits = instance_limits(kind)
    assert limits is not None and limits.max_pods() == max_pods


def test_modes() -> None:
    """Custom networking takes an interface away, prefixes multiply by sixteen (m5.large in the documentation of EKS)."""
    limits = instance_limits("m5.large")
    assert limits is not None
    assert limits.max_pods(custom_networking=True) == 20
    assert limits.max_pods(prefix_delegation=True) == 434
    assert limits.max_pods(custom_networking=True, prefix_delegation=True) == 290
    single = instance_limits("hpc6id.32xlarge")
    assert single is not None and single.addresses(custom_networking=True) == 0


def test_the_table() -> None:
    """Every entry is used once, and what is not listed is not known."""
    types = known_instance_types()
    assert len(types) == len(set(types)) == 1391
    assert all(kind.count(".") == 1 and not kind.startswith(".") for kind in types)
    assert instance_limits("q1.huge") is None and instance_limits("") is None
