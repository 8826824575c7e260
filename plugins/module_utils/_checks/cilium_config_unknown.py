# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of keys of cilium-config that no program reads: invented, misspelled, or of another version."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_config_values import shown
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import (
    INVENTED,
    forms_in,
    history,
    is_written_by_charts,
    near_matches,
)

# looking for similar names costs milliseconds for each, and managed clusters have hundreds of keys of their own
_MOST_SEARCHED = 20
_MOST_SHOWN = 10


def check_unknown_keys(context: Context) -> Iterator[Finding]:
    """One finding for each key that a runbook invented; one for all others that the running version does not know."""
    release = context.cilium.version
    unknown = []
    for key, value in sorted((context.cilium.config or {}).items()):
        if key in INVENTED:
            yield _invented(key, value)
        elif not forms_in(key, release) and not is_written_by_charts(key, release):
            unknown.append(key)
    if unknown:
        listed = [_described(context, key) for key in unknown[:_MOST_SEARCHED]]
        # a name that is nearly right, or was right once, says more than one that means nothing here
        listed.sort(key=lambda one: (not (one["similar"] or one["known"]), one["key"]))
        first = ", ".join(_words(one) for one in listed[:3]) + (", ..." if len(unknown) > 3 else "")
        version = f"{release[0]}.{release[1]}" if release else "any version"
        yield Finding(
            "cilium-config-key-unknown",
            Subject("ConfigMap", "cilium-config", context.cilium.namespace),
            f"{len(unknown)} key{'s are' if len(unknown) > 1 else ' is'} not known to Cilium {version}: {first}",
            {"count": len(unknown), "keys": listed[:_MOST_SHOWN]},
        )


def _invented(key: str, value: str) -> Finding:
    instead, remark = INVENTED[key]
    text = f"{key}: {shown(value)}: there is no such key, it has no effect; {remark}"
    if instead:
        text += f"; what is meant is {instead}"
    return Finding("cilium-config-key-invented", Subject("ConfigKey", key), text, {"value": value, "real_key": instead})


def _described(context: Context, key: str) -> dict[str, t.Any]:
    release = context.cilium.version
    before = history(key, release)
    return {"key": key, "known": before, "similar": [] if before else near_matches(key, release)}


def _words(one: dict[str, t.Any]) -> str:
    if one["known"]:
        return f"{one['key']} ({one['known']})"
    return f"{one['key']} (perhaps {one['similar'][0]})" if one["similar"] else str(one["key"])
