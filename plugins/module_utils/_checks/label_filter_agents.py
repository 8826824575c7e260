# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What agents say themselves about labels: each endpoint tells which make its identity and which do not.

The agents are the authority: where they differ from what the label filter should do, their defaults are others than those of
the version, or they have not started since the filter was changed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import LabelFilter

_POD_SOURCE: t.Final = "k8s:"
_MOST_SHOWN = 20


@dataclass(frozen=True)
class AgentVerdict:
    """What agents say of all labels that pods have: ``agreed`` with the prediction, or one of ``different``.

    ``asked`` is how many agents answered. Of each different label: what was predicted, and what agents do with it.
    """

    asked: int
    agreed: int
    different: tuple[dict[str, str], ...]

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "agents": self.asked,
            "labels_agreed": self.agreed,
            "labels_different": list(self.different[:_MOST_SHOWN]),
            "labels_different_count": len(self.different),
        }


def verdict(context: Context, present: LabelFilter) -> AgentVerdict | None:
    """How agents agree with the filter that should be in force; None where none told about labels."""
    kept: set[str] = set()
    dropped: set[str] = set()
    asked = 0
    for agent in context.state.of("agents"):
        labels = agent.get("labels")
        if labels:
            asked += 1
            kept.update(labels.get("security-relevant") or ())
            dropped.update(labels.get("derived") or ())
    if not asked:
        return None
    names = sorted(one for one in kept | dropped if one.startswith(_POD_SOURCE))
    different = []
    for name in names:
        predicted = present.keep("k8s", name.removeprefix(_POD_SOURCE))
        said = "both" if name in kept and name in dropped else "kept" if name in kept else "dropped"
        if said != ("kept" if predicted else "dropped"):
            different.append({"label": name, "predicted": "kept" if predicted else "dropped", "agents": said})
    return AgentVerdict(asked, len(names) - len(different), tuple(different))
