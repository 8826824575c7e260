# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the label filter: mistakes that Cilium takes without a word."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import INFO
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain import cilium_config_label_filter as label_filter
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import RELEASES

_IDS = {
    label_filter.UNREADABLE: "cilium-label-filter-invalid",
    label_filter.NEGATION: "cilium-label-filter-negation-misplaced",
    label_filter.SEPARATOR: "cilium-label-filter-separator",
    label_filter.SOURCE: "cilium-label-filter-source",
    label_filter.ALLOW_LIST: "cilium-label-filter-allow-list",
    label_filter.NO_EFFECT: "cilium-label-filter-without-effect",
}
_MOST_SHOWN = 10


def check_label_filter(context: Context) -> Iterator[Finding]:
    """Each mistake in the key labels; patterns that match more than they say are one finding."""
    config = context.cilium.config or {}
    labels = config.get("labels", "")
    version = context.cilium.version or RELEASES[-1]
    subject = Subject("ConfigKey", "labels")
    loose = []
    for mistake in label_filter.lint(labels, version):
        if mistake.kind not in _IDS:
            loose.append(mistake)
            continue
        text = f"labels: '{mistake.item}': {mistake.effect}"
        if mistake.instead:
            text += f"; write {mistake.instead}"
        evidence = {"item": mistake.item, "instead": mistake.instead, "labels": labels}
        # an exclude that matches nothing is harmless, an include that matches nothing is not
        harmless = mistake.kind in (label_filter.SOURCE, label_filter.SEPARATOR) and ":!" in mistake.item
        yield Finding(_IDS[mistake.kind], subject, text, evidence, "warning" if harmless else "")
    if loose:
        first = loose[0]
        yield Finding(
            "cilium-label-filter-loose",
            subject,
            f"{len(loose)} pattern{'s match' if len(loose) > 1 else ' matches'} more or other than it looks, for example "
            f"'{first.item}': {first.effect}",
            {
                "count": len(loose),
                "patterns": [
                    {"item": one.item, "effect": one.effect, "instead": one.instead} for one in loose[:_MOST_SHOWN]
                ],
            },
        )
    file = config.get("label-prefix-file", "").strip()
    if file:
        text = f"label-prefix-file {file} replaces the default patterns; which ones it has, only agents know"
        yield Finding("cilium-label-filter-file", Subject("ConfigKey", "label-prefix-file"), text, {"file": file}, INFO)
