#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cilium_config
short_description: Change keys of cilium-config safely, and put them back
version_added: 0.1.0
description:
  - Sets or removes keys of the ConfigMap C(cilium-config) after judging them by the key table of the running release. Keys
    that do not exist, values with which a program would not start, and values that make the trouble worse are refused with
    the reason.
  - Remembers what the keys had before in an annotation of the same ConfigMap, so that O(state=restored) brings back exactly
    that, keys that were not there included.
  - Writes only over what it has judged. When somebody else changes the data meanwhile, nothing is written.
  - Another label filter (key C(labels)) is simulated on the live pods and policies first, as M(podnet.upkeep.cilium_label_filter_info)
    does. It is refused where policies would select otherwise, identities would not fit the range, or the value does not mean
    what it looks like. RV(label_filter) shows the numbers.
  - Restarts nothing. RV(components) says who reads the keys, and RV(changed_at) since when they are so; M(podnet.upkeep.workload_rollout)
    takes both.
  - Tells the Helm values that keep the change, which tool owns the ConfigMap, and which CiliumNodeConfigs override the keys.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.cilium
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) makes the keys what O(profile), O(values) and O(remove) say.
      - V(restored) gives the keys that were changed by this module the values that they had before, and forgets them.
    type: str
    choices: [present, restored]
    default: present
  profile:
    description:
      - A set of values that belong together. Keys that the running release does not have are left out of it.
      - O(values) and O(remove) win over it.
    type: str
    choices:
      faster_identity_gc: Unused identities are deleted sooner, for the time of an incident.
      default: The values that Cilium has without being told.
      large_cluster: Thousands of Nodes.
  values:
    description: Keys and their values, as the ConfigMap has them. Durations need a unit, such as V(15m0s).
    type: dict
    default: {}
  remove:
    description: Keys to take out, so that the programs use their default.
    type: list
    elements: str
    default: []
  add_pool_cidrs:
    description:
      - CIDRs that are appended to the cluster pool (keys C(cluster-pool-ipv4-cidr) and C(cluster-pool-ipv6-cidr), each by its
        family). What is there keeps its place and text, and the mask size stays. CIDRs that are there already change nothing.
      - Refused where a CIDR overlaps another one of the pool, addresses and podCIDRs of Nodes, Services, load balancers, API
        servers, other pools or the range of the in-tree allocator, where it is smaller than a block, of a family that is off,
        or outside of the native routing CIDR.
      - Only the operator has to restart. CiliumNodes that wait for a block are served then.
      - For a C(CiliumPodIPPool), use M(podnet.upkeep.cilium_pod_ip_pool).
    type: list
    elements: str
    default: []
  keys:
    description: With O(state=restored), only these keys. Empty means all that are remembered.
    type: list
    elements: str
    default: []
  reason:
    description:
      - What the keys are changed for. It is kept with what is remembered. By default that is the name of O(profile).
      - Keys that were changed for another reason are left as they are. With O(state=restored), only keys that were changed for
        this reason are restored. So a procedure that tunes for a while leaves alone what a person has tuned.
    type: str
    default: ""
  remember:
    description:
      - Whether O(state=restored) is to bring back what the keys have now. Turn it off to mend a value that must not come
        back.
    type: bool
    default: true
  accepted_risks:
    description:
      - Names of risks to take. Each refusal that can be overridden names its own.
      - V(harmful-value), V(unknown-key), V(fixed-at-installation) and V(address-pool) are about keys and values.
      - V(policies-affected), V(policies-unknown), V(identity-range-exceeded), V(label-filter-mistake), V(agents-disagree) and
        V(label-filter-not-simulated) are what the simulation of another value of C(labels) says; V(label-filter) accepts all of
        them.
      - V(in-tree-cluster-cidr), V(native-routing-cidr) and V(unseen-addresses) are about O(add_pool_cidrs), a range that
        overlaps what kube-controller-manager gives to Nodes, that is masqueraded, or whose neighbours could not be read.
      - V(reverted-by-gitops) changes a ConfigMap that Argo CD or Flux owns, which may undo it at once.
      - V(changed-since) restores keys that somebody else has changed after this module did.
      - V(does-not-start) restores values with which a program does not start, and changes keys although a program does not
        start with another value that is there.
    type: list
    elements: str
    default: []
seealso:
  - module: podnet.upkeep.cilium_config_info
  - module: podnet.upkeep.cilium_label_filter_info
  - module: podnet.upkeep.cilium_pod_ip_pool
  - module: podnet.upkeep.workload_rollout
"""

EXAMPLES = r"""
- name: Collect unused identities faster
  podnet.upkeep.cilium_config:
    profile: faster_identity_gc
  register: config

- name: Restart the operator if it has not read that
  podnet.upkeep.workload_rollout:
    kind: Deployment
    name: cilium-operator
    newer_than: "{{ config.changed_at }}"
  when: "'operator' in config.components"

- name: Put it back
  podnet.upkeep.cilium_config:
    state: restored

- name: Let 256 more Nodes have a block
  podnet.upkeep.cilium_config:
    add_pool_cidrs: [10.61.0.0/16]

- name: Mend the value that stops the operator, for good
  podnet.upkeep.cilium_config:
    values:
      identity-gc-interval: 15m0s
    remember: false
"""

RETURN = r"""
change:
  description: The keys that were changed, or in check mode would be. C(null) means that the key is not there.
  returned: success
  type: dict
  sample: {"identity-gc-interval": {"before": null, "after": "5m0s"}}
restart:
  description:
    - For each key of the request, the programs that read it when they start. Keys that were put back earlier are among them as long
      as a program runs that has started before that, so that a restore that was interrupted is completed.
  returned: success
  type: dict
  sample: {"identity-gc-interval": ["operator"], "labels": ["agent", "operator"]}
components:
  description: Which of C(operator) and C(agents) read any of the keys, changed now or before.
  returned: success
  type: list
  elements: str
  sample: [operator]
changed_at:
  description: When these keys were changed last, as far as the ConfigMap tells. Pods that are not younger do not have them.
  returned: success
  type: str
  sample: "2026-11-01T06:00:00Z"
helm_values:
  description: Values of Cilium's chart that keep the change. Without them the next C(helm upgrade) reverts it.
  returned: success
  type: dict
  sample: {"operator": {"identityGCInterval": "5m0s"}}
owned_by:
  description: The tools that own the ConfigMap.
  returned: success
  type: list
  elements: dict
  sample:
    - tool: Helm
      name: kube-system/cilium
      evidence: annotation meta.helm.sh/release-name
      reverts_by_itself: false
shadowed_by:
  description: CiliumNodeConfigs that set one of the keys, so that the Nodes they select have that value.
  returned: success
  type: list
  elements: dict
  sample: [{"key": "bpf-policy-map-max", "node_config": "big", "value": "65536", "count": 3, "nodes": [w1, w2, w3]}]
remembered:
  description: What O(state=restored) would bring back.
  returned: success
  type: dict
  sample:
    since: "2026-11-01T06:00:00Z"
    changes: {"identity-gc-interval": {"before": null, "set_to": "5m0s", "reason": faster_identity_gc}}
remembered_before:
  description: RV(remembered) as it was before this task.
  returned: success
  type: dict
  sample: {"since": "", "changes": {}}
pool_growth:
  description:
    - For each family of O(add_pool_cidrs), the pool as it is, what is added, and how many blocks that gives, each for one Node.
      C(free) and C(waiting) are those of before, C(null) where they are not known. C(taken_over) names CiliumNodes that have
      blocks of the new CIDRs already. C(unchecked) is what no object of the cluster tells.
  returned: success
  type: list
  elements: dict
  sample:
    - pool: cluster-pool
      family: IPv4
      mask_size: 24
      cidrs: [10.60.0.0/22]
      added: [10.61.0.0/22]
      capacity: 4
      capacity_after: 8
      blocks_added: 4
      free: 0
      waiting: [w5]
      waiting_count: 1
      taken_over: []
      unchecked: ["routes, BGP peers and firewalls outside of the cluster"]
label_filter:
  description:
    - What another value of C(labels) would do by the simulation, as M(podnet.upkeep.cilium_label_filter_info) describes it, ten rows of
      each list. C(null) where the label filter does not change.
  returned: success
  type: dict
  sample:
    labels: {"now": "", "after": "!job-name"}
    identities: {"now": 900, "after": 40, "objects": 950, "peak": 970, "capacity": 65280}
    dropped_labels: [job-name]
    refusals: []
namespace:
  description: Namespace of Cilium.
  returned: success
  type: str
  sample: kube-system
release:
  description: Release of Cilium that the keys were judged by; empty when it is not known.
  returned: success
  type: str
  sample: "1.18"
refusals:
  description: Why nothing was written, one sentence for each reason.
  returned: failure by a safety rule
  type: list
  elements: str
  sample: ["identity-gc-interval: '600': the operator would not start with it (time: missing unit in duration \"600\")."]
"""

import typing as t
from collections.abc import Mapping
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_result import FilterSimulation
from ansible_collections.podnet.upkeep.plugins.module_utils._cilium_config_options import (
    cilium_argument_spec,
    cilium_context,
    components_of,
    namespace_of,
    release_of,
    texts_of,
    values_of_profile,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import (
    LABELS,
    POOLS,
    Change,
    helm_values,
    restarts,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_profiles import PROFILES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.config_owner import owners_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_live import ConfigInForce
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_map import (
    CiliumConfigMap,
    ConfigMap,
    diff_of,
    real_changes,
    shadows,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_plan import (
    ConfigPlan,
    plan_change,
    plan_restore,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_label_change import (
    KEY as LABEL_KEY,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_label_change import (
    RESOURCES as LABEL_RESOURCES,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_label_change import (
    accepts,
    label_lines,
    label_objections,
    simulated_change,
    summary_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pool_growth import (
    Growth,
    changes_pool,
    grow_cluster_pool,
    networks_of,
    shrinking,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pool_obstacles import (
    RESOURCES as POOL_RESOURCES,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.server_clock import server_time
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def _wanted(params: Mapping[str, t.Any], release: Release | None, grown: Change) -> dict[str, str | None]:
    """The whole request. Raises InputError."""
    profile = values_of_profile(params["profile"], release) if params["profile"] else {}
    values = texts_of(params["values"])
    both = sorted(set(values) & set(params["remove"]))
    if both:
        raise InputError(f"remove: {', '.join(both)} is in values as well; decide for one of them.")
    both = sorted(set(grown) & {*values, *params["remove"]})
    if both:
        raise InputError(f"add_pool_cidrs: {', '.join(both)} is in values or remove as well; decide for one of them.")
    wanted: dict[str, str | None] = {**profile, **values, **dict.fromkeys(params["remove"]), **grown}
    if not wanted:
        raise InputError("values: there is nothing to set; give profile, values, remove or add_pool_cidrs.")
    return wanted


def _plan(params: Mapping[str, t.Any], seen: ConfigMap, release: Release | None, growth: Growth) -> ConfigPlan:
    others = seen.memory.of_others(params["reason"])
    if params["state"] == "restored":
        if params["values"] or params["remove"] or params["profile"] or params["add_pool_cidrs"]:
            raise InputError("state: restored takes no profile, values, remove or add_pool_cidrs; leave them out.")
        return plan_restore(seen, params["keys"], release, spared=others)
    if params["keys"]:
        raise InputError("keys: it is for state: restored; name the keys in values.")
    wanted = {key: value for key, value in _wanted(params, release, growth.change).items() if key not in others}
    plan = plan_change(seen, wanted, release)
    # what is appended has been judged by more than its value
    judged = [one for one in plan.objections if one.key not in growth.change or one.risk != POOLS]
    return replace(plan, objections=[*judged, *growth.objections])


def _simulation(
    params: Mapping[str, t.Any], client: KubeClient, seen: ConfigMap, plan: ConfigPlan
) -> FilterSimulation | None:
    """What another label filter would do; pods, identities and policies are read for that only."""
    if LABEL_KEY not in plan.wanted or seen.data.get(LABEL_KEY) == plan.wanted[LABEL_KEY]:
        return None
    context = cilium_context(params, client, LABEL_RESOURCES)
    given = release_of(params, context) if params["cilium_version"].strip() else None
    return simulated_change(context, seen.data, plan.wanted, given)


def _pending(client: KubeClient, namespace: str, seen: ConfigMap, release: Release | None) -> list[str]:
    """Keys that were put back before, by a run that did not come to its end, and that a program has not read yet."""
    if not seen.memory.restored:
        return []
    return ConfigInForce(client, namespace).not_read_yet(seen, release)


def _diff(namespace: str, seen: ConfigMap, change: Change, simulation: FilterSimulation | None) -> dict[str, str]:
    """Of the keys, and of the number of identities where the label filter changes."""
    made = diff_of(namespace, seen.data, change)
    before, after = label_lines(simulation)
    return {**made, "before": made["before"] + before, "after": made["after"] + after}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Judge, and write."""
    params = module.params
    client = KubeClient.from_options(params)
    cidrs = networks_of("add_pool_cidrs", params["add_pool_cidrs"])
    context = cilium_context(params, client)
    namespace, release = namespace_of(params, context), release_of(params, context)
    config_map = CiliumConfigMap(client, namespace)
    seen = config_map.read()
    # CiliumNodes and pools are read only where it is about them
    pools = cilium_context(params, client, POOL_RESOURCES) if cidrs else context
    growth = grow_cluster_pool(client, pools, seen.data, cidrs) if cidrs else Growth()
    plan = _plan(params, seen, release, growth)
    if changes_pool(plan.wanted) and pools is context:
        pools = cilium_context(params, client, POOL_RESOURCES)
    simulation = _simulation(params, client, seen, plan)
    against = [one for one in plan.objections if one.risk != LABELS]
    against += shrinking(pools, seen.data, plan.wanted)
    if params["state"] == "present":  # back to what was is shown, and never refused for that
        against += label_objections(simulation)
    standing = [one for one in against if not accepts(one, params["accepted_risks"])]
    if standing:
        sentences = [one.sentence for one in standing]
        raise RefusedError(f"Nothing was written: {' '.join(sentences)}", sentences)
    change = real_changes(seen.data, plan.wanted)
    now = server_time(client, namespace).strftime("%Y-%m-%dT%H:%M:%SZ")
    memory = plan.memory(change, now, params["reason"] or params["profile"] or "", remember=params["remember"])
    changed = bool(change) or memory != seen.memory
    pending = _pending(client, namespace, seen, release)
    if changed:
        memory = memory.still_pending({*pending, *plan.keys})
    result = config_map.write(seen, change, memory, dry_run=module.check_mode) if changed else seen
    keys = sorted({*plan.keys, *pending})
    by_key = restarts(keys, result.data, release)
    owners = owners_of(seen.obj["metadata"])
    for owner in owners:
        if change:
            name = f" ({owner.name})" if owner.name else ""
            module.warn(
                f"{owner.tool}{name} owns the ConfigMap {namespace}/cilium-config and will write its own values "
                f"{owner.when}; give it helm_values."
            )
    return {
        "changed": changed,
        "change": {key: {"before": seen.data.get(key), "after": value} for key, value in sorted(change.items())},
        "restart": by_key,
        "components": components_of(by_key),
        "changed_at": result.changed_at(keys),
        "helm_values": helm_values(plan.wanted, release),
        "owned_by": [one.to_dict() for one in owners],
        "shadowed_by": shadows(context, plan.keys),
        "remembered": memory.to_dict(),
        "remembered_before": seen.memory.to_dict(),
        "pool_growth": growth.report,
        "label_filter": summary_of(simulation),
        "namespace": namespace,
        "release": ".".join(map(str, release)) if release else "",
        "diff": _diff(namespace, seen, change, simulation),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **cilium_argument_spec(),
            "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
            "profile": {"type": "str", "choices": list(PROFILES)},
            "values": {"type": "dict", "default": {}},
            "remove": {"type": "list", "elements": "str", "default": []},
            "add_pool_cidrs": {"type": "list", "elements": "str", "default": []},
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "reason": {"type": "str", "default": ""},
            "remember": {"type": "bool", "default": True},
            "accepted_risks": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
