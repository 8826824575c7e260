"""Whatever a saved state holds: it is refused with a sentence, or the checks of Cilium's IPAM and endpoints go through."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from snapshots.small_cilium import agent, cilium_context, cilium_node, endpoint, machine, running

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cilium_ipam, endpoints
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

MUTATIONS = 1500
ODD: tuple[Any, ...] = (
    None,
    0,
    -1,
    10**30,
    "",
    "x",
    "0.0.0.0/0",
    "::/0",
    [],
    {},
    True,
    [None],
    {"a": None},
    "1e9",
    "²",
)
ANSWER = {
    "node": "a",
    "status": {"ipam": {"allocations": {"10.0.0.1": "router", "default/10.0.0.2": "shop/p"}}},
    "endpoints": [{"id": 1, "identity": 0, "pod": "shop/p", "state": "invalid", "since": "2026-10-31T10:00:00Z"}],
}
POOLS = {
    "podCIDRs": ["10.0.0.0/24", "fd00::/120"],
    "pool": {"10.0.0.9": {}},
    "pools": {
        "requested": [{"pool": "default", "needed": {"ipv4-addrs": 300}}],
        "allocated": [{"pool": "default", "cidrs": ["10.0.0.0/24"]}],
    },
}


def base(mode: str) -> Any:
    """A cluster that has a little of everything."""
    health = {"addresses": [{"type": "CiliumInternalIP", "ip": "10.9.0.1"}], "health": {"ipv4": "10.0.0.8"}}
    context = cilium_context(
        {"ipam": mode, "enable-cilium-endpoint-slice": "true"},
        nodes=[machine("a", "10.0.0.77", uid="1", pods="300", cidrs=["10.0.1.0/24"]), machine("b", uid="2")],
        ciliumnodes=[cilium_node("a", ipam=POOLS, owner="9", error="x", **health), cilium_node("c", "10.0.0.0/25")],
        pods=[agent("a"), agent("b"), running("p", "a", "10.0.0.4", uid="7"), running("q", "a", "172.17.0.2")],
        ciliumendpoints=[endpoint("p", "10.0.0.77", "10.0.9.4", state="invalid", owner="8"), endpoint("r", "1.2.3.4")],
        ciliumendpointslices=[{"metadata": {"name": "s"}, "namespace": "shop", "endpoints": [{"name": "p", "id": 1}]}],
        ciliumpodippools=[
            {"metadata": {"name": "default"}, "spec": {"ipv4": {"cidrs": ["10.0.0.0/23"], "maskSize": 24}}}
        ],
        agents=[ANSWER],
    )
    return context.state.to_json()


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Ways to every value inside."""
    yield above
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*above, key))


def test_no_mutation_makes_a_check_raise() -> None:
    """One or two values of a sound state become odd ones."""
    chance = random.Random(20261101)
    bases = [base(mode) for mode in ("cluster-pool", "multi-pool", "kubernetes", "eni")]
    judged = 0
    for _ in range(MUTATIONS):
        content = copy.deepcopy(chance.choice(bases))
        *way, last = chance.choice([one for one in places(content["resources"]) if len(one) > 1])
        target = content["resources"]
        for key in way:
            target = target[key]
        target[last] = copy.deepcopy(chance.choice(ODD))
        try:
            state = ClusterState.from_json(content)
        except ValueError:
            continue
        judged += 1
        context = Context(state)
        found = [*cilium_ipam.check(context), *endpoints.check(context)]
        assert json.dumps([one.to_dict() for one in found])
        assert json.dumps([cilium_ipam.section(context), endpoints.section(context)])
    assert judged > MUTATIONS / 10
