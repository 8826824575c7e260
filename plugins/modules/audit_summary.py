#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: audit_summary
short_description: Leave the summary of a run in a ConfigMap
version_added: 0.1.0
description:
  - Writes a summary into a ConfigMap that is there already, cut so that it stays below O(max_bytes).
  - M(podnet.upkeep.schedule_objects) makes the ConfigMap, so that a scheduled run needs no permission to create one.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  name:
    description: Name of the ConfigMap. It must exist.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  summary:
    description: Counts and whatever else is to be kept. It must be smaller than O(max_bytes).
    type: dict
    required: true
  findings:
    description: Findings, worst first. As many as there is room for are kept, with id, severity, subject and summary.
    type: list
    elements: dict
    default: []
  max_bytes:
    description: Largest size of the text.
    type: int
    default: 100000
"""

EXAMPLES = r"""
- name: Leave what was found
  podnet.upkeep.audit_summary:
    name: podnet-upkeep-summary
    namespace: upkeep
    summary: "{{ audit_result.summary }}"
    findings: "{{ audit_result.findings }}"
"""

RETURN = r"""
kept:
  description: How many findings are kept.
  returned: success
  type: int
  sample: 42
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

_KEY = "summary.json"
_KEPT = ("id", "severity", "subject", "summary")


def text_of(summary: dict[str, t.Any], findings: list[dict[str, t.Any]], max_bytes: int) -> tuple[str, int]:
    """The text, and how many findings are in it. Raises InputError where not even the summary fits."""
    rows = [{key: one.get(key) for key in _KEPT} for one in findings]

    def written(count: int) -> str:
        return json.dumps({**summary, "findings_shown": rows[:count], "findings_left_out": len(rows) - count}, indent=1)

    if len(written(0).encode()) > max_bytes:
        raise InputError(f"summary: it has more than {max_bytes} bytes; give less of it, or a larger max_bytes.")
    fits, too_many = 0, len(rows) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if len(written(middle).encode()) <= max_bytes:
            fits = middle
        else:
            too_many = middle
    return written(fits), fits


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Write it."""
    params = module.params
    text, kept = text_of(params["summary"], params["findings"], params["max_bytes"])
    client = KubeClient.from_options(params)
    path = f"/api/v1/namespaces/{params['namespace']}/configmaps/{params['name']}"
    found = client.find(path)
    if found is None:
        raise InputError(
            f"name: there is no ConfigMap {params['namespace']}/{params['name']}; install_schedule makes it."
        )
    changed = (found.get("data") or {}).get(_KEY) != text
    if changed and not module.check_mode:
        client.patch(path, {"data": {_KEY: text}, "metadata": {"uid": found["metadata"]["uid"]}})
    return {"changed": changed, "kept": kept}


def main() -> None:
    """Entry point."""
    spec = {
        **auth_argument_spec(),
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "summary": {"type": "dict", "required": True},
        "findings": {"type": "list", "elements": "dict", "default": []},
        "max_bytes": {"type": "int", "default": 100_000},
    }
    run_module(AnsibleModule(argument_spec=spec, supports_check_mode=True), run)


if __name__ == "__main__":
    main()
