"""Rows say what pruning says, of objects as servers write them and of broken ones."""

from __future__ import annotations

import copy
import json
import marshal
import random
from typing import Any

import pytest
from bench import big_cluster

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import collecting
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows import reduced
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.shape import SHAPES, fault

SIZE = big_cluster.Size()
PORTS = [{"name": "http", "containerPort": 80}, {"containerPort": 1}, {"name": "dns", "protocol": "UDP"}]
USUAL: dict[str, Any] = {
    "pods": big_cluster.pod(99_999, SIZE),
    "ciliumidentities": big_cluster.identity(7, SIZE),
    "ciliumendpoints": big_cluster.endpoint(7, SIZE),
}
# what may stand at a place of an object; None takes it away
VALUES = [
    *(None, "", "text", 0, 1, True, False, 1.5, [], {}, ["text"], {"a": "b"}, {"a": 1}, [{"ip": "1.1.1.1"}]),
    *([{"ip": "1.1.1.1"}, {"ip": "::1"}], [{"ip": 1}], [{"ip": "1.1.1.1", "more": 1}], {"io.cilium.heartbeat": "t"}),
    *({"k8s-app": "cilium"}, {"io.cilium/app": "operator"}, {"component": "kube-controller-manager"}, "kube-system"),
    *([{"ipv4": "1.1.1.1", "ipv6": "::1"}], [{"ipv6": "::1"}], [{"kind": "Pod", "name": "x", "uid": "y"}], PORTS),
    *([{"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 2}], [["http", "TCP", 80]], ["http"]),
]
MORE = {
    "pods": [
        *(("metadata", "deletionTimestamp"), ("spec", "hostNetwork"), ("spec", "namedPorts"), ("status", "reason")),
        *(("status", "waiting"), ("status", "restarts"), ("status", "podIP"), ("metadata", "namespace")),
        *(("spec", "containers"), ("status", "containerStatuses")),
    ],
    "ciliumidentities": [("metadata", key) for key in ("deletionTimestamp", "namespace", "annotations")],
    "ciliumendpoints": [("metadata", "deletionTimestamp"), ("status", "networking", "addressing")],
}


def places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything in an object, its managed fields apart."""
    found = [before] if before else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        if key not in ("managedFields", "env"):
            found += places(inner, (*before, key))
    return found


def mutated(obj: Any, where: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value there."""
    made = copy.deepcopy(obj)
    inside = made
    for key in where[:-1]:
        inside = inside[key]
    if value is None and isinstance(inside, dict):
        inside.pop(where[-1], None)
    else:
        inside[where[-1]] = value
    return made


def outcome(resource: str, obj: Any) -> Any:
    """What comes into the state through a row, or why nothing does."""
    try:
        found = reduced(resource, obj)
    except (AttributeError, TypeError, KeyError, IndexError, ValueError):
        return "broken"
    made = collecting(resource)
    made.take(marshal.loads(marshal.dumps([found])))
    if isinstance(found, tuple):
        assert fault(made[0], SHAPES[resource], "it") == "", "a row is checked no more"
    return made[0]


def by_pruning(resource: str, obj: Any) -> Any:
    """The same by pruning alone."""
    try:
        return prune(resource, obj)
    except (AttributeError, TypeError, KeyError, IndexError, ValueError):
        return "broken"


@pytest.mark.parametrize("resource", USUAL)
def test_every_change_of_one_value(resource: str) -> None:
    """At each place of an object, and at some more, every kind of value."""
    usual = USUAL[resource]
    for where in [*places(usual), *MORE[resource]]:
        for value in VALUES:
            obj = mutated(usual, where, value)
            assert outcome(resource, obj) == by_pruning(resource, obj), (where, value)


@pytest.mark.parametrize("resource", USUAL)
def test_several_changes(resource: str) -> None:
    """Changes that meet."""
    chance = random.Random(4)
    for _round in range(1500):
        obj = USUAL[resource]
        for _change in range(chance.randint(2, 4)):
            obj = mutated(obj, chance.choice([*places(obj), *MORE[resource][:1]]), chance.choice(VALUES))
            if set(map(type, (obj.get("metadata"), obj.get("spec", {}), obj.get("status", {})))) != {dict}:
                break
        assert outcome(resource, obj) == by_pruning(resource, obj), json.dumps(obj)


@pytest.mark.parametrize("resource", USUAL)
def test_most_objects_have_a_row(resource: str) -> None:
    """Otherwise nothing is gained; what was pruned before has one, too."""
    assert isinstance(reduced(resource, USUAL[resource]), tuple)
    assert reduced(resource, prune(resource, USUAL[resource])) == reduced(resource, USUAL[resource])


def test_pods_of_many_kinds_have_a_row() -> None:
    """Dual-stack, on the host's network, with named ports, waiting, without owner."""
    pod = big_cluster.pod(1, SIZE)
    for where, value in (
        (("status", "podIPs"), [{"ip": "1.1.1.1"}, {"ip": "::1"}]),
        (("spec", "hostNetwork"), True),
        (("spec", "containers", 0, "ports"), PORTS),
        (("status", "containerStatuses"), [{"state": {"waiting": {"reason": "ErrImagePull"}}}]),
        (("metadata", "ownerReferences"), None),
        (("status", "podIPs"), None),
    ):
        assert isinstance(reduced("pods", mutated(pod, where, value)), tuple), where
