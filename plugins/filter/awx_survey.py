# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: awx_survey
short_description: Survey of an AWX job template for a role
description:
  - Makes the survey of an AWX job template out of the options of a role, as its C(meta/argument_specs.yml) has them. Types,
    choices, defaults and required options are taken over.
  - AWX gives answers as texts, so a boolean, a list or a mapping is asked for under the name C(answer_<option>). The filter
    P(podnet.upkeep.awx_answers#filter) makes what turns such an answer into the option.
  - Passwords (C(no_log)) and options that are neither required nor have a default are left out.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
options:
  _input:
    description: The options of one entry point, by name.
    type: dict
    required: true
  title:
    description: Title of the survey.
    type: str
    default: ""
  description:
    description: Description of the survey.
    type: str
    default: ""
  excluded:
    description: Regular expressions. An option whose name matches one of them is not asked for, unless it is required.
    type: list
    elements: str
    default: []
seealso:
  - plugin: podnet.upkeep.awx_answers
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the survey of the role clean_endpoints
  ansible.builtin.debug:
    msg: "{{ spec.argument_specs.main.options | podnet.upkeep.awx_survey('Clean endpoints', excluded=['_kubeconfig$']) }}"
  vars:
    spec: "{{ lookup('ansible.builtin.file', 'roles/clean_endpoints/meta/argument_specs.yml') | from_yaml }}"
"""

RETURN = r"""
_value:
  description: What C(survey_spec) of the module C(awx.awx.job_template) takes. Empty where nothing is to be asked.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.awx_survey import SurveyError, survey
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import mapping, plain, texts


def awx_survey(
    options: t.Any, title: str = "", description: str = "", excluded: t.Sequence[str] = ()
) -> dict[str, t.Any]:
    """The survey. Raises AnsibleFilterError."""
    try:
        return survey(
            mapping(options, "the argument of the filter"),
            plain(title),
            plain(description),
            texts(excluded, "excluded", "['_kubeconfig$']"),
        )
    except (SurveyError, InputError) as error:
        raise AnsibleFilterError(f"podnet.upkeep.awx_survey: {error}") from None


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"awx_survey": awx_survey}
