# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which taints a pod tolerates; without I/O.

Source: component-helpers/scheduling/corev1/helpers.go and api/core/v1/toleration.go of kubernetes/kubernetes.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

Taint = Mapping[str, t.Any]
Pod = Mapping[str, t.Any]

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
#: Effects that keep a new pod away from a Node.
KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})


def _matches(toleration: Mapping[str, t.Any], taint: Taint) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    if not toleration.get("key"):
        return False
    return operator == "Equal" and (toleration.get("value") or "") == (taint.get("value") or "")


def tolerations_of(pod: Pod) -> list[Mapping[str, t.Any]]:
    """``spec.tolerations`` of a pod."""
    return list((pod.get("spec") or {}).get("tolerations") or ())


def tolerates(pod: Pod, taint: Taint) -> bool:
    """Whether the pod tolerates the taint at all, be it for a time."""
    return any(_matches(one, taint) for one in tolerations_of(pod))


def stays_under(pod: Pod, taint: Taint) -> bool:
    """Whether a NoExecute taint leaves the pod where it is for good: every toleration that matches has no end."""
    matching = [one for one in tolerations_of(pod) if _matches(one, taint)]
    return bool(matching) and all(one.get("tolerationSeconds") is None for one in matching)


def not_tolerated(pod: Pod, taints: Iterable[Taint]) -> list[Taint]:
    """The taints that keep a new pod like this one away."""
    return [taint for taint in taints if taint.get("effect") in KEEPS_AWAY and not tolerates(pod, taint)]
