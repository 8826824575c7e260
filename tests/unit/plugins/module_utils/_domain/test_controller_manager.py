"""Reading the node IPAM settings from flags."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    read_flags,
    settings_from_flags,
    settings_from_options,
)


def settings(line: str) -> AllocatorSettings:
    """Settings of a command line."""
    return settings_from_flags(read_flags(line.split()), "test")


@pytest.mark.parametrize(
    "line",
    [
        "kube-controller-manager --allocate-node-cidrs=true --cluster-cidr=10.0.0.0/16",
        "kube-controller-manager --allocate-node-cidrs --cluster-cidr 10.0.0.0/16",
        "kube-controller-manager --cluster-cidr=10.9.0.0/16 --allocate-node-cidrs --cluster-cidr=10.0.0.0/16",
        "kube-controller-manager --cluster-cidr 10.0.0.0/16 --v 2 --allocate-node-cidrs=True",
    ],
)
def test_forms_of_flags(line: str) -> None:
    """With an equals sign or a blank, a bare boolean, the last of two."""
    found = settings(line)
    assert found.allocate_node_cidrs is True
    assert [str(one) for one in found.cluster_cidrs] == ["10.0.0.0/16"]
    assert found.mask_sizes == {4: 24, 6: 64}


@pytest.mark.parametrize(
    ("controllers", "expected"),
    [
        ("*", True),
        ("*,-node-ipam-controller", False),
        ("*,-nodeipam", False),
        ("deployment,node-ipam-controller", True),
        ("deployment", False),
        ("*,-ttl", True),
    ],
)
def test_controllers_can_turn_it_off(controllers: str, expected: bool) -> None:
    """--allocate-node-cidrs alone does not decide."""
    assert settings(f"--allocate-node-cidrs=true --controllers={controllers}").allocate_node_cidrs is expected


def test_default_is_off() -> None:
    """Upstream's default of --allocate-node-cidrs is false."""
    assert settings("kube-controller-manager").allocate_node_cidrs is False


def test_dual_stack() -> None:
    """The order of families is that of the flag; each family has its own mask."""
    found = settings("--cluster-cidr=fd00::/48,10.0.0.0/16 --node-cidr-mask-size-ipv4=25 --node-cidr-mask-size-ipv6=60")
    assert found.families == (6, 4)
    assert [pool.capacity for pool in found.pools()] == [4096, 512]


def test_single_mask_goes_to_the_family_of_the_cluster() -> None:
    """--node-cidr-mask-size with an IPv6 cluster is an IPv6 mask."""
    assert settings("--cluster-cidr=fd00::/48 --node-cidr-mask-size=62").mask_sizes == {4: 24, 6: 62}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--cluster-cidr=10.0.0.0/33", "--cluster-cidr"),
        ("--cluster-cidr=fd00::/40", "does not start"),
        ("--cluster-cidr=10.0.0.0/16,fd00::/48 --node-cidr-mask-size=24", "not allowed in dual-stack"),
        ("--cluster-cidr=10.0.0.0/16 --node-cidr-mask-size=x", "not a number"),
    ],
)
def test_what_the_controller_manager_cannot_start_with(line: str, words: str) -> None:
    """It becomes a problem, never an exception."""
    assert words in " ".join(settings(line).problems)


def test_options() -> None:
    """What a user states, and what a user must not state."""
    found = settings_from_options({"cluster_cidrs": ["10.0.0.0/16"], "node_mask_size_ipv4": 26})
    assert found.allocate_node_cidrs is True and found.pools()[0].capacity == 1024
    with pytest.raises(CidrError, match="two ranges of one family"):
        settings_from_options({"cluster_cidrs": ["10.0.0.0/16", "10.1.0.0/16"]})
    with pytest.raises(CidrError, match="'x' is not a CIDR"):
        settings_from_options({"cluster_cidrs": ["x"]})
