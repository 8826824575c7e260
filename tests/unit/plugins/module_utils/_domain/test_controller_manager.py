"""Reading the node IPAM settings from flags."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    has_flags,
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
        "kube-controller-manager --cluster_cidr=10.0.0.0/16 --allocate_node_cidrs",
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


def test_a_shell_line_is_taken_apart() -> None:
    """Some installers start the controller-manager by a shell."""
    words = [
        "/bin/sh",
        "-c",
        "exec kube-controller-manager --allocate-node-cidrs=true --cluster-cidr='10.0.0.0/16' 2>&1",
    ]
    assert read_flags(words) == {"allocate-node-cidrs": "true", "cluster-cidr": "10.0.0.0/16"}
    assert read_flags(["sh -c 'unbalanced --cluster-cidr=10.0.0.0/16"])["cluster-cidr"] == "10.0.0.0/16"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["kube-controller-manager", "--leader-elect"], True),
        (["sh", "-c", "exec kube-controller-manager --v=2"], True),
        (["/usr/local/bin/start.sh"], False),
        ([], False),
    ],
)
def test_whether_a_command_line_shows_flags(words: list[str], expected: bool) -> None:
    """A start script hides them: the settings are unknown then, not off."""
    assert has_flags(words) is expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "--cluster-cidr is not set"),
        ("--cluster-cidr=10.0.0.0/33", "--cluster-cidr"),
        ("--cluster-cidr=fd00::/40", "does not start"),
        ("--cluster-cidr=10.0.0.0/16,10.1.0.0/16", "two ranges of one family"),
        ("--cluster-cidr=10.0.0.0/16,", "an empty part"),
        ("--cluster-cidr=10.0.0.0/16 --service-cluster-ip-range=10.96.0.0/16,10.97.0.0/16", "two ranges of one family"),
        ("--cluster-cidr=10.0.0.0/16,fd00::/48,fd01::/48", "two ranges of one family"),
        ("--cluster-cidr=10.0.0.0/16,fd00::/48 --node-cidr-mask-size=24", "not allowed in dual-stack"),
        ("--cluster-cidr=10.0.0.0/16 --node-cidr-mask-size=24 --node-cidr-mask-size-ipv4=24", "exclude each other"),
        ("--cluster-cidr=10.0.0.0/16 --node-cidr-mask-size-ipv6=64", "not allowed in a cluster of IPv4 only"),
        ("--cluster-cidr=fd00::/48 --node-cidr-mask-size-ipv4=24", "not allowed in a cluster of IPv6 only"),
        ("--cluster-cidr=10.0.0.0/16 --node-cidr-mask-size=x", "not a number"),
        ("--cluster-cidr=10.0.0.0/16 --node-cidr-mask-size=15", "does not fit the cluster CIDR"),
    ],
)
def test_what_the_controller_manager_cannot_start_with(line: str, words: str) -> None:
    """It becomes a problem, never an exception, and there is no pool; with the allocator off nobody reads it."""
    found = settings(f"--allocate-node-cidrs=true {line}")
    assert words in " ".join(found.problems)
    assert settings(line).problems == ()
    assert not found.pools() or "mask-size" in line or "service" in line or "empty part" in words


def test_a_blank_between_ranges() -> None:
    """Go does not cut it off."""
    found = settings_from_flags({"allocate-node-cidrs": "true", "cluster-cidr": "10.0.0.0/16, fd00::/48"}, "test")
    assert "has a blank" in found.problems[0]


def test_an_unreadable_service_range_is_no_obstacle() -> None:
    """The controller-manager only warns about it."""
    found = settings("--allocate-node-cidrs --cluster-cidr=10.0.0.0/16 --service-cluster-ip-range=x")
    assert found.problems == () and found.service_ranges == () and len(found.pools()) == 1


def test_other_allocators_do_not_cut_blocks() -> None:
    """Where a cloud decides, capacity is not known."""
    found = settings("--allocate-node-cidrs --cluster-cidr=10.0.0.0/16 --cidr-allocator-type=CloudAllocator")
    assert found.allocate_node_cidrs is True and not found.known and found.pools() == []
    assert found.to_dict()["allocator_type"] == "CloudAllocator"


def test_options() -> None:
    """What a user states, and what a user must not state."""
    found = settings_from_options({"cluster_cidrs": ["10.0.0.0/16"], "node_mask_size_ipv4": 26})
    assert found.allocate_node_cidrs is True and found.pools()[0].capacity == 1024
    with pytest.raises(CidrError, match="two ranges of one family"):
        settings_from_options({"cluster_cidrs": ["10.0.0.0/16", "10.1.0.0/16"]})
    with pytest.raises(CidrError, match="'x' is not a CIDR"):
        settings_from_options({"cluster_cidrs": ["x"]})
