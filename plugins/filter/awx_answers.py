# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: awx_answers
short_description: Variables of a wrapper playbook that turn answers of an AWX survey into options of a role
description:
  - For each boolean, list or mapping that the survey of P(podnet.upkeep.awx_survey#filter) asks for, gives the template that makes
    the option of the role out of the answer C(answer_<option>).
  - The templates are given as text and not evaluated.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
options:
  _input:
    description: The options of one entry point, by name.
    type: dict
    required: true
  excluded:
    description: Regular expressions, the same as for the survey.
    type: list
    elements: str
    default: []
seealso:
  - plugin: podnet.upkeep.awx_survey
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what a wrapper playbook has to set
  ansible.builtin.debug:
    msg: "{{ {'clean_endpoints_ask_agents': {'type': 'bool', 'default': false}} | podnet.upkeep.awx_answers }}"
  # => clean_endpoints_ask_agents with a template that converts answer_clean_endpoints_ask_agents
"""

RETURN = r"""
_value:
  description: Names of options and the templates that make them, as text.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.awx_survey import SurveyError, conversions
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import mapping, texts


def awx_answers(options: t.Any, excluded: t.Sequence[str] = ()) -> dict[str, str]:
    """The templates by option. Raises AnsibleFilterError."""
    try:
        return conversions(
            mapping(options, "the argument of the filter"), texts(excluded, "excluded", "['_kubeconfig$']")
        )
    except (SurveyError, InputError) as error:
        raise AnsibleFilterError(f"podnet.upkeep.awx_answers: {error}") from None


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"awx_answers": awx_answers}
