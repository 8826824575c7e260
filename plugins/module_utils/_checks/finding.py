# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One thing that is wrong, about one object, with its evidence."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, REASSIGN, SEVERITIES


@dataclass(frozen=True)
class Subject:
    """The object a finding is about."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"


@dataclass(frozen=True)
class Finding:
    """``summary`` is one sentence with the facts; an empty ``severity`` means the catalogue's."""

    id: str
    subject: Subject
    summary: str
    evidence: Mapping[str, t.Any] = field(default_factory=dict)
    level: str = ""

    @property
    def severity(self) -> str:
        """critical, warning or info."""
        return self.level or CATALOGUE[self.id].severity

    def remedy(self) -> dict[str, t.Any]:
        """Text, playbook (FQCN or None), its variables, and the command line."""
        kind = CATALOGUE[self.id]
        variables: dict[str, t.Any] = {}
        command = ""
        if kind.playbook is not None and kind.playbook != REASSIGN:
            command = f"ansible-playbook -i INVENTORY {kind.playbook}"  # its plan says what of it may be mended
        elif kind.playbook is not None and self.subject.kind == "Node":
            variables = {"reassign_pod_cidrs_nodes": [self.subject.name]}
            command = f"ansible-playbook -i INVENTORY {kind.playbook} -e '{json.dumps(variables)}'"
        return {"text": kind.remedy, "playbook": kind.playbook, "variables": variables, "command": command}

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form with the texts of the catalogue."""
        kind = CATALOGUE[self.id]
        return {
            "id": self.id,
            "severity": self.severity,
            "title": kind.title,
            "subject": {"kind": self.subject.kind, "name": self.subject.name, "namespace": self.subject.namespace},
            "summary": self.summary,
            "evidence": dict(self.evidence),
            "meaning": kind.meaning,
            "why": kind.why,
            "verify": kind.verify.replace("spec.nodeName=NODE", f"spec.nodeName={self.subject.name}"),
            "verify_of_kind": kind.verify,
            "remedy": self.remedy(),
        }


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Worst first, then by id and subject: the same facts always give the same order."""
    return sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), one.id, str(one.subject), one.summary))
