"""The re-registration against a fake API: order, guards, resumption after every step, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.host_readiness import HostQuestion
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration import (
    Registration,
    RegistrationOptions,
)

from .conftest import PODS, FastClock, bound_pod, node

PATH = "/api/v1/nodes/w1"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
ALLOCATOR = settings_from_options({"cluster_cidrs": ["10.244.0.0/16"], "service_ranges": ["10.96.0.0/16"]})


class World:
    """The part of the cluster that is not under test: allocator, garbage collector and kubelet of w1."""

    def __init__(self, api: FakeApi, fast: FastClock) -> None:
        self.api = api
        self.blocks = ["10.244.9.0/24"]
        self.collects = True
        fast.on_sleep = self.step

    def step(self) -> None:
        """A moment passes."""
        objects = self.api.store.objects
        present = objects.get(PATH)
        if present is not None and "podCIDRs" not in present["spec"] and self.blocks:
            present["spec"]["podCIDRs"] = [self.blocks.pop(0)]
        uid = present["metadata"]["uid"] if present else None
        lease = objects.get(f"{LEASES}/w1")
        if self.collects and lease and lease["metadata"]["ownerReferences"][0]["uid"] != uid:
            del objects[f"{LEASES}/w1"]

    def start_kubelet(self, machine: str = "m1") -> None:
        """The kubelet takes its Node over."""
        present = self.api.store.objects[PATH]
        present["status"] = node()["status"]
        present["status"]["nodeInfo"]["machineID"] = machine
        self.lease(present["metadata"]["uid"])

    def lease(self, uid: str) -> None:
        """A Lease that belongs to this uid."""
        self.api.store.add(LEASES, {"metadata": {"name": "w1", "ownerReferences": [{"uid": uid}]}})


@pytest.fixture
def world(api: FakeApi, fast: FastClock) -> World:
    """A cluster that works."""
    made = World(api, fast)
    made.lease(api.store.objects[PATH]["metadata"]["uid"])
    api.store.add(PODS, bound_pod("agent", "DaemonSet"))
    return made


def registration(client: KubeClient, fast: FastClock, folder: Path, **changes: Any) -> Registration:
    """The re-registration of w1, with a new object each time as after a crash."""
    options = RegistrationOptions(state_dir=str(folder), allocator=ALLOCATOR)
    return Registration(client, "w1", options, clock=fast.clock(), **changes)


def cordon(api: FakeApi) -> None:
    """Somebody cordons w1."""
    api.store.objects[PATH]["spec"]["unschedulable"] = True


def test_whole_way(api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path) -> None:
    """Every step with a new process: nothing is lost, the new Node is cordoned from its first moment."""
    before = json.loads(json.dumps(api.store.objects[PATH]))
    made = registration(client, fast, tmp_path).capture()
    assert made.changed and made.image.daemonset_pods == ["default/agent"]
    path = Path(before_image.path_of(str(tmp_path), "w1"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert not registration(client, fast, tmp_path).capture().changed
    cordon(api)
    deleted = registration(client, fast, tmp_path).delete()
    assert deleted.changed and PATH not in api.store.objects and f"{PODS}/agent" not in api.store.objects
    created = registration(client, fast, tmp_path).precreate()
    assert created.node is not None and created.node["spec"]["podCIDRs"] == ["10.244.9.0/24"]
    first = next(
        request.body for request in api.requests if request.method == "POST" and request.path == "/api/v1/nodes"
    )
    assert first["spec"]["unschedulable"] is True
    assert first["metadata"]["labels"] == before["metadata"]["labels"]
    assert first["metadata"]["annotations"] == {"example.com/note": "keep"}
    assert first["spec"]["taints"] == before["spec"]["taints"]
    world.start_kubelet()
    assert registration(client, fast, tmp_path).register().image.step == "registered"
    assert not registration(client, fast, tmp_path).restore().changed
    registration(client, fast, tmp_path).complete()
    assert not path.exists() and len(list((tmp_path / "completed").iterdir())) == 1


def test_steps_repeated_after_a_crash_change_nothing(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """Each step twice: the second time there is nothing to do."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    assert not registration(client, fast, tmp_path).delete().changed
    registration(client, fast, tmp_path).precreate()
    assert not registration(client, fast, tmp_path).precreate().changed
    assert not registration(client, fast, tmp_path).delete().changed
    assert api.count("DELETE", PATH) == 1


def test_lost_answer_of_the_delete(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """The step fails, the same step again finds the Node gone and goes on."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    api.faults.append(Fault("DELETE", PATH, after=True))
    with pytest.raises(Exception, match="the connection was lost"):
        registration(client, fast, tmp_path).delete()
    assert registration(client, fast, tmp_path).delete().image.step == "deleted"


def test_lost_answer_of_the_create(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """The Node that was created without our knowing is taken for ours."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    api.faults.append(Fault("POST", "/api/v1/nodes$", after=True))
    with pytest.raises(Exception, match="the connection was lost"):
        registration(client, fast, tmp_path).precreate()
    assert registration(client, fast, tmp_path).precreate().image.new_uid == api.store.objects[PATH]["metadata"]["uid"]


def test_node_changed_behind_our_back_is_not_deleted(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """Another uid: refused before anything is sent."""
    registration(client, fast, tmp_path).capture()
    api.store.objects[PATH]["metadata"]["uid"] = "another"
    cordon(api)
    with pytest.raises(RefusedError, match="somebody registered the node anew meanwhile"):
        registration(client, fast, tmp_path).delete()
    assert api.count("DELETE") == 0


def test_undrained_or_schedulable_node_is_not_deleted(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """Both are refused, in this order."""
    registration(client, fast, tmp_path).capture()
    with pytest.raises(RefusedError, match="is not cordoned"):
        registration(client, fast, tmp_path).delete()
    cordon(api)
    api.store.add(PODS, bound_pod("web-0"))
    with pytest.raises(RefusedError, match=r"still runs 1 pods \(default/web-0\)"):
        registration(client, fast, tmp_path).delete()
    assert api.count("DELETE") == 0


def test_remains_that_do_not_go_are_named(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """A blocked garbage collector: the Lease of the old uid stays."""
    world.collects = False
    registration(client, fast, tmp_path).capture()
    cordon(api)
    with pytest.raises(WaitTimeoutError, match="there is still its lease"):
        registration(client, fast, tmp_path).delete()


def test_no_block_is_said_in_the_allocators_words(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """CIDRNotAvailable is an event of type Normal."""
    world.blocks = []
    event = {
        "metadata": {"name": "e"},
        "type": "Normal",
        "reason": "CIDRNotAvailable",
        "involvedObject": {"kind": "Node", "name": "w1"},
    }
    api.store.add("/api/v1/namespaces/default/events", event)
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    with pytest.raises(WaitTimeoutError, match="CIDRNotAvailable"):
        registration(client, fast, tmp_path).precreate()


def test_unfit_block_is_given_back_for_another(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """The block of an overlapping Node is refused as long as no kubelet uses it, and the next one taken."""
    api.store.add("/api/v1/nodes", node("w2", podCIDRs=["10.244.5.0/24"], podCIDR="10.244.5.0/24"))
    world.blocks = ["10.244.5.0/24", "10.244.6.0/24"]
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    outcome = registration(client, fast, tmp_path).precreate()
    assert outcome.node is not None and outcome.node["spec"]["podCIDRs"] == ["10.244.6.0/24"]


def test_block_out_of_range_is_refused_in_the_end(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """The Node stays cordoned and the sentence says what is wrong."""
    world.blocks = ["10.99.0.0/24"] * 9
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    with pytest.raises(RefusedError, match=r"10\.99\.0\.0/24 is outside the cluster CIDR 10\.244\.0\.0/16"):
        registration(client, fast, tmp_path).precreate()
    assert api.store.objects[PATH]["spec"]["unschedulable"] is True


def test_another_machine_takes_the_name(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """Its machine-id tells."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    registration(client, fast, tmp_path).precreate()
    world.start_kubelet("m2")
    with pytest.raises(RefusedError, match="another machine"):
        registration(client, fast, tmp_path).register()


def test_lease_of_the_old_uid_is_not_enough(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """A running kubelet keeps renewing the Lease of a Node that is gone."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    registration(client, fast, tmp_path).precreate()
    world.start_kubelet()
    world.collects = False
    world.lease("the old uid")
    with pytest.raises(WaitTimeoutError, match="no Lease of the new Node"):
        registration(client, fast, tmp_path).register()


def test_what_the_kubelet_dropped_is_restored(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """A Node that a kubelet created itself: labels, annotations and taints come back, other values stay."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    registration(client, fast, tmp_path).precreate()
    world.start_kubelet()
    present = api.store.objects[PATH]
    present["metadata"]["labels"] = {"kubernetes.io/hostname": "other"}
    present["metadata"]["annotations"] = {}
    present["spec"]["taints"] = [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    outcome = registration(client, fast, tmp_path).restore()
    assert outcome.changed
    assert present["metadata"]["labels"] == {"kubernetes.io/hostname": "other", "rack": "r1"}
    assert present["metadata"]["annotations"] == {"example.com/note": "keep"}
    assert {taint["key"] for taint in present["spec"]["taints"]} == {"node.kubernetes.io/not-ready", "dedicated"}
    assert outcome.warnings == ["label kubernetes.io/hostname is 'other', was 'w1'"]


def test_check_mode_writes_nothing(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """All steps in a row, without a before-image on disk."""
    made = registration(client, fast, tmp_path / "state", check_mode=True)
    changes = [made.capture(), made.delete(), made.precreate(), made.register(), made.restore()]
    assert [one.changed for one in changes] == [True, True, True, False, False]
    assert {request.method for request in api.requests} == {"GET"}
    assert not (tmp_path / "state").exists()


def question(host: str, machine_id: str, boot_id: str) -> HostQuestion:
    """What a host with a kubelet and crictl says of itself."""
    return HostQuestion(
        host,
        f"machine-id {machine_id}\nboot-id {boot_id}\nunit kubelet active enabled\ncrictl-command crictl\ncrictl ok\n",
    )


def test_host_identity(api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path) -> None:
    """The wrong machine, and the right one after an unknown boot: nothing is written."""
    with pytest.raises(RefusedError, match="its machine-id is m9, the Node's is m1"):
        registration(client, fast, tmp_path).capture(question("web9", "m9", "b1"))
    with pytest.raises(RefusedError, match="boot-id"):
        registration(client, fast, tmp_path).capture(question("w1", "m1", "b9"))
    assert list(tmp_path.iterdir()) == []
    captured = registration(client, fast, tmp_path).capture(question("w1", "M1", "b1"))
    assert captured.changed and captured.host is not None and captured.host.unit.name == "kubelet"


def test_files_that_are_not_ours(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """A foreign file and a file of another cluster: refused with its path."""
    path = Path(before_image.path_of(str(tmp_path), "w1"))
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="is not a before-image"):
        registration(client, fast, tmp_path).capture()
    path.unlink()
    registration(client, fast, tmp_path).capture()
    api.store.objects["/api/v1/namespaces/kube-system"]["metadata"]["uid"] = "cluster-2"
    with pytest.raises(RefusedError, match="about another cluster"):
        registration(client, fast, tmp_path).delete()


def test_giving_up_before_the_deletion_puts_the_image_aside(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """After captured it may be put aside, after deleted it may not."""
    registration(client, fast, tmp_path).capture()
    registration(client, fast, tmp_path).complete()
    registration(client, fast, tmp_path).capture()
    cordon(api)
    registration(client, fast, tmp_path).delete()
    with pytest.raises(RefusedError, match="has only reached 'deleted'"):
        registration(client, fast, tmp_path).complete()


def test_what_people_change_during_the_drain_comes_back(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path
) -> None:
    """Labels, annotations and taints are those of the moment of the deletion, also for a process that goes on later."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    present = api.store.objects[PATH]
    present["metadata"]["labels"]["rack"] = "r2"
    present["metadata"]["annotations"].pop("example.com/note")
    present["spec"]["taints"] = [
        {"key": "theirs", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},
    ]
    registration(client, fast, tmp_path).delete()
    assert before_image.load(str(tmp_path), "w1").was_unschedulable is False  # type: ignore[union-attr]
    made = registration(client, fast, tmp_path).precreate().node
    assert made is not None and made["metadata"]["labels"]["rack"] == "r2"
    assert made["metadata"].get("annotations", {}) == {} and made["spec"]["unschedulable"] is True
    assert made["spec"]["taints"] == [{"key": "theirs", "effect": "NoSchedule"}]


def test_change_at_the_moment_of_the_deletion(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the version that was looked at is deleted: a label that comes in between is kept, an uncordoning refused."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    late: list[dict[str, Any]] = [{"labels": {"late": "yes"}}]
    plain = client.delete

    def interfered(path: str, **options: Any) -> Any:
        if path == PATH and late:
            client.patch(PATH, {"metadata": late.pop()})
        return plain(path, **options)

    monkeypatch.setattr(client, "delete", interfered)
    assert registration(client, fast, tmp_path).delete().changed
    made = registration(client, fast, tmp_path).precreate().node
    assert made is not None and made["metadata"]["labels"]["late"] == "yes"


def test_node_that_is_uncordoned_at_the_moment_of_the_deletion(
    api: FakeApi, client: KubeClient, fast: FastClock, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pods may come to it: it stays."""
    registration(client, fast, tmp_path).capture()
    cordon(api)
    plain = client.delete

    def interfered(path: str, **options: Any) -> Any:
        client.patch(PATH, {"spec": {"unschedulable": None}})
        return plain(path, **options)

    monkeypatch.setattr(client, "delete", interfered)
    with pytest.raises(RefusedError, match="not cordoned"):
        registration(client, fast, tmp_path).delete()
    assert PATH in api.store.objects
