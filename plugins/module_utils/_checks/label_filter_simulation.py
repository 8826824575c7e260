# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What another value of the key ``labels`` of cilium-config, or another version of Cilium, would do to a cluster.

Nothing is read and nothing is written: a Context and a value go in, numbers, affected policies and reasons against the change
come out. What cannot be told is None, with a sentence that says why.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_labels import LabelKey, keys_of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import view_of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_agents import verdict
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_pods import SimulatedPods
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_policies import PolicyImpact, impact
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_refusals import (
    AGENTS_DISAGREE,
    INVALID,
    MISTAKE,
    NO_WAY_AROUND,
    NOT_SIMULATED,
    POLICIES_AFFECTED,
    POLICIES_UNKNOWN,
    RANGE_EXCEEDED,
    refusals,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_result import (
    FilterSimulation,
    KeyCost,
    Refusal,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_suggestion import Suggestion, suggest
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_upgrade import upgrade
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import POLICIES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_label_filter import lint
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import parse_version
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import (
    LabelFilter,
    LabelFilterError,
    LabelFilterNotJudgedError,
    Version,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import SecurityLabels

__all__ = [
    "AGENTS_DISAGREE",
    "INVALID",
    "MISTAKE",
    "NOT_SIMULATED",
    "NO_WAY_AROUND",
    "POLICIES_AFFECTED",
    "POLICIES_UNKNOWN",
    "RANGE_EXCEEDED",
    "RESOURCES",
    "FilterSimulation",
    "Refusal",
    "simulate",
]

#: What has to be read for a simulation.
RESOURCES: t.Final = (
    *("daemonsets", "deployments", "configmaps", "ciliumnodeconfigs", "namespaces", "pods", "ciliumidentities"),
    *POLICIES,
)
# a key that accounts for a smaller part of the range, or of all identities, is no explosion
_LEAST_OF_RANGE, _LEAST_OF_ALL, _USUAL_CAPACITY = 0.02, 0.2, 65280


def simulate(
    context: Context,
    labels: str | None = None,
    *,
    target_version: Version | None = None,
    version: Version | None = None,
    target_identities: int | None = None,
) -> FilterSimulation:
    """What would be with this value of ``labels``; None leaves it as it is.

    ``target_version`` is Cilium's afterwards; None leaves it. ``version`` is the one that runs, where neither image nor agents
    tell it. ``target_identities``: also suggest what to add so that not more are left. Never raises for a bad value: then
    counts are None and ``refusals`` say why.
    """
    cilium = context.cilium
    present = " ".join(cilium.value("labels").split())
    proposed = present if labels is None else " ".join(labels.split())
    running = version or cilium.full_version or _version_of_agents(context)
    later = target_version or running
    base = FilterSimulation(
        labels_now=present,
        labels_after=proposed,
        version_now=running,
        version_after=later,
        lint=tuple(lint(proposed, later)) if later is not None else (),
    )
    problem = _problem(context, running)
    if problem or running is None or later is None:
        return _refused(base, problem, NOT_SIMULATED)
    try:
        now = LabelFilter(running, present)
    except (LabelFilterError, LabelFilterNotJudgedError) as error:
        return _refused(base, f"what is configured now cannot be judged: {error}", NOT_SIMULATED)
    try:
        after = LabelFilter(later, proposed)
    except LabelFilterError as error:
        return _refused(base, f"{error}; agents would not start with it", INVALID)
    except LabelFilterNotJudgedError as error:
        return _refused(base, str(error), NOT_SIMULATED)
    return _Simulation(context, base, now, after).run(target_identities)


def _refused(base: FilterSimulation, sentence: str, kind: str) -> FilterSimulation:
    return dataclasses.replace(base, not_simulated=sentence, refusals=(Refusal(kind, sentence),))


def _version_of_agents(context: Context) -> Version | None:
    found = (parse_version(str(one.get("version") or "")) for one in context.state.of("agents"))
    return min((one for one in found if one is not None), default=None)


def _problem(context: Context, running: Version | None) -> str:
    """Why nothing can be simulated on this cluster; empty when it can."""
    cilium, state = context.cilium, context.state
    for resource, why in (
        ("pods", "which identities pods need"),
        ("namespaces", "which labels of namespaces are part of identities"),
        ("configmaps", "the label filter that is configured now"),
        ("ciliumnodeconfigs", "whether some Nodes have a label filter of their own"),
    ):
        if not state.knows(resource):
            return (
                f"{resource} are unknown ({state.unknown.get(resource, 'they were not read')}), so {why} is not known"
            )
    if not cilium.installed:
        return "nothing of Cilium was found, so no labels make identities here"
    if not cilium.config:
        return "there is no ConfigMap cilium-config, so the label filter that is configured now is not known"
    if running is None:
        return (
            f"the version of Cilium, which decides about the default filter, cannot be told from its image "
            f"'{cilium.image or 'unknown'}'; give it as version, such as 1.18.4"
        )
    if file := cilium.value("label-prefix-file").strip():
        return f"label-prefix-file {file} replaces the default patterns, and which ones it has, only agents know"
    for one in state.of("ciliumnodeconfigs"):
        if "labels" in ((one.get("spec") or {}).get("defaults") or {}):
            return f"CiliumNodeConfig {name_of(one)} gives some Nodes another value of labels: identities differ between Nodes"
    return ""


class _Simulation:
    def __init__(self, context: Context, base: FilterSimulation, now: LabelFilter, after: LabelFilter) -> None:
        self._context = context
        self._base = base
        self._now, self._after = now, after
        self._running = t.cast("Version", base.version_now)
        self._later = t.cast("Version", base.version_after)
        namespaces = {name_of(one): one["metadata"].get("labels") or {} for one in context.state.of("namespaces")}
        name = context.cilium.cluster_name
        self._pods = SimulatedPods(
            context.state,
            SecurityLabels(namespaces, now, name, self._running),
            SecurityLabels(namespaces, after, name, self._later),
        )

    def run(self, target: int | None) -> FilterSimulation:
        """Everything together."""
        context, pods = self._context, self._pods
        view = view_of(context)
        objects = peak = None
        if view.known and context.cilium.identity_mode != "kvstore":
            objects = len(view.identities)
            existing = set(view.fingerprints)
            peak = objects + sum(1 for place in pods.places_after if pods.fingerprint_of(place) not in existing)
        policies = impact(context, self._now, self._after, pods, self._later)
        keys, dropped, new = self._keys(view.range.capacity if view.range else _USUAL_CAPACITY)
        made = dataclasses.replace(
            self._base,
            pods=pods,
            now=len(pods.places_now),
            after=len(pods.places_after),
            objects=objects,
            peak=peak,
            capacity=view.range.capacity if view.range else None,
            keys=keys,
            dropped=dropped,
            new=new,
            policies=policies,
            upgrade=upgrade(pods, self._running, self._later) if self._running != self._later else None,
            agents=verdict(context, self._now),
            suggestion=None if target is None else self._suggest(target, policies),
        )
        return dataclasses.replace(made, refusals=tuple(refusals(made)), notes=tuple(self._notes(made)))

    def _keys(self, capacity: int) -> tuple[tuple[KeyCost, ...], tuple[str, ...], tuple[str, ...]]:
        before = {key for keys in self._pods.now.by_keys for key in keys}
        later = {key for keys in self._pods.after.by_keys for key in keys}
        dropped, new = sorted(before - later), sorted(later - before)

        def explodes(one: LabelKey, identities: int) -> bool:
            return one.contribution_together >= max(_LEAST_OF_RANGE * capacity, _LEAST_OF_ALL * identities)

        found = [
            KeyCost(one, "new" if one.key in new else "kept", explodes(one, len(self._pods.places_after)))
            for one in keys_of(self._pods.after, new)
        ]
        found += [
            KeyCost(one, "dropped", explodes(one, len(self._pods.places_now)))
            for one in (keys_of(self._pods.now, dropped) if dropped else ())
            if one.key in dropped
        ]
        found.sort(key=lambda one: (-one.key.contribution_together, -one.key.distinct_values, one.key.key))
        return tuple(found), tuple(dropped), tuple(new)

    def _suggest(self, target: int, policies: PolicyImpact) -> Suggestion:
        base = self._base.labels_after

        def drops(item: str, key: str) -> bool:
            return not LabelFilter(self._later, f"{base} {item}").keep("k8s", key)

        sets = [self._pods.sets[place] for place in self._pods.places_after]
        return suggest(sets, base, target, policies.used, drops)

    def _notes(self, made: FilterSimulation) -> Iterator[str]:
        cilium = self._context.cilium
        if self._pods.without_namespace:
            yield f"{self._pods.without_namespace} pods are left out, because their namespaces are not in the state"
        if made.policies.by_services:
            yield (
                f"{made.policies.by_services} policies of Cilium name Services (toServices): the labels by which these select "
                "their pods are not read"
            )
        if cilium.identity_mode == "kvstore":
            yield "identities are kept in the key-value store: how many there are is not seen in the API"
        if self._context.cilium.value("enable-well-known-identities", "false").lower() == "true":
            yield "well-known identities are on: pods of kube-dns and of the operator may have a reserved identity instead"
        if made.changes:
            yield (
                "agents, and the operator where it manages identities, read the filter when they start; each pod gets its new "
                "identity then, and old identities are collected later"
            )
