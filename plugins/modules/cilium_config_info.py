#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cilium_config_info
short_description: Which values of cilium-config are set, who reads them, and whether they are in force
version_added: 0.1.0
description:
  - Returns for keys of the ConfigMap C(cilium-config) what they are set to, which program reads them when it starts, and
    whether what runs has started with them.
  - The operator is judged by the options that it writes into its log when it starts, and by when its pod was created where
    the log cannot be read. Agents are judged by when their pods were created.
  - Also says which programs would not start again with what is configured now. Look at that before you restart any.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.cilium
options:
  keys:
    description:
      - Keys to say more about. Without any, RV(changed_at) is about the whole ConfigMap, and RV(in_force) says whether all
        pods have started since.
    type: list
    elements: str
    default: []
  components:
    description: Whom to judge by RV(in_force), beside those that read O(keys).
    type: list
    elements: str
    choices: [operator, agents]
    default: []
seealso:
  - module: podnet.upkeep.cilium_config
"""

EXAMPLES = r"""
- name: Wait until the operator runs with what is configured
  podnet.upkeep.cilium_config_info:
    keys: [identity-gc-interval, identity-heartbeat-timeout]
  register: config
  until: config.in_force
  retries: 12
  delay: 5
"""

RETURN = r"""
settings:
  description: What each of O(keys) is set to; C(null) where it is not there.
  returned: success
  type: dict
  sample: {"identity-gc-interval": "5m0s"}
restart:
  description: For each of O(keys), the programs that read it when they start. None read a key that does not exist.
  returned: success
  type: dict
  sample: {"identity-gc-interval": ["operator"]}
unknown_keys:
  description: Those of O(keys) that no program of this release reads.
  returned: success
  type: list
  elements: str
  sample: []
components:
  description: Which of C(operator) and C(agents) are to be restarted for a change of O(keys), and O(components).
  returned: success
  type: list
  elements: str
  sample: [operator]
changed_at:
  description: When O(keys) were changed last.
  returned: success
  type: str
  sample: "2026-11-01T06:00:00Z"
in_force:
  description: Whether the values are in force in all pods of RV(components). Without pods they are not.
  returned: success
  type: bool
  sample: true
operator_pods:
  description:
    - Each pod of the operator. C(known_by) is C(log) or C(start), C(running) has the values that the log names, and C(different)
      the keys that have another value there.
  returned: success
  type: list
  elements: dict
  sample:
    - name: cilium-operator-6c859f7d4-j2m2c
      node: w1
      created: "2026-11-01T06:00:05Z"
      ready: true
      older: false
      in_force: true
      known_by: log
      running: {"identity-gc-interval": "5m0s"}
      different: []
      log_error: ""
agents:
  description:
    - How many agents there are, how many were created before the change, and ten of their Nodes. C(asked) is what up to three of
      those that are younger have written into their logs when they started. C(known_by) is C(log) where all of these name the
      values, otherwise C(start).
  returned: success
  type: dict
  sample:
    count: 3
    older: 0
    older_on: []
    not_ready: 0
    asked: [{"node": w1, "running": {"bpf-policy-map-max": "32768"}, "different": [], "known_by": log, "log_error": ""}]
    known_by: log
    in_force: true
would_not_start:
  description: For C(operator) and C(agent), the values that are set now and with which it would not start again.
  returned: success
  type: dict
  sample: {}
helm_values:
  description: Values of Cilium's chart for what O(keys) are set to.
  returned: success
  type: dict
  sample: {"operator": {"identityGCInterval": "5m0s"}}
owned_by:
  description: The tools that own the ConfigMap, as M(podnet.upkeep.cilium_config) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
shadowed_by:
  description: CiliumNodeConfigs that set one of O(keys), as M(podnet.upkeep.cilium_config) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
remembered:
  description: What O(podnet.upkeep.cilium_config#module:state=restored) would bring back.
  returned: success
  type: dict
  sample: {"since": "", "changes": {}}
namespace:
  description: Namespace of Cilium.
  returned: success
  type: str
  sample: kube-system
release:
  description: Release of Cilium; empty when it is not known.
  returned: success
  type: str
  sample: "1.18"
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._cilium_config_options import (
    cilium_argument_spec,
    cilium_context,
    components_of,
    namespace_of,
    release_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import (
    helm_values,
    restarts,
    start_problems,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.config_owner import owners_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_live import (
    ConfigInForce,
    WantedValues,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_map import (
    CiliumConfigMap,
    shadows,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Look."""
    params = module.params
    client = KubeClient.from_options(params)
    context = cilium_context(params, client)
    namespace, release = namespace_of(params, context), release_of(params, context)
    config = CiliumConfigMap(client, namespace).read()
    keys = list(dict.fromkeys(params["keys"]))
    by_key = restarts(keys, config.data, release)
    named = {*components_of(by_key), *params["components"]}
    components = [word for word in ("operator", "agents") if word in named]
    values = {key: config.data.get(key) for key in keys}
    changed_at = config.changed_at(keys)
    shadowed = shadows(context, keys)
    # what a CiliumNodeConfig sets is another value on its Nodes, and agents of these are no evidence
    compared = {key: value for key, value in values.items() if key not in {one["key"] for one in shadowed}}
    wanted = WantedValues(compared, changed_at, release, by_key)
    live = ConfigInForce(client, namespace)
    operator_pods, agents = live.operator(wanted), live.agents(wanted)
    verdicts = {
        "operator": bool(operator_pods) and all(one["in_force"] for one in operator_pods),
        "agents": bool(agents["in_force"]),
    }
    return {
        "changed": False,
        "settings": values,
        "restart": by_key,
        "unknown_keys": [key for key, programs in by_key.items() if not programs],
        "components": components,
        "changed_at": changed_at,
        "in_force": all(verdicts[one] for one in components or verdicts),
        "operator_pods": operator_pods,
        "agents": agents,
        "would_not_start": start_problems(config.data, release),
        "helm_values": helm_values(values, release),
        "owned_by": [one.to_dict() for one in owners_of(config.obj["metadata"])],
        "shadowed_by": shadowed,
        "remembered": config.memory.to_dict(),
        "namespace": namespace,
        "release": ".".join(map(str, release)) if release else "",
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **cilium_argument_spec(),
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "components": {"type": "list", "elements": "str", "choices": ["operator", "agents"], "default": []},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
