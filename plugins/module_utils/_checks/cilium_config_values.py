# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of single values of cilium-config: what stops a program, and what makes the trouble worse."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import (
    AGENT,
    DETAILS,
    OPERATOR,
    forms_in,
    owners,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_rules import RuleBreak, broken_rules
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_values import lost_unit, problem
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release

_PROGRAMS = {AGENT: "agents", OPERATOR: "the operator"}
_WORKLOADS = {AGENT: "daemonset/cilium", OPERATOR: "deployment/cilium-operator"}
_LONGEST_SHOWN = 200


def check_values(context: Context) -> Iterator[Finding]:
    """Every value that a program cannot read, takes for something else, or had better not have."""
    config, release = context.cilium.config or {}, context.cilium.version
    for key, value in sorted(config.items()):
        found = invalid(key, value, release)
        if found:
            yield _invalid(context, key, value, found)
            continue
        taken_for = next((text for form in forms_in(key, release) if (text := lost_unit(form, value))), "")
        if taken_for:
            yield Finding(
                "cilium-config-duration-without-unit",
                Subject("ConfigKey", key),
                f"{key}: {shown(value)} has no unit and is taken for {taken_for}",
                _evidence(context, key, value, taken_for=taken_for),
            )
    for rule in broken_rules(config, release):
        yield _of_rule(context, rule)


def invalid(key: str, value: str, release: Release | None) -> dict[str, str]:
    """{program: why it does not start with this value}; without a release only what its last form refuses."""
    return {form.owner: text for form in forms_in(key, release) if (text := problem(form, value))}


def shown(value: str) -> str:
    """A value for a sentence, cut where it is very long."""
    return f'"{value[:_LONGEST_SHOWN]}..."' if len(value) > _LONGEST_SHOWN else f'"{value}"'


def programs(names: Sequence[str]) -> str:
    """Owners of a key for a sentence."""
    return " and ".join(_PROGRAMS[name] for name in names)


def _evidence(context: Context, key: str, value: str, **more: t.Any) -> dict[str, t.Any]:
    release = context.cilium.version
    detail = DETAILS.get(key)
    readers = owners(key, release)
    return {
        "value": value[:_LONGEST_SHOWN],
        "read_by": list(readers),
        "restart": [_WORKLOADS[name] for name in readers],
        "helm_value": detail.helm if detail else "",
        "default": detail.default if detail else "",
        **more,
    }


def _invalid(context: Context, key: str, value: str, problems: Mapping[str, str]) -> Finding:
    reasons = "; ".join(dict.fromkeys(problems.values()))
    known = "" if context.cilium.version else ", as far as the version, which is unknown, allows to say"
    text = f"{key}: {shown(value)}: {programs(list(problems))} will not start with it{known} ({reasons})"
    return Finding(
        "cilium-config-value-invalid",
        Subject("ConfigKey", key),
        text,
        _evidence(context, key, value, stops=list(problems), reason=reasons),
    )


def _of_rule(context: Context, rule: RuleBreak) -> Finding:
    subject = Subject("ConfigKey", rule.key)
    evidence = _evidence(context, rule.key, rule.value, effect=rule.effect, wanted=rule.wanted)
    if rule.stops:
        evidence["stops"] = list(rule.stops)
        text = f"{rule.key}: {shown(rule.value)}: {programs(rule.stops)} will not start with it: {rule.effect}"
        return Finding("cilium-config-value-invalid", subject, text, evidence)
    text = f"{rule.key}: {shown(rule.value)}: {rule.effect}; set {rule.wanted}"
    return Finding("cilium-config-value-harmful", subject, text, evidence, rule.severity)
