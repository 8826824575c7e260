# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The option ``select`` of modules that answer with a large document: a JMESPath expression over it."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

Selection = Callable[[dict[str, t.Any]], t.Any]


def compiled(expression: str | None) -> Selection | None:
    """What an expression selects, as a function. Raises InputError when it is none or the library is absent."""
    if not expression:
        return None
    try:
        import jmespath
    except ImportError as error:
        raise InputError(f"select: {missing_required_lib('jmespath')}") from error

    def applied(act: Callable[[], t.Any]) -> t.Any:
        try:
            return act()
        except (jmespath.exceptions.JMESPathError, ValueError) as error:
            first = str(error).splitlines()[0].rstrip(":. ")
            sentence = f"select: '{expression}' is not a JMESPath expression that can be applied: {first}."
            raise InputError(sentence) from error

    made = applied(lambda: jmespath.compile(expression))
    return lambda result: applied(lambda: made.search(result))
