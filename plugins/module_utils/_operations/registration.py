# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One Node out of the cluster and in again, losing nothing: captured, deleted, precreated, registered, restored.

Why these steps (kubernetes, pkg/kubelet/kubelet_node_status.go; pkg/controller/podgc; pkg/controller/garbagecollector):
podCIDRs are set once, so only a new Node object can get others; a kubelet creates its Node only when it starts; a Node
that the kubelet creates is schedulable and has lost what administrators had put on it, so the new Node is created here,
cordoned and with all of it, before the kubelet starts; Lease and CSINode of the old uid must be gone by then, because
a late garbage collection would take the new ones away.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.node_metadata import (
    MetadataDifference,
    difference,
    format_taint,
    restorable,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    InputError,
    RefusedError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage, pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    is_daemonset_pod,
    is_finished,
    is_mirror,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.image_store import ImageStore
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_identity import HostIdentity, verify
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_cidr_validation import faults
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import daemonset_of, is_ready
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    get_node,
    is_unschedulable,
    node_path,
    set_unschedulable,
    uid_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

_ATTEMPTS = 5
#: Objects that belong to a Node by owner reference: {short name: path with the Node's name}.
DEPENDENTS: Mapping[str, str] = {
    "lease": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}",
    "csinode": "/apis/storage.k8s.io/v1/csinodes/{name}",
    "ciliumnode": "/apis/cilium.io/v2/ciliumnodes/{name}",
}


@dataclass(frozen=True)
class RegistrationOptions:
    """Times in seconds. ``allocator`` says which podCIDRs are right; ``pod_cidrs`` are given instead of allocated."""

    state_dir: str
    allocator: AllocatorSettings = field(default_factory=AllocatorSettings)
    pod_cidrs: tuple[str, ...] = ()
    delete_timeout: float = 180.0
    cidr_timeout: float = 60.0
    ready_timeout: float = 300.0


@dataclass(frozen=True)
class Outcome:
    """What a step did, or in check mode would do; ``node`` is the Node as it is now (None: absent)."""

    changed: bool
    image: BeforeImage
    node: JsonObject | None
    actions: list[str]
    warnings: list[str] = field(default_factory=list)
    before: t.Any = ""
    after: t.Any = ""


class Registration:
    """The re-registration of one Node."""

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

    # -- captured ------------------------------------------------------------------------------------------------

    def capture(self, host: HostIdentity | None = None) -> Outcome:
        """Write the before-image, unless there is one already (then this is a resumption and it is kept).

        With ``host``, first make sure that it is the Node's machine. Raises RefusedError when it is not, or when the
        file is about another cluster or an older Node; InputError without such a Node.
        """
        image = self._store.load(self._name)
        if image is not None:
            self._require_same_cluster(image)
            node = self._client.find(node_path(self._name))
            self._require_expected(image, node)
            self._require_machine(image.node, host, kubelet_runs=False)
            if not self._check_mode:  # one of the two places may be behind, or another machine's folder
                self._store.save(image)
            return Outcome(False, image, node, [])
        node = get_node(self._client, self._name)
        self._require_machine(node, host, kubelet_runs=_condition(node, "Ready").get("status") == "True")
        image = self._new_image(node)
        path = before_image.path_of(self._options.state_dir, self._name)
        if not self._check_mode:
            self._store.save(image)
        return Outcome(True, image, node, [f"save the before-image of Node {self._name} to {path}"])

    def _require_machine(self, node: JsonObject, host: HostIdentity | None, *, kubelet_runs: bool) -> None:
        if host is not None:
            verify(node, host, kubelet_runs=kubelet_runs, now=datetime.datetime.now(datetime.UTC))

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
            daemonset_pods=sorted(_reference(pod) for pod in pods if is_daemonset_pod(pod)),
            ready_daemonsets=sorted({daemonset_of(pod) for pod in pods if is_daemonset_pod(pod) and is_ready(pod)}),
            dependents=dependents,
            csi_drivers=drivers,
            captured_at=stamp,
            history=[{"step": "captured", "time": stamp}],
        )

    # -- deleted -------------------------------------------------------------------------------------------------

    def delete(self) -> Outcome:
        """Delete the Node that was captured, and wait until everything that belonged to it is gone.

        The kubelet must be stopped. Pods that are still bound (of DaemonSets, mirrors) are deleted at once and by uid:
        left alone, a quick re-registration would keep them with their old addresses. Raises RefusedError when the Node
        is not the captured one, is not cordoned or not drained; WaitTimeoutError when something stays.
        """
        image = self._image()
        node = self._client.find(node_path(self._name))
        self._require_expected(image, node)
        actions: list[str] = []
        if node is not None and uid_of(node) == image.uid:
            if not self._check_mode:  # else the steps before, which drain, have only been planned as well
                self._require_drained(node)
            actions.append(f"delete Node {self._name} with uid {image.uid}")
            if not self._check_mode:
                image = self._at(image, "deleting")
                self._delete_node(image)
        elif image.reached("precreating"):
            return Outcome(False, image, node, [])
        elif node is not None:
            raise RefusedError(
                f"Node {self._name} was registered again (uid {uid_of(node)}) before the old one's remains were gone; "
                f"stop its kubelet, delete that Node and run the same command again."
            )
        bound = [pod for pod in self._bound_pods() if not self._check_mode or is_daemonset_pod(pod) or is_mirror(pod)]
        actions += [f"delete pod {_reference(pod)} that is bound to the deleted Node" for pod in bound]
        if not self._check_mode:
            for pod in bound:
                self._delete_pod(pod)
            self._wait_until_gone(image)
            image = self._at(image, "deleted")
        return Outcome(bool(actions), image, None, actions, before=_summary(image.node), after="")

    def _require_drained(self, node: JsonObject) -> None:
        if not is_unschedulable(node):
            raise RefusedError(f"Node {self._name} is not cordoned, so it is not deleted; drain it first.")
        left = [
            _reference(pod)
            for pod in self._bound_pods()
            if not (is_daemonset_pod(pod) or is_mirror(pod) or is_finished(pod))
        ]
        if left:
            raise RefusedError(
                f"Node {self._name} still runs {len(left)} pods ({', '.join(left[:5])}), so it is not deleted; "
                "drain it first.",
                left,
            )

    def _delete_node(self, image: BeforeImage) -> None:
        try:
            self._client.delete(node_path(self._name), uid=image.uid)
        except ApiError as error:
            if error.status == 404:
                return
            if error.status == 409:
                raise RefusedError(
                    f"Node {self._name} is no longer the one that was captured (uid {image.uid}); nothing was deleted."
                ) from error
            raise

    def _delete_pod(self, pod: JsonObject) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        try:
            self._client.delete(path, uid=uid_of(pod), grace_period_seconds=0)
        except ApiError as error:
            if error.status not in (404, 409):  # gone, or replaced by a pod of the same name elsewhere
                raise

    def _wait_until_gone(self, image: BeforeImage) -> None:
        def probe() -> bool | Pending:
            remains = []
            node = self._client.find(node_path(self._name))
            if node is not None and uid_of(node) == image.uid:
                finalizers = (node.get("metadata") or {}).get("finalizers") or []
                remains.append("the Node" + (f" (finalizers {', '.join(finalizers)})" if finalizers else ""))
            for kind, path in DEPENDENTS.items():
                found = self._client.find(path.format(name=self._name))
                if found is not None and _belongs_to(found, image):
                    remains.append(f"its {kind}")
            pods = self._bound_pods()
            remains += [f"pod {_reference(pod)}" for pod in pods[:3]]
            for pod in pods:  # a DaemonSet may have bound one more in the moment before the Node went
                self._delete_pod(pod)
            self._progress(f"{self._name}: remains {', '.join(remains) or 'nothing'}")
            return Pending(f"there is still {', '.join(remains)}") if remains else True

        wait_for(
            f"Node {self._name} and everything that belonged to its uid {image.uid} are gone",
            probe,
            timeout=self._options.delete_timeout,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )

    # -- precreated ----------------------------------------------------------------------------------------------

    def precreate(self) -> Outcome:
        """Create the new Node, cordoned and with everything the old one had, and wait for podCIDRs that are fit.

        Raises WaitTimeoutError without podCIDRs in time, RefusedError when they are not fit (the Node stays cordoned).
        """
        image = self._image()
        node = self._client.find(node_path(self._name))
        old = node is not None and uid_of(node) == image.uid
        if self._check_mode and old:
            node = None  # the step before would have deleted it
        elif not image.reached("deleting") or old:
            raise RefusedError(f"Node {self._name} has not been deleted yet, so it is not created; use state=deleted.")
        actions: list[str] = []
        warnings: list[str] = []
        wanted = new_node(image, self._options.pod_cidrs)
        if node is None:
            actions.append(f"create Node {self._name}, cordoned, with its labels, annotations and taints")
            if self._check_mode:
                return Outcome(True, image, None, actions, before=_summary(image.node), after=_summary(wanted))
            image = self._at(image, "precreating")
            node = self._client.create("/api/v1/nodes", wanted)
        elif not is_unschedulable(node):
            # Created by a kubelet that was started too early: close the window that this opened.
            actions.append(f"cordon Node {self._name}, which somebody registered meanwhile")
            warnings.append(
                f"Node {self._name} was registered schedulable by somebody else before it was created here."
            )
            if not self._check_mode:
                node, _changed = set_unschedulable(self._client, node, True)
        if not self._check_mode:
            image = self._at(image, "precreating", new_uid=uid_of(node))
            node = self._with_fit_pod_cidrs(wanted, node)
            image = self._at(image, "precreated", new_uid=uid_of(node))
        return Outcome(bool(actions), image, node, actions, warnings, before="", after=_summary(node))

    def _with_fit_pod_cidrs(self, wanted: JsonObject, node: JsonObject) -> JsonObject:
        """The Node with podCIDRs that are fit; one that no kubelet knows yet is created again for others.

        The allocator may give a block that an overlapping Node still uses, because the deletion freed its bit. It hands
        out the next block each time, so a few tries are enough.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            node = self._wait_for_pod_cidrs(uid_of(node))
            found = self._faults(node)
            taken_over = bool(((node.get("status") or {}).get("nodeInfo") or {}).get("machineID"))
            if not found:
                break
            if attempt == _ATTEMPTS or taken_over or self._options.pod_cidrs:
                self._refuse_unfit(node, found)
            self._progress(f"{self._name}: {', '.join(pod_cidrs_of(node))} is not fit for use, asking for others")
            self._client.delete(node_path(self._name), uid=uid_of(node))
            node = self._client.create("/api/v1/nodes", wanted)
            self._at(self._image(), "precreating", new_uid=uid_of(node))
        return node

    def _wait_for_pod_cidrs(self, uid: str) -> JsonObject:
        def probe() -> JsonObject | Pending:
            node = self._current(uid)
            return node if pod_cidrs_of(node) else Pending(self._allocation_events())

        return wait_for(
            f"Node {self._name} gets its podCIDRs",
            probe,
            timeout=self._options.cidr_timeout,
            interval=0.5,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )

    def _faults(self, node: JsonObject) -> list[str]:
        return faults(node, self._client.list("/api/v1/nodes"), self._options.allocator)

    def _refuse_unfit(self, node: JsonObject, found: Sequence[str]) -> t.NoReturn:
        raise RefusedError(
            f"Node {self._name} got podCIDRs {', '.join(pod_cidrs_of(node)) or '(none)'} that are not fit for use: "
            f"{'; '.join(found)}. It stays cordoned.",
            found,
        )

    def _allocation_events(self) -> str:
        """What the allocator says about the Node; its events carry type Normal, so only the reason counts."""
        selector = f"involvedObject.kind=Node,involvedObject.name={self._name}"
        events = self._client.list("/api/v1/namespaces/default/events", params={"fieldSelector": selector})
        reasons = {str(event.get("reason")) for event in events}
        if "CIDRNotAvailable" in reasons:
            return "the controller-manager says CIDRNotAvailable: no block is free"
        return "no allocator has answered yet"

    # -- registered ----------------------------------------------------------------------------------------------

    def register(self) -> Outcome:
        """Wait until the kubelet, which must have been started, has taken its new Node over and is Ready.

        Raises RefusedError when it is another machine or the podCIDRs are not fit, WaitTimeoutError otherwise.
        """
        image = self._image()
        if self._check_mode:
            return Outcome(False, image, self._client.find(node_path(self._name)), [])
        if not image.reached("precreating"):
            raise RefusedError(f"Node {self._name} has not been created yet; use state=precreated first.")

        def probe() -> JsonObject | Pending:
            node = self._current(image.new_uid)
            self._require_same_machine(image, node)
            missing = self._not_yet_registered(image, node)
            self._progress(f"{self._name}: {'; '.join(missing) or 'registered'}")
            return Pending("; ".join(missing)) if missing else node

        node = wait_for(
            f"the kubelet of node {self._name} registers and is Ready",
            probe,
            timeout=self._options.ready_timeout,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )
        found = self._faults(node)
        if found:
            self._refuse_unfit(node, found)
        return Outcome(False, self._at(image, "registered"), node, [])

    def _not_yet_registered(self, image: BeforeImage, node: JsonObject) -> list[str]:
        missing = []
        ready = _condition(node, "Ready")
        if ready.get("status") != "True":
            missing.append(f"not Ready: {ready.get('message') or ready.get('reason') or 'no status yet'}")
        elif _time(ready.get("lastHeartbeatTime")) < _time((node.get("metadata") or {}).get("creationTimestamp")):
            missing.append("its Ready condition is older than the Node")
        lease = self._client.find(DEPENDENTS["lease"].format(name=self._name))
        if lease is None or image.new_uid not in _owners(lease):
            missing.append("no Lease of the new Node")
        if image.csi_drivers:
            csinode = self._client.find(DEPENDENTS["csinode"].format(name=self._name)) or {}
            there = {str(one.get("name")) for one in (csinode.get("spec") or {}).get("drivers") or []}
            gone = [driver for driver in image.csi_drivers if driver not in there]
            missing += [f"CSI driver {driver} is not registered" for driver in gone]
        return missing

    def _require_same_machine(self, image: BeforeImage, node: JsonObject) -> None:
        before = ((image.node.get("status") or {}).get("nodeInfo") or {}).get("machineID")
        after = ((node.get("status") or {}).get("nodeInfo") or {}).get("machineID")
        if before and after and before != after:
            raise RefusedError(
                f"Node {self._name} was registered by another machine (machine-id {after}, was {before}); "
                "it stays cordoned. Find out which host uses this name."
            )

    # -- restored ------------------------------------------------------------------------------------------------

    def restore(self) -> Outcome:
        """Put back what the new Node lacks of the old one's labels, annotations and taints.

        Keys that it has with another value are left as they are and reported. A Node that is already as it was needs
        no write.
        """
        image = self._image()
        node = get_node(self._client, self._name)
        if uid_of(node) == image.uid:
            return Outcome(False, image, node, [])
        warnings: list[str] = []
        changed = False
        first = difference(image.node, node)
        actions = [f"restore: {line}" for line in first.lines() if line.endswith("missing")]
        for _attempt in range(_ATTEMPTS):
            found = difference(image.node, node)
            warnings = [line for line in found.lines() if not line.endswith("missing")]
            if not found.missing or self._check_mode:
                break
            try:
                node = self._client.patch(node_path(self._name), restoring_patch(node, found))
                changed = True
            except ApiError as error:
                if error.status != 409:
                    raise
                node = get_node(self._client, self._name)
        else:
            raise RefusedError(f"Node {self._name} was changed by others {_ATTEMPTS} times while it was restored.")
        if not self._check_mode:
            image = self._at(image, "restored")
        return Outcome(
            changed or (self._check_mode and first.missing),
            image,
            node,
            actions,
            warnings,
            before=first.lines(),
            after=warnings,
        )

    # -- completed -----------------------------------------------------------------------------------------------

    def complete(self) -> Outcome:
        """Put the before-image aside: the re-registration is over, or was given up before anything was deleted."""
        image = self._store.load(self._name)
        if image is None and self._check_mode:
            image = self._new_image(get_node(self._client, self._name))
        if image is None:
            raise InputError(f"name: there is no before-image of Node {self._name} in {self._options.state_dir}.")
        node = self._client.find(node_path(self._name))
        untouched = image.step == "captured" and node is not None and uid_of(node) == image.uid
        if not image.reached("restored") and not untouched and not self._check_mode:
            raise RefusedError(
                f"The re-registration of Node {self._name} has only reached '{image.step}', so it is not complete."
            )
        if not self._check_mode:
            self._store.complete(image)
        return Outcome(True, image, node, ["put the before-image aside"])

    # -- shared --------------------------------------------------------------------------------------------------

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

    def _at(self, image: BeforeImage, step: str, *, new_uid: str | None = None) -> BeforeImage:
        following = image.at(step, new_uid=new_uid)
        if following != image:
            self._store.save(following)
        return following

    def _current(self, uid: str) -> JsonObject:
        node = self._client.find(node_path(self._name))
        if node is None or uid_of(node) != uid:
            state = "is gone" if node is None else f"has uid {uid_of(node)}"
            raise RefusedError(
                f"The new Node {self._name} (uid {uid}) {state}: somebody else deletes or registers it. "
                "Find out who, then run the same command again."
            )
        return node

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

    def _require_same_cluster(self, image: BeforeImage) -> None:
        uid = self._cluster_uid()
        if image.cluster_uid != uid:
            raise RefusedError(
                f"The before-image of Node {self._name} in {self._options.state_dir} is about another cluster "
                f"(kube-system {image.cluster_uid}, here {uid}); use one state_dir for each cluster."
            )

    def _cluster_uid(self) -> str:
        return uid_of(self._client.get("/api/v1/namespaces/kube-system"))

    def _bound_pods(self) -> list[JsonObject]:
        return self._client.list("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={self._name}"})


def new_node(image: BeforeImage, pod_cidrs: Sequence[str] = ()) -> JsonObject:
    """The Node to create: name, labels, annotations, taints and providerID of the old one, and cordoned.

    On an existing Node a kubelet applies neither --node-labels nor --register-with-taints nor --provider-id, so the
    object carries all of them.
    """
    kept = restorable(image.node)
    spec: JsonObject = {"unschedulable": True}
    if kept.taints:
        spec["taints"] = kept.taints
    provider = (image.node.get("spec") or {}).get("providerID")
    if provider:
        spec["providerID"] = provider
    if pod_cidrs:
        spec["podCIDR"] = pod_cidrs[0]
        spec["podCIDRs"] = list(pod_cidrs)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": image.name, "labels": kept.labels, "annotations": kept.annotations},
        "spec": spec,
    }


def restoring_patch(node: Mapping[str, t.Any], found: MetadataDifference) -> JsonObject:
    """A merge patch that adds what is missing; taints are a list, so the present ones are repeated."""
    metadata = node["metadata"]
    patch: JsonObject = {"metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}}
    if found.missing_labels:
        patch["metadata"]["labels"] = found.missing_labels
    if found.missing_annotations:
        patch["metadata"]["annotations"] = found.missing_annotations
    if found.missing_taints:
        present = list((node.get("spec") or {}).get("taints") or [])
        patch["spec"] = {"taints": present + found.missing_taints}
    return patch


def _summary(node: Mapping[str, t.Any]) -> JsonObject:
    """What a diff of a Node shows."""
    kept = restorable(node)
    return {
        "labels": kept.labels,
        "annotations": kept.annotations,
        "taints": [format_taint(taint) for taint in kept.taints],
        "podCIDRs": pod_cidrs_of(node) or "from the allocator",
        "unschedulable": is_unschedulable(node),
    }


def _reference(pod: Mapping[str, t.Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _owners(obj: Mapping[str, t.Any]) -> set[str]:
    return {str(owner.get("uid")) for owner in (obj.get("metadata") or {}).get("ownerReferences") or []}


def _belongs_to(obj: Mapping[str, t.Any], image: BeforeImage) -> bool:
    return image.uid in _owners(obj) or uid_of(obj) in image.dependents.values()


def _condition(node: Mapping[str, t.Any], kind: str) -> Mapping[str, t.Any]:
    for condition in (node.get("status") or {}).get("conditions") or []:
        if condition.get("type") == kind:
            return t.cast(Mapping[str, t.Any], condition)
    return {}


def _time(text: object) -> datetime.datetime:
    if not text:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)
    return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
