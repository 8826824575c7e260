# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Check of policies that select by labels which make no identity under the label filter that is configured."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_policies import (
    PolicyEffect,
    all_selectors,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import (
    LabelFilter,
    LabelFilterError,
    LabelFilterNotJudgedError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.policy_effects import present_effect

_SHOWN = 10


def check_selectors(context: Context) -> Iterator[Finding]:
    """One finding with all such selectors; none where filter or version cannot be told."""
    cilium = context.cilium
    version = cilium.full_version
    if version is None or not cilium.config or cilium.value("label-prefix-file").strip():
        return
    try:
        present = LabelFilter(version, cilium.value("labels"))
    except (LabelFilterError, LabelFilterNotJudgedError):
        return
    found = [
        PolicyEffect(broken)
        for one in all_selectors(context, version)
        if (broken := present_effect(one, lambda key: present.keep("k8s", key))) is not None
    ]
    if not found:
        return
    found.sort(key=lambda one: (not one.effect.opens, *one.policy, one.effect.selector.place))
    policies = {one.policy for one in found}
    keys = sorted({f"k8s:{key}" for one in found for key in one.effect.keys})
    first = found[0]
    kind, namespace, name = first.policy
    yield Finding(
        "policy-selects-ignored-label",
        Subject("Cluster", "cluster"),
        f"{len(found)} selectors of {len(policies)} network policies select by labels that make no identity ("
        f"{', '.join(keys[:3])}), for example {kind} {f'{namespace}/' if namespace else ''}{name}, {first.effect.selector.place}: "
        f"{first.effect.becomes}, {first.effect.consequence}",
        {
            "count": len(found),
            "policies": len(policies),
            "labels": keys[:_SHOWN],
            "selectors": [
                {key: value for key, value in one.to_dict().items() if not key.startswith(("pods_", "workloads"))}
                for one in found[:_SHOWN]
            ],
        },
    )
