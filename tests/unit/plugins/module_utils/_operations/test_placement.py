"""Whether pods find another Node, by the scheduler's filters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.placement import (
    Room,
    obstacle,
    place,
    requests_of,
    room_of,
    uncertain,
)


def node(name: str, cpu: str = "4", pods: str = "10", taints: tuple[str, ...] = (), **labels: str) -> dict[str, Any]:
    """A Node."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {"taints": [{"key": key, "effect": "NoSchedule"} for key in taints]},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": pods}},
    }


def pod(name: str = "p", cpu: str = "1", **spec: Any) -> dict[str, Any]:
    """A pod with one container."""
    labels = spec.pop("labels", {})
    container = {"name": "main", "resources": {"requests": {"cpu": cpu}}, **spec.pop("container", {})}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "labels": labels},
        "spec": {"containers": [container], **spec},
    }


def room(one: dict[str, Any], *pods: dict[str, Any], addresses: int | None = None) -> Room:
    """The room on a Node."""
    return room_of(one, pods, addresses)


def required(*expressions: dict[str, Any], fields: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """Required node affinity of one term."""
    term: dict[str, Any] = {}
    if expressions:
        term["matchExpressions"] = list(expressions)
    if fields:
        term["matchFields"] = list(fields)
    selector = {"nodeSelectorTerms": [term]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selector}}


def apart(app: str, key: str = "kubernetes.io/hostname") -> dict[str, Any]:
    """Required anti-affinity against pods of an app."""
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


HERE = {"key": "zone", "operator": "In", "values": ["a"]}
BY_NAME = {"key": "metadata.name", "operator": "In", "values": ["n"]}
PORT = {"ports": [{"containerPort": 80, "hostPort": 80}]}


@pytest.mark.parametrize(
    ("asked", "target", "expected"),
    [
        (pod(), room(node("n")), ""),
        (pod(cpu="5"), room(node("n")), "not enough cpu"),
        (pod(cpu="4"), room(node("n"), pod("other", "1m")), "not enough cpu"),
        (
            pod(container={"resources": {"requests": {"nvidia.com/gpu": "1"}}}),
            room(node("n")),
            "not enough nvidia.com/gpu",
        ),
        (pod(), room(node("n", pods="1"), pod("other")), "number of pods"),
        (pod(), room(node("n"), pod("other"), addresses=1), "no address is left in its podCIDR"),
        (pod(hostNetwork=True), room(node("n"), pod("other"), addresses=1), ""),
        (pod(), room(node("n", taints=("dedicated",))), "taint dedicated"),
        (pod(tolerations=[{"key": "dedicated", "operator": "Exists"}]), room(node("n", taints=("dedicated",))), ""),
        (pod(nodeSelector={"zone": "a"}), room(node("n", zone="a")), ""),
        (pod(nodeSelector={"zone": "a"}), room(node("n", zone="b")), "nodeSelector or node affinity"),
        (pod(affinity=required(HERE)), room(node("n", zone="a")), ""),
        (pod(affinity=required(HERE)), room(node("n")), "nodeSelector or node affinity"),
        (pod(affinity=required(fields=(BY_NAME,))), room(node("n")), ""),
        (
            pod(affinity=required(HERE, fields=(BY_NAME,))),
            room(node("other", zone="a")),
            "nodeSelector or node affinity",
        ),
        (pod(affinity=required()), room(node("n")), "nodeSelector or node affinity"),
        (pod(container=PORT), room(node("n"), pod("other", container=PORT)), "host port"),
        (pod(affinity=apart("web")), room(node("n"), pod("other", labels={"app": "web"})), "anti-affinity"),
        (pod(labels={"app": "web"}), room(node("n"), pod("other", affinity=apart("web"))), "anti-affinity"),
        (pod(affinity=apart("web", "rack")), room(node("n"), pod("other", labels={"app": "web"})), ""),
    ],
)
def test_filters(asked: dict[str, Any], target: Room, expected: str) -> None:
    """Each of them keeps a pod away for its own reason."""
    assert obstacle(asked, target, [target]) == expected


def test_volume_that_is_bound_to_a_node() -> None:
    """A local PersistentVolume lets its pod go nowhere else."""
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n"]}]}]
    volume = {"metadata": {"name": "pv"}, "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}}
    here, there = room(node("n")), room(node("m"))
    assert obstacle(pod(), here, [here], [volume]) == ""
    assert obstacle(pod(), there, [there], [volume]) == "volume pv is bound to other Nodes"


def test_anti_affinity_by_zone() -> None:
    """A pod on another Node of the zone counts as well."""
    one, other = room(node("n", zone="a")), room(node("m", zone="a"), pod("other", labels={"app": "web"}))
    assert obstacle(pod(affinity=apart("web", "zone")), one, [one, other]) == "anti-affinity"


def test_requests_as_the_scheduler_counts_them() -> None:
    """Sum of containers, largest init container, sidecars always, overhead, requests of the pod itself."""

    def container(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    assert requests_of({"spec": {"containers": [container("1"), container("500m")]}}) == {"cpu": 1500}
    init = {"spec": {"containers": [container("1")], "initContainers": [container("3"), container("2")]}}
    assert requests_of(init) == {"cpu": 3000}
    sidecar = container("1", restartPolicy="Always")
    assert requests_of({"spec": {"containers": [container("1")], "initContainers": [sidecar, container("3")]}}) == {
        "cpu": 4000
    }
    assert requests_of({"spec": {"containers": [container("1")], "overhead": {"cpu": "250m"}}}) == {"cpu": 1250}
    whole = {"containers": [container("1")], "resources": {"requests": {"cpu": "2"}}}
    assert requests_of({"spec": whole}) == {"cpu": 2000}


def test_the_largest_pods_are_placed_first() -> None:
    """Otherwise the small ones would be in their way."""
    rooms = [room(node("n", cpu="3")), room(node("m", cpu="1"))]
    placed = place([pod("small", "1"), pod("large", "3")], rooms, {})
    assert {one["metadata"]["name"]: (to, why) for one, to, why in placed} == {"large": ("n", ""), "small": ("m", "")}


def test_pods_without_a_place_say_why() -> None:
    """For all Nodes together."""
    rooms = [room(node("n", taints=("t",))), room(node("m", cpu="1"), pod("o"))]
    (_pod, to, why), *_rest = place([pod()], rooms, {})
    assert to == "" and why == "not enough cpu (1 Nodes), taint t (1 Nodes)"
    assert place([pod()], [], {})[0][2] == "there is no other Node"


@given(
    st.lists(st.integers(min_value=1, max_value=4000), max_size=12),
    st.lists(st.integers(min_value=1, max_value=6), min_size=1, max_size=4),
)
def test_no_node_is_filled_beyond_what_it_has(pods: list[int], nodes: list[int]) -> None:
    """Whatever is placed where, and every pod has either a Node or a reason."""
    rooms = [room(node(f"n{number}", cpu=str(cpu))) for number, cpu in enumerate(nodes)]
    placed = place([pod(f"p{number}", f"{cpu}m") for number, cpu in enumerate(pods)], rooms, {})
    assert all(one.free["cpu"] >= 0 and one.pods_left >= 0 for one in rooms)
    assert all(bool(to) != bool(why) for _pod, to, why in placed) and len(placed) == len(pods)
    used = sum(requests_of(one)["cpu"] for one, to, _why in placed if to)
    assert used == sum(nodes) * 1000 - sum(one.free["cpu"] for one in rooms)


def test_what_only_the_scheduler_knows() -> None:
    """Named, so that nobody takes the answer for certain."""
    spread = [{"whenUnsatisfiable": "DoNotSchedule"}]
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}
    asked = pod(topologySpreadConstraints=spread, affinity=near, schedulerName="mine", resourceClaims=[{}])
    assert uncertain(asked) == ["topologySpreadConstraints", "podAffinity", "scheduler mine", "resourceClaims"]
    assert uncertain(pod()) == []
