#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: identity_stress
short_description: Measure how fast a staging cluster makes and collects security identities
description:
  - Creates a bounded number of pods that need a security identity of Cilium each, in a namespace of its own. Measures how fast
    the identities come, deletes the pods, and measures how long it takes until the cilium-operator has collected all of them.
  - Whatever happens, a failure, a signal, the switch C(stop), a lost lock, the namespace is deleted before the module ends. A
    process that is killed leaves it behind; the next run, and O(state=absent), find it by its marks and delete it by its uid.
  - Refuses a cluster that looks like production, unless O(production_cluster) repeats its name.
  - Refuses where identities are not kept as CiliumIdentities, where unused ones are not collected, where the range of identities
    would not keep enough free, where Nodes have too few places or addresses for pods, and where no label of a pod makes
    identities.
  - Deletes no identity. What is left of a test is collected by the cilium-operator as every unused identity is, by default within
    90 minutes.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.run
  - podnet.upkeep.run.progress
attributes:
  check_mode:
    support: full
    details:
      - Judges the cluster as it is without what earlier tests have left, and says what would be done, or why it would be refused.
  diff_mode:
    support: N/A
    details:
      - What it creates it takes away again.
  idempotent:
    support: partial
    details:
      - O(state=absent) is. Each run with O(state=measured) is a new test.
options:
  state:
    description: What to do.
    type: str
    choices:
      measured: Take away what earlier tests have left, then judge the cluster, test and measure.
      absent: Take away what earlier tests have left, and wait until their identities are collected.
    default: measured
  identities:
    description: How many pods are made that need an identity each, V(1) to V(5000).
    type: int
    default: 100
  keep_free:
    description: This share of the identity range has to stay free, V(0.2) to V(0.99). More is never used.
    type: float
    default: 0.5
  rate:
    description: Pods that are created in a second, at most V(200).
    type: float
    default: 20.0
  production_cluster:
    description:
      - The name of a cluster that looks like production and is to be tested nevertheless, as the refusal says it. It is the
        address of its API server, or C(cluster-name) of C(cilium-config) where that is not V(default).
    type: str
    default: ""
  label_key:
    description:
      - Key of the label that tells the pods apart. It must make identities with the label filter of the cluster. Without it, the
        first that does of C(podnet-upkeep-stress-pod), C(app.kubernetes.io/instance), C(app), C(k8s-app) and C(name).
    type: str
    default: ""
  image:
    description: Image of the pods. It is never executed by simulated Nodes; real ones need one that does nothing for long.
    type: str
    default: registry.k8s.io/pause:3.10
  node_selector:
    description: Labels of the Nodes that the pods may run on.
    type: dict
    default: {}
  tolerations:
    description: Tolerations of the pods, as in C(spec.tolerations).
    type: list
    elements: dict
    default: []
  allocation_timeout:
    description: Seconds to wait for identities after the last pod was created.
    type: float
    default: 300.0
  wait_recovery:
    description: Whether to wait until all identities of the test are collected.
    type: bool
    default: true
  recovery_timeout:
    description:
      - Seconds to wait for that. Without it, a quarter and a minute more than the settings of the collection promise, which is
        less than two hours with the defaults of Cilium.
    type: float
  cilium_namespace:
    description: Namespace of Cilium. Empty means that it is found by its DaemonSet.
    type: str
    default: ""
  output_path:
    description: Write the result as JSON to this file, also when the test stopped early.
    type: path
  report_markdown:
    description: Write the result as Markdown to this file, also when the test stopped early.
    type: path
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38
notes:
  - Needs O(run) but in check mode, so that no other run works on the cluster at the same time. The role
    P(podnet.upkeep.stress_identities#role) takes the lock.
  - Beside what an audit reads, the credentials must allow to create, get, list and delete namespaces and pods, to get
    serviceaccounts, and to list and watch ciliumidentities.
seealso:
  - module: podnet.upkeep.maintenance_run
  - module: podnet.upkeep.cilium_identity_probe
"""

EXAMPLES = r"""
- name: Would this cluster be tested
  podnet.upkeep.identity_stress:
    identities: 500
  check_mode: true

- name: Test it in a run that holds the lock
  podnet.upkeep.identity_stress:
    identities: 500
    rate: 50
    report_markdown: /var/tmp/stress.md
    run: "{{ lock }}"

- name: Take away what a test left that was killed
  podnet.upkeep.identity_stress:
    state: absent
    run: "{{ lock }}"
"""

RETURN = r"""
lines:
  description: What was measured, in a few lines.
  returned: success
  type: list
  elements: str
  sample:
    - "100 of 100 identities were made for 100 pods in 5.2 s (19.4 a second); a pod waited 0.1 s, 95 percent of them at most 0.2 s"
    - "all were gone after 3,900.0 s; by the settings of the collection that takes 75 min, and 90 min at most; 100 deletions were seen (11.0 a second)"
    - the namespace of the test is gone
plan:
  description: How the cluster was judged. C(refusals) is empty where the test may run.
  returned: with O(state=measured)
  type: dict
  sample:
    label_key: podnet-upkeep-stress-pod
    refusals: []
    production_signs: []
    nodes: 3
    room: 320
    range_used: 210
    range_capacity: 65280
    identity_management_mode: agent
    recovery_usual_seconds: 4500.0
    recovery_longest_seconds: 5400.0
result:
  description:
    - What was measured. C(stopped) says why a test ended early. C(clean) says whether its namespace is gone, C(left) what is not.
    - C(allocation.collected_early) are identities that were collected although their pods were there.
  returned: with O(state=measured), not in check mode
  type: dict
  sample:
    run: 3f1c0a9b7e
    namespace: podnet-upkeep-stress-3f1c0a9b7e
    identities_wanted: 100
    pods_created: 100
    seconds: 3912.4
    allocation:
      {"identities": 100, "missing": 0, "duplicates": 0, "collected_early": 0, "per_second": 19.4, "seconds": 5.2,
       "wait_median_seconds": 0.1, "wait_95_percent_seconds": 0.2, "wait_longest_seconds": 0.4}
    recovery:
      {"recovered": true, "identities_left": 0, "seconds": 3900.0, "first_mark_seconds": 1900.0, "first_deletion_seconds": 3891.0,
       "collected": 100, "collected_per_second": 11.0, "expected_seconds": {"usual": 4500.0, "longest": 5400.0}, "in_time": true}
    stopped: ""
    clean: true
    left: ""
leftovers:
  description: What earlier tests had left. Namespaces that have a mark, but not all, are foreign and left alone.
  returned: success
  type: dict
  sample: {"namespaces": [], "foreign_namespaces": [], "identities": 0}
report_paths:
  description: Files that were written, by the option that names them.
  returned: with O(state=measured), not in check mode
  type: dict
  sample: {"report_markdown": "/var/tmp/stress.md"}
"""

import datetime
import json
import signal
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._deletion_options import permission_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import times_of_config
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_leftovers import without
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import (
    Leftovers,
    StressLeftError,
    StressObjects,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_plan import (
    StressOptions,
    StressPlan,
    plan,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_run import StressRun
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._report.stress_report import stress_lines, stress_markdown
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    progress_argument_spec,
    progress_of,
    run_argument_spec,
)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StressStoppedError(UpkeepError):
    """The test stopped early or left something; the whole result comes with it."""

    def __init__(self, message: str, result: dict[str, t.Any]) -> None:
        super().__init__(message)
        self._result = result

    def details(self) -> dict[str, t.Any]:
        """The whole result, as a successful run returns it."""
        return self._result


class _Signals:
    """Notes a signal instead of dying of it, so that the clean-up is never cut short."""

    def __init__(self) -> None:
        self.reason = ""
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: object) -> None:
        self.reason = f"The process was told to end ({signal.Signals(number).name})."


def _options(params: t.Mapping[str, t.Any]) -> StressOptions:
    names = (
        "identities",
        "keep_free",
        "rate",
        "label_key",
        "image",
        "node_selector",
        "tolerations",
        "production_cluster",
    )
    given = {name: params[name] for name in (*names, "allocation_timeout", "recovery_timeout")}
    given["node_selector"] = {str(key): str(value) for key, value in given["node_selector"].items()}
    return StressOptions(**given)


def _plan(params: t.Mapping[str, t.Any], client: KubeClient, options: StressOptions, gone: Leftovers) -> StressPlan:
    """Judge the cluster as it is without these leftovers."""
    wanted = live.LiveOptions(cilium_namespace=params["cilium_namespace"])
    return plan(Context(without(live.collect(client, wanted), gone)), client.host, options)


def _cleaned_plan(
    params: t.Mapping[str, t.Any], client: KubeClient, options: StressOptions, objects: StressObjects, found: Leftovers
) -> StressPlan:
    """Take the leftovers away, then judge; where only their identities are in the way, wait until they are collected."""
    objects.remove(found.namespaces)
    judged = _plan(params, client, options, Leftovers())
    if judged.refusals and found.identities and params["wait_recovery"]:
        rest = Leftovers(identities=objects.identities())
        if not _plan(params, client, options, rest).refusals:
            objects.wait_collected(_patience(params, client))
            judged = _plan(params, client, options, Leftovers())
    return judged


def _refusal(judged: StressPlan, left: int) -> RefusedError:
    """Why there is no test. ``left`` namespaces of earlier tests are still there."""
    hint = f" Namespaces of earlier tests are left: {left}; state: absent takes them away." if left else ""
    return RefusedError(f"No stress test here: {'. '.join(judged.refusals)}.{hint}", judged.refusals)


def _write(params: t.Mapping[str, t.Any], document: dict[str, t.Any]) -> dict[str, str]:
    texts = {
        "output_path": json.dumps(document, indent=1, sort_keys=True) + "\n",
        "report_markdown": stress_markdown(document),
    }
    return {name: write_atomically(params[name], text.encode(), name) for name, text in texts.items() if params[name]}


def _measured(module: AnsibleModule, client: KubeClient, keep: t.Callable[[], str]) -> dict[str, t.Any]:
    params, options = module.params, _options(module.params)
    objects = StressObjects(
        client, heartbeat=lambda: _require(keep), progress=progress_of(params, check_mode=module.check_mode)
    )
    found = objects.find()
    _warn(module, found)
    judged = (
        _plan(params, client, options, found)
        if module.check_mode
        else _cleaned_plan(params, client, options, objects, found)
    )
    left = len(found.namespaces) if module.check_mode else 0
    if judged.refusals:
        raise _refusal(judged, left)
    answer: dict[str, t.Any] = {"plan": judged.to_dict(), "leftovers": found.to_dict(), "changed": True}
    if module.check_mode:
        room = f"{judged.room} places for pods on {judged.nodes} Nodes"
        answer["lines"] = [
            f"{options.identities} pods with {judged.label_key} of their own would be made; {room}; "
            f"{judged.used} of {judged.capacity} identities are in use"
        ]
        if left:
            answer["lines"].append(f"{left} namespaces of earlier tests would be deleted first")
        return answer
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    result = StressRun(
        client,
        judged,
        options,
        holder=str((params["run"] or {}).get("holder") or ""),
        wait_recovery=params["wait_recovery"],
        heartbeat=keep,
        progress=progress_of(params),
    ).run()
    document = {**result.to_dict(), "plan": judged.to_dict(), "server": client.host, "started": started}
    answer.update(result=result.to_dict(), report_paths=_write(params, document), lines=stress_lines(document))
    recovered = not params["wait_recovery"] or result.recovery.get("recovered")
    if result.stopped or not result.clean or not recovered:
        what = (
            result.stopped
            or result.left
            or "its identities are not all collected in the time that the settings promise."
        )
        tail = "Its namespace is gone." if result.clean else result.left
        raise StressStoppedError(f"The stress test did not end well: {what} {tail}", answer)
    return answer


def _warn(module: AnsibleModule, found: Leftovers) -> None:
    for name in found.foreign:
        module.warn(f"Namespace {name} has a mark of stress tests, but not all of them; it is left alone.")


def _require(keep: t.Callable[[], str]) -> None:
    if reason := keep():
        raise RefusedError(reason)


def _patience(params: t.Mapping[str, t.Any], client: KubeClient) -> float:
    """Seconds to wait for the collection."""
    if params["recovery_timeout"] is not None:
        return float(params["recovery_timeout"])
    namespace = params["cilium_namespace"] or "kube-system"
    config = client.find(f"/api/v1/namespaces/{namespace}/configmaps/cilium-config") or {}
    return 1.25 * times_of_config(config.get("data") or {}).longest.total_seconds() + 60


def _absent(module: AnsibleModule, client: KubeClient, keep: t.Callable[[], str]) -> dict[str, t.Any]:
    params = module.params
    progress = progress_of(params, check_mode=module.check_mode)
    objects = StressObjects(client, heartbeat=lambda: _require(keep), progress=progress)
    found = objects.find()
    _warn(module, found)
    spaces = len(found.namespaces)
    answer: dict[str, t.Any] = {"leftovers": found.to_dict(), "changed": bool(spaces)}
    if module.check_mode:
        answer["lines"] = [
            f"{spaces} namespaces of stress tests would be deleted; {len(found.identities)} identities are left"
        ]
        return answer
    pods = objects.remove(found.namespaces)
    left = objects.wait_collected(_patience(params, client)) if params["wait_recovery"] else len(objects.identities())
    answer["lines"] = [f"{spaces} namespaces with {pods} pods were deleted; {left} identities are left"]
    if left and params["wait_recovery"]:
        raise StressLeftError(
            f"{spaces} namespaces of stress tests were deleted, but the cilium-operator has not collected {left} identities of them "
            "in the time that its settings promise; an audit says what is wrong with the collection."
        )
    return answer


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    _options(params)  # what is wrong with the options is said before a cluster is read
    if not params["run"] and not module.check_mode:
        raise InputError(
            "run: a stress test needs the lock of a run; use the role podnet.upkeep.stress_identities, or give run."
        )
    client = KubeClient.from_options(params)
    permission = permission_of(params, client, check_mode=module.check_mode)
    signals = _Signals()

    def keep() -> str:
        return signals.reason or (permission() if permission is not None else "")

    act = _measured if params["state"] == "measured" else _absent
    return act(module, client, keep)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **run_argument_spec(),
            **progress_argument_spec(),
            "state": {"type": "str", "choices": ["measured", "absent"], "default": "measured"},
            "identities": {"type": "int", "default": 100},
            "keep_free": {"type": "float", "default": 0.5},
            "rate": {"type": "float", "default": 20.0},
            "production_cluster": {"type": "str", "default": ""},
            "label_key": {"type": "str", "default": "", "no_log": False},
            "image": {"type": "str", "default": "registry.k8s.io/pause:3.10"},
            "node_selector": {"type": "dict", "default": {}},
            "tolerations": {"type": "list", "elements": "dict", "default": []},
            "allocation_timeout": {"type": "float", "default": 300.0},
            "wait_recovery": {"type": "bool", "default": True},
            "recovery_timeout": {"type": "float"},
            "cilium_namespace": {"type": "str", "default": ""},
            "output_path": {"type": "path"},
            "report_markdown": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
