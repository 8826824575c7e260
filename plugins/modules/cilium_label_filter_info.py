#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_label_filter_info
short_description: What another label filter, or another version of Cilium, would do to identities and policies
description:
  - Simulates the key C(labels) of C(cilium-config) for all pods of a cluster, with the exact rules of the version of Cilium,
    before anybody sets it.
  - Says how many identities pods would need, which labels cost how many, which workloads would get another identity, and which
    network policies select by a label that would make no identity any more. Such selectors silently match nothing, or
    everything.
  - Judges NetworkPolicies, CiliumNetworkPolicies and CiliumClusterwideNetworkPolicies. Selectors of Nodes and of Services are
    not touched by C(labels), and the pods behind C(toServices) are not looked at.
  - Never writes to the cluster, and never to C(cilium-config). Report files that you name are written in check mode as well.
  - What cannot be told is C(null), and why is said; policies that could not be read are never taken for unaffected.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
options:
  labels:
    description:
      - The value to try, patterns with blanks between them, such as V(k8s:!job-name k8s:!controller-uid). An empty text is the
        filter without patterns of your own.
      - Without it the value that is configured is judged, which is of use with O(target_version) and O(target_identities).
    type: str
  target_version:
    description:
      - Version of Cilium afterwards, such as V(1.19.2), to see what an upgrade changes by its default patterns and by labels that
        it makes itself. A version without its patch counts as patch 0.
    type: str
  version:
    description:
      - Version of Cilium that runs, where the tag of its image does not tell it, such as with digests only. It wins over the tag.
    type: str
  target_identities:
    description:
      - Suggest the smallest addition to the filter with which not more identities than this are left. Labels that policies
        select by are spared.
    type: int
  source:
    description: Where the state of the cluster comes from.
    type: str
    choices:
      live: The API of a cluster.
      snapshot: A file or folder; no cluster and no Kubernetes library is needed.
    default: live
  snapshot:
    description:
      - Path of a snapshot, as M(podnet.upkeep.audit_info) takes it. Required for O(source=snapshot).
    type: path
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
  use_agents:
    description:
      - Compare with what the agents of Cilium say of labels, by running C(cilium-dbg) in their pods. Needs the permission to
        create C(pods/exec), and runs only commands that read.
      - Only for O(source=live). Answers in a snapshot are always used.
    type: bool
    default: false
  agent_concurrency:
    description: Ask at most so many agents at the same time.
    type: int
    default: 10
  output_path:
    description: Write the whole result as JSON to this file.
    type: path
  report_html:
    description: Write the result as one HTML file, which loads nothing from elsewhere.
    type: path
  report_markdown:
    description: Write the result as Markdown.
    type: path
  max_rows_returned:
    description: Return at most so many rows of each list. O(output_path) always has all.
    type: int
    default: 100
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38 (for O(source=live))
seealso:
  - plugin: podnet.upkeep.security_labels
    plugin_type: filter
  - module: podnet.upkeep.cilium_config
  - module: podnet.upkeep.cilium_identity_info
"""

EXAMPLES = r"""
- name: What it would do to leave out the labels of Jobs
  podnet.upkeep.cilium_label_filter_info:
    labels: k8s:!job-name k8s:!batch\.kubernetes\.io/job-name
  register: simulated

- name: Show it
  ansible.builtin.debug:
    msg: "{{ simulated.lines }}"

- name: Go on only when nothing speaks against it
  ansible.builtin.assert:
    that: simulated.refusals | length == 0
    fail_msg: "{{ simulated.refusals | map(attribute='sentence') | join(' ') }}"

- name: Which labels to leave out so that 2,000 identities do, with a report
  podnet.upkeep.cilium_label_filter_info:
    target_identities: 2000
    report_html: /var/tmp/label-filter.html
  register: simulated

- name: What an upgrade does to identities and policies, from a sysdump
  podnet.upkeep.cilium_label_filter_info:
    source: snapshot
    snapshot: /var/tmp/cilium-sysdump-20261101-060000.zip
    target_version: 1.20.0
"""

RETURN = r"""
lines:
  description: The result in lines for a terminal.
  returned: success
  type: list
  elements: str
  sample:
    - "label filter: 'k8s:!job-name' instead of ''; Cilium 1.18.4"
    - "identities: 880 that pods need now, 92 afterwards; 1,204 exist, and at most 1,290 of 65,280 while old and new ones exist side by side"
labels:
  description: The filter that is configured, and the one that was tried.
  returned: success
  type: dict
  sample: {"now": "", "after": "k8s:!job-name"}
version:
  description: Version of Cilium that runs, and the one that was tried; C(null) where it cannot be told.
  returned: success
  type: dict
  sample: {"now": "1.18.4", "after": "1.18.4"}
changes:
  description: Whether another filter or another version was tried at all.
  returned: success
  type: bool
  sample: true
not_simulated:
  description: Why nothing could be simulated; empty when it could. Then counts are C(null).
  returned: success
  type: str
  sample: ""
identities:
  description:
    - C(now) and C(after) are identities that live pods need. C(objects) are the CiliumIdentities that exist, used or not, and
      C(peak) is how many there are at most until the old ones are collected. C(capacity) is how many numbers the cluster has.
  returned: success
  type: dict
  sample: {"now": 880, "after": 92, "objects": 1204, "peak": 1290, "capacity": 65280}
pods:
  description: Pods that were judged, those that get another identity, and those whose namespace is not known.
  returned: success
  type: dict
  sample: {"judged": 1204, "changed": 1100, "without_namespace": 0}
by_namespace:
  description: Identities of the pods of each namespace, most first.
  returned: success
  type: list
  elements: dict
  sample: [{"namespace": "batch", "now": 800, "after": 12}]
by_label_key:
  description:
    - What labels cost. C(contribution_together) is how many identities there are less without the label and those of
      C(together_with), of those before the change for a C(state) of V(dropped), else of those after it.
    - C(explodes) is whether that is more than a fifth of the identities and more than 2% of the numbers.
  returned: success
  type: list
  elements: dict
  sample:
    - key: "k8s:job-name"
      distinct_values: 790
      identities: 800
      contribution: 788
      together_with: []
      contribution_together: 788
      state: dropped
      explodes: false
dropped_labels:
  description: Labels of identities that would be so no longer.
  returned: success
  type: list
  elements: str
  sample: ["k8s:job-name"]
new_labels:
  description: Labels that would become part of identities.
  returned: success
  type: list
  elements: str
  sample: []
workloads:
  description: Workloads with pods that get another identity, most pods first, with the labels that their identities lose and get.
  returned: success
  type: list
  elements: dict
  sample: [{"namespace": "batch", "kind": "CronJob", "name": "report", "pods": 900, "lost": ["k8s:job-name"], "gained": []}]
workloads_count:
  description: How many such workloads there are.
  returned: success
  type: int
  sample: 12
policies:
  description:
    - C(effects) are the selectors of policies that change, those that let traffic pass first. C(becomes) is V(dead) (it matches
      nothing any more), V(wider) (it matches more than it says), V(alive) or V(narrower) (the label makes identities again), or V(other) (both).
      C(selects) is V(subject) for the pods that a policy applies to, else V(allow), V(deny) or V(require). C(opens) is whether
      traffic may pass that is refused now.
    - C(already) are selectors that the present filter has broken before. C(by_services) counts policies with C(toServices).
    - C(unknown) says which policies could not be read; C(affected) is C(null) when nothing can be said for that.
  returned: success
  type: dict
  sample:
    read: 31
    selectors: 80
    affected: 1
    unknown: {}
    effects:
      - kind: NetworkPolicy
        namespace: batch
        name: only-report
        place: spec.podSelector
        selects: subject
        direction: ""
        becomes: dead
        labels: ["k8s:job-name"]
        conditions: ["k8s:job-name Exists"]
        consequence: "it applies to no pod any more: what it refuses now passes, unless another policy refuses it"
        opens: true
        pods_now: 900
        pods_after: 0
        workloads: [batch/CronJob/report]
    effects_count: 1
    already: []
    already_count: 0
    by_services: 0
lint:
  description: Mistakes and surprises in the patterns, with what each does and what to write instead.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "negation", "item": "!k8s:foo", "effect": "the ! before the source is part of the source", "instead": "k8s:!foo"}]
upgrade:
  description:
    - What O(target_version) changes; C(null) without another version. C(named_ports_identities) is what labels made of named
      ports cost, which Cilium makes from 1.20 on.
  returned: success
  type: dict
  sample: {"added_defaults": ["!:topology\\.kubernetes\\.io"], "removed_defaults": [], "named_ports_identities": 12, "remarks": []}
agents:
  description:
    - How agents agree with the filter that is configured. C(null) where none told about labels.
  returned: success
  type: dict
  sample: {"agents": 12, "labels_agreed": 40, "labels_different": [], "labels_different_count": 0}
suggestion:
  description:
    - For O(target_identities), the C(items) to add and the whole C(labels). No item can be left out. C(reached) is whether it is
      enough; C(smallest) is whether it is known that no fewer items are, which with many labels takes too long to try.
    - C(spared_for_policies) are labels that would help and that policies select by.
  returned: success
  type: dict
  sample:
    target: 2000
    labels: "k8s:!job-name$"
    items: ["k8s:!job-name$"]
    dropped: ["k8s:job-name"]
    identities: 92
    reached: true
    smallest: true
    spared_for_policies: []
refusals:
  description:
    - Reasons against the change, each with its C(kind), V(label-filter-invalid), V(label-filter-mistake),
      V(label-filter-not-simulated), V(policies-affected), V(policies-unknown), V(identity-range-exceeded) or V(agents-disagree).
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "policies-affected", "sentence": "1 selectors of 1 policies select by labels whose part in identities changes"}]
notes:
  description: What else to know.
  returned: success
  type: list
  elements: str
  sample: []
helm_values:
  description: The value of Cilium's chart that keeps the filter.
  returned: success
  type: dict
  sample: {"labels": "k8s:!job-name"}
unknown:
  description: What could not be read, and why.
  returned: success
  type: dict
  sample: {}
origin:
  description: Where the state comes from.
  returned: success
  type: str
  sample: API of https://192.0.2.1:6443
taken_at:
  description: When the state was read, in UTC.
  returned: success
  type: str
  sample: "2026-11-01T06:00:00+00:00"
report_paths:
  description: The files that were written, by the option that names them.
  returned: success
  type: dict
  sample: {"report_html": "/var/tmp/label-filter.html"}
"""

import gc
import json
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_simulation import (
    RESOURCES,
    FilterSimulation,
    simulate,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live, snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically
from ansible_collections.podnet.upkeep.plugins.module_utils._label_filter_options import question
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._report import label_filter_report as report
from ansible_collections.podnet.upkeep.plugins.module_utils._report.label_filter import lines

_REPORTS: t.Final = ("output_path", "report_html", "report_markdown")


def _state(options: t.Mapping[str, t.Any]) -> ClusterState:
    if options["source"] == "snapshot":
        return snapshot.load(options["snapshot"])
    wanted = live.LiveOptions(
        resources=RESOURCES,
        processes=True,
        agents=options["use_agents"],
        metrics=False,
        agent_concurrency=options["agent_concurrency"],
        cilium_namespace=options["cilium_namespace"],
    )
    return live.collect(KubeClient.from_options(options), wanted)


def _written(options: t.Mapping[str, t.Any], found: FilterSimulation, state: ClusterState) -> dict[str, str]:
    if not any(options[name] for name in _REPORTS):
        return {}
    whole, taken_at = found.to_dict(), state.taken_at.isoformat()
    texts = {
        "output_path": lambda: json.dumps({**whole, **_about(state)}, indent=1, sort_keys=True) + "\n",
        "report_html": lambda: report.html(whole, taken_at, state.origin),
        "report_markdown": lambda: report.markdown(whole, taken_at, state.origin),
    }
    return {
        name: write_atomically(options[name], texts[name]().encode("utf-8", "replace"), name)
        for name in _REPORTS
        if options[name]
    }


def _about(state: ClusterState) -> dict[str, t.Any]:
    asked = (*RESOURCES, "agents")
    return {
        "unknown": {key: reason for key, reason in state.unknown.items() if key in asked},
        "origin": state.origin,
        "taken_at": state.taken_at.isoformat(),
    }


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    # a short life: looking for cycles among a million objects of a large cluster would double its time
    gc.disable()
    # what is wrong with the options is said before a cluster is read
    asked = question(options)
    for name in ("agent_concurrency", "max_rows_returned"):
        if options[name] < 1:
            raise InputError(f"{name}: {options[name]} is too few; give 1 or more.")
    state = _state(options)
    found = simulate(
        Context(state),
        asked.labels,
        target_version=asked.target_version,
        version=asked.version,
        target_identities=asked.target_identities,
    )
    made = found.to_dict(options["max_rows_returned"])
    return {
        **made,
        **_about(state),
        "lines": lines(made),
        "report_paths": _written(options, found, state),
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            "labels": {"type": "str"},
            "target_version": {"type": "str"},
            "version": {"type": "str"},
            "target_identities": {"type": "int"},
            "source": {"type": "str", "choices": ["live", "snapshot"], "default": "live"},
            "snapshot": {"type": "path"},
            "cilium_namespace": {"type": "str", "default": ""},
            "use_agents": {"type": "bool", "default": False},
            "agent_concurrency": {"type": "int", "default": 10},
            "output_path": {"type": "path"},
            "report_html": {"type": "path"},
            "report_markdown": {"type": "path"},
            "max_rows_returned": {"type": "int", "default": 100},
        },
        required_if=[("source", "snapshot", ("snapshot",))],
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
