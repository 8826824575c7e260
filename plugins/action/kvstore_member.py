# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Works on the member of an etcd that the host of the task has, by etcdctl there; decisions are made on this machine."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Limits
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import member_name
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._etcd_guards import beside, guards_of
from ansible_collections.podnet.upkeep.plugins.module_utils._etcd_options import (
    limits_of,
    maintenance_argument_spec,
    settings_of,
    sizes_argument_spec,
    tells_kubernetes,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._etcdctl_options import (
    etcdctl_argument_spec,
    expected_of,
    keeping_of,
    numbers_of,
    whereabouts_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_hosts import Work
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_maintenance import (
    EtcdMaintenance,
    Settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_plan_report import (
    lines_after,
    lines_of,
    plan_section,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_cluster import EtcdctlCluster
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_program import EtcdctlProgram
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.kvstore_report import members_section
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_lock import exclusive
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import run_argument_spec
from ansible_collections.podnet.upkeep.plugins.plugin_utils.remote_commands import RemoteCommands

Result = dict[str, t.Any]
_INSPECTED, _BEGUN, _DEFRAGMENTED, _DISARMED = "inspected", "begun", "defragmented", "disarmed"
_SILENT: Result = {"member": None, "members": [], "plan": None, "work": None, "due": False}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible has no types
    """See the documentation of the module of the same name."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Answer of the task; what is refused or does not work is one sentence."""
        result: Result = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=_argument_spec())
        host = str(self._task.delegate_to or (task_vars or {}).get("inventory_hostname") or "this host")
        try:
            result.update(self._act(options, host))
        except UpkeepError as error:
            result.update(error.details())
            result.update(failed=True, msg=str(error))
        return result

    def _act(self, options: Result, host: str) -> Result:
        limits = limits_of(options)
        settings_of(options)  # refuses what cannot be, also for a plan
        if not options["etcd_timeout"] > 0:
            raise InputError(f"etcd_timeout: {options['etcd_timeout']:g} is no time to wait; give seconds, such as 10.")
        program = EtcdctlProgram(RemoteCommands(self, host), whereabouts_of(options), options["etcd_timeout"])
        state, check_mode = options["state"], bool(self._task.check_mode)
        if state == _INSPECTED:
            return _inspected(program, limits)
        if not options["work"] or not options["member"]:
            raise InputError(
                f"work: state={state} needs work and member; give what kvstore_hosts returned for the host."
            )
        work = Work.from_document(options["work"])
        if check_mode:
            return {"changed": True, "steps": [], "outcome": ""}
        expected = expected_of(options["member"], work)
        cluster = EtcdctlCluster(program, expected, keeping_of(options))
        client = KubeClient.from_options(options) if options["run"] or tells_kubernetes(options) else None
        guards = guards_of(options, client, check_mode=False)
        display = Display()
        guards.progress = lambda line: display.display(f"[kvstore_member] host {host}: {line}", stderr=True)
        settings = replace(settings_of(options), snapshot_member=expected.member)
        maintenance = EtcdMaintenance(cluster, limits, settings, guards)
        name = f"kvstore-{member_name(work.cluster)}"
        with exclusive(options["state_dir"], name, "the maintenance of this etcd"):
            if state == _BEGUN:
                reason = beside(options, client) if client is not None else ""
                if reason:
                    raise RefusedError(f"Nothing was done: {reason}")
                picture, _chosen = maintenance.look()
                maintenance.begin(picture, work.compact_to)
                return _done(maintenance)
            if state == _DEFRAGMENTED:
                return _visited(maintenance, work, expected.member, options)
            maintenance.end(work.before())
            return _done(maintenance)


def _argument_spec() -> dict[str, t.Any]:
    return {
        **auth_argument_spec(),
        **run_argument_spec(),
        **sizes_argument_spec(),
        **maintenance_argument_spec(),
        **etcdctl_argument_spec(),
        "state_dir": {"type": "path", "default": "~/.local/state/podnet-upkeep"},
        "state": {"type": "str", "choices": [_INSPECTED, _BEGUN, _DEFRAGMENTED, _DISARMED], "required": True},
        "work": {"type": "dict", "default": {}},
        "member": {"type": "str", "default": ""},
        "done": {"type": "list", "elements": "str", "default": []},
        "leader_waits": {"type": "bool", "default": True},
    }


def _inspected(program: EtcdctlProgram, limits: Limits) -> Result:
    """What the host tells; why it, or the etcd, is not fit for maintenance is in ``problem``."""
    cluster = EtcdctlCluster(program)
    answer: Result = {**_SILENT, "changed": False, "problem": "", "place": ""}
    try:
        picture, chosen = EtcdMaintenance(cluster, limits, Settings()).look()
    except RefusedError as error:
        return {**answer, "problem": " ".join(error.reasons)}
    except UpkeepError as error:
        return {**answer, "problem": str(error)}
    own = next((one for one in picture.members if one.identifier == cluster.own), None)
    if own is None:
        return {**answer, "problem": f"Member {member_name(cluster.own)} is in the list of its own etcd no more."}
    return {
        **answer,
        "place": program.place,
        "member": {"id": member_name(own.identifier), "name": own.title, "leader": own.leads},
        "members": members_section(picture, limits)["members"],
        "due": not chosen.empty,
        "plan": plan_section(picture, chosen),
        "work": Work.of(picture, chosen, cluster.cluster).to_document(),
        "lines": {"before": lines_of(picture), "after": lines_after(picture, chosen)},
    }


def _visited(maintenance: EtcdMaintenance, work: Work, own: int, options: Result) -> Result:
    done = numbers_of("done", options["done"])
    left = [one for one in work.defragment if one not in done] if options["leader_waits"] else [own]
    outcome = maintenance.visit(own, left, done, urgent=work.urgent)
    return {**_done(maintenance), "outcome": outcome}


def _done(maintenance: EtcdMaintenance) -> Result:
    return {"changed": bool(maintenance.steps), "steps": maintenance.steps, "outcome": ""}
