# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the running version against known bugs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_known_issues import affecting
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import image_version, version_text

_KUBERNETES = re.compile(r"^v?(\d+)\.(\d+)")


def check_known_issues(context: Context) -> Iterator[Finding]:
    """One finding for each bug that the version has under this configuration; one for all that it may have."""
    version = image_version(context.cilium.image)
    if version is None or context.cilium.config is None:
        return
    match = _KUBERNETES.match(context.state.server_version or "")
    kubernetes = (int(match[1]), int(match[2])) if match else None
    running = version_text(version)
    possible = []
    for issue in affecting(version, context.cilium.config, kubernetes):
        if not issue.certain:
            possible.append(issue)
            continue
        yield Finding(
            "cilium-known-bug",
            Subject("Issue", issue.reference),
            f"Cilium {running} has {issue.reference}: {issue.symptom}; {issue.advice}",
            {"version": running, "fixed_in": issue.fixed_in, "advice": issue.advice},
        )
    if possible:
        yield Finding(
            "cilium-possible-bugs",
            Subject("Cilium", running),
            f"Cilium {running} may have {len(possible)} known bugs of which no version without them is known, or that are rare",
            {
                "issues": [
                    {"issue": one.reference, "symptom": one.symptom, "advice": one.advice, "fixed_in": one.fixed_in}
                    for one in possible
                ]
            },
        )
