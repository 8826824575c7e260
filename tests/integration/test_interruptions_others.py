"""Others in the middle of a rolling run: another machine, a second run, a person at the same Node, a thief of blocks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import faults
from harness.holds import HOLDS
from harness.playbook import PlaybookRun
from harness.rolling_scene import Scene, Scenes, assert_succeeded, at_host
from harness.stepped_run import Handler, StepEvent, SteppedRun, descendants
from harness.waiting import wait_until
from testbed.hosts import drift

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

DRAIN = "Cordon and drain"
STOP = "Stop the kubelet"
DELETE = "Delete the Node and wait until everything that belonged to it is gone"
CREATE = "Create the Node anew, cordoned, and wait for its podCIDRs"
START = "Remove what pods and CNI left on the host, and start the kubelet"
JOURNAL = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-reassign-pod-cidrs"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-reassign-pod-cidrs"
PROCESS = "podnet.upkeep/process"
BLOCKS = 8


@pytest.fixture(scope="module")
def scenes() -> Iterator[Scenes]:
    """A cluster with a pool of eight blocks; a new one after a case that has failed."""
    with Scenes("others", cluster_cidr="10.121.0.0/21") as scenes:
        yield scenes


@pytest.fixture
def scene(scenes: Scenes) -> Iterator[Scene]:
    """Two hosts."""
    with scenes.healthy() as scene:
        yield scene


def at(task: str, action: Callable[[SteppedRun], object]) -> Handler:
    """A handler that does something when h1 is at the start of a task, for the first time."""
    done: list[StepEvent] = []

    def handle(run: SteppedRun, event: StepEvent, host: str) -> None:
        if event.step.task == task and event.kind == "start" and host == "h1" and not done:
            done.append(event)
            action(run)

    return at_host(["h1", "h2", "localhost"], handle)


def kill_at(scene: Scene, task: str, **variables: Any) -> None:
    """Run the command until h1 is at the start of a task, and kill everything."""
    run = scene.start(at(task, lambda run: run.kill(tree=True)), **variables)
    assert run.finish().returncode == -9
    assert run.killed_at is not None


def assert_refused(done: PlaybookRun, *words: str) -> None:
    """The run stopped by itself, and its words say why."""
    assert done.returncode not in (0, -9), done.output
    assert "Traceback" not in done.output, done.output
    for word in words:
        assert word in done.flat_output, f"{word!r} is not in:\n{done.output}"


def test_another_machine_goes_on_when_the_lease_is_expired(scene: Scene, tmp_path: Path) -> None:
    """With nothing but the cluster's journal: refused while the first machine may live, then on request, to the end."""
    scene.drift("h1")
    with scene.safe():
        before = scene.uids()
        kill_at(scene, START)
        precreated = scene.uids()["h1"]
        lease = scene.testbed.client.get(LEASE)
        holder = lease["spec"]["holderIdentity"]
        elsewhere = {"reassign_pod_cidrs_state_dir": str(tmp_path / "elsewhere")}
        assert_refused(scene.run(**elsewhere), holder)
        assert scene.uids()["h1"] == precreated
        scene.testbed.client.patch(LEASE, {"spec": {"leaseDurationSeconds": 1}})
        assert_refused(scene.run(**elsewhere), holder, "take_over")
        assert_succeeded(scene.run(**elsewhere, reassign_pod_cidrs_take_over=True))
    assert before["h1"] != precreated == scene.uids()["h1"], "it was begun from the start again"
    assert list((tmp_path / "elsewhere").glob("*.json")) == []
    left = sorted(path.name for path in scene.state_dir.glob("*.json"))
    scene.wait_healthy({"run": {**scene.healthy["run"], "images on the controller": left}})
    # the first machine still has its before-image: it must see that the Node is done, and begin anew when there is need
    assert_succeeded(scene.run())
    assert scene.uids()["h1"] == precreated
    scene.drift("h1")
    with scene.safe():
        assert_succeeded(scene.run())
    assert scene.uids()["h1"] != precreated
    scene.wait_healthy()


@pytest.mark.long
def test_a_run_that_wakes_up_without_its_lease_touches_nothing(scene: Scene, tmp_path: Path) -> None:
    """Suspended while it drains; another machine takes over, stops the kubelet and deletes the Node; then it wakes up."""
    scene.drift("h1")
    eviction = next(hold for hold in HOLDS if hold.name == "eviction")
    elsewhere = {"reassign_pod_cidrs_state_dir": str(tmp_path / "elsewhere"), "reassign_pod_cidrs_take_over": True}

    with scene.safe():
        before = scene.uids()["h1"]
        eviction.begin(scene.testbed, "h1")
        first = scene.start(reassign_pod_cidrs_lease_seconds=30)
        wait_until("h1 is cordoned and drained", lambda: scene.node("h1")["spec"].get("unschedulable"))
        tell(first, signal.SIGSTOP)
        try:
            eviction.end(scene.testbed, "h1")
            # nobody on another machine sees whether its process lives, and the time of the Lease is over
            expired = {"metadata": {"annotations": {PROCESS: None}}, "spec": {"leaseDurationSeconds": 1}}
            scene.testbed.client.patch(LEASE, expired)
            kill_at(scene, CREATE, **elsewhere)
            theirs = scene.testbed.client.get(LEASE)
            journal = scene.testbed.client.get(JOURNAL)
            assert scene.testbed.client.find("/api/v1/nodes/h1") is None and not kubelet_is(scene, "active")
        finally:
            tell(first, signal.SIGCONT)
        done = first.finish()
        assert_refused(
            done, theirs["spec"]["holderIdentity"], "Nothing was undone, neither on its host", "The node is theirs now"
        )
        assert not kubelet_is(scene, "active") and not kubelet_is(scene, "enabled")
        assert scene.testbed.client.find("/api/v1/nodes/h1") is None
        assert scene.testbed.client.get(LEASE) == theirs and scene.testbed.client.get(JOURNAL) == journal
        assert_succeeded(scene.run(**elsewhere))
    assert scene.uids()["h1"] != before
    left = sorted(path.name for path in scene.state_dir.glob("*.json"))
    scene.wait_healthy({"run": {**scene.healthy["run"], "images on the controller": left}})


@pytest.mark.long
def test_a_host_that_a_task_file_does_not_reach(scene: Scene, tmp_path: Path) -> None:
    """Before the drain the node is left as it was; behind it the node stays cordoned; the Lease lasts while a file runs."""
    scene.drift("h1")
    cut, fine = tmp_path / "cut.yml", tmp_path / "fine.yml"
    fine.write_text("- ansible.builtin.raw: sleep 5\n", encoding="utf-8")
    beside = "- ansible.builtin.debug:\n    msg: passed over\n"
    cut.write_text(f'- ansible.builtin.raw: "true"\n  vars: {{ansible_port: 1}}\n{beside}', encoding="utf-8")
    before = scene.uids()["h1"]
    with scene.safe():
        done = scene.run(reassign_pod_cidrs_pre_node_tasks=str(cut))
        assert_refused(done, "cut.yml: a host that its tasks run on cannot be reached", "The node is as it was before")
        assert "passed over" not in done.output and "The lock is given back." in done.flat_output
        assert scene.uids()["h1"] == before and not scene.node("h1")["spec"].get("unschedulable")
        done = scene.run(reassign_pod_cidrs_post_node_tasks=str(cut))
        assert_refused(done, "cut.yml: a host that its tasks run on cannot be reached", "The node stays cordoned")
        assert scene.node("h1")["spec"].get("unschedulable")
        lease = scene.testbed.client.get(LEASE)["spec"]
        assert lease["holderIdentity"] and lease["leaseDurationSeconds"] == 300
        last = scene.start(reassign_pod_cidrs_post_node_tasks=str(fine), reassign_pod_cidrs_hook_seconds="1234")
        wait_until(
            "the Lease lasts for the task file",
            lambda: scene.testbed.client.get(LEASE)["spec"]["leaseDurationSeconds"] == 1234,
        )
        assert_succeeded(last.finish())
    assert scene.uids()["h1"] != before
    scene.wait_healthy()


def tell(run: SteppedRun, number: int) -> None:
    """Send a signal to ansible-playbook and to all that it has started."""
    os.kill(run.process.pid, number)
    for pid in descendants(run.process.pid):
        os.kill(pid, number)


def kubelet_is(scene: Scene, state: str) -> bool:
    """Whether systemd says this of the unit on h1."""
    answer = faults.in_guest(scene.testbed, "h1", f"systemctl is-{state} kubelet || true")
    return answer.stdout.strip() == state


@pytest.mark.parametrize("where", ["another-machine", "the-same-machine"])
def test_the_second_of_two_runs_refuses(scene: Scene, tmp_path: Path, where: str) -> None:
    """While the first drains: the second names who holds the lock, and changes nothing."""
    scene.drift("h1", "h2")
    second: list[PlaybookRun] = []
    folder = tmp_path / "elsewhere" if where == "another-machine" else scene.state_dir

    def run_second(_run: SteppedRun) -> None:
        second.append(scene.run(reassign_pod_cidrs_state_dir=str(folder)))

    with scene.safe():
        before = scene.uids()
        assert_succeeded(scene.run(at(STOP, run_second)))
    holder = (scene.state_dir / "holder").read_text(encoding="utf-8").strip()
    assert_refused(second[0], holder)
    assert all(before[host] != uid for host, uid in scene.uids().items())
    scene.wait_healthy()


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed"])
def test_a_persons_cordon_is_kept(scene: Scene, killed: bool) -> None:
    """A Node that a person had cordoned is cordoned afterwards, also after a kill in between."""
    scene.drift("h1")
    scene.testbed.client.patch("/api/v1/nodes/h1", {"spec": {"unschedulable": True}})
    before = scene.uids()["h1"]
    with scene.safe() as watch:
        if killed:
            kill_at(scene, START)
        assert_succeeded(scene.run())
    versions = [sight.body for sight in watch.sights if sight.name == "h1" and sight.kind == "Node"]
    assert all(body["spec"].get("unschedulable") for body in versions), "it was schedulable in between"
    assert scene.uids()["h1"] != before
    nodes = {**scene.healthy["nodes"], "h1": {**scene.healthy["nodes"]["h1"], "unschedulable": True}}
    scene.wait_healthy({"nodes": nodes})
    scene.testbed.client.patch("/api/v1/nodes/h1", {"spec": {"unschedulable": None}})
    scene.wait_healthy()


def test_a_node_that_somebody_else_registered_anew_is_refused(scene: Scene) -> None:
    """Between a kill and the next command somebody registers the Node by hand: it is not the captured one any more."""
    scene.drift("h1")
    with scene.safe():
        kill_at(scene, STOP)
    drift.make_drifted(scene.testbed, "h1", ("10.200.17.0/24",))
    theirs = scene.testbed.client.patch("/api/v1/nodes/h1", {"metadata": {"labels": {"theirs": "yes"}}})
    done = scene.run()
    assert_refused(done, "h1", theirs["metadata"]["uid"], "somebody")
    found = scene.node("h1")
    assert found["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert found["metadata"]["labels"] == theirs["metadata"]["labels"]


def test_what_a_person_changes_during_the_drain_is_not_lost(scene: Scene) -> None:
    """A label that comes, one that changes and a taint, after the before-image was taken and before the deletion."""
    scene.drift("h1")

    def change(_run: SteppedRun) -> None:
        labels = {"metadata": {"labels": {"rack": "r2", "during": "drain"}}}
        scene.testbed.client.patch("/api/v1/nodes/h1", labels)

    done = scene.run(at(DELETE, change))
    found = scene.node("h1")["metadata"]["labels"]
    assert (found.get("rack"), found.get("during")) == ("r2", "drain"), "what the person wanted is lost"
    if done.returncode != 0:
        assert_refused(done, "h1", "changed")
        assert scene.node("h1")["spec"].get("unschedulable")
        assert_succeeded(scene.run())
    found = scene.node("h1")["metadata"]["labels"]
    assert (found.get("rack"), found.get("during")) == ("r2", "drain"), "what the person wanted is lost"
    scene.testbed.client.patch("/api/v1/nodes/h1", {"metadata": {"labels": {"rack": "r1", "during": None}}})
    scene.wait_healthy()


def test_a_stolen_block_stops_the_run_with_the_node_cordoned(scene: Scene) -> None:
    """Nodes that come in mid-run take every block: the run says so, the Node stays cordoned, and it can go on later."""
    scene.drift("h1")
    thieves: list[str] = []

    def steal(_run: SteppedRun) -> None:
        taken = len([node for node in scene.testbed.client.list("/api/v1/nodes") if has_block_of_pool(node)])
        thieves.extend(scene.testbed.kwok.create_nodes(BLOCKS - taken + 1, prefix="thief"))
        wait_until("the pool is empty", lambda: refused(scene))

    with scene.safe():
        done = scene.run(at(CREATE, steal), reassign_pod_cidrs_cidr_timeout=8)
        assert_refused(done, "h1", "CIDRNotAvailable", "stays cordoned", "same command again")
        assert scene.node("h1")["spec"].get("unschedulable") is True
        assert not scene.node("h1")["spec"].get("podCIDR")
        for name in thieves:
            scene.testbed.client.delete(f"/api/v1/nodes/{name}")
        assert_succeeded(scene.run())
    scene.wait_healthy()


def test_a_waiting_node_and_a_full_pool_are_refused_before_anything_is_touched(scene: Scene) -> None:
    """The freed block would go to whoever waits: so nothing is freed."""
    scene.drift("h1")
    taken = len([node for node in scene.testbed.client.list("/api/v1/nodes") if has_block_of_pool(node)])
    others = scene.testbed.kwok.create_nodes(BLOCKS - taken + 1, prefix="full")
    wait_until("the pool is empty", lambda: refused(scene))
    before = scene.uids()
    done = scene.run(reassign_pod_cidrs_nodes=["h1"])
    assert_refused(done, "h1", "no IPv4 block would be left", "nothing was changed")
    assert scene.uids() == before
    assert not scene.node("h1")["spec"].get("unschedulable")
    for name in others:
        scene.testbed.client.delete(f"/api/v1/nodes/{name}")
    assert_succeeded(scene.run())
    scene.wait_healthy()


def has_block_of_pool(node: dict[str, Any]) -> bool:
    """Whether a Node has a block of the cluster's range."""
    return str(node["spec"].get("podCIDR", "")).startswith("10.121.")


def refused(scene: Scene) -> bool:
    """Whether some Node has no block and the controller-manager has said that there is none."""
    waiting = [node for node in scene.testbed.client.list("/api/v1/nodes") if not node["spec"].get("podCIDR")]
    events = scene.testbed.client.list(
        "/api/v1/namespaces/default/events", params={"fieldSelector": "reason=CIDRNotAvailable"}
    )
    names = {event["involvedObject"]["name"] for event in events}
    return any(node["metadata"]["name"] in names for node in waiting)
