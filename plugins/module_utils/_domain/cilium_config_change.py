# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether a change of cilium-config is a good one: every reason why not, and what the change calls for.

A change is {key: value}, None taking the key out. The configuration is judged as it would be afterwards; what was broken
before and does not concern the keys of the change is no reason to refuse it.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import (
    DETAILS,
    INVENTED,
    OPERATOR,
    forms_in,
    history,
    near_matches,
    owners,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_rules import broken_rules
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_values import (
    boolean,
    duration,
    integer,
    lost_unit,
    problem,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release

Change = Mapping[str, "str | None"]
HARMFUL, FIXED, LABELS, POOLS = "harmful-value", "fixed-at-installation", "label-filter", "address-pool"
#: Keys whose change is another matter than their value: {key: (risk, what it would do)}.
GUARDED: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("cluster-id", "cluster-name", "max-connected-clusters"),
        (FIXED, "it gives every pod of the cluster another identity, and old and new ones do not know each other"),
    ),
    "identity-allocation-mode": (FIXED, "identities of the other store are not taken over"),
    "ipam": (FIXED, "running pods keep addresses that nobody accounts for"),
    **dict.fromkeys(
        ("cluster-pool-ipv4-mask-size", "cluster-pool-ipv6-mask-size"),
        (FIXED, "blocks that Nodes have already do not fit the new size"),
    ),
    **dict.fromkeys(
        ("cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr"),
        (
            POOLS,
            "ranges that Nodes have blocks of must stay, and new ones must not overlap with Nodes and Services; append "
            "ranges with add_pool_cidrs, which looks at all that",
        ),
    ),
    "labels": (LABELS, "it gives pods other identities, so that there are more of them until all pods are renewed"),
}
LABEL_KEYS = frozenset({"labels", "label-prefix-file"})
_INTERVAL, _TIMEOUT = "identity-gc-interval", "identity-heartbeat-timeout"
_KEY_RISK = "unknown-key"


@dataclass(frozen=True)
class ChangeObjection:
    """A reason against a change. ``risk`` is the name to accept it by; empty where there is no way around."""

    key: str
    reason: str
    risk: str = ""

    @property
    def sentence(self) -> str:
        """The reason, with the way out where there is one."""
        way_out = f" (accept it with accepted_risks: [{self.risk}])" if self.risk else ""
        return f"{self.key}: {self.reason}{way_out}."


def applied(config: Mapping[str, str], change: Change) -> dict[str, str]:
    """The data afterwards."""
    data = {**config, **{key: value for key, value in change.items() if value is not None}}
    return {key: value for key, value in data.items() if key not in change or change[key] is not None}


def objections(config: Mapping[str, str], change: Change, release: Release | None) -> list[ChangeObjection]:
    """Every reason against a change of ``config``, in the order of keys and rules; what is so already is no change."""
    real = {key: value for key, value in change.items() if config.get(key) != value}
    found = [one for key, value in real.items() for one in _of_key(key, value, release)]
    refused = {one.key for one in found}
    after = applied(config, real)
    before = {(one.key, one.value, one.effect) for one in broken_rules(config, release)}
    for rule in broken_rules(after, release):
        if rule.key in refused or (rule.key, rule.value, rule.effect) in before:
            continue
        if rule.stops:
            reason = f"'{rule.value}': {_programs(rule.stops)} would not start with it: {rule.effect}"
            found.append(ChangeObjection(rule.key, reason))
        elif rule.severity != "info":
            risk = "" if rule.severity == "critical" else HARMFUL
            found.append(ChangeObjection(rule.key, f"'{rule.value}': {rule.effect}; set {rule.wanted}", risk))
    if not refused & {_INTERVAL, _TIMEOUT} and set(real) & {_INTERVAL, _TIMEOUT}:
        found += _gc_pair(after, release)
    for key in real:
        if key in GUARDED and key not in refused:
            risk, effect = GUARDED[key]
            found.append(ChangeObjection(key, f"on a cluster that runs, {effect}", risk))
    return found


def _of_key(key: str, value: str | None, release: Release | None) -> Iterator[ChangeObjection]:
    """What is wrong with the key, or with its value by itself. To take a key out is always understood."""
    if value is None:
        return
    if key in INVENTED:
        instead, remark = INVENTED[key]
        meant = f"; what is meant is {instead}" if instead else ""
        yield ChangeObjection(key, f"Cilium never had such a key; {remark}{meant}")
        return
    forms = forms_in(key, release)
    if not forms:
        yield ChangeObjection(key, _why_unknown(key, release), _KEY_RISK)
        return
    problems = {form.owner: text for form in forms if (text := problem(form, value))}
    if problems:
        reasons = "; ".join(dict.fromkeys(problems.values()))
        yield ChangeObjection(key, f"'{value}': {_programs(problems)} would not start with it ({reasons})")
        return
    taken_for = next((text for form in forms if (text := lost_unit(form, value))), "")
    if taken_for:
        yield ChangeObjection(key, f"'{value}' has no unit and would be taken for {taken_for}; write it as 5m0s")
    elif not value.strip() and {form.kind for form in forms} & {"int", "uint", "float", "duration"}:
        yield ChangeObjection(key, "an empty value is taken for 0; leave the key out instead", HARMFUL)


def _why_unknown(key: str, release: Release | None) -> str:
    version = f"Cilium {release[0]}.{release[1]}" if release else "Cilium"
    before = history(key, release)
    if before:
        return f"{version} does not read this key, it is {before}"
    near = near_matches(key, release)
    return f"{version} does not read this key" + (f"; the nearest are {', '.join(near)}" if near else "")


def _gc_pair(config: Mapping[str, str], release: Release | None) -> Iterator[ChangeObjection]:
    """Signs of life are given once a round: a timeout that is shorter than that gives no time at all."""
    values = []
    for key in (_INTERVAL, _TIMEOUT):
        text = config.get(key, DETAILS[key].default)
        form = next((one for one in forms_in(key, release) if one.owner == OPERATOR), None)
        values.append(duration(form, text) if form is not None else None)
    interval, timeout = values
    if interval is not None and timeout is not None and 0 < timeout < interval:
        yield ChangeObjection(
            _TIMEOUT,
            f"'{config.get(_TIMEOUT, DETAILS[_TIMEOUT].default)}' is shorter than identity-gc-interval "
            f"({config.get(_INTERVAL, DETAILS[_INTERVAL].default)}), so an identity is marked in the round after it lost its "
            "last endpoint; set at least the interval",
            HARMFUL,
        )


def _programs(names: Collection[str]) -> str:
    return " and ".join("the operator" if name == OPERATOR else "agents" for name in sorted(names, reverse=True))


def start_problems(config: Mapping[str, str], release: Release | None) -> dict[str, list[str]]:
    """{program: why it would not start with this configuration}; programs that would start are left out."""
    found: dict[str, list[str]] = {}
    for key, value in sorted(config.items()):
        for form in forms_in(key, release):
            text = problem(form, value)
            if text:
                found.setdefault(form.owner, []).append(f"{key}: '{value}' ({text})")
    for rule in broken_rules(config, release):
        for owner in rule.stops:
            found.setdefault(owner, []).append(f"{rule.key}: '{rule.value}' ({rule.effect})")
    return found


def restarts(keys: Collection[str], config: Mapping[str, str], release: Release | None) -> dict[str, list[str]]:
    """{key: programs that read it when they start}: agent, operator, both or none; unknown keys have none.

    No help text of the operator lists the label filter, and yet it reads it where it manages identities (seen with 1.18.4).
    """
    manages = config.get("identity-management-mode", "agent").strip() in ("operator", "both")
    found = {}
    for key in sorted(keys):
        readers = list(owners(key, release))
        if manages and key in LABEL_KEYS and OPERATOR not in readers:
            readers.append(OPERATOR)
        found[key] = readers
    return found


def helm_values(change: Change, release: Release | None) -> dict[str, t.Any]:
    """Helm values of Cilium's chart that keep a change; keys without a value of their own go to extraConfig.

    A key that is taken out gets the default that is known for it; without one it is left out.
    """
    made: dict[str, t.Any] = {}
    for key, value in sorted(change.items()):
        detail = DETAILS.get(key)
        text = value if value is not None else (detail.default if detail else None)
        if text is None:
            continue
        place = detail.helm.split(".") if detail and detail.helm else []
        if not place:
            made.setdefault("extraConfig", {})[key] = text
            continue
        inner = made
        for word in place[:-1]:
            inner = inner.setdefault(word, {})
        inner[place[-1]] = _typed(key, text, release)
    return made


def _typed(key: str, text: str, release: Release | None) -> t.Any:
    if key.startswith("cluster-pool") and key.endswith("cidr"):
        return text.replace(",", " ").split()
    kinds = {form.kind for form in forms_in(key, release)}
    if kinds == {"bool"}:
        truth = boolean(text)
        return text if truth is None else truth
    if kinds & {"int", "int32", "uint", "uint8", "uint16", "uint32", "float"}:
        whole = integer(text)
        return text if whole is None else whole
    return text
