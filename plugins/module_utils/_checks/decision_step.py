# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One question of the decision path."""

from __future__ import annotations

from dataclasses import dataclass

YES, NO, UNKNOWN = "yes", "no", "unknown"
END = "end"


@dataclass(frozen=True)
class Step:
    """A question, and where its answers lead.

    The answer is yes when one of ``findings`` (ids of the catalogue) is there as warning or worse; for a question about
    the kind of cluster, ``decision_path`` decides by itself. Without findings it is unknown when one of ``needs``
    (resources) could not be read. ``then`` is what to do at yes, in one sentence. ``yes`` and ``no`` are ids of steps, or END;
    unknown leads where no leads.
    """

    id: str
    question: str
    then: str
    yes: str
    no: str
    needs: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
