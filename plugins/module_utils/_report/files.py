# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The report files: which option asks for which, and how each is made."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically
from ansible_collections.podnet.upkeep.plugins.module_utils._report.html_report import render
from ansible_collections.podnet.upkeep.plugins.module_utils._report.junit import junit
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markdown import markdown
from ansible_collections.podnet.upkeep.plugins.module_utils._report.prometheus import prometheus
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import Document


def as_json(document: Document) -> str:
    """The whole document, with its keys in order."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


WRITERS: t.Final[Mapping[str, Callable[[Document], str]]] = {
    "output_path": as_json,
    "report_html": render,
    "report_markdown": markdown,
    "report_prometheus": prometheus,
    "report_junit": junit,
}
_MODES: t.Final = {"report_prometheus": 0o644}


def write_reports(options: Mapping[str, t.Any], document: Document) -> dict[str, str]:
    """Write every report that an option names; {option: full path}.

    Each file is written whole or not at all, mode 0640; metrics, which somebody else's node_exporter reads, 0644. Raises
    InputError naming the option when one cannot be written.
    """
    return {
        # a name may hold half a character, which no file can
        option: write_atomically(
            options[option], make(document).encode("utf-8", "replace"), option, _MODES.get(option, 0o640)
        )
        for option, make in WRITERS.items()
        if options[option]
    }
