# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: go_duration
short_description: Seconds of a duration as Go writes it
description:
  - Reads a duration as Cilium, etcd and Kubernetes do (time.ParseDuration of Go), for example V(15m0s), V(1.5h) or V(300ms).
  - A number without a unit is an error, but for V(0). Cilium's operator does not start with one.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
options:
  _input:
    description: The text of a duration.
    type: str
    required: true
seealso:
  - plugin: podnet.upkeep.to_go_duration
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Wait as long as unused identities stay
  ansible.builtin.pause:
    seconds: "{{ 2 * (cilium_config['identity-heartbeat-timeout'] | podnet.upkeep.go_duration) }}"
  vars:
    cilium_config:
      identity-heartbeat-timeout: 30m0s
  # => 3600
"""

RETURN = r"""
_value:
  description: Seconds; a whole number where the duration is one of whole seconds.
  type: float
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import NANOSECONDS, DurationError, parse
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import text


def go_duration(value: t.Any) -> int | float:
    """Seconds of a duration. Raises AnsibleFilterError with Go's words."""
    try:
        nanoseconds = parse(text(value, "the duration", "15m0s"))
    except (DurationError, InputError) as error:
        raise AnsibleFilterError(f"podnet.upkeep.go_duration: {error}") from None
    whole, rest = divmod(nanoseconds, NANOSECONDS["s"])
    return nanoseconds / NANOSECONDS["s"] if rest else whole


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"go_duration": go_duration}
