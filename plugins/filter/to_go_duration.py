# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_go_duration
short_description: A duration as Go writes it
description:
  - Writes a number of seconds as Go prints a duration, which is what durations in C(cilium-config) look like.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
options:
  _input:
    description: Seconds; fractions are kept down to nanoseconds.
    type: float
    required: true
seealso:
  - plugin: podnet.upkeep.go_duration
    plugin_type: filter
"""

EXAMPLES = r"""
- name: A value for cilium-config
  ansible.builtin.debug:
    msg: "{{ 900 | podnet.upkeep.to_go_duration }}"
  # => 15m0s
"""

RETURN = r"""
_value:
  description: The duration.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import (
    DurationError,
    format_duration,
    from_seconds,
)


def to_go_duration(value: t.Any) -> str:
    """The text of a number of seconds. Raises AnsibleFilterError with one sentence."""
    name = "podnet.upkeep.to_go_duration"
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise AnsibleFilterError(f"{name}: {value!r} is no number of seconds; give one such as 900") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise AnsibleFilterError(f"{name}: a {type(value).__name__} is no number of seconds; give one such as 900")
    try:
        return format_duration(from_seconds(value))
    except DurationError as error:
        raise AnsibleFilterError(f"{name}: {error}") from None


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"to_go_duration": to_go_duration}
