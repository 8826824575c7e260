"""Selectors of network policies against Cilium's own code: who is selected, before and after another label filter.

The program `cilium-selectors` (tests/testbed/go) parses each policy as an agent of 1.18.4 does, and matches its selectors with
identities.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from snapshots.label_filter_clusters import cluster

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_simulation import simulate
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.policy_selectors import PolicySelector, selectors
from harness.labelled_pods import FILTERS, NAMESPACES, namespaces, pods
from testbed import binaries

pytestmark = pytest.mark.testbed

RESOURCES = {
    "NetworkPolicy": "networkpolicies",
    "CiliumNetworkPolicy": "ciliumnetworkpolicies",
    "CiliumClusterwideNetworkPolicy": "ciliumclusterwidenetworkpolicies",
}
PLAIN = {
    "app": ("app-1", "app-2", "app-3"),
    "version": ("ver-0", "ver-1"),
    "team": ("tea-0", "tea-1"),
    "k8s-app": ("k8s-0",),
    "app.kubernetes.io/name": ("nam-1", "nam-2"),
    "topology.kubernetes.io/zone": ("zon-0", "zon-1"),
    "statefulset.kubernetes.io/pod-name": ("pod-1", "pod-2"),
    "job-name": ("job-1", "job-2", "job-3"),
}
OF_SPACES = {"team": ("v0", "v1", "v2"), "env": ("v0", "v1"), "kubernetes.io/metadata.name": NAMESPACES}
OF_CILIUM = {
    **PLAIN,
    "io.kubernetes.pod.namespace": NAMESPACES,
    "io.cilium.k8s.policy.serviceaccount": ("default", "reader"),
    "io.cilium.k8s.policy.cluster": ("default", "other"),
    **{f"io.cilium.k8s.namespace.labels.{key}": values for key, values in OF_SPACES.items()},
}
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
Selected = list[dict[str, Any]]


class Maker:
    """Policies from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def selector(self, keys: Mapping[str, Sequence[str]], sourced: bool = False) -> dict[str, Any]:
        """A selector of up to three labels; with sources as Cilium has them."""
        chance, found = self.chance, {"matchLabels": {}, "matchExpressions": []}
        for key in chance.sample(sorted(keys), chance.choice((0, 1, 1, 2, 3))):
            name = chance.choice(("", "k8s:", "any:")) + key if sourced else key
            if chance.random() < 0.5:
                found["matchLabels"][name] = chance.choice(keys[key])  # type: ignore[call-overload]
                continue
            operator = chance.choice(OPERATORS)
            one: dict[str, Any] = {"key": name, "operator": operator}
            if operator in ("In", "NotIn"):
                one["values"] = chance.sample(sorted(keys[key]), chance.randint(1, len(keys[key])))
            found["matchExpressions"].append(one)  # type: ignore[attr-defined]
        if sourced and chance.random() < 0.05:
            found["matchLabels"][chance.choice(("reserved:host", "reserved:init"))] = ""  # type: ignore[call-overload]
        return {key: value for key, value in found.items() if value}

    def network_policy(self, name: str) -> dict[str, Any]:
        """A NetworkPolicy."""
        chance = self.chance
        peers = [
            chance.choice(
                (
                    lambda: {"podSelector": self.selector(PLAIN)},
                    lambda: {"namespaceSelector": self.selector(OF_SPACES)},
                    lambda: {"namespaceSelector": self.selector(OF_SPACES), "podSelector": self.selector(PLAIN)},
                    lambda: {"ipBlock": {"cidr": "10.0.0.0/8"}},
                )
            )()
            for _number in range(3)
        ]
        spec = {
            "podSelector": self.selector(PLAIN),
            "ingress": [{"from": peers[:1]}, {"from": peers[1:2]}],
            "egress": [{"to": peers[2:]}],
            "policyTypes": ["Ingress", "Egress"],
        }
        return {"metadata": {"name": name, "namespace": chance.choice(NAMESPACES)}, "spec": spec}

    def rule(self) -> dict[str, Any]:
        """A rule of a policy of Cilium."""

        def some() -> list[dict[str, Any]]:
            return [self.selector(OF_CILIUM, sourced=True) for _number in range(self.chance.randint(1, 2))]

        return {
            "endpointSelector": self.selector(OF_CILIUM, sourced=True),
            "ingress": [{"fromEndpoints": some()}, {"fromEndpoints": some(), "fromRequires": some()}],
            "ingressDeny": [{"fromEndpoints": some()}],
            "egress": [{"toEndpoints": some()}],
            "egressDeny": [{"toEndpoints": some(), "toRequires": some()}],
        }

    def cilium_policy(self, name: str, wide: bool) -> dict[str, Any]:
        """A policy of Cilium, of a namespace or of the whole cluster, in one of its forms."""
        metadata = {"name": name} if wide else {"name": name, "namespace": self.chance.choice(NAMESPACES)}
        form = self.chance.choice(("spec", "specs", "both"))
        parts: dict[str, Any] = {} if form == "specs" else {"spec": self.rule()}
        if form != "spec":
            parts["specs"] = [self.rule()]
        return {"metadata": metadata, **parts}


def made(count: int, seed: int) -> list[tuple[str, dict[str, Any]]]:
    """So many policies of each kind."""
    maker = Maker(seed)
    return [
        *(("NetworkPolicy", maker.network_policy(f"np-{number}")) for number in range(count)),
        *(("CiliumNetworkPolicy", maker.cilium_policy(f"cnp-{number}", False)) for number in range(count)),
        *(("CiliumClusterwideNetworkPolicy", maker.cilium_policy(f"ccnp-{number}", True)) for number in range(count)),
    ]


def ask(policies: list[tuple[str, dict[str, Any]]], identities: Sequence[Mapping[str, str]]) -> list[Selected]:
    """What Cilium says: for each policy its selectors, with the places of the identities that each selects."""
    program = binaries.locate(["cilium-selectors"])["cilium-selectors"]
    question = {
        "policies": [{"kind": kind, "object": one} for kind, one in policies],
        "identities": [dict(one) for one in identities],
    }
    done = subprocess.run([program], input=json.dumps(question), capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    assert not [one["error"] for one in answers if one.get("error")]
    return [one["selectors"] for one in answers]


def ours(policies: list[tuple[str, dict[str, Any]]]) -> list[list[PolicySelector]]:
    """Our selectors of each policy."""
    return [list(selectors(kind, one)) for kind, one in policies]


def compare(count: int, seed: int, filters: Sequence[str]) -> dict[str, int]:
    """Selectors of generated policies, and what each filter makes of them; how many became what."""
    policies = made(count, seed)
    given = [one for one in pods(200, seed) if not one["spec"]["hostNetwork"]]
    spaces = namespaces(seed)
    for one in spaces:
        one["metadata"]["labels"]["kubernetes.io/metadata.name"] = one["metadata"]["name"]
    resources: dict[str, list[Any]] = {name: [] for name in RESOURCES.values()}
    for kind, one in policies:
        resources[RESOURCES[kind]].append(one)
    context = cluster(given, namespaces=spaces, **resources)
    mine = ours(policies)
    seen: dict[str, int] = {}
    for labels in filters:
        found = simulate(context, labels)
        assert found.pods is not None
        sets = [*found.pods.sets, {"reserved:host": ""}, {"reserved:init": ""}]
        theirs = ask(policies, sets)
        effects = {(*one.policy, one.effect.selector.place): one for one in found.policies.effects}
        for (kind, policy), own, said in zip(policies, mine, theirs, strict=True):
            assert [one.use for one in own] == [one["use"] for one in said], (kind, policy)
            for one, other in zip(own, said, strict=True):
                selected = [place for place, identity in enumerate(sets) if one.matches(identity)]
                assert selected == other["selected"], (one.place, policy)
                old, new = (
                    {(group.workload, group.pods) for group in found.pods.groups if getattr(group, when) in selected}
                    for when in ("now", "after")
                )
                effect = effects.pop((one.kind, one.namespace, one.name, one.place), None)
                if effect is None:
                    assert old == new, (labels, one.place, policy)
                    continue
                becomes = effect.effect.becomes
                seen[becomes] = seen.get(becomes, 0) + 1
                assert (effect.pods_now, effect.pods_after) == tuple(sum(n for _who, n in who) for who in (old, new))
                holds = {"dead": not new, "wider": old <= new, "alive": not old, "narrower": new <= old, "other": True}
                assert holds[becomes], (labels, one.place, policy)
        assert not effects
    return seen


def test_selectors_are_those_of_cilium() -> None:
    """And what a filter makes of them is what it does to who is selected."""
    seen = compare(20, 20261101, FILTERS[1:4])
    assert seen["dead"] > 20 and seen["wider"] > 5


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_many_selectors_are_those_of_cilium(seed: int) -> None:
    """Under every filter."""
    seen = compare(200, seed, FILTERS[1:])
    print(seen)
    assert {"dead", "wider"} <= set(seen)
