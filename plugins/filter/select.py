# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: select
short_description: What a JMESPath expression selects from a document
description:
  - Evaluates a JMESPath expression over a document, such as an audit report or what an info module returned.
  - Unlike Jinja's own C(select), it must be called by its full name.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
requirements:
  - jmespath
positional: expression
options:
  _input:
    description: The document.
    type: raw
    required: true
  expression:
    description: A JMESPath expression, see U(https://jmespath.org).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Nodes with critical findings
  ansible.builtin.debug:
    msg: "{{ report | podnet.upkeep.select(query) }}"
  vars:
    query: findings[?severity=='critical' && subject.kind=='Node'].subject.name
"""

RETURN = r"""
_value:
  description: What was selected; V(null) where the expression matches nothing.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import plain, text

try:
    import jmespath
    from jmespath.exceptions import JMESPathError
except ImportError:
    jmespath = None


def select(value: t.Any, expression: t.Any) -> t.Any:
    """What the expression selects. Raises AnsibleFilterError with one sentence."""
    name = "podnet.upkeep.select"
    if jmespath is None:
        raise AnsibleFilterError(f"{name} needs the Python library jmespath on the controller: pip install jmespath")
    try:
        wanted = text(expression, "the expression", "findings[].id")
    except InputError as error:
        raise AnsibleFilterError(f"{name}: {error}") from None
    try:
        # the library compares types by their names, so it has to see Python's own
        return jmespath.search(wanted, plain(value))
    except JMESPathError as error:
        reason = " ".join(str(error).split())
        raise AnsibleFilterError(f"{name}: '{wanted}' cannot be evaluated: {reason}") from None


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"select": select}
