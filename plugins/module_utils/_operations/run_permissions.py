# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What lock and journal of a run need to be allowed to do: a Role in one namespace is enough."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RunPermission:
    """One verb for one resource. ``name`` is the only object it is needed for, empty where RBAC cannot limit it."""

    verb: str
    resource: str
    group: str
    name: str

    @property
    def words(self) -> str:
        """For a sentence: ``patch leases.coordination.k8s.io podnet-upkeep-x``."""
        return " ".join(filter(None, (self.verb, f"{self.resource}.{self.group}".rstrip("."), self.name)))


def run_permissions(name: str) -> tuple[RunPermission, ...]:
    """All that the run ``name`` needs. Creating a Lease is also how the API server is asked for its time (dry run)."""
    found = []
    for resource, group, one in (
        ("leases", "coordination.k8s.io", f"podnet-upkeep-{name}"),
        ("configmaps", "", f"podnet-upkeep-{name}"),
        ("secrets", "", f"podnet-upkeep-{name}-images"),
    ):
        found += [RunPermission(verb, resource, group, one) for verb in ("get", "patch")]
        found.append(RunPermission("create", resource, group, ""))  # a request to create has no name yet
    return tuple(found)


def rules_of(permissions: Iterable[RunPermission]) -> list[dict[str, t.Any]]:
    """Rules of a Role that allow exactly these."""
    return [
        {
            "apiGroups": [one.group],
            "resources": [one.resource],
            "verbs": [one.verb],
            **({"resourceNames": [one.name]} if one.name else {}),
        }
        for one in permissions
    ]
