# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A ServiceAccount that may do what playbooks need, and the question whether credentials may."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import AccessOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import (
    CLUSTER,
    CNI,
    INSTALL,
    PLAYBOOKS,
    PROBE,
    RUN,
    Rule,
    features_of,
    rules_of,
)

_QUESTIONS_AT_ONCE: t.Final = 4
_PREFIX: t.Final = "podnet-upkeep-"
#: In names of a rule: the name of who may do it.
_OWN_NAME: t.Final = "<name>"


@dataclass(frozen=True)
class Places:
    """Namespaces that a user may choose; ``run`` is empty for one without lock and journal."""

    run: str = "kube-system"
    probe: str = "default"
    install: str = "kube-system"

    def of(self, rule: Rule, cni: Sequence[str]) -> Sequence[str]:
        """Namespaces of a rule; one that is empty means the whole cluster."""
        chosen = {CNI: tuple(cni), RUN: (self.run,) if self.run else (), PROBE: (self.probe,), INSTALL: (self.install,)}
        return chosen.get(rule.where, (rule.where,))


@dataclass(frozen=True)
class PlaybookAccess(AccessOptions):
    """Who is to run ``playbooks`` (without their namespace), with the features that any of them has."""

    playbooks: tuple[str, ...] = ()
    chosen: Places = Places()

    @property
    def component(self) -> str:
        """What tells these objects from those of the audit alone."""
        return "playbook-access"

    @property
    def rules(self) -> list[Rule]:
        """All that these playbooks need."""
        return [
            dataclasses.replace(rule, names=tuple(one.replace(_OWN_NAME, self.name) for one in rule.names))
            for playbook in self.playbooks
            for rule in rules_of(playbook, self.features)
        ]

    def cluster_rules(self) -> list[dict[str, t.Any]]:
        """Rules of the ClusterRole."""
        return _merged(_narrowest(one for one in self.rules if one.where == CLUSTER))

    def namespaced_rules(self) -> dict[str, list[dict[str, t.Any]]]:
        """{namespace: rules of the Role in it}, without what the ClusterRole allows already."""
        everywhere = [one for one in self.rules if one.where == CLUSTER]
        found: dict[str, list[Rule]] = {}
        for rule in self.rules:
            if rule.where != CLUSTER:
                for place in self.chosen.of(rule, self.places):
                    found.setdefault(place, []).append(rule)
        narrow = {place: _narrowest(rules, everywhere) for place, rules in found.items()}
        return {place: _merged(one) for place, one in narrow.items() if one}


def _narrowest(rules: Iterable[Rule], broader: Sequence[Rule] = ()) -> list[Rule]:
    """These rules without what another one of them allows for any name, or one of ``broader`` does; and no name twice."""
    given = list(rules)
    for_any = {one.triple for one in given if not one.names}
    allowed = {(*one.triple, name) for one in broader for name in one.names or ("",)}
    found = []
    for one in given:
        if (*one.triple, "") in allowed or (one.names and one.triple in for_any):
            continue
        names = tuple(name for name in one.names if (*one.triple, name) not in allowed)
        allowed.update((*one.triple, name) for name in names)
        if names or not one.names:
            found.append(dataclasses.replace(one, names=names))
    return found


def _merged(rules: Iterable[Rule]) -> list[dict[str, t.Any]]:
    """As RBAC writes them, with the verbs for the same objects in one rule."""
    verbs: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for rule in rules:
        of_objects = verbs.setdefault((rule.group, rule.resource, rule.names), [])
        if rule.verb not in of_objects:
            of_objects.append(rule.verb)
    found = []
    for (group, resource, names), allowed in verbs.items():
        one: dict[str, t.Any] = {"apiGroups": [group], "resources": [resource], "verbs": allowed}
        if names:
            one["resourceNames"] = list(names)
        found.append(one)
    return found


def name_for(playbook: str) -> str:
    """The name of the ServiceAccount of a playbook: ``podnet-upkeep-clean-identities``."""
    return _PREFIX + playbook.replace("_", "-")


def check_playbooks(playbooks: Iterable[str], features: Iterable[str], option: str = "playbooks") -> None:
    """Raises InputError for a playbook or a feature that is not in the table."""
    known: set[str] = set()
    for one in playbooks:
        if one not in PLAYBOOKS:
            raise InputError(f"{option}: '{one}' is no playbook that has rules; use one of {', '.join(PLAYBOOKS)}.")
        known.update(features_of(one))
    for one in features:
        if one not in known:
            there = f"use {', '.join(sorted(known))}" if known else "leave features empty"
            raise InputError(f"features: none of these playbooks has a feature '{one}'; {there}.")


def missing_rules(
    client: KubeClient,
    playbook: str,
    *,
    features: Iterable[str] = (),
    places: Places | None = None,
    renamed: tuple[str, str] = ("", ""),
    planning: bool,
) -> list[str]:
    """What our credentials lack for a playbook, in words. ``planning``: only what a plan needs. Raises ApiError.

    ``renamed``: names of objects that begin with the first one begin with the second one here.

    What is not ``asked`` is left to the run, which tries it. In namespaces that a CNI may have besides kube-system it is not
    asked: which those are is known only later.
    """
    chosen = places or Places()
    asked = [
        (rule, place, name)
        for rule in rules_of(playbook, features)
        if rule.asked and (rule.for_planning or not planning)
        for place in chosen.of(rule, ("kube-system",))
        for name in _here(rule.names, renamed) or ("",)
    ]

    def allowed(question: tuple[Rule, str, str]) -> bool:
        rule, place, name = question
        resource, _slash, part = rule.resource.partition("/")
        return client.allowed(rule.verb, resource, group=rule.group, subresource=part, namespace=place, name=name)

    with concurrent.futures.ThreadPoolExecutor(_QUESTIONS_AT_ONCE) as pool:
        answers = list(pool.map(allowed, asked))
    return list(dict.fromkeys(_words(*question) for question, answer in zip(asked, answers, strict=True) if not answer))


def _here(names: Iterable[str], renamed: tuple[str, str]) -> list[str]:
    before, after = renamed
    return [after + one.removeprefix(before) if before and one.startswith(before) else one for one in names]


def _words(rule: Rule, place: str, name: str) -> str:
    return " ".join(filter(None, (rule.words, name, f"in namespace {place}" if place else "")))
