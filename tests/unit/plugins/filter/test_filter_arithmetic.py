"""The filters about CIDRs against slow models, and that their documentation is complete."""

from __future__ import annotations

import importlib
import ipaddress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.filter.cidr_blocks import cidr_blocks
from ansible_collections.podnet.upkeep.plugins.filter.free_blocks import free_blocks
from ansible_collections.podnet.upkeep.plugins.filter.overlapping_cidrs import overlapping_cidrs

FILTERS = sorted(path.stem for path in (Path(__file__).parents[4] / "plugins/filter").glob("*.py"))
NETWORKS = st.builds(
    lambda start, length: str(ipaddress.ip_network((0x0A000000 + start, length), strict=False)),
    st.integers(0, 1023),
    st.integers(22, 32),
)


@given(st.integers(20, 27), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 70)))
def test_blocks_are_those_of_the_standard_library(prefix: int, more: int, limit: int | None) -> None:
    """In number, order and text."""
    network = ipaddress.ip_network((0x0A000000, prefix), strict=False)
    expected = [str(one) for one in network.subnets(new_prefix=prefix + more)]
    assert cidr_blocks(str(network), prefix + more, limit=limit) == expected[:limit]
    assert cidr_blocks(str(network), prefix + more, count=True) == len(expected)


@given(st.lists(NETWORKS, max_size=6), st.integers(24, 28), st.integers(0, 80))
def test_free_blocks_equal_a_slow_model(used: list[str], size: int, limit: int) -> None:
    """Free is what no used CIDR touches."""
    taken = [ipaddress.ip_network(one) for one in used]
    blocks = ipaddress.ip_network("10.0.0.0/22").subnets(new_prefix=size)
    free = [str(block) for block in blocks if not any(block.overlaps(one) for one in taken)]
    assert free_blocks("10.0.0.0/22", size, used, limit=limit) == free[:limit]
    assert free_blocks("10.0.0.0/22", size, used, count=True) == len(free)


@given(st.lists(NETWORKS, max_size=8))
def test_overlaps_equal_all_pairs(cidrs: list[str]) -> None:
    """Every pair once, in the order of the list."""
    parsed = [ipaddress.ip_network(one) for one in cidrs]
    pairs = [
        [cidrs[one], cidrs[other]]
        for one in range(len(cidrs))
        for other in range(one + 1, len(cidrs))
        if parsed[one].overlaps(parsed[other])
    ]
    assert overlapping_cidrs(cidrs) == pairs


@pytest.mark.parametrize("name", FILTERS)
def test_documentation_and_signature_agree(name: str) -> None:
    """Every argument is documented with its default, and every file offers the filter of its name."""
    module = importlib.import_module(f"ansible_collections.podnet.upkeep.plugins.filter.{name}")
    function = module.FilterModule().filters()[name]
    documented = yaml.safe_load(module.DOCUMENTATION)
    assert documented["name"] == name and yaml.safe_load(module.RETURN)["_value"]["description"]
    assert f"podnet.upkeep.{name}" in module.EXAMPLES and yaml.safe_load(module.EXAMPLES)
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount]
    assert list(documented["options"]) == ["_input", *arguments[1:]]
    required = [key for key, option in documented["options"].items() if option.get("required")]
    assert required == ["_input", *arguments[1 : code.co_argcount - len(function.__defaults__ or ())]]
    for key, default in zip(reversed(arguments), reversed(function.__defaults__ or ()), strict=False):
        stated = documented["options"][key].get("default")
        assert stated == default or (not stated and not default)
