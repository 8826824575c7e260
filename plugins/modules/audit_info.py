#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_info
short_description: Audit the pod network bookkeeping of a cluster
description:
  - Reads a cluster once, or a snapshot of one, and says what is wrong with its pod network, how bad it is, with which
    evidence, and which playbook mends it. It judges the pod CIDRs of Nodes and the pool they come from, the IPAM of
    Cilium and of other CNIs, security identities and their garbage collection, endpoints, the configuration of Cilium,
    its key-value store, and the control plane.
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
      snapshot: A file or folder; no cluster and no Kubernetes library is needed.
    default: live
  snapshot:
    description:
      - Path of a snapshot. Required for O(source=snapshot).
      - A file that O(save_state) wrote; or what C(cilium sysdump) made, as ZIP file or unpacked folder; or a folder or
        tar file with the output of C(kubectl get -o json) or C(-o yaml).
    type: path
  save_state:
    description:
      - Save the state that was read to this file, compressed when its name ends in C(.gz).
      - It holds names, addresses, labels and annotations of Nodes, names, addresses and labels of pods, the objects of the
        CNI, and the flags of kube-controller-manager. It holds no Secret and no environment variable.
    type: path
  output_path:
    description:
      - Write the whole result, with all findings and all Nodes, as JSON to this file.
      - The collection documents it as a JSON schema in C(docs/docsite/extra/audit-result.schema.json).
    type: path
  report_html:
    description:
      - Write the report as one HTML file, which loads nothing from elsewhere.
      - It shows so many Nodes and findings as a browser shows well, worst first, and says what it leaves to O(output_path).
    type: path
  report_markdown:
    description: Write the report as Markdown.
    type: path
  report_prometheus:
    description:
      - Write the result as metrics in the text format of Prometheus, for the textfile collector of node_exporter, whose
        user needs to be in the group of the file. All names begin with C(podnet_upkeep_).
      - What is not known has no sample.
    type: path
  report_junit:
    description:
      - Write the result as JUnit XML with one test case for each finding there is, by its id.
      - A critical or warning finding is a failure. What could not be judged is skipped and never passes.
    type: path
  compare_to:
    description:
      - Compare with this file, which an earlier audit wrote as O(output_path). All reports then say which findings are new,
        which are gone, and how many are still there, by id and subject.
      - It is read before anything is written, so it may be the same file as O(output_path).
    type: path
  fail_on:
    description:
      - Fail when there is a finding of this severity or a worse one. All report files are written before, and the whole
        result is returned all the same.
      - What could not be read is a finding of severity info, or warning where nothing was judged without it.
    type: str
    choices:
      critical: Fail when there is a critical finding.
      warning: Fail when there is a critical or a warning finding.
      never: Do not fail because of findings.
    default: never
  use_agents:
    description:
      - Ask the agents of Cilium for their own view by running C(cilium-dbg) in their pods. Needs the permission to create
        C(pods/exec), and runs only commands that read.
      - Only for O(source=live).
    type: bool
    default: false
  agent_concurrency:
    description: Ask at most so many agents at the same time.
    type: int
    default: 10
  read_logs:
    description:
      - Read the last log lines of kube-controller-manager, of the cilium-operator and of the CNI, to correlate failures
        with findings. Needs the permission to get C(pods/log).
      - Only for O(source=live).
    type: bool
    default: false
  host_facts:
    description:
      - What the CNI left on hosts, one entry for each host, to compare it with Nodes. The role P(podnet.upkeep.audit#role)
        collects it over SSH.
      - Only for O(source=live).
    type: list
    elements: dict
    default: []
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
  headroom_factor:
    description:
      - How many times the present number of Nodes the pool should hold. A smaller pool gives the finding
        C(pod-cidr-headroom-low).
    type: float
    default: 2.0
  label_filter:
    description:
      - Simulate another label filter of Cilium, or another version of it, in the same run. The result is in RV(label_filter) and
        in all reports but those for machines.
      - M(podnet.upkeep.cilium_label_filter_info) asks the same without an audit, and describes the answer.
    type: dict
    suboptions:
      labels:
        description: The value of the key C(labels) to try. Without it the one that is configured.
        type: str
      target_version:
        description: Version of Cilium afterwards, such as V(1.19.2). Without it the one that runs.
        type: str
      version:
        description: Version of Cilium that runs, where the tag of its image does not tell it.
        type: str
      target_identities:
        description: Suggest the smallest addition to the filter with which not more identities than this are left.
        type: int
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

- name: Audit every night, say what changed since the last time, give metrics, and fail when something is critical
  podnet.upkeep.audit_info:
    output_path: /var/lib/upkeep/audit.json
    compare_to: /var/lib/upkeep/audit.json
    report_prometheus: /var/lib/node_exporter/textfile/podnet_upkeep.prom
    fail_on: critical

- name: Ask the agents of Cilium as well, and read logs
  podnet.upkeep.audit_info:
    use_agents: true
    read_logs: true
    report_html: /var/tmp/audit.html

- name: Audit a sysdump that a customer sent, for a pipeline
  podnet.upkeep.audit_info:
    source: snapshot
    snapshot: /var/tmp/cilium-sysdump-20261101-060000.zip
    report_junit: /var/tmp/audit.xml
    report_markdown: /var/tmp/audit.md

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
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample: {"critical": 1, "warning": 0, "info": 1, "findings": 2, "nodes": 12, "unknown": 0}
summary_lines:
  description: The result in about ten lines for a terminal, worst first.
  returned: when the state was read, also when O(fail_on) fails
  type: list
  elements: str
  sample:
    - "12 Nodes: 1 critical, 0 warning, 0 info"
    - "CRITICAL  node-cidr-out-of-range  1x  Node w7 has 10.250.3.0/24, outside the cluster CIDR 10.244.0.0/16"
    - "pool 10.244.0.0/16 (/24): 11 of 256 blocks used, 245 free"
    - "identities: 1,204 of 65,279 used (1.8%), 64,075 free; 310 leaked"
    - "identity GC: healthy"
    - "endpoints: 1,180 in all; 1,180 ready"
    - "settings: pod kube-system/kube-controller-manager-cp1; IPAM model: node-spec"
    - "plan the repair (writes nothing): ansible-playbook -i INVENTORY podnet.upkeep.reassign_pod_cidrs --check --diff"
    - "reports: HTML /var/tmp/audit.html"
findings:
  description:
    - Findings, worst first and in a fixed order, at most O(max_findings_returned).
    - C(id) is stable. C(remedy.playbook) is empty where no playbook mends it, and C(remedy.text) says why.
  returned: when the state was read, also when O(fail_on) fails
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
      verify_of_kind: "kubectl get nodes -o custom-columns=NODE:.metadata.name,CIDRS:.spec.podCIDRs"
      place: node-cidrs
      remedy:
        text: Register the Node again before the controller-manager restarts.
        playbook: podnet.upkeep.reassign_pod_cidrs
        variables: {"reassign_pod_cidrs_nodes": ["w7"]}
        command: "ansible-playbook -i INVENTORY podnet.upkeep.reassign_pod_cidrs -e '{\"reassign_pod_cidrs_nodes\": [\"w7\"]}'"
truncated:
  description: Whether O(max_findings_returned) cut the list.
  returned: when the state was read, also when O(fail_on) fails
  type: bool
  sample: false
pools:
  description: Use of each pool in blocks, counted as kube-controller-manager does.
  returned: when the state was read, also when O(fail_on) fails
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
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample:
    name: node-spec
    evidence: DaemonSet kube-flannel-ds
    description: Pods get addresses out of Node.spec.podCIDRs.
allocator:
  description:
    - Settings of the allocator and their source. C(null) and empty lists mean that they are not known.
    - C(problems) says what kube-controller-manager could not start with.
  returned: when the state was read, also when O(fail_on) fails
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
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample: {"leases": "the permission to get leases.coordination.k8s.io in namespace kube-system is missing"}
origin:
  description: Where the state comes from.
  returned: when the state was read, also when O(fail_on) fails
  type: str
  sample: API of https://192.0.2.1:6443
taken_at:
  description: When the state was read, in UTC.
  returned: when the state was read, also when O(fail_on) fails
  type: str
  sample: "2026-11-01T06:00:00+00:00"
server_version:
  description: Version of the API server.
  returned: when the state was read, also when O(fail_on) fails
  type: str
  sample: v1.36.1
cilium:
  description: Version and modes of Cilium. V(null) without Cilium, like the other parts about it.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample:
    version: "1.18"
    namespace: kube-system
    ipam_mode: cluster-pool
    identity_allocation_mode: crd
    identity_management_mode: agent
    operator_ready: 2/2
identities:
  description:
    - Use of the range of security identities, classes, namespaces and label keys with the most, the verdict on garbage
      collection, what was created when, and a forecast.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample:
    range: {"minimum": 256, "maximum": 65535, "capacity": 65279, "cluster_id": 0}
    used: 1204
    free: 64075
    classes: {"in-use": 880, "pending": 4, "marked": 10, "aging": 0, "leaked": 310, "duplicate": 0, "out-of-range": 0}
    by_namespace: [{"namespace": "ci", "identities": 700}]
    by_label_key: [{"key": "job-name", "distinct_values": 690, "identities": 690, "contribution": 689}]
    gc: {"verdict": "healthy", "reasons": []}
    history: [["2026-10-31T06:00:00+00:00", 894], ["2026-11-01T06:00:00+00:00", 1204]]
    forecast: {"per_hour": 12.9, "exhausted_at": "2027-05-27T05:00:00+00:00", "basis": "the last 24 hours"}
endpoints:
  description: Endpoints of Cilium by state, and what does not fit to pods.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample: {"count": 1180, "states": {"ready": 1180}, "without_pod": 0, "pods_without_endpoint": 0}
cilium_pools:
  description: Pools that Cilium cuts the blocks of Nodes from, in blocks.
  returned: when the state was read, also when O(fail_on) fails
  type: list
  elements: dict
  sample:
    - {"pool": "default", "family": "IPv4", "cidr": "10.0.0.0/8", "mask_size": 24, "capacity": 65536, "used": 12, "free": 65524}
control_plane:
  description: Who leads the controllers, and APIs that other servers answer for.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample:
    leases: [{"name": "kube-scheduler", "holder": "cp1_9a1c"}]
    api_services: [{"name": "v1beta1.metrics.k8s.io", "available": "True", "reason": "Passed", "message": ""}]
host_network:
  description: How many hosts were read over SSH, and which could not be; C(null) where nobody asked for it.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample: {"hosts": 3, "not_read": 1, "not_read_hosts": ["w2"]}
label_filter:
  description:
    - What the filter of O(label_filter) would do, as M(podnet.upkeep.cilium_label_filter_info) returns it. V(null) without it.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample:
    labels: {"now": "", "after": "k8s:!job-name"}
    identities: {"now": 880, "after": 92, "objects": 1204, "peak": 1290, "capacity": 65280}
kvstore:
  description: Health of the key-value store of Cilium.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample: {"used": false, "state": null, "message": null, "members": []}
agents:
  description: How many agents were asked and answered. V(null) without O(use_agents).
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample: {"asked": 12, "answered": 12, "failing_controllers": 0}
ipam_report:
  description:
    - The IPAM model of this cluster in words, for those who are on call.
    - Here as in other parts, rows for each Node are in O(output_path) only, and lists are cut at 100 rows.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample:
    title: "IPAM model: node-spec"
    paragraphs: ["Pods get addresses out of Node.spec.podCIDRs, which kube-controller-manager gives out."]
    table: {"columns": ["Question", "Answer"], "rows": [["Where is the truth?", "Node.spec.podCIDRs"]]}
decision_path:
  description: The flowchart, walked for this cluster.
  returned: when the state was read, also when O(fail_on) fails
  type: list
  elements: dict
  sample:
    - step: node-without-cidr
      question: Are there Nodes without a pod CIDR?
      answer: "yes"
      then: See whether the allocator runs.
      findings: [node-cidr-missing]
comparison:
  description:
    - What changed since the audit in O(compare_to), which was taken at C(with). V(null) without it.
    - C(not_readable_now) names what only the older audit could read, so that findings may seem to be gone.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample: {"with": "2026-10-31T06:00:00+00:00", "new": [], "gone": [], "still": 1, "not_readable_now": [], "not_readable_before": []}
selected:
  description: Value of O(select).
  returned: when O(select) is given
  type: raw
  sample: ["w7"]
report_paths:
  description: Files that were written, by the option that names them.
  returned: when the state was read, also when O(fail_on) fails
  type: dict
  sample: {"report_html": "/var/tmp/audit.html"}
"""

import gc
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
    label_filter_argument_spec,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.comparison import compare
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live, snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.extras import with_hosts
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._report import older_result
from ansible_collections.podnet.upkeep.plugins.module_utils._report.files import write_reports
from ansible_collections.podnet.upkeep.plugins.module_utils._report.terminal import summary_lines
from ansible_collections.podnet.upkeep.plugins.module_utils._selection import compiled

_FAILING = {"critical": ("critical",), "warning": ("critical", "warning"), "never": ()}
# of lists that may grow with the cluster; the files have all
_MOST_ROWS = 100


class FindingsError(UpkeepError):
    """There are findings of a severity that ``fail_on`` names; the result of the audit comes with it."""

    def __init__(self, message: str, result: dict[str, t.Any]) -> None:
        super().__init__(message)
        self._result = result

    def details(self) -> dict[str, t.Any]:
        """The whole result, as a successful run returns it."""
        return {"changed": False, **self._result}


def _state(options: t.Mapping[str, t.Any]) -> ClusterState:
    """The state from where the options say."""
    if options["source"] == "snapshot":
        return with_hosts(snapshot.load(options["snapshot"]), options["host_facts"])
    wanted = live.LiveOptions(
        processes=True,
        agents=options["use_agents"],
        agent_concurrency=options["agent_concurrency"],
        logs=options["read_logs"],
        hosts=options["host_facts"],
        cilium_namespace=options["cilium_namespace"],
    )
    return live.collect(KubeClient.from_options(options), wanted)


def _short(part: t.Any) -> t.Any:
    """A part of the document without its list of Nodes, and with at most 100 rows of any other list."""
    if isinstance(part, list):
        return part[:_MOST_ROWS]
    if isinstance(part, dict):
        return {key: _short(value) for key, value in part.items() if key != "nodes"}
    return part


def _returned(result: dict[str, t.Any], limit: int) -> dict[str, t.Any]:
    """What goes back to the playbook: no rows for Nodes, and at most ``limit`` findings of each list."""
    whole = {key: result[key] for key in ("findings", "summary", "comparison")}
    returned = {key: _short(value) for key, value in result.items() if key != "nodes"} | whole
    returned["findings"] = result["findings"][:limit]
    returned["truncated"] = len(result["findings"]) > limit
    if comparison := result["comparison"]:
        returned["comparison"] = {**comparison, **{key: comparison[key][:limit] for key in ("new", "gone")}}
    return returned


def _verdict(summary: t.Mapping[str, int], fail_on: str) -> str:
    """The sentence of the failure; empty where ``fail_on`` is content."""
    if not any(summary[severity] for severity in _FAILING[fail_on]):
        return ""
    counts = ", ".join(f"{summary[severity]} {severity}" for severity in ("critical", "warning", "info"))
    return (
        f"fail_on: {fail_on}: the audit has findings ({counts}; {summary['unknown']} kinds of objects not readable); all reports "
        "that were asked for are written, and summary_lines says what to do."
    )


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    # a short life: looking for cycles among a million objects of a large cluster would double its time
    gc.disable()
    # what is wrong with the options is said before a cluster is read
    settings = audit_settings(options)
    select = compiled(options["select"])
    if options["agent_concurrency"] < 1:
        value = options["agent_concurrency"]
        raise InputError(f"agent_concurrency: {value} agents at once would ask none; give 1 or more, such as 10.")
    older = older_result.load(options["compare_to"]) if options["compare_to"] else None
    state = _state(options)
    result = document(Context(state, settings))
    result["comparison"] = None if older is None else compare(older, result)
    paths = write_reports(options, result)
    if options["save_state"]:
        paths["save_state"] = snapshot.save(state, options["save_state"])
    returned = _returned(result, max(0, options["max_findings_returned"]))
    returned["summary_lines"] = summary_lines(result, paths)
    returned["report_paths"] = paths
    if select is not None:
        returned["selected"] = select(result)
    if sentence := _verdict(result["summary"], options["fail_on"]):
        raise FindingsError(sentence, returned)
    return returned


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            **label_filter_argument_spec(),
            "source": {"type": "str", "choices": ["live", "snapshot"], "default": "live"},
            "snapshot": {"type": "path"},
            "save_state": {"type": "path"},
            "output_path": {"type": "path"},
            "report_html": {"type": "path"},
            "report_markdown": {"type": "path"},
            "report_prometheus": {"type": "path"},
            "report_junit": {"type": "path"},
            "compare_to": {"type": "path"},
            "fail_on": {"type": "str", "choices": ["critical", "warning", "never"], "default": "never"},
            "use_agents": {"type": "bool", "default": False},
            "agent_concurrency": {"type": "int", "default": 10},
            "read_logs": {"type": "bool", "default": False},
            "host_facts": {"type": "list", "elements": "dict", "default": []},
            "cilium_namespace": {"type": "str", "default": ""},
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
