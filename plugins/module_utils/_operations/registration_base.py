# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What the steps of a re-registration share: their options, what they answer, and the guards before each of them."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage, pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import is_daemonset_pod
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.host_readiness import HostSteps
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.image_store import ImageStore
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_cidr_validation import faults
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import daemonset_of, is_ready
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import (
    DEPENDENTS,
    machine_of,
    reference,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    get_node,
    is_unschedulable,
    uid_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

#: How often a guarded write is tried again after somebody else's.
ATTEMPTS = 5


@dataclass(frozen=True)
class RegistrationOptions:
    """Times in seconds. ``allocator`` says which podCIDRs are right.

    ``pod_cidrs`` are given instead of allocated, ``keep_pod_cidrs`` gives those of the old Node. ``by_kubelet``: the kubelet
    creates the Node, because a cloud controller has to initialise it, and it is taken over as soon as it appears.
    ``uncordon``: in the end, make a Node schedulable that was so before.
    """

    state_dir: str
    allocator: AllocatorSettings = field(default_factory=AllocatorSettings)
    pod_cidrs: tuple[str, ...] = ()
    keep_pod_cidrs: bool = False
    by_kubelet: bool = False
    uncordon: bool = False
    delete_timeout: float = 180.0
    cidr_timeout: float = 60.0
    ready_timeout: float = 300.0

    def chosen(self, image: BeforeImage) -> list[str]:
        """podCIDRs that somebody has chosen for the new Node; empty when an allocator gives them."""
        return list(self.pod_cidrs) or (image.pod_cidrs if self.keep_pod_cidrs else [])


@dataclass(frozen=True)
class Outcome:
    """What a step did, or in check mode would do; ``node`` is the Node as it is now (None: absent).

    ``drain_uid``: uid of the Node that has to be drained before it is deleted, empty when none has. ``host``: how its host
    is worked on, where that was asked.
    """

    changed: bool
    image: BeforeImage
    node: JsonObject | None
    actions: list[str]
    warnings: list[str] = field(default_factory=list)
    before: t.Any = ""
    after: t.Any = ""
    drain_uid: str = ""
    host: HostSteps | None = None


class NodeStep:
    """One Node, its before-image, and the run that it belongs to."""

    def __init__(
        self,
        client: KubeClient,
        name: str,
        options: RegistrationOptions,
        *,
        check_mode: bool = False,
        clock: Clock | None = None,
        progress: Callable[[str], None] | None = None,
        journal: Journal | None = None,
        heartbeat: Callable[[], None] | None = None,
    ) -> None:
        """``journal`` gets every step as well as the folder; ``heartbeat`` keeps the lock of the run."""
        self._client = client
        self._name = name
        self._options = options
        self._check_mode = check_mode
        self._clock = clock or Clock()
        self._progress = progress or (lambda line: None)
        self._heartbeat = heartbeat
        self._store = ImageStore(options.state_dir, journal, clock=self._clock)

    # -- the before-image ----------------------------------------------------------------------------------------

    def _image(self) -> BeforeImage:
        image = self._store.load(self._name)
        if image is None and self._check_mode:
            return self._new_image(get_node(self._client, self._name))  # what the step before would have written
        if image is None:
            raise RefusedError(
                f"There is no before-image of Node {self._name} in {self._options.state_dir}; use state=captured first."
            )
        self._require_same_cluster(image)
        return image

    def _new_image(self, node: JsonObject) -> BeforeImage:
        dependents = {}
        drivers: list[str] = []
        for kind, path in DEPENDENTS.items():
            found = self._client.find(path.format(name=self._name))
            if found is not None:
                dependents[kind] = uid_of(found)
                if kind == "csinode":
                    drivers = sorted(str(one["name"]) for one in (found.get("spec") or {}).get("drivers") or [])
        pods = self._bound_pods()
        stamp = before_image.timestamp()
        return BeforeImage(
            node=node,
            cluster_uid=self._cluster_uid(),
            was_unschedulable=is_unschedulable(node),
            daemonset_pods=sorted(reference(pod) for pod in pods if is_daemonset_pod(pod)),
            ready_daemonsets=sorted({daemonset_of(pod) for pod in pods if is_daemonset_pod(pod) and is_ready(pod)}),
            dependents=dependents,
            csi_drivers=drivers,
            captured_at=stamp,
            history=[{"step": "captured", "time": stamp}],
        )

    def _at(self, image: BeforeImage, step: str, *, new_uid: str | None = None) -> BeforeImage:
        following = image.at(step, new_uid=new_uid)
        if following != image:
            self._store.save(following)
        return following

    # -- guards --------------------------------------------------------------------------------------------------

    def _require_same_cluster(self, image: BeforeImage) -> None:
        uid = self._cluster_uid()
        if image.cluster_uid != uid:
            raise RefusedError(
                f"The before-image of Node {self._name} in {self._options.state_dir} is about another cluster "
                f"(kube-system {image.cluster_uid}, here {uid}); use one state_dir for each cluster."
            )

    def _require_expected(self, image: BeforeImage, node: JsonObject | None) -> None:
        path = before_image.path_of(self._options.state_dir, self._name)
        if node is None:
            if not image.reached("deleting"):
                raise RefusedError(
                    f"Node {self._name} is gone, but this collection did not delete it (see {path}); register the node "
                    "by restarting its kubelet, move that file away and start again."
                )
        elif uid_of(node) != image.uid and not image.reached("deleting"):
            raise RefusedError(
                f"Node {self._name} has uid {uid_of(node)}, the before-image {path} is about uid {image.uid}: "
                "somebody registered the node anew meanwhile. Move that file away and start again."
            )

    def _require_same_machine(self, image: BeforeImage, node: JsonObject) -> None:
        before, after = machine_of(image.node), machine_of(node)
        if before and after and before != after:
            raise RefusedError(
                f"Node {self._name} was registered by another machine (machine-id {after}, was {before}); "
                "it stays cordoned. Find out which host uses this name."
            )

    # -- reading -------------------------------------------------------------------------------------------------

    def _cluster_uid(self) -> str:
        return uid_of(self._client.get("/api/v1/namespaces/kube-system"))

    def _bound_pods(self) -> list[JsonObject]:
        return self._client.list("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={self._name}"})

    def _faults(self, node: JsonObject) -> list[str]:
        return faults(node, self._client.list("/api/v1/nodes"), self._options.allocator)

    def _refuse_unfit(self, node: JsonObject, found: Sequence[str]) -> t.NoReturn:
        raise RefusedError(
            f"Node {self._name} got podCIDRs {', '.join(pod_cidrs_of(node)) or '(none)'} that are not fit for use: "
            f"{'; '.join(found)}. It stays cordoned.",
            found,
        )
