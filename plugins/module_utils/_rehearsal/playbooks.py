# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Playbooks that can be rehearsed: what is set for all of them, so that nothing reaches out, and what is not proven by it."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_PREFIX: t.Final = "podnet.upkeep."
_HOSTS: t.Final = (
    "The hosts: kubelet, container runtime, CNI and SSH were played by stand-ins. Whether a host answers, lets the kubelet stop "
    "and start, and is rid of its old range, is seen on the host only."
)
_NETWORK: t.Final = "The pod network: no pod ran, so that no packet was sent. The network probe was left out."
_AGENTS: t.Final = (
    "Agents of Cilium: none ran. New pods got no CiliumEndpoint and no identity, and findings which say just that are listed apart. The "
    "CiliumNode of a Node that was registered anew was written by a stand-in, and what agents do at a restart was not seen."
)
_RESTART: t.Final = "The restart: pods of Cilium were not restarted by the playbook. The real operator was started with the new values afterwards."
#: What holds for every rehearsal.
ALWAYS: t.Final = (
    "Time: objects were deleted and made as fast as this machine does it. Pods ended at once, whatever their grace period, "
    "new ones were ready at once, and images were not pulled. Times by step are lower bounds.",
    "Other controllers: operators, autoscalers, GitOps tools and admission webhooks of the cluster were not there, so that they "
    "neither refused nor undid anything.",
    "Load: nobody else asked this API server, and etcd did not wait for a disk.",
    "The cluster as it is now: the snapshot is a picture of one moment.",
)


@dataclass(frozen=True)
class Rehearsable:
    """One playbook. ``forced``: variables without the prefix of its role; FOLDER in a value is that of the rehearsal."""

    name: str
    forced: Mapping[str, t.Any] = field(default_factory=dict)
    defaults: Mapping[str, t.Any] = field(default_factory=dict)
    not_proven: tuple[str, ...] = ()

    @property
    def fqcn(self) -> str:
        """Its name for ansible-playbook."""
        return _PREFIX + self.name

    def variables(self, given: Mapping[str, t.Any], folder: str, kubeconfig: str, allocator: t.Any) -> dict[str, t.Any]:
        """All variables of the run. Raises InputError for a given one that would reach out of the rehearsal."""
        forced = {"kubeconfig": kubeconfig, "context": "", **self.forced}
        ours = {f"{self.name}_{key}": _in(folder, value) for key, value in forced.items()}
        for key in given:
            if key.startswith("ansible_"):
                raise InputError(
                    f"variables: {key} decides how hosts are reached, which a rehearsal does itself; leave it out."
                )
        first = {f"{self.name}_{key}": value for key, value in self.defaults.items()}
        if allocator:
            first[f"{self.name}_allocator"] = allocator
        return {**first, **given, **ours}


def _in(folder: str, value: t.Any) -> t.Any:
    return value.replace("FOLDER", folder) if isinstance(value, str) else value


_CLEANING: t.Final = {"journal_path": "FOLDER/deletions"}
_ALL: t.Final = (
    Rehearsable(
        "reassign_pod_cidrs",
        {
            **{"state_dir": "FOLDER/before-images", "become": False, "probe": False},
            **{"pre_node_tasks": "", "post_node_tasks": "", "plan_file": "", "take_over": False, "window_end": ""},
        },
        {"drain_timeout": 60, "health_gate_timeout": 120, "settle_seconds": 5},
        (_HOSTS, _NETWORK, _AGENTS),
    ),
    Rehearsable(
        "retire_nodes",
        {"state_dir": "FOLDER/retired", "become": False, "take_over": False, "window_end": ""},
        {"drain_timeout": 60, "settle_seconds": 5},
        (_HOSTS,),
    ),
    Rehearsable(
        "remove_unreachable_nodes",
        {"state_dir": "FOLDER/removed", "take_over": False, "window_end": ""},
        {"settle_seconds": 10, "controller_settle_seconds": 5},
        (
            "The hosts: those of Nodes that were not Ready were played as switched off. Whether they are is seen there only.",
        ),
    ),
    Rehearsable("clean_identities", _CLEANING, {}, (_AGENTS,)),
    Rehearsable("clean_endpoints", _CLEANING, {}, (_AGENTS,)),
    Rehearsable("clean_stale_pods", _CLEANING, {}, ()),
    Rehearsable("clean_cilium_nodes", _CLEANING, {"settle_seconds": 5}, (_AGENTS,)),
    # the operator is a process here and no pod of its Deployment: it is started with the new values afterwards
    Rehearsable(
        "tune_cilium",
        {"restart": False, "take_over": False, "window_end": ""},
        {"health_timeout": 120},
        (_RESTART, _AGENTS),
    ),
    Rehearsable("plan_pod_cidr_relief", {}, {}, ()),
)
REHEARSABLE: t.Final[Mapping[str, Rehearsable]] = {one.name: one for one in _ALL}


def playbook_of(name: str) -> Rehearsable:
    """The playbook of this name, with or without the name of the collection. Raises InputError."""
    found = REHEARSABLE.get(name.removeprefix(_PREFIX))
    if found is None:
        raise InputError(f"playbook: {name} cannot be rehearsed; give one of {', '.join(sorted(REHEARSABLE))}.")
    return found


def environment(folder: str, kubeconfig: str, collections: str, home: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the run: nothing of the user's that says how to reach a cluster or a host."""
    kept = {
        key: home[key]
        for key in ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "USER")
        if key in home
    }
    return {
        **kept,
        "HOME": folder,
        "KUBECONFIG": kubeconfig,
        "K8S_AUTH_KUBECONFIG": kubeconfig,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "ANSIBLE_CONFIG": os.path.join(folder, "ansible.cfg"),
        "ANSIBLE_HOME": os.path.join(folder, "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": collections,
        "ANSIBLE_CALLBACKS_ENABLED": f"{_PREFIX}rehearsal_record",
        "PODNET_UPKEEP_REHEARSAL_RECORD": os.path.join(folder, "record.jsonl"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INJECT_FACT_VARS": "false",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
    }
