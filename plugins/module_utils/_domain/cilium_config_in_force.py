# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""With which values a program of Cilium has started, by what it writes into its log when it starts.

Agent and operator print every option as ``--KEY='VALUE'`` before anything else (pkg/option/config.go, LogRegisteredOptions
and operator/cmd/flags.go); seen in the log of the real cilium-operator 1.18.4.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import forms_in
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_values import (
    boolean,
    duration,
    integer,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release

_OPTION = re.compile(r"\s--([A-Za-z0-9][A-Za-z0-9-]*)='(.*?)'(?=[\"\s]|$)")


def options_in_log(text: str, keys: Collection[str]) -> dict[str, str]:
    """{key: value} of those ``keys`` that a log names, the last start of the program winning."""
    found = {}
    for line in text.splitlines():
        match = _OPTION.search(line)
        if match is not None and match[1] in keys:
            found[match[1]] = match[2]
    return found


def is_same(key: str, owner: str, configured: str, running: str, release: Release | None) -> bool | None:
    """Whether a program that runs with one text has what the other says; None where texts of this kind cannot tell.

    Durations, numbers and truth values are compared by what they mean: a program prints them in its own way.
    """
    forms = forms_in(key, release)
    # a key that a program reads without listing it (``labels``) is of the kind that it has for the other one
    form = next((one for one in forms if one.owner == owner), next(iter(forms), None))
    kind = form.kind if form is not None else "string"
    left: object
    right: object
    if form is not None and kind == "duration":
        left, right = duration(form, configured), duration(form, running)
    elif kind == "bool":
        left, right = boolean(configured), boolean(running)
    elif kind.startswith(("int", "uint")):
        left, right = integer(configured.strip() or "0"), integer(running.strip() or "0")
    elif kind == "float":
        left, right = _real(configured), _real(running)
    elif kind in ("list", "map"):
        # white space parts them in the ConfigMap, a comma in the log
        return True if _parts(configured) == _parts(running) else None
    else:
        left, right = configured.strip(), running.strip()
    return None if left is None or right is None else left == right


def _parts(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _real(text: str) -> float | None:
    try:
        return float(text.strip() or "0")
    except ValueError:
        return None
