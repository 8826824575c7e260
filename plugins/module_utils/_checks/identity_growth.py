# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How the number of identities grows: history, forecast, turnover, and what creates them."""

from __future__ import annotations

import datetime
import math
import typing as t
from collections import Counter
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import named_identities
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import CLASSES, IN_USE, PENDING
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import NAMESPACE

_POINTS = 100
_SHOWN = 10
_HOUR = 3600.0
_WINDOW_HOURS = 24.0
# further away than this nothing is foretold
_HORIZON_HOURS = 24 * 365 * 5.0
# labels that only pods of one kind of owner have
_OWNER_LABELS: t.Final = {
    "k8s:batch.kubernetes.io/job-name": "Job",
    "k8s:job-name": "Job",
    "k8s:spark-app-selector": "SparkApplication",
    "k8s:workflows.argoproj.io/workflow": "Workflow",
    "k8s:apps.kubernetes.io/pod-index": "StatefulSet",
    "k8s:tekton.dev/pipelineRun": "PipelineRun",
}


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).replace(microsecond=0).isoformat()


def creation_times(view: IdentityView) -> list[float]:
    """When the identities that exist now were created, oldest first; those that do not say are left out."""
    return sorted(one for one in view.created if not math.isnan(one))


def history(view: IdentityView) -> list[list[t.Any]]:
    """[time, identities created until then] of those that exist now, at most 100 points, the last for the present."""
    times = creation_times(view)
    if not times:
        return []
    steps = min(_POINTS - 1, len(times))
    ranks = sorted({max(1, round(len(times) * (step + 1) / steps)) for step in range(steps)})
    points = {_time(times[rank - 1]): rank for rank in ranks}
    points[_time(max(view.now, times[-1]))] = len(times)
    return [[time, count] for time, count in sorted(points.items())]


@dataclass(frozen=True)
class Forecast:
    """``per_hour``: identities that the number grows by in an hour; ``exhausted_at``: None when not in sight."""

    per_hour: float
    exhausted_at: str | None
    basis: str

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {"per_hour": self.per_hour, "exhausted_at": self.exhausted_at, "basis": self.basis}


def forecast(view: IdentityView) -> Forecast | None:
    """When the range is full if each day brings what the last 24 hours have brought; None when that cannot be told.

    Where the collection works, what is unused now will go, so only identities that are in use or awaited count.
    """
    if view.used is None or view.range is None or view.classes is None or view.verdict.collects is None:
        return None
    times = creation_times(view)
    if not times:
        return Forecast(0.0, None, "there are no identities")
    # never less than the window: a step, in a cluster where nothing is older, is no pace that goes on
    since = view.now - _WINDOW_HOURS * _HOUR
    staying = {CLASSES.index(IN_USE), CLASSES.index(PENDING)}
    everything = not view.verdict.collects
    count = sum(
        1
        for created, found in zip(view.created, view.classes, strict=True)
        if created >= since and (everything or found in staying)
    )
    per_hour = count / _WINDOW_HOURS
    free = max(0, view.range.capacity - view.used)
    in_hours = free / per_hour if per_hour else math.inf
    which = "created" if everything else "created, and still in use,"
    basis = f"{count} identities {which} in the last {_WINDOW_HOURS:.0f} h"
    basis += "; unused ones are not collected" if everything else "; that they may replace older ones is not subtracted"
    return Forecast(
        round(per_hour, 2), _time(view.now + in_hours * _HOUR) if in_hours <= _HORIZON_HOURS else None, basis
    )


@dataclass(frozen=True)
class Turnover:
    """How many identities are made in an hour, and how many could be if each were used for a moment only.

    An unused identity exists for about two timeouts and an interval: so many hours of creation have to fit into what
    the identities that are in use leave of the range. ``collected_per_hour`` is the limit of the operator's deletions.
    """

    per_hour: float
    sustainable_per_hour: float
    collected_per_hour: float
    hours: float

    @property
    def sustainable(self) -> bool:
        """Whether it can go on."""
        return self.per_hour <= min(self.sustainable_per_hour, self.collected_per_hour)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "per_hour": round(self.per_hour, 1),
            "sustainable_per_hour": round(min(self.sustainable_per_hour, self.collected_per_hour), 1),
            "sustainable": self.sustainable,
        }


def turnover(view: IdentityView) -> Turnover | None:
    """Creation in the last two timeouts, of which nothing can have been deleted yet; None when that cannot be told."""
    counts = view.counts()
    if counts is None or view.range is None:
        return None
    hours = max(2 * view.times.timeout.total_seconds() / _HOUR, 1 / 6)
    since = view.now - hours * _HOUR
    young = [place for place, created in enumerate(view.created) if created >= since]
    in_use = CLASSES.index(IN_USE)
    young_in_use = sum(1 for place in young if view.classes is not None and view.classes[place] == in_use)
    room = max(0, view.range.capacity - (counts[IN_USE] - young_in_use))
    life = max(view.times.usual.total_seconds() / _HOUR, 1 / 60)
    return Turnover(len(young) / hours, room / life, view.times.deletions_per_second * _HOUR, hours)


def creators(context: Context, view: IdentityView, hours: float = 1.0) -> dict[str, t.Any] | None:
    """Namespaces and kinds of owners of the identities of the last hours, most first; None when there is nothing to see."""
    since = view.now - hours * _HOUR
    young = [place for place, created in enumerate(view.created) if created >= since]
    if not view.known:
        return None
    owners = _owner_kinds(context, {view.numbers[place] for place in young})
    counts: Counter[tuple[str, str]] = Counter()
    for place in young:
        labels = view.identities[place].get("security-labels") or {}
        kind = owners.get(view.numbers[place]) or next(
            (kind for label, kind in _OWNER_LABELS.items() if label in labels), "unknown"
        )
        counts[labels.get(NAMESPACE, ""), kind] += 1
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_SHOWN]
    return {
        "hours": hours,
        "identities": len(young),
        "top": [{"namespace": space, "owner_kind": kind, "identities": count} for (space, kind), count in ordered],
    }


def _owner_kinds(context: Context, numbers: set[int]) -> dict[int, str]:
    """{identity: kind of the controller of a pod that uses it}."""
    if not numbers:
        return {}
    pods: dict[tuple[str, str], int] = {}
    for namespace, name, number in named_identities(context.state.of("ciliumendpoints")):
        if number in numbers:
            pods[namespace or "", name] = number
    found: dict[int, str] = {}
    for pod in context.state.of("pods") if pods else ():
        number = pods.get((pod["metadata"].get("namespace") or "", name_of(pod)))
        if number is not None:
            references = pod["metadata"].get("ownerReferences") or ()
            found[number] = next((str(one.get("kind")) for one in references if one.get("controller")), "Pod")
    return found
