# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Network policies under another label filter: which of their selectors die, widen or come to life, and for which pods."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_pods import SimulatedPods, Workload
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import PERMISSIONS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import POLICIES, RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_values import boolean
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import LabelFilter, Version
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.policy_effects import (
    SelectorEffect,
    effect,
    is_filtered,
    present_effect,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.policy_selectors import PolicySelector, selectors

_LOCAL_SINCE: t.Final[Version] = (1, 19)
# so many comparisons of a selector with a label set; further selectors are reported without pods
_MOST_COMPARED = 2_000_000
_EXAMPLES = 5
# the older name came first; the manager of its policies matches labels of identities (pkg/egressgateway of cilium/cilium)
_EGRESS_GATEWAY: t.Final = ("enable-egress-gateway", "enable-ipv4-egress-gateway")
_EGRESS_POLICIES: t.Final = "ciliumegressgatewaypolicies"


@dataclass(frozen=True)
class PolicyEffect:
    """What the change does to one selector, with the pods that it selects; counts are None where they were not counted."""

    effect: SelectorEffect
    pods_now: int | None = None
    pods_after: int | None = None
    examples: tuple[Workload, ...] = ()

    @property
    def policy(self) -> tuple[str, str, str]:
        """Kind, namespace and name of the policy."""
        selector = self.effect.selector
        return selector.kind, selector.namespace, selector.name

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        selector = self.effect.selector
        return {
            "kind": selector.kind,
            "namespace": selector.namespace,
            "name": selector.name,
            "place": selector.place,
            "selects": selector.use,
            "direction": selector.direction,
            "becomes": self.effect.becomes,
            "labels": [f"k8s:{key}" for key in self.effect.keys],
            "conditions": [
                f"{one.source}:{one.key} {one.operator}{f' {list(one.values)}' if one.values else ''}"
                + (" (added by Cilium)" if one.implied else "")
                for one in self.effect.requirements
            ],
            "consequence": self.effect.consequence,
            "opens": self.effect.opens,
            "pods_now": self.pods_now,
            "pods_after": self.pods_after,
            "workloads": ["/".join(filter(None, one)) for one in self.examples],
        }


@dataclass(frozen=True)
class PolicyImpact:
    """All policies. ``unknown`` says what could not be read; then nobody knows what else is affected.

    ``already`` are selectors that the present filter has broken before; ``by_services`` policies select the pods of Services,
    by selectors of these, which are not read. ``used`` are the label keys that selectors use.
    """

    policies: int = 0
    selectors: int = 0
    effects: tuple[PolicyEffect, ...] = ()
    already: tuple[PolicyEffect, ...] = ()
    by_services: int = 0
    unknown: Mapping[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()

    @property
    def affected(self) -> int:
        """Policies with a selector that changes."""
        return len({one.policy for one in self.effects})

    def to_dict(self, most: int) -> dict[str, t.Any]:
        """JSON form with at most so many selectors of each list."""
        return {
            "read": self.policies,
            "selectors": self.selectors,
            "affected": None if self.unknown and not self.effects else self.affected,
            "unknown": dict(self.unknown),
            "effects": [one.to_dict() for one in self.effects[:most]],
            "effects_count": len(self.effects),
            "already": [one.to_dict() for one in self.already[:most]],
            "already_count": len(self.already),
            "by_services": self.by_services,
        }


def local_cluster(context: Context, version: Version) -> str:
    """The name of the cluster where selectors of peers that name none are for it alone; else empty."""
    default = "true" if version >= _LOCAL_SINCE else "false"
    on = context.cilium.value("policy-default-local-cluster", default).strip().lower() in ("true", "1", "t")
    return context.cilium.cluster_name if on else ""


def all_selectors(context: Context, version: Version) -> Iterator[PolicySelector]:
    """The selectors of all policies that could be read."""
    cluster = local_cluster(context, version)
    for resource in POLICIES:
        for policy in context.state.of(resource):
            yield from selectors(RESOURCES[resource].kind, policy, cluster)


def impact(
    context: Context, now: LabelFilter, after: LabelFilter, pods: SimulatedPods | None, version: Version
) -> PolicyImpact:
    """What the change of ``now`` to ``after`` does; ``pods`` None: without counting them. ``version`` is that afterwards."""
    unknown = unreadable(context)
    changed: list[SelectorEffect] = []
    already: list[SelectorEffect] = []
    used: set[str] = set()
    count = 0
    kept_now, kept_after = _keeps(now), _keeps(after)
    for selector in all_selectors(context, version):
        count += 1
        used.update(one.key for one in selector.requirements if is_filtered(one))
        found = effect(selector, kept_now, kept_after)
        if found is not None:
            changed.append(found)
        elif (before := present_effect(selector, kept_now)) is not None:
            already.append(before)
    counter = _Counter(pods) if pods is not None else None
    return PolicyImpact(
        policies=sum(len(context.state.of(resource)) for resource in POLICIES),
        selectors=count,
        effects=tuple(sorted(_counted(changed, counter), key=_order)),
        already=tuple(sorted(_counted(already, None), key=_order)),
        by_services=sum(1 for resource in POLICIES[1:] for one in context.state.of(resource) if _has_services(one)),
        unknown=unknown,
        used=frozenset(used),
    )


def unreadable(context: Context) -> dict[str, str]:
    """{resource: why it is not known which of these policies there are}."""
    state = context.state
    found = {
        one: f"{state.unknown.get(one, 'they were not read')}; not known is {PERMISSIONS[one].without}"
        for one in POLICIES
        if not state.knows(one)
    }
    if any(boolean(context.cilium.value(key)) for key in _EGRESS_GATEWAY):
        found[_EGRESS_POLICIES] = (
            "the egress gateway is on, whose policies are not read here; not known is which of them select pods by labels that "
            f"make no identity, so look at kubectl get {_EGRESS_POLICIES} -o yaml"
        )
    return found


def _keeps(label_filter: LabelFilter) -> t.Callable[[str], bool]:
    return lambda key: label_filter.keep("k8s", key)


def _has_services(policy: Mapping[str, t.Any]) -> bool:
    rules = [one for one in (policy.get("spec"), *(policy.get("specs") or ())) if one]
    return any(
        rule.get("toServices") for one in rules for key in ("egress", "egressDeny") for rule in one.get(key) or ()
    )


def _order(one: PolicyEffect) -> tuple[t.Any, ...]:
    """What lets traffic pass first, then what concerns most pods."""
    return not one.effect.opens, -max(one.pods_now or 0, one.pods_after or 0), one.policy, one.effect.selector.place


def _counted(effects: Iterable[SelectorEffect], counter: _Counter | None) -> Iterator[PolicyEffect]:
    for one in effects:
        yield counter.count(one) if counter is not None else PolicyEffect(one)


class _Counter:
    """Counts the pods of selectors, namespace by namespace, until it has compared enough."""

    def __init__(self, pods: SimulatedPods) -> None:
        self._pods = pods
        self._left = _MOST_COMPARED
        self._of_namespace: dict[str, list[tuple[int, int, int, Workload]]] = {}
        for one in pods.groups:
            self._of_namespace.setdefault(one.workload[0], []).append((one.now, one.after, one.pods, one.workload))

    def count(self, changed: SelectorEffect) -> PolicyEffect:
        selector = changed.selector
        namespaces = selector.namespaces
        spaces = self._of_namespace if namespaces is None else namespaces
        rows = [row for name in spaces for row in self._of_namespace.get(name, ())]
        self._left -= len(rows)
        if self._left < 0:
            return PolicyEffect(changed)
        sets = self._pods.sets
        matched: dict[int, bool] = {}
        totals = [0, 0]
        examples: dict[Workload, None] = {}
        for now, after, pods, workload in rows:
            for index, place in enumerate((now, after)):
                found = matched.get(place)
                if found is None:
                    found = matched[place] = selector.matches(sets[place])
                if found:
                    totals[index] += pods
                    if len(examples) < _EXAMPLES:
                        examples[workload] = None
        return PolicyEffect(changed, totals[0], totals[1], tuple(examples))
