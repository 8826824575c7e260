#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cilium_identity_info
short_description: Use of Cilium's security identities, and what single ones are
description:
  - Returns how many identities the cluster can give out and how many are taken, what they are to the cluster (in use,
    pending, marked, aging, leaked, out of range), whether the cilium-operator collects unused ones, which namespaces and
    labels make so many of them, and when none will be left.
  - With O(ids) it also says of single identities what they are, and why.
  - Never writes to the cluster. What cannot be told is C(null), never a guess; an identity is called leaked only where
    endpoints, pods and the settings of the collection are known.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
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
      - Path of a snapshot, as M(podnet.upkeep.audit_info) takes it. Required for O(source=snapshot).
    type: path
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
  ids:
    description: Numbers of identities to say more about, in RV(asked).
    type: list
    elements: int
    default: []
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38 (for O(source=live))
seealso:
  - module: podnet.upkeep.audit_info
"""

EXAMPLES = r"""
- name: How many identities can still be given out
  podnet.upkeep.cilium_identity_info:
  register: identities

- name: Stop a roll-out of new labels when it would not fit
  ansible.builtin.assert:
    that: identities.free is not none and identities.free > 5000
    fail_msg: Only {{ identities.free }} identities are free.

- name: What two identities are
  podnet.upkeep.cilium_identity_info:
    ids: [48213, 51002]
  register: identities

- name: Show why
  ansible.builtin.debug:
    msg: "{{ item.id }} is {{ item.class }}: {{ item.why }}"
  loop: "{{ identities.asked }}"

- name: The same from a sysdump
  podnet.upkeep.cilium_identity_info:
    source: snapshot
    snapshot: /var/tmp/cilium-sysdump-20261101-060000.zip
    ids: [48213]
"""

RETURN = r"""
installed:
  description: Whether anything of Cilium was seen. Without it everything else but RV(unknown) is C(null) or empty.
  returned: success
  type: bool
  sample: true
range:
  description: Numbers that this cluster gives to identities; C(null) where the settings do not tell.
  returned: success
  type: dict
  sample: {"minimum": 256, "maximum": 65535, "capacity": 65280, "cluster_id": 0}
objects:
  description: CiliumIdentities there are, within the range or not.
  returned: success
  type: int
  sample: 1204
used:
  description: Identities within the range. C(null) where they are kept in the kvstore or not known.
  returned: success
  type: int
  sample: 1203
free:
  description: Numbers that are left.
  returned: success
  type: int
  sample: 64077
classes:
  description:
    - Identities by class; each is of one class. C(duplicate) counts those with the labels of an older one, whatever their
      class.
    - C(leaked) are those that nobody uses and nothing will collect. C(aging) are unused ones that the collection has to
      wait for.
    - C(null) where it cannot be told; RV(classes_unknown) says why.
  returned: success
  type: dict
  sample: {"in-use": 1100, "pending": 2, "marked": 30, "aging": 71, "leaked": 0, "out-of-range": 1, "duplicate": 3}
classes_unknown:
  description: Why RV(classes) is C(null).
  returned: success
  type: list
  elements: str
  sample: []
by_namespace:
  description: The ten namespaces with most identities.
  returned: success
  type: list
  elements: dict
  sample: [{"namespace": "batch", "identities": 800}]
by_label_key:
  description:
    - The labels with most distinct values. C(contribution) is how many identities there would be less without this label
      alone, C(contribution_together) without those of C(together_with) too, which change with it.
  returned: success
  type: list
  elements: dict
  sample:
    - key: "k8s:job-name"
      distinct_values: 790
      identities: 800
      contribution: 0
      together_with: ["k8s:batch.kubernetes.io/job-name"]
      contribution_together: 789
created:
  description: What the identities of the last hour were created for.
  returned: success
  type: dict
  sample: {"hours": 1.0, "identities": 40, "top": [{"namespace": "batch", "owner_kind": "Job", "identities": 38}]}
gc:
  description:
    - Whether the operator collects unused identities, V(healthy), V(off), V(broken), V(slow) or V(unknown), with reasons,
      and its settings.
  returned: success
  type: dict
  sample:
    verdict: healthy
    reasons: []
    interval: 15m0s
    heartbeat_timeout: 30m0s
    longest_life: 1h30m0s
history:
  description: At most 100 pairs of a time and the number of identities of now that were created until then.
  returned: success
  type: list
  elements: list
  sample: [["2026-10-31T06:00:00+00:00", 1000], ["2026-11-01T06:00:00+00:00", 1204]]
forecast:
  description: Growth in an hour, when no number is left (C(null) when that is not in sight), and what it is based on.
  returned: success
  type: dict
  sample:
    per_hour: 8.5
    exhausted_at: null
    basis: 204 identities created, and still in use, in the last 24 h; that they may replace older ones is not subtracted
turnover:
  description: Identities that are created in an hour, and how many could be if each were used for a moment only.
  returned: success
  type: dict
  sample: {"per_hour": 40.0, "sustainable_per_hour": 51344.0, "sustainable": true}
asked:
  description:
    - What each of O(ids) is. C(class) is C(null) where there is no such object or it cannot be told, and C(why) says so.
    - C(endpoints) counts the endpoints that name it, of which C(endpoint_names) shows ten.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 48213
      exists: true
      class: pending
      why: "no endpoint names it yet, but a live pod without endpoint has its labels: pod shop/cart-6c9d7-abcde needs it"
      security_labels: {"k8s:app": "cart", "k8s:io.kubernetes.pod.namespace": "shop"}
      created: "2026-11-01T05:59:00Z"
      age: 60 s
      marked_at: null
      in_range: true
      duplicate_of: null
      endpoints: 0
      endpoint_names: []
unknown:
  description: What could not be read, and why.
  returned: success
  type: dict
  sample: {}
taken_at:
  description: When the state was read, in UTC.
  returned: success
  type: str
  sample: "2026-11-01T06:00:00+00:00"
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import identities
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_answers import answers
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live, snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

# what identities are judged by
_RESOURCES = (
    *("daemonsets", "deployments", "configmaps", "leases", "clusterroles", "namespaces", "pods"),
    *("ciliumidentities", "ciliumendpoints", "ciliumendpointslices", "ciliumnodeconfigs"),
)
_MOST_ASKED = 1000
_LARGEST_NUMBER = (1 << 32) - 1
_EMPTY: t.Final[dict[str, t.Any]] = {
    **dict.fromkeys(("range", "objects", "used", "free", "classes", "created", "gc", "forecast", "turnover")),
    **{"classes_unknown": [], "by_namespace": [], "by_label_key": [], "history": []},
}


def _state(options: t.Mapping[str, t.Any]) -> ClusterState:
    if options["source"] == "snapshot":
        return snapshot.load(options["snapshot"])
    wanted = live.LiveOptions(resources=_RESOURCES, cilium_namespace=options["cilium_namespace"])
    return live.collect(KubeClient.from_options(options), wanted)


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    ids = module.params["ids"]
    if len(ids) > _MOST_ASKED:
        raise InputError(f"ids: {len(ids)} numbers are too many; ask for at most {_MOST_ASKED} at once.")
    wrong = next((number for number in ids if not 0 < number <= _LARGEST_NUMBER), None)
    if wrong is not None:
        raise InputError(f"ids: {wrong} is no identity; give numbers of 1 to {_LARGEST_NUMBER}.")
    state = _state(module.params)
    context = Context(state)
    return {
        **(identities.section(context) or _EMPTY),
        "installed": context.cilium.installed,
        "asked": answers(context, ids),
        "unknown": {key: reason for key, reason in state.unknown.items() if key in _RESOURCES},
        "taken_at": state.taken_at.isoformat(),
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            "source": {"type": "str", "choices": ["live", "snapshot"], "default": "live"},
            "snapshot": {"type": "path"},
            "cilium_namespace": {"type": "str", "default": ""},
            "ids": {"type": "list", "elements": "int", "default": []},
        },
        required_if=[("source", "snapshot", ("snapshot",))],
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
