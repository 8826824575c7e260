# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Rotation through another ClusterCIDR: pools of an allocator outside kube-controller-manager.

Nodes of the old pool keep their blocks, and its object stays (finalizer) until the last of them is gone; a Node that is
registered anew gets a block of the pool that is preferred for its labels (kubernetes-sigs/node-ipam-controller).
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.allocator import find_settings
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cluster_cidr_objects import (
    ClusterCidr,
    ordered_for,
    parse,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import rotation_checks as tests
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import (
    PASSED,
    UNKNOWN,
    PlanCheck,
    PlanStep,
    RotationPlan,
    checked,
    some,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation_texts import CHECK

METHOD = "cluster-cidr-pool"
_GROUP = "networking.x-k8s.io/v1"
_SMALLEST_HOST_BITS = 4
_LEASES = (
    "/apis/coordination.k8s.io/v1/namespaces/nodeipam/leases/node-ipam-controller",
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/node-ipam-controller",
)


def manifest(options: Mapping[str, t.Any]) -> Object:
    """The ClusterCIDR object of the option ``cluster_cidr_pool``."""
    spec: Object = {"perNodeHostBits": options["per_node_host_bits"]}
    spec.update({key: options[key] for key in ("ipv4", "ipv6") if options.get(key)})
    labels: Mapping[str, str] = options.get("node_selector") or {}
    if labels:
        expressions = [{"key": key, "operator": "In", "values": [str(value)]} for key, value in sorted(labels.items())]
        spec["nodeSelector"] = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return {"apiVersion": _GROUP, "kind": "ClusterCIDR", "metadata": {"name": options["name"]}, "spec": spec}


def pool_plan(
    client: KubeClient,
    context: Context,
    options: Mapping[str, t.Any],
    *,
    reserved: Sequence[Network] = (),
    settle_seconds: float = 30.0,
) -> RotationPlan:
    """The plan for a new ClusterCIDR. Reads only. Raises ApiError."""
    state = context.state
    obj = manifest(options)
    new = parse(obj, context.service_ranges)
    present = [parse(one, context.service_ranges) for one in state.of("clustercidrs")]
    served = "clustercidrs" not in state.absent and state.knows("clustercidrs")
    replaced = [one for one in present if not _wins(context, new, present, one)]
    checks = [
        *tests.of_cluster(client, context, settle_seconds),
        checked(
            f"The API serves ClusterCIDR ({_GROUP})", "" if served else "install kubernetes-sigs/node-ipam-controller"
        ),
        _of_allocator(context),
        _of_controller(client),
        _of_object(new, options, present),
        *tests.of_ranges(context, new.networks, reserved),
        _of_overlap(new, present),
        _of_capacity(context, new),
        _of_selection(context, new, present),
    ]
    held = {name for name, cidrs in context.node_cidrs.items() if cidrs and not new.contains(cidrs)}
    chosen = [node for node in state.nodes if name_of(node) in held and _selected(new, node)]
    nodes = [{"name": name_of(node), "reason": f"its podCIDR is of another pool than {new.name}"} for node in chosen]
    explanation = [
        "A ClusterCIDR cannot be changed, but another one can stand beside it: Nodes keep their blocks, and each one that is "
        "registered anew gets a block of the pool that is preferred for its labels. So the Nodes can follow one by one.",
    ]
    return RotationPlan(METHOD, True, explanation, checks, _steps(obj, new, replaced), nodes, _allocator(context, new))


def _of_allocator(context: Context) -> PlanCheck:
    what = "kube-controller-manager allocates no podCIDRs beside it"
    shown = find_settings(context.state)
    if shown.allocate_node_cidrs is None:
        return PlanCheck(what, UNKNOWN, "its flags are not visible")
    return checked(what, f"--allocate-node-cidrs is on ({shown.source})" if shown.allocate_node_cidrs else "")


def _of_controller(client: KubeClient) -> PlanCheck:
    what = "node-ipam-controller runs"
    if any((client.find(path) or {}).get("spec", {}).get("holderIdentity") for path in _LEASES):
        return PlanCheck(what, PASSED)
    return PlanCheck(what, UNKNOWN, "its Lease node-ipam-controller was found neither in nodeipam nor in kube-system")


def _of_object(new: ClusterCidr, options: Mapping[str, t.Any], present: Sequence[ClusterCidr]) -> PlanCheck:
    fault = new.problem
    if options["per_node_host_bits"] < _SMALLEST_HOST_BITS:
        fault = f"per_node_host_bits {options['per_node_host_bits']} is less than {_SMALLEST_HOST_BITS}"
    if any(one.name == new.name for one in present):
        fault = f"there is a ClusterCIDR {new.name} already, and it cannot be changed; choose another name"
    return checked("The new ClusterCIDR is one that its allocator takes", fault)


def _of_overlap(new: ClusterCidr, present: Sequence[ClusterCidr]) -> PlanCheck:
    found = [
        f"{one} and {other} of {old.name}"
        for old in present
        for one in new.networks
        for other in old.networks
        if one.version == other.version and one.overlaps(other)
    ]
    return checked("The new pool is apart from the others", some(found))


def _of_capacity(context: Context, new: ClusterCidr) -> PlanCheck:
    selected = sum(1 for node in context.state.nodes if _selected(new, node))
    what = "There is a block for every Node that the new pool selects"
    lacking = f"{new.capacity} blocks for {selected} Nodes" if new.capacity < selected else ""
    return checked(what, lacking)


def _of_selection(context: Context, new: ClusterCidr, present: Sequence[ClusterCidr]) -> PlanCheck:
    """Whether the Nodes would really get a block of the new pool while the old one is there."""
    what = "Nodes that the new pool selects get their blocks from it"
    others = [
        f"{name_of(node)} (from {first.name})"
        for node in context.state.nodes
        if _selected(new, node) and (first := ordered_for(_labels(node), [*present, new])[0]).name != new.name
    ]
    if not any(_selected(new, node) for node in context.state.nodes):
        return checked(what, f"its selector ({new.selector}) selects no Node")
    if others:
        detail = f"not before the old pools are deleted, which the steps say: {some(others)}"
        return PlanCheck(what, PASSED, detail)
    return PlanCheck(what, PASSED)


def _wins(context: Context, new: ClusterCidr, present: Sequence[ClusterCidr], old: ClusterCidr) -> bool:
    """Whether the new pool is preferred to this old one for every Node that both serve."""
    both = [node for node in context.state.nodes if _selected(new, node) and _selected(old, node)]
    return all(ordered_for(_labels(node), [old, new])[0].name == new.name for node in both)


def _steps(obj: Object, new: ClusterCidr, replaced: Sequence[ClusterCidr]) -> list[PlanStep]:
    ranges = ", ".join(map(str, new.networks))
    steps = [
        PlanStep(
            "Let the CNI, kube-proxy, firewalls and routes know the new range, before a Node gets a block of it",
            [f"allow {ranges} wherever the old range is allowed; flannel's Network has to contain both"],
        ),
        PlanStep(
            f"Create ClusterCIDR {new.name}",
            [f"kubectl apply -f, with this object: {obj}"],
            ["its finalizer networking.x-k8s.io/cluster-cidr-finalizer is there: the controller has taken it"],
        ),
    ]
    if replaced:
        names = some([one.name for one in replaced])
        steps.append(
            PlanStep(
                "Delete the old pools, which would be preferred otherwise",
                [f"kubectl delete clustercidr {names} --wait=false"],
                ["they stay, being deleted, until their last Node is gone; they serve no new Node"],
            )
        )
    steps.append(
        PlanStep(
            "Register the Nodes anew, one after the other",
            [
                "ansible-playbook podnet.upkeep.reassign_pod_cidrs with reassign_pod_cidrs_nodes of this plan, "
                "reassign_pod_cidrs_even_if_healthy, and reassign_pod_cidrs_allocator of this plan; their labels are on the "
                "new Node from the beginning, so it gets the pool that they select",
            ],
            [f"each Node has podCIDRs inside {ranges}"],
        )
    )
    steps.append(
        PlanStep("Look at the result", ["kubectl get clustercidr"], [CHECK, "only pools that are wanted are left"])
    )
    return steps


def _allocator(context: Context, new: ClusterCidr) -> dict[str, t.Any]:
    masks = {pool.cluster.version: pool.mask_size for pool in new.pools}
    return {
        "allocate_node_cidrs": True,
        "cluster_cidrs": [str(one) for one in new.networks],
        **{f"node_mask_size_ipv{version}": mask for version, mask in masks.items()},
        "service_ranges": [str(one) for one in context.service_ranges],
    }


def _labels(node: Mapping[str, t.Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = (node.get("metadata") or {}).get("labels") or {}
    return found


def _selected(pool: ClusterCidr, node: Mapping[str, t.Any]) -> bool:
    return pool.requirements is None or pool.selects(_labels(node))
