# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The JSON result of an earlier audit, read from a file."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.comparison import fault
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_REMEDY = "give a file that an earlier audit wrote as output_path"


def load(path: str) -> dict[str, t.Any]:
    """The document in ``path``. Raises InputError, naming compare_to, when there is none that can be compared with."""
    name = os.path.abspath(os.path.expanduser(path))
    try:
        with open(name, "rb") as file:
            content = json.loads(file.read())
    except OSError as error:
        raise InputError(f"compare_to: {name} cannot be read: {error.strerror or error}; {_REMEDY}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"compare_to: {name} is not JSON ({error}); {_REMEDY}.") from error
    if words := fault(content):
        raise InputError(f"compare_to: {name} is not the result of an audit ({words}); {_REMEDY}.")
    found: dict[str, t.Any] = content
    return found
