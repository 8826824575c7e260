"""The re-registration when others act as well: another machine, the host's own kubelet, a cloud, a person's choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration import (
    Registration,
    RegistrationOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal

from .conftest import PODS, FastClock, bound_pod, node
from .test_registration import ALLOCATOR, PATH, World, cordon

NODES = "/api/v1/nodes"
CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-test"
OURS = "podnet.upkeep/registering"


@pytest.fixture
def world(api: FakeApi, fast: FastClock) -> World:
    """A cluster that works."""
    made = World(api, fast)
    made.lease(api.store.objects[PATH]["metadata"]["uid"])
    return made


@pytest.fixture
def journal(client: KubeClient) -> Journal:
    """The journal of a run."""
    made = Journal(client, "test", "kube-system")
    made.begin({"holder": "me"})
    return made


def registration(
    client: KubeClient, fast: FastClock, folder: Path, journal: Journal | None = None, **options: Any
) -> Registration:
    """The re-registration of w1, with a new object each time as after a crash."""
    wanted = RegistrationOptions(**{"state_dir": str(folder), "allocator": ALLOCATOR, **options})
    return Registration(client, "w1", wanted, clock=fast.clock(), journal=journal)


def kubelet_registers(api: FakeApi, uid: str = "by-kubelet", machine: str = "m1") -> dict[str, Any]:
    """The kubelet creates its Node: schedulable, and with its own labels only."""
    return api.store.add(
        NODES,
        {
            "metadata": {
                "name": "w1",
                "uid": uid,
                "creationTimestamp": "2026-01-01T12:00:00Z",
                "labels": {"kubernetes.io/hostname": "w1"},
            },
            "spec": {},
            "status": {"nodeInfo": {"machineID": machine}},
        },
    )


# -- another machine ---------------------------------------------------------------------------------------------------


def test_another_machine_finishes(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, journal: Journal, tmp_path: Path
) -> None:
    """Every step by another one, each with a folder of its own: all they share is the journal."""
    registration(client, fast, tmp_path / "1", journal).capture()
    cordon(api)
    registration(client, fast, tmp_path / "2", journal).delete()
    registration(client, fast, tmp_path / "3", journal).precreate()
    world.start_kubelet()
    registration(client, fast, tmp_path / "4", journal).register()
    registration(client, fast, tmp_path / "5", journal).restore()
    registration(client, fast, tmp_path / "6", journal).complete()
    known = journal.load()
    assert known is not None and known.unfinished() == [] and known.nodes["w1"]["step"] == "completed"
    assert api.store.objects[PATH]["metadata"]["labels"]["rack"] == "r1"
    assert [path.name for path in (tmp_path / "6").iterdir()] == ["completed"]


def test_a_file_that_others_have_finished_is_refused(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, journal: Journal, tmp_path: Path
) -> None:
    """Whatever it says: labels of long ago do not come back, and the Node is not cordoned."""
    here, there = tmp_path / "here", tmp_path / "there"
    registration(client, fast, here, journal).capture()
    cordon(api)
    registration(client, fast, here, journal).delete()
    registration(client, fast, here, journal).precreate()
    world.start_kubelet()
    for step in ("register", "restore", "complete"):
        getattr(registration(client, fast, there, journal), step)()
    api.store.objects[PATH]["spec"]["unschedulable"] = False
    journal.begin({"holder": "the next run"})
    api.store.objects[CONFIG_MAP]["data"].pop("earlier")  # it was brought back longer ago than the journal remembers
    with pytest.raises(RefusedError, match=r"is in service, and the journal .* does not know that it was begun"):
        registration(client, fast, here, journal).capture()
    assert api.store.objects[PATH]["spec"]["unschedulable"] is False


# -- the host's own kubelet --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["deleting", "deleted"])
def test_a_host_that_was_started_again_while_its_node_was_out(
    step: str, api: FakeApi, client: KubeClient, fast: FastClock, world: World, journal: Journal, tmp_path: Path
) -> None:
    """Its kubelet has registered a bare Node: it is cordoned at once, drained, and deleted like the first one."""
    registration(client, fast, tmp_path, journal).capture()
    cordon(api)
    registration(client, fast, tmp_path, journal).delete()
    image = before_image.load(str(tmp_path), "w1")
    assert image is not None
    before_image.save(str(tmp_path), image.__class__(**{**image.__dict__, "step": step}))
    kubelet_registers(api)
    world.lease("by-kubelet")
    captured = registration(client, fast, tmp_path, journal).capture()
    assert captured.changed and captured.drain_uid == "by-kubelet"
    assert api.store.objects[PATH]["spec"]["unschedulable"] is True
    api.store.add(PODS, bound_pod("web-0"))
    with pytest.raises(RefusedError, match=r"still runs 1 pods \(default/web-0\)"):
        registration(client, fast, tmp_path, journal).delete()
    del api.store.objects[f"{PODS}/web-0"]
    registration(client, fast, tmp_path, journal).delete()
    assert PATH not in api.store.objects
    created = registration(client, fast, tmp_path, journal).precreate()
    assert created.node is not None and created.node["metadata"]["labels"]["rack"] == "r1"


def test_a_node_of_another_machine_is_not_deleted(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, journal: Journal, tmp_path: Path
) -> None:
    """Somebody has given the name to another host meanwhile."""
    registration(client, fast, tmp_path, journal).capture()
    cordon(api)
    registration(client, fast, tmp_path, journal).delete()
    kubelet_registers(api, machine="m2")
    for step in ("capture", "delete"):
        with pytest.raises(RefusedError, match="another machine"):
            getattr(registration(client, fast, tmp_path, journal), step)()
    assert api.count("DELETE", PATH) == 1


def test_a_new_node_that_was_replaced_is_left_to_people(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, journal: Journal, tmp_path: Path
) -> None:
    """We know the uid of the Node that we made; another one is somebody's work."""
    registration(client, fast, tmp_path, journal).capture()
    cordon(api)
    registration(client, fast, tmp_path, journal).delete()
    registration(client, fast, tmp_path, journal).precreate()
    del api.store.objects[PATH]
    kubelet_registers(api)
    with pytest.raises(RefusedError, match="somebody else deletes or registers it"):
        registration(client, fast, tmp_path, journal).capture()


@pytest.mark.parametrize("was_cordoned", [False, True])
def test_the_last_step_gives_the_node_back_as_it_was(
    was_cordoned: bool, api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """Schedulable only if it was so; `restored` waits for the kubelet by itself; given up early, it is the same."""
    api.store.objects[PATH]["spec"]["unschedulable"] = was_cordoned

    def step() -> Registration:
        return registration(client, fast, tmp_path, uncordon=True)

    step().capture()
    cordon(api)
    step().complete()
    assert bool(api.store.objects[PATH]["spec"].get("unschedulable")) is was_cordoned
    step().capture()
    cordon(api)
    step().delete()
    step().precreate()
    fast.on_sleep = world.start_kubelet
    assert step().restore().image.step == "restored"
    assert api.store.objects[PATH]["spec"]["unschedulable"] is True
    step().complete()
    assert bool(api.store.objects[PATH]["spec"].get("unschedulable")) is was_cordoned


# -- created by the kubelet --------------------------------------------------------------------------------------------


def test_kubelet_creates_the_node(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """For a cloud controller: cordoned, tainted and restored by one write as soon as it appears; its own taint stays."""

    def step() -> Registration:
        return registration(client, fast, tmp_path, by_kubelet=True)

    step().capture()
    cordon(api)
    step().delete()
    assert step().precreate().changed and PATH not in api.store.objects
    assert not step().precreate().changed
    with pytest.raises(WaitTimeoutError, match="its kubelet has not created it"):
        step().register()

    uninitialized = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "effect": "NoSchedule"}

    def appear() -> None:
        if PATH not in api.store.objects:
            kubelet_registers(api)["spec"]["taints"] = [uninitialized]
        world.step()
        present = api.store.objects[PATH]
        if present["spec"].get("unschedulable"):  # from now on the rest of the world goes on
            present["status"] = node()["status"]
            present["status"]["nodeInfo"] = {"machineID": "m1"}
            world.lease("by-kubelet")

    fast.on_sleep = appear
    api.requests.clear()
    registered = step().register()
    writes = [request for request in api.requests if request.method in ("PATCH", "POST", "DELETE")]
    assert len(writes) == 1 and writes[0].body["spec"]["unschedulable"] is True
    present = api.store.objects[PATH]
    assert present["metadata"]["labels"]["rack"] == "r1" and present["metadata"]["annotations"] == {
        "example.com/note": "keep"
    }
    assert [taint["key"] for taint in present["spec"]["taints"]] == [uninitialized["key"], "dedicated", OURS]
    assert registered.image.new_uid == "by-kubelet" and registered.image.step == "registered"
    assert step().restore().changed
    assert [taint["key"] for taint in present["spec"]["taints"]] == [uninitialized["key"], "dedicated"]
    assert present["spec"]["unschedulable"] is True


def test_killed_before_the_kubelets_node_was_seen(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """The next run cordons it in its first step, and goes on with it."""
    registration(client, fast, tmp_path, by_kubelet=True).capture()
    cordon(api)
    registration(client, fast, tmp_path, by_kubelet=True).delete()
    registration(client, fast, tmp_path, by_kubelet=True).precreate()
    kubelet_registers(api)
    captured = registration(client, fast, tmp_path, by_kubelet=True).capture()
    assert captured.changed and captured.drain_uid == ""
    assert api.store.objects[PATH]["spec"]["unschedulable"] is True
    assert not registration(client, fast, tmp_path, by_kubelet=True).delete().changed
    assert not registration(client, fast, tmp_path, by_kubelet=True).precreate().changed
    world.start_kubelet()
    done = registration(client, fast, tmp_path, by_kubelet=True).register()
    assert done.image.step == "registered" and done.node is not None and done.node["metadata"]["labels"]["rack"] == "r1"


# -- chosen pod CIDRs and pools ----------------------------------------------------------------------------------------


def test_chosen_pod_cidrs(api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path) -> None:
    """They are on the Node when it is created."""
    world.blocks = []
    chosen = {"pod_cidrs": ("10.244.77.0/24",)}
    registration(client, fast, tmp_path, **chosen).capture()
    cordon(api)
    registration(client, fast, tmp_path, **chosen).delete()
    registration(client, fast, tmp_path, **chosen).precreate()
    made = next(one.body for one in api.requests if one.method == "POST" and one.path == NODES)
    assert made["spec"]["podCIDR"] == "10.244.77.0/24" and made["spec"]["podCIDRs"] == ["10.244.77.0/24"]


def test_choices_where_the_kubelet_creates_the_node(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """Only where no allocator would be faster; they are set by the write that cordons it."""
    chosen: dict[str, Any] = {"pod_cidrs": ("10.244.77.0/24",), "by_kubelet": True}
    with pytest.raises(RefusedError, match="an allocator runs that would give it others"):
        registration(client, fast, tmp_path, **chosen).capture()
    chosen["allocator"] = settings_from_options({"cluster_cidrs": ["10.244.0.0/16"], "allocate_node_cidrs": False})
    registration(client, fast, tmp_path, **chosen).capture()
    cordon(api)
    registration(client, fast, tmp_path, **chosen).delete()
    registration(client, fast, tmp_path, **chosen).precreate()
    world.blocks = []
    kubelet_registers(api)
    fast.on_sleep = world.start_kubelet
    done = registration(client, fast, tmp_path, **chosen).register()
    assert done.node is not None and done.node["spec"]["podCIDRs"] == ["10.244.77.0/24"]


def test_pod_cidrs_that_are_kept(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """The Node gets its own again; one without any has none to keep."""
    api.store.objects[PATH]["spec"].update(podCIDR="10.244.3.0/24", podCIDRs=["10.244.3.0/24"])
    for step in ("capture", "delete", "precreate"):
        getattr(registration(client, fast, tmp_path, keep_pod_cidrs=True), step)()
        cordon(api) if step == "capture" else None
    assert api.store.objects[PATH]["spec"]["podCIDRs"] == ["10.244.3.0/24"]
    api.store.add(NODES, node("w1", podCIDR=None, podCIDRs=None))
    with pytest.raises(RefusedError, match="no podCIDRs that could be kept"):
        registration(client, fast, tmp_path / "other", keep_pod_cidrs=True).capture()


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ("10.99.0.0/24", "outside the cluster CIDR"),
        ("10.244.8.0/25", "mask /25"),
        ("10.244.2.0/24", "overlaps 10.244.2.0/24 of Node w2"),
        ("10.244.9.0/24", "contains 10.244.9.9, an address of Node w2"),
        ("10.244.8.1/24", "'10.244.8.1/24' is no block: .* has host bits set"),
        ("nonsense", "'nonsense' is no block"),
    ],
)
def test_choices_that_are_not_fit(
    chosen: str, words: str, api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """Refused in the first step, while nothing is changed."""
    other = node("w2", podCIDR="10.244.2.0/24", podCIDRs=["10.244.2.0/24"])
    other["status"]["addresses"] = [{"type": "InternalIP", "address": "10.244.9.9"}]
    api.store.add(NODES, other)
    with pytest.raises(RefusedError, match=words):
        registration(client, fast, tmp_path, pod_cidrs=(chosen,)).capture()
    with pytest.raises(RefusedError, match="at most one of each family"):
        registration(client, fast, tmp_path, pod_cidrs=("10.244.8.0/24", "10.244.10.0/24")).capture()
    assert not (tmp_path / "w1.json").exists()


def test_pool_is_chosen_by_labels_that_are_there_at_creation(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """An allocator of ClusterCIDRs looks at the Node once, when it is new: an administrator's label must be on it then."""
    pools = {"r1": "10.244.100.0/24", None: "10.244.200.0/24"}
    world.blocks = []

    def allocate() -> None:
        present = api.store.objects.get(PATH)
        if present is not None and "podCIDRs" not in present["spec"]:
            created = next(one.body for one in api.requests if one.method == "POST" and one.path == NODES)
            present["spec"]["podCIDRs"] = [pools[created["metadata"]["labels"].get("rack")]]
        world.step()

    fast.on_sleep = allocate
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    registration(client, fast, tmp_path).precreate()
    assert api.store.objects[PATH]["spec"]["podCIDRs"] == ["10.244.100.0/24"]
