#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_info
short_description: Audit the pod network bookkeeping of a cluster
description:
  - Reads a cluster once, or a saved state of one, and says what is wrong with the pod CIDRs of its Nodes and with the
    pool they come from, how bad it is, with which evidence, and which playbook mends it.
  - Never writes to the cluster.
  - Report files that you name are written in check mode as well; they are the result of this module, not a change of
    what it looks at, so that an audit in check mode shows its report.
  - What the credentials may not read is reported as unknown with the missing permission; it is never taken for fine.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
options:
  source:
    description: Where the state of the cluster comes from.
    type: str
    choices:
      live: The API of a cluster.
      snapshot: A file that O(save_state) wrote; no cluster and no Kubernetes library is needed.
    default: live
  snapshot:
    description: Path of a saved state. Required for O(source=snapshot).
    type: path
  save_state:
    description: Save the state that was read to this file (compressed when its name ends in C(.gz)). It has no secrets.
    type: path
  output_path:
    description: Write the whole result as JSON to this file.
    type: path
  report_html:
    description: Write the report as one HTML file.
    type: path
  report_markdown:
    description: Write the report as Markdown.
    type: path
  headroom_factor:
    description: How many times the present number of Nodes the pool should hold.
    type: float
    default: 2.0
  select:
    description:
      - A JMESPath expression over the whole result; its value is returned as RV(selected).
      - Needs the Python library C(jmespath).
    type: str
  max_findings_returned:
    description: Return at most so many findings, worst first; O(output_path) always has all.
    type: int
    default: 100
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38 (for O(source=live))
  - jmespath (for O(select))
seealso:
  - module: podnet.upkeep.node_cidr_info
"""

EXAMPLES = r"""
- name: Audit the cluster of the current kubeconfig
  podnet.upkeep.audit_info:
    report_html: /var/tmp/audit.html
  register: audit

- name: Which Nodes have a critical finding
  podnet.upkeep.audit_info:
    source: snapshot
    snapshot: /var/tmp/state.json.gz
    select: "findings[?severity=='critical' && subject.kind=='Node'].subject.name"
"""

RETURN = r"""
summary:
  description: Number of findings by severity, of Nodes, and of kinds of objects that could not be read.
  returned: success
  type: dict
  sample: {"critical": 1, "warning": 0, "info": 1, "findings": 2, "nodes": 12, "unknown": 0}
findings:
  description: Findings, worst first, with meaning, evidence, verification by hand and remedy.
  returned: success
  type: list
  elements: dict
  sample:
    - id: node-cidr-out-of-range
      severity: critical
      summary: "Node w7 has 10.250.3.0/24, outside the cluster CIDR 10.244.0.0/16"
truncated:
  description: Whether O(max_findings_returned) cut the list.
  returned: success
  type: bool
  sample: false
pools:
  description: Use of each pool in blocks.
  returned: success
  type: list
  elements: dict
  sample:
    - family: IPv4
      cluster_cidr: 10.244.0.0/16
      node_mask_size: 24
      capacity: 256
      used: 12
      reserved_by_service_ranges: 0
      free: 244
      waiting_nodes: 0
ipam_model:
  description: Where the truth about pod CIDRs is, and how that was found.
  returned: success
  type: dict
  sample: {"name": "node-spec", "evidence": "DaemonSet kube-flannel-ds"}
allocator:
  description: Settings of the allocator and their source.
  returned: success
  type: dict
  sample: {"allocate_node_cidrs": true, "cluster_cidrs": ["10.244.0.0/16"], "source": "pod kube-system/kube-controller-manager-cp1"}
summary_lines:
  description: The result in a few lines for a terminal.
  returned: success
  type: list
  elements: str
  sample: ["12 Nodes: 0 critical, 0 warning, 0 info"]
unknown:
  description: What could not be read, and why.
  returned: success
  type: dict
  sample: {}
selected:
  description: Value of O(select).
  returned: when O(select) is given
  type: raw
  sample: ["w7"]
report_paths:
  description: Files that were written.
  returned: success
  type: dict
  sample: {"report_html": "/var/tmp/audit.html"}
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live, snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._report_html import render
from ansible_collections.podnet.upkeep.plugins.module_utils._report_text import markdown, summary_lines


def _select(expression: str, result: dict[str, t.Any]) -> t.Any:
    """Value of a JMESPath expression. Raises InputError when it is none or the library is absent."""
    try:
        import jmespath
    except ImportError as error:
        raise InputError(
            "select needs the Python library jmespath; install it for the interpreter of this module."
        ) from error
    try:
        return jmespath.search(expression, result)
    except (jmespath.exceptions.JMESPathError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"select: '{expression}' is not a JMESPath expression that can be applied: {first}") from error


def _write_reports(options: t.Mapping[str, t.Any], result: dict[str, t.Any]) -> dict[str, str]:
    contents: dict[str, t.Callable[[], str]] = {
        "output_path": lambda: json.dumps(result, indent=1, sort_keys=True) + "\n",
        "report_html": lambda: render(result),
        "report_markdown": lambda: markdown(result),
    }
    return {
        option: write_atomically(options[option], make().encode(), option)
        for option, make in contents.items()
        if options[option]
    }


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    settings = audit_settings(options)
    from_file = options["source"] == "snapshot"
    state = snapshot.load(options["snapshot"]) if from_file else live.collect(KubeClient.from_options(options))
    result = document(Context(state, settings))
    paths = _write_reports(options, result)
    if options["save_state"]:
        paths["save_state"] = snapshot.save(state, options["save_state"])
    limit = max(0, options["max_findings_returned"])
    returned = {key: value for key, value in result.items() if key != "nodes"}
    returned["findings"] = result["findings"][:limit]
    returned["truncated"] = len(result["findings"]) > limit
    returned["summary_lines"] = summary_lines(result, paths)
    returned["report_paths"] = paths
    if options["select"]:
        returned["selected"] = _select(options["select"], result)
    return returned


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            "source": {"type": "str", "choices": ["live", "snapshot"], "default": "live"},
            "snapshot": {"type": "path"},
            "save_state": {"type": "path"},
            "output_path": {"type": "path"},
            "report_html": {"type": "path"},
            "report_markdown": {"type": "path"},
            "headroom_factor": {"type": "float", "default": 2.0},
            "select": {"type": "str"},
            "max_findings_returned": {"type": "int", "default": 100},
        },
        required_if=[("source", "snapshot", ("snapshot",))],
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
