# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The selectors of network policies, as Cilium makes them: with the source of each label and with what it adds itself.

Sources of the rules: ParseNetworkPolicy of pkg/k8s/network_policy.go, ParseToCiliumRule and getEndpointSelector of
pkg/k8s/apis/cilium.io/utils/utils.go, GetExtendedKeyFrom of pkg/labels of cilium/cilium. Subjects and peers are matched
against the security labels of identities, so a label that makes no identity cannot be selected by.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

IN, NOT_IN, EXISTS, DOES_NOT_EXIST = "In", "NotIn", "Exists", "DoesNotExist"
#: What a selector selects: the pods that the policy applies to, or who they may, must not or must speak with.
SUBJECT, ALLOW, DENY, REQUIRE = "subject", "allow", "deny", "require"
NETWORK_POLICY = "NetworkPolicy"
CLUSTERWIDE = "CiliumClusterwideNetworkPolicy"
_NAMESPACE: t.Final = "io.kubernetes.pod.namespace"
_NAMED: t.Final = f"k8s:{_NAMESPACE}"
_NAMESPACE_LABELS: t.Final = "io.cilium.k8s.namespace.labels"
_CLUSTER: t.Final = "io.cilium.k8s.policy.cluster"
_ANY: t.Final = "any"
_POD_SOURCES: t.Final = ("k8s", "gen")
_SECTIONS: t.Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "ingress": ("ingress", {"fromEndpoints": ALLOW, "fromRequires": REQUIRE}),
    "ingressDeny": ("ingress", {"fromEndpoints": DENY, "fromRequires": REQUIRE}),
    "egress": ("egress", {"toEndpoints": ALLOW, "toRequires": REQUIRE}),
    "egressDeny": ("egress", {"toEndpoints": DENY, "toRequires": REQUIRE}),
}

Object: t.TypeAlias = Mapping[str, t.Any]


@dataclass(frozen=True)
class Requirement:
    """One condition of a selector. ``source`` any stands for every source; ``implied``: Cilium adds it itself."""

    source: str
    key: str
    operator: str
    values: tuple[str, ...] = ()
    implied: bool = False

    @property
    def positive(self) -> bool:
        """Whether only labels that are there fulfil it; otherwise also those that are not."""
        return self.operator in (IN, EXISTS)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of labels of pods that it looks at."""
        return _POD_SOURCES if self.source == _ANY else (self.source,)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether security labels, {source:key: value}, fulfil it."""
        found = [value for one in self.sources if (value := labels.get(f"{one}:{self.key}")) is not None]
        if self.operator == EXISTS:
            return bool(found)
        if self.operator == DOES_NOT_EXIST:
            return not found
        inside = any(value in self.values for value in found)
        return inside if self.operator == IN else not inside


@dataclass(frozen=True)
class PolicySelector:
    """One selector of a policy. ``use`` is SUBJECT, ALLOW, DENY or REQUIRE; ``place`` is its path in the object."""

    kind: str
    namespace: str
    name: str
    place: str
    use: str
    direction: str
    requirements: tuple[Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it selects who has these security labels."""
        return all(one.matches(labels) for one in self.requirements)

    @property
    def namespaces(self) -> tuple[str, ...] | None:
        """The only namespaces whose pods it can select; None: of all."""
        for one in self.requirements:
            if one.key == _NAMESPACE and one.operator == IN:
                return one.values
        return None


def selectors(kind: str, policy: Object, local_cluster: str = "") -> Iterator[PolicySelector]:
    """All selectors of one policy that select pods by labels; those of Nodes, Services and addresses are not.

    ``kind`` is that of the policy. ``local_cluster`` is the name of the cluster where selectors that name no cluster are
    for this one only (policy-default-local-cluster, the default since 1.19), else empty.
    """
    metadata = policy["metadata"]
    namespace = "" if kind == CLUSTERWIDE else str(metadata.get("namespace") or "default")
    found = _of_kubernetes(policy, namespace) if kind == NETWORK_POLICY else _of_cilium(policy, namespace)
    for place, use, direction, requirements in found:
        if local_cluster and use != SUBJECT and not _names_cluster(requirements, use):
            requirements = (*requirements, Requirement("k8s", _CLUSTER, IN, (local_cluster,), implied=True))
        yield PolicySelector(kind, namespace, str(metadata["name"]), place, use, direction, requirements)


def _names_cluster(requirements: tuple[Requirement, ...], use: str) -> bool:
    """Whether a selector of peers says of which cluster, or selects what is of none."""
    return any(one.key == _CLUSTER or (one.source == "reserved" and use != REQUIRE) for one in requirements)


_Found: t.TypeAlias = tuple[str, str, str, tuple[Requirement, ...]]


def _of_kubernetes(policy: Object, namespace: str) -> Iterator[_Found]:
    spec = policy.get("spec") or {}
    here = Requirement("k8s", _NAMESPACE, IN, (namespace,), implied=True)
    yield "spec.podSelector", SUBJECT, "", _pods(spec.get("podSelector"), here)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(spec.get(direction) or ()):
            for place, peer in enumerate(rule.get(peers) or ()):
                wanted = _peer(peer, here)
                if wanted is not None:
                    yield f"spec.{direction}[{number}].{peers}[{place}]", ALLOW, direction, wanted


def _peer(peer: Object, here: Requirement) -> tuple[Requirement, ...] | None:
    """None for a peer that is a block of addresses."""
    by_namespace, by_pod = peer.get("namespaceSelector"), peer.get("podSelector")
    if by_namespace is not None:
        anywhere = (Requirement("k8s", _NAMESPACE, EXISTS, implied=True),)
        return (*(_plain(by_namespace, f"{_NAMESPACE_LABELS}.") or anywhere), *_plain(by_pod))
    return None if by_pod is None else _pods(by_pod, here)


def _pods(selector: Object | None, here: Requirement) -> tuple[Requirement, ...]:
    """Of pods of the policy's own namespace, whatever namespace their selector names."""
    labels = (selector or {}).get("matchLabels") or {}
    return (*_plain({**(selector or {}), "matchLabels": _without(labels, _NAMESPACE)}), here)


def _without(labels: Mapping[str, str], key: str) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != key}


def _plain(selector: Object | None, prefix: str = "") -> tuple[Requirement, ...]:
    """Requirements of a selector of Kubernetes: all its labels are of the source k8s."""
    return tuple(
        Requirement("k8s", prefix + key, operator, values) for key, operator, values in _conditions(selector or {})
    )


def _conditions(selector: Object) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for key, value in (selector.get("matchLabels") or {}).items():
        yield str(key), IN, (str(value),)
    for one in selector.get("matchExpressions") or ():
        yield str(one.get("key")), str(one.get("operator")), tuple(map(str, one.get("values") or ()))


def _of_cilium(policy: Object, namespace: str) -> Iterator[_Found]:
    rules = [("spec", policy["spec"])] if policy.get("spec") else []
    rules += [(f"specs[{number}]", one) for number, one in enumerate(policy.get("specs") or ())]
    for root, rule in rules:
        subject = rule.get("endpointSelector")
        selects_new_pods = False
        if subject is not None:
            selects_new_pods = any((one.source, one.key) == ("reserved", "init") for one in _sourced(subject))
            if namespace:
                # whatever namespace the selector names, it is that of the policy
                labels = _without(subject.get("matchLabels") or {}, _NAMED)
                wanted = _sourced({**subject, "matchLabels": labels})
                wanted = (*wanted, Requirement("k8s", _NAMESPACE, IN, (namespace,), implied=True))
            else:
                wanted = _sourced(subject)
            yield f"{root}.endpointSelector", SUBJECT, "", wanted
        for section, (direction, uses) in _SECTIONS.items():
            for number, one in enumerate(rule.get(section) or ()):
                for key, use in uses.items():
                    for place, selector in enumerate(one.get(key) or ()):
                        where = f"{root}.{section}[{number}].{key}[{place}]"
                        yield where, use, direction, _peers(selector, use, namespace, selects_new_pods)


def _sourced(selector: Object) -> tuple[Requirement, ...]:
    """Requirements of a selector of Cilium: a key without a source stands for every source."""
    found = []
    for text, operator, values in _conditions(selector):
        source, colon, key = text.partition(":")
        found.append(Requirement(source if colon and source else _ANY, key if colon else text, operator, values))
    return tuple(found)


def _peers(selector: Object, use: str, namespace: str, selects_new_pods: bool) -> tuple[Requirement, ...]:
    """With the namespace that Cilium adds, unless the selector says something about namespaces."""
    wanted = _sourced(selector)
    if use != REQUIRE and any(one.source == "reserved" for one in wanted):
        return wanted
    of_pods = [one.key for one in wanted if one.source in (_ANY, "k8s")]
    if _NAMESPACE in of_pods:
        return wanted
    if not namespace:
        return wanted if selects_new_pods else (*wanted, Requirement("k8s", _NAMESPACE, EXISTS, implied=True))
    if any(key.startswith(f"{_NAMESPACE_LABELS}.") for key in of_pods):
        return wanted
    return (*wanted, Requirement("k8s", _NAMESPACE, IN, (namespace,), implied=True))
