#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cilium_collector
short_description: Give the cilium-operator back what it needs to collect unused identities
version_added: 0.1.0
description:
  - Adds to the ClusterRole of the cilium-operator the verbs on C(ciliumidentities) that it lacks, and scales its Deployment up
    when it has no replicas.
  - Says which values of C(cilium-config) stop the operator or turn the collection off, and the defaults that mend them.
    M(podnet.upkeep.cilium_config) writes those.
  - Both objects belong to the installation. Give what was added to its source as well, or the next upgrade takes it away.
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
  deployment:
    description: Name of the operator's Deployment.
    type: str
    default: cilium-operator
  cluster_role:
    description: Name of the operator's ClusterRole.
    type: str
    default: cilium-operator
  replicas:
    description: Replicas to scale to when the Deployment has none.
    type: int
    default: 1
notes:
  - To add a rule to a ClusterRole, RBAC asks for what the rule allows, or for the verb C(escalate).
seealso:
  - module: podnet.upkeep.cilium_config
  - module: podnet.upkeep.cilium_identity_info
"""

EXAMPLES = r"""
- name: Let the operator collect again
  podnet.upkeep.cilium_collector:
  register: collector

- name: Mend the values that stop it, for good
  podnet.upkeep.cilium_config:
    values: "{{ collector.values_to_mend }}"
    remember: false
  when: collector.values_to_mend | length > 0
"""

RETURN = r"""
verbs_added:
  description: Verbs on C(ciliumidentities) that the ClusterRole lacked.
  returned: success
  type: list
  elements: str
  sample: [delete]
replicas:
  description: Replicas that the Deployment was scaled to; C(null) where it had some.
  returned: success
  type: int
  sample: 1
values_to_mend:
  description: Keys of cilium-config that stop the operator or turn the collection off, and the defaults that mend them.
  returned: success
  type: dict
  sample: {"identity-gc-interval": "15m0s"}
values_left:
  description: Values that stop the operator, and for which only you can know what was meant.
  returned: success
  type: list
  elements: str
  sample: []
namespace:
  description: Namespace of Cilium.
  returned: success
  type: str
  sample: kube-system
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._cilium_config_options import (
    cilium_argument_spec,
    cilium_context,
    namespace_of,
    release_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_map import CiliumConfigMap
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.collector_repair import (
    Collector,
    CollectorRepair,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def _diff(repair: CollectorRepair) -> dict[str, str]:
    before, after = "", ""
    if repair.verbs:
        before += "ciliumidentities: may not " + ", ".join(repair.verbs) + "\n"
        after += "ciliumidentities: may " + ", ".join(repair.verbs) + "\n"
    if repair.replicas is not None:
        before, after = before + "replicas: 0\n", after + f"replicas: {repair.replicas}\n"
    return {"before_header": "cilium-operator", "after_header": "cilium-operator", "before": before, "after": after}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Look, and mend."""
    params = module.params
    if params["replicas"] < 1:
        raise InputError(f"replicas: {params['replicas']} would leave the operator off; give 1 or more.")
    client = KubeClient.from_options(params)
    context = cilium_context(params, client)
    namespace = namespace_of(params, context)
    collector = Collector(client, namespace, params["deployment"], params["cluster_role"])
    config = CiliumConfigMap(client, namespace).read().data
    repair = collector.plan(config, release_of(params, context), params["replicas"])
    if repair.writes:
        collector.run(repair, dry_run=module.check_mode)
    return {
        "changed": repair.writes,
        "verbs_added": list(repair.verbs),
        "replicas": repair.replicas,
        "values_to_mend": dict(repair.values),
        "values_left": list(repair.left),
        "namespace": namespace,
        "diff": _diff(repair),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **cilium_argument_spec(),
            "deployment": {"type": "str", "default": "cilium-operator"},
            "cluster_role": {"type": "str", "default": "cilium-operator"},
            "replicas": {"type": "int", "default": 1},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
