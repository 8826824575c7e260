# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of CiliumIdentities: their range, what they are to the cluster, and what makes so many of them."""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_collection import check_collection
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_duplicates import duplicates
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_growth import (
    creators,
    forecast,
    history,
    turnover,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_label_explosion import check_explosions
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_labels import label_keys
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_missing import check_missing
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView, view_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import format_duration
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import (
    DUPLICATE,
    IN_USE,
    OUT_OF_RANGE,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import NAMESPACE

CLUSTER = Subject("Cluster", "cluster")
SHOWN = 10
_NEARLY, _ALMOST = 0.8, 0.95


def check(context: Context) -> Iterator[Finding]:
    """All findings about identities; none where there is no Cilium."""
    view = view_of(context)
    if not context.cilium.installed or not view.known:
        return
    yield from _range(context, view)
    yield from check_collection(view)
    if view.why_unclassified:
        if view.identities:
            yield _unclassified(view)
    else:
        yield from _out_of_range(view)
        yield from check_missing(context, view)
        yield from _turnover(view)
    if context.cilium.config and context.cilium.identity_mode != "kvstore":
        yield from _duplicates(view)
        yield from check_explosions(context, view)
    yield from _management(context, view)


def _range(context: Context, view: IdentityView) -> Iterator[Finding]:
    if isinstance(view.range_or_problem, str):
        if context.cilium.config:
            yield Finding(
                "identity-range-unknown",
                CLUSTER,
                f"The range of identity numbers cannot be told: {view.range_or_problem}",
                {"problem": view.range_or_problem},
            )
        return
    if view.used is None:
        return
    allowed, free = view.range_or_problem, view.range_or_problem.capacity - view.used
    counts = view.counts()
    evidence: dict[str, t.Any] = {
        "minimum": allowed.minimum,
        "maximum": allowed.maximum,
        "capacity": allowed.capacity,
        "used": view.used,
        "free": free,
        "classes": counts,
    }
    text = f"{view.used} of {allowed.capacity} identity numbers ({allowed.minimum} to {allowed.maximum}) are taken"
    if counts is not None:
        text += f", {counts[IN_USE]} of them in use"
    if free <= 0:
        yield Finding("identity-range-exhausted", CLUSTER, text, evidence)
    elif view.used > _NEARLY * allowed.capacity:
        expected = forecast(view)
        if expected is not None and expected.exhausted_at:
            text += f"; full on {expected.exhausted_at} if it goes on like this"
            evidence["forecast"] = expected.to_dict()
        level = CRITICAL if view.used > _ALMOST * allowed.capacity else WARNING
        yield Finding("identity-range-nearly-exhausted", CLUSTER, text, evidence, level)


def _unclassified(view: IdentityView) -> Finding:
    reasons = view.why_unclassified
    return Finding(
        "identity-classes-unknown",
        CLUSTER,
        f"Which of {len(view.identities)} identities are in use or leaked is not known: {'; '.join(reasons)}",
        {"reasons": list(reasons), "identities": len(view.identities)},
    )


def _out_of_range(view: IdentityView) -> Iterator[Finding]:
    places = list(view.of_class(OUT_OF_RANGE))
    if not places or view.range is None:
        return
    names = [view.identities[place]["metadata"]["name"] for place in places[:SHOWN]]
    used = sum(1 for place in places if view.numbers[place] in view.references)
    yield Finding(
        "identities-out-of-range",
        CLUSTER,
        f"{len(places)} identities, {used} of them in use, are outside {view.range.minimum} to {view.range.maximum}, "
        f"for example {', '.join(names[:3])}",
        {
            "count": len(places),
            "in_use": used,
            "identities": names,
            "minimum": view.range.minimum,
            "maximum": view.range.maximum,
        },
    )


def _duplicates(view: IdentityView) -> Iterator[Finding]:
    groups = duplicates(view)
    if not groups:
        return
    more = sum(len(group) - 1 for group in groups)
    names = [[view.identities[place]["metadata"]["name"] for place in group] for group in groups[:SHOWN]]
    yield Finding(
        "identities-duplicate",
        CLUSTER,
        f"{more} identities have the labels of an older one, for example {', '.join(names[0][:3])}",
        {"count": more, "groups": len(groups), "identities": names},
        WARNING if more > 0.05 * len(view.identities) and more >= 100 else INFO,
    )


def _turnover(view: IdentityView) -> Iterator[Finding]:
    found = turnover(view)
    if found is None or found.sustainable or view.verdict.collects is not True:
        return
    limit = "the operator may delete" if found.collected_per_hour < found.sustainable_per_hour else "the range holds"
    allowed = min(found.collected_per_hour, found.sustainable_per_hour)
    yield Finding(
        "identity-churn-unsustainable",
        CLUSTER,
        f"{found.per_hour:.0f} identities an hour were created in the last {found.hours:.1f} h, more than the "
        f"{allowed:.0f} an hour that {limit} if each is used for a moment only",
        found.to_dict(),
    )


def _management(context: Context, view: IdentityView) -> Iterator[Finding]:
    cilium = context.cilium
    mode, config = cilium.management_mode, cilium.config
    if not config or mode not in ("operator", "both"):
        return
    if cilium.identity_mode != "crd" or (cilium.version is not None and cilium.version < (1, 18)):
        why = "identities are not kept as CiliumIdentities" if cilium.identity_mode != "crd" else ""
        why = why or "it is older than 1.18"
        yield Finding(
            "identity-management-unsupported",
            CLUSTER,
            f"identity-management-mode is {mode}, which this Cilium does not support: {why}",
            {"identity_management_mode": mode, "identity_allocation_mode": cilium.identity_mode},
        )
    elif view.may_create is False:
        yield Finding(
            "identity-creation-forbidden",
            CLUSTER,
            f"identity-management-mode is {mode}, but the ClusterRole of the operator does not allow it to create ciliumidentities",
            {"identity_management_mode": mode},
        )


def section(context: Context) -> dict[str, t.Any] | None:
    """The part ``identities`` of the document; None where there is no Cilium or identities cannot be read."""
    view = view_of(context)
    if not context.cilium.installed or not view.known:
        return None
    in_objects = bool(context.cilium.config) and context.cilium.identity_mode != "kvstore"
    counts: dict[str, int] | None = view.counts()
    if counts is not None:
        counts = {**counts, DUPLICATE: sum(len(group) - 1 for group in duplicates(view))}
    allowed, expected, churn = view.range, forecast(view), turnover(view)
    return {
        "range": None
        if allowed is None
        else {
            "minimum": allowed.minimum,
            "maximum": allowed.maximum,
            "capacity": allowed.capacity,
            "cluster_id": allowed.cluster_id,
        },
        "objects": len(view.identities),
        "used": view.used,
        "free": None if view.used is None or allowed is None else max(0, allowed.capacity - view.used),
        "classes": counts,
        "classes_unknown": list(view.why_unclassified),
        "by_namespace": by_namespace(view),
        "by_label_key": [key.to_dict() for key in label_keys(view)],
        "created": creators(context, view) if in_objects else None,
        "gc": {
            "verdict": view.verdict.name,
            "reasons": list(view.verdict.reasons),
            "interval": _duration(view.times.interval) if in_objects else None,
            "heartbeat_timeout": _duration(view.times.timeout) if in_objects else None,
            "longest_life": _duration(view.times.longest) if in_objects else None,
        },
        "history": history(view),
        "forecast": None if expected is None else expected.to_dict(),
        "turnover": None if churn is None else churn.to_dict(),
    }


def _duration(duration: datetime.timedelta) -> str:
    """As Go and cilium-config write it."""
    return format_duration(duration // datetime.timedelta(microseconds=1) * 1000)


def by_namespace(view: IdentityView) -> list[dict[str, t.Any]]:
    """The namespaces with most identities, most first."""
    counts = Counter((one.get("security-labels") or {}).get(NAMESPACE, "") for one in view.identities)
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:SHOWN]
    return [{"namespace": namespace, "identities": count} for namespace, count in ordered]
