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
    description:
      - Save the state that was read to this file, compressed when its name ends in C(.gz).
      - It holds names, addresses, labels and annotations of Nodes, names and addresses of pods, and the flags of
        kube-controller-manager. It holds no Secret and no environment variable.
    type: path
  output_path:
    description: Write the whole result, with all findings and all Nodes, as JSON to this file.
    type: path
  report_html:
    description: Write the report as one HTML file, which loads nothing from elsewhere.
    type: path
  report_markdown:
    description: Write the report as Markdown.
    type: path
  headroom_factor:
    description:
      - How many times the present number of Nodes the pool should hold. A smaller pool gives the finding
        C(pod-cidr-headroom-low).
    type: float
    default: 2.0
  select:
    description:
      - A JMESPath expression over the whole result, as it is in O(output_path). Its value is returned as RV(selected).
      - Needs the Python library C(jmespath).
    type: str
  max_findings_returned:
    description: Return at most so many findings, worst first. The files always have all.
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
    output_path: /var/tmp/audit.json
    save_state: /var/tmp/state.json.gz
  register: audit

- name: Show it in a few lines
  ansible.builtin.debug:
    msg: "{{ audit.summary_lines }}"

- name: Which Nodes have a critical finding, from a saved state
  podnet.upkeep.audit_info:
    source: snapshot
    snapshot: /var/tmp/state.json.gz
    select: "findings[?severity=='critical' && subject.kind=='Node'].subject.name"
  register: audit

- name: Audit a managed cluster, whose control plane shows no flags
  podnet.upkeep.audit_info:
    context: production
    allocator:
      cluster_cidrs: [10.244.0.0/16]
      node_mask_size_ipv4: 24
      service_ranges: [10.96.0.0/12]
"""

RETURN = r"""
summary:
  description: Number of findings by severity and in all, of Nodes, and of kinds of objects that could not be read.
  returned: success
  type: dict
  sample: {"critical": 1, "warning": 0, "info": 1, "findings": 2, "nodes": 12, "unknown": 0}
summary_lines:
  description: The result in a few lines for a terminal.
  returned: success
  type: list
  elements: str
  sample:
    - "12 Nodes: 1 critical, 0 warning, 0 info"
    - "pool 10.244.0.0/16 (/24): 11 of 256 blocks used, 245 free"
    - "settings: pod kube-system/kube-controller-manager-cp1; IPAM model: node-spec"
    - "CRITICAL  node-cidr-out-of-range  Node w7 has 10.250.3.0/24, outside the cluster CIDR 10.244.0.0/16"
    - "plan the repair (writes nothing): ansible-playbook -i INVENTORY podnet.upkeep.reassign_pod_cidrs --check --diff"
    - "HTML report: /var/tmp/audit.html"
findings:
  description:
    - Findings, worst first and in a fixed order, at most O(max_findings_returned).
    - C(id) is stable. C(remedy.playbook) is empty where no playbook mends it, and C(remedy.text) says why.
  returned: success
  type: list
  elements: dict
  sample:
    - id: node-cidr-out-of-range
      severity: critical
      title: Node's pod CIDR is outside the cluster CIDR
      subject: {"kind": "Node", "name": "w7", "namespace": ""}
      summary: "Node w7 has 10.250.3.0/24, outside the cluster CIDR 10.244.0.0/16"
      evidence: {"pod_cidr": "10.250.3.0/24", "cluster_cidrs": ["10.244.0.0/16"]}
      meaning: The Node holds a podCIDR that the configured cluster CIDR does not contain.
      why: kube-controller-manager exits when it starts and sees such a Node.
      verify: "kubectl get nodes -o custom-columns=NODE:.metadata.name,CIDRS:.spec.podCIDRs"
      remedy:
        text: Register the Node again before the controller-manager restarts.
        playbook: podnet.upkeep.reassign_pod_cidrs
        variables: {"reassign_pod_cidrs_nodes": ["w7"]}
        command: "ansible-playbook -i INVENTORY podnet.upkeep.reassign_pod_cidrs -e '{\"reassign_pod_cidrs_nodes\": [\"w7\"]}'"
truncated:
  description: Whether O(max_findings_returned) cut the list.
  returned: success
  type: bool
  sample: false
pools:
  description: Use of each pool in blocks, counted as kube-controller-manager does.
  returned: success
  type: list
  elements: dict
  sample:
    - family: IPv4
      cluster_cidr: 10.244.0.0/16
      node_mask_size: 24
      capacity: 256
      used: 11
      reserved_by_service_ranges: 0
      free: 245
      waiting_nodes: 0
ipam_model:
  description: Where the truth about pod CIDRs is, and how that was found.
  returned: success
  type: dict
  sample:
    name: node-spec
    evidence: DaemonSet kube-flannel-ds
    description: Pods get addresses out of Node.spec.podCIDRs.
allocator:
  description:
    - Settings of the allocator and their source. C(null) and empty lists mean that they are not known.
    - C(problems) says what kube-controller-manager could not start with.
  returned: success
  type: dict
  sample:
    allocate_node_cidrs: true
    cluster_cidrs: ["10.244.0.0/16"]
    node_mask_size_ipv4: 24
    node_mask_size_ipv6: 64
    service_ranges: ["10.96.0.0/12"]
    allocator_type: RangeAllocator
    source: pod kube-system/kube-controller-manager-cp1
    problems: []
unknown:
  description: What could not be read, and why.
  returned: success
  type: dict
  sample: {"leases": "the permission to get leases.coordination.k8s.io in namespace kube-system is missing"}
taken_at:
  description: When the state was read, in UTC.
  returned: success
  type: str
  sample: "2026-11-01T06:00:00+00:00"
server_version:
  description: Version of the API server.
  returned: success
  type: str
  sample: v1.36.1
selected:
  description: Value of O(select).
  returned: when O(select) is given
  type: raw
  sample: ["w7"]
report_paths:
  description: Files that were written, by the option that names them.
  returned: success
  type: dict
  sample: {"report_html": "/var/tmp/audit.html"}
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

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


def _compiled(expression: str | None) -> t.Callable[[dict[str, t.Any]], t.Any] | None:
    """What a JMESPath expression selects, as a function. Raises InputError when it is none or the library is absent."""
    if not expression:
        return None
    try:
        import jmespath
    except ImportError as error:
        raise InputError(f"select: {missing_required_lib('jmespath')}") from error

    def applied(act: t.Callable[[], t.Any]) -> t.Any:
        try:
            return act()
        except (jmespath.exceptions.JMESPathError, ValueError) as error:
            first = str(error).splitlines()[0]
            sentence = f"select: '{expression}' is not a JMESPath expression that can be applied: {first}"
            raise InputError(sentence) from error

    compiled = applied(lambda: jmespath.compile(expression))
    return lambda result: applied(lambda: compiled.search(result))


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
    # what is wrong with the options is said before a cluster is read
    settings = audit_settings(options)
    select = _compiled(options["select"])
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
    if select is not None:
        returned["selected"] = select(result)
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
