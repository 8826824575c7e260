# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Brings the control plane of a rehearsal up with a snapshot in it, and tells what that changed."""

from __future__ import annotations

import datetime
import json
import os
import time
import typing as t
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.comparison import compare
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.settings import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.collector import write_followers
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.control_plane import LEADER, ControlPlane
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.etcd_load import load, remove
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.plane import Plane, free_ports
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.processes import Run
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.rebuild import Rebuild
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.revisions import align
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.source import (
    cilium_config,
    operator_problem,
    unfit_for_start,
)

Document = dict[str, t.Any]
_BUDGETS: t.Final = "/apis/policy/v1/poddisruptionbudgets"


@dataclass
class BroughtUp:
    """What is said of a rehearsal that runs: all of it are JSON values."""

    folder: str
    time: str
    kubeconfig: str = ""
    said: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    timings: list[dict[str, t.Any]] = field(default_factory=list)
    nodes: list[dict[str, t.Any]] = field(default_factory=list)
    lost: list[dict[str, t.Any]] = field(default_factory=list)
    made_up: list[dict[str, t.Any]] = field(default_factory=list)
    blocked_budgets: list[dict[str, t.Any]] = field(default_factory=list)
    audit: Document = field(default_factory=dict)
    operator: str = ""
    # of what the operator of Cilium was started with, to start it again
    paths: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    cilium_config: dict[str, str] = field(default_factory=dict)
    cilium_namespace: str = "kube-system"

    def began(self) -> datetime.datetime:
        """When the rehearsal began: every object is as old then as it was in the snapshot."""
        return datetime.datetime.fromisoformat(self.time)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step takes."""
        begun = time.monotonic()
        yield
        self.timings.append({"step": step, "seconds": round(time.monotonic() - begun, 1)})

    def save(self) -> None:
        """Keep it in the folder of the rehearsal, for its run."""
        path = os.path.join(self.folder, "brought_up.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.__dict__, file)

    @classmethod
    def of(cls, folder: str) -> BroughtUp:
        """What was kept in the folder of a rehearsal. Raises OSError, ValueError."""
        with open(os.path.join(folder, "brought_up.json"), encoding="utf-8") as file:
            return cls(**json.load(file))


def audited(client: KubeClient, settings: AuditSettings) -> Document:
    """The audit of a cluster as one document."""
    return document(Context(live.collect(client, live.LiveOptions()), settings))


def bring_up(
    folder: str, state: ClusterState, paths: Mapping[str, str], settings: AuditSettings, run: Run
) -> BroughtUp:
    """Load the state into a control plane in ``folder`` and start its controllers.

    Raises UpkeepError in one sentence when a part of it does not come up; the caller ends what runs then.
    """
    made = BroughtUp(folder, datetime.datetime.now(datetime.timezone.utc).isoformat())
    with made.timed("audit of the snapshot"):
        context = Context(state, settings)
        expected = document(context)
    plane = Plane(
        folder,
        paths,
        free_ports(),
        context.allocator,
        len(state.of("nodes")),
        cilium_config(state),
        context.cilium.namespace or "kube-system",
    )
    made.kubeconfig = plane.kubeconfig
    made.paths, made.ports = dict(plane.paths), dict(plane.ports)
    made.cilium_config, made.cilium_namespace = dict(plane.cilium_config), plane.cilium_namespace
    control_plane = ControlPlane(plane, run)
    held = unfit_for_start(state, context.allocator)
    with made.timed("load into etcd"):
        control_plane.start_etcd()
        rebuild = Rebuild(state, made.began())
        load(plane.ports["etcd"], rebuild.first())
    made.said, made.counts = rebuild.result.said, dict(rebuild.result.counts)
    with made.timed("start of the API server"):
        client = control_plane.start_api()
    with made.timed("audit of what was loaded"):
        made.audit = audited(client, settings)
    compared = compare(expected, made.audit)
    made.lost, made.made_up = compared["gone"], compared["new"]
    made.nodes = [_of_host(node) for node in state.nodes]
    _start(control_plane, state, held, made)
    with made.timed("judgement of disruption budgets"):
        made.blocked_budgets = _blocked_budgets(client, plane.patience(60))
    made.save()
    return made


def _start(control_plane: ControlPlane, state: ClusterState, held: frozenset[str], made: BroughtUp) -> None:
    plane = control_plane.plane
    if held:
        made.said.append(
            f"kube-controller-manager of this version does not start with the podCIDRs of {len(held)} Nodes "
            f"({', '.join(sorted(held)[:5])}{', ...' if len(held) > 5 else ''}), so they were added after its start: where it "
            "is started again in the cluster, it ends at once until they are mended."
        )
    with made.timed("start of the controllers"):
        rebuild = Rebuild(state, made.began(), held)
        second, followers = list(rebuild.second()), rebuild.followers()
        for_now = (key for key, _obj in (*second, *followers))
        remove(plane.ports["etcd"], [*rebuild.only_for_the_audit(), *for_now])
        control_plane.start_controllers(lambda: load(plane.ports["etcd"], second))
        # an audit takes one that leads for seconds only for one that crashes, and the cluster's own leads for long
        long_ago = made.began() - datetime.timedelta(days=1)
        acquired = {"spec": {"acquireTime": f"{long_ago:%Y-%m-%dT%H:%M:%S.%f}Z"}}
        control_plane.client().patch(LEADER, acquired)
    with made.timed("revisions of DaemonSets"):
        made.said += filter(
            None, [align(control_plane.client(), plane.ports["etcd"], state, rebuild, plane.patience(60))]
        )
    with made.timed("garbage collector"):
        late = write_followers(control_plane.client(), plane.ports["etcd"], followers, plane.patience(60))
        made.said += filter(None, [late])
    control_plane.require_controllers()
    made.operator = operator_problem(plane.cilium_config, plane.paths)
    if not made.operator:
        with made.timed("start of the operator of Cilium"):
            made.operator = control_plane.start_operator(plane.cilium_config)
    if made.operator:
        made.said.append(made.operator)
    if not _known(plane.allocator):
        made.said.append(
            "The settings of the pod CIDR allocator are not known, so that nobody gives podCIDRs to Nodes here; state them in "
            "rehearse_allocator."
        )


def _known(allocator: AllocatorSettings) -> bool:
    return allocator.known or allocator.allocate_node_cidrs is False


def _of_host(node: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a stand-in for its host has to know."""
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    ready = [one.get("status") for one in status.get("conditions") or () if one.get("type") == "Ready"]
    return {
        "name": node["metadata"]["name"],
        "machine_id": str(info.get("machineID") or ""),
        "boot_id": str(info.get("bootID") or ""),
        "kubelet": str(info.get("kubeletVersion") or ""),
        "reachable": ready[:1] == ["True"],
    }


def _blocked_budgets(client: KubeClient, seconds: float) -> list[dict[str, t.Any]]:
    """Budgets with pods of which none may go now, when the controller has judged all of them."""
    end = time.monotonic() + seconds
    while True:
        budgets = client.list(_BUDGETS)
        if all((one.get("status") or {}).get("observedGeneration") for one in budgets) or time.monotonic() > end:
            break
        time.sleep(0.3)
    return [
        {
            "namespace": one["metadata"]["namespace"],
            "name": one["metadata"]["name"],
            "healthy": status.get("currentHealthy", 0),
            "healthy_needed": status.get("desiredHealthy", 0),
            "pods": status.get("expectedPods", 0),
        }
        for one in budgets
        for status in [one.get("status") or {}]
        if status.get("expectedPods") and not status.get("disruptionsAllowed")
    ]
