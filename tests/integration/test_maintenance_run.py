"""Lock and journal of a run on the real API server: with real playbooks, its own clock, RBAC and its audit log."""

from __future__ import annotations

import collections
import concurrent.futures
import io
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_heartbeat import Heartbeat
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import (
    LeaseLostError,
    RunLease,
    last_write,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import RUNS, not_beside
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permissions import (
    RunPermission,
    rules_of,
    run_permissions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for
from ansible_collections.podnet.upkeep.plugins.modules import maintenance_run
from harness.playbook import command, environment
from harness.starting_runs import starters
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, Testbed, TestbedSpec

pytestmark = pytest.mark.testbed

NAMESPACE = "kube-system"
REPAIR = "repair"
RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A control plane."""
    spec = TestbedSpec(
        f"maintenance-run-{os.getpid()}", control_plane=ControlPlaneSpec(cluster_cidrs=("10.147.0.0/16",))
    )
    with Testbed.up(spec) as made:
        yield made


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Each test has a run of its own."""
    return "".join(one if one.isalnum() else "-" for one in request.node.name.lower())[:60].strip("-")


class Machine:
    """Runs the module as one machine (`state_dir`) with the credentials of a kubeconfig."""

    def __init__(self, kubeconfig: Path, state_dir: Path, name: str) -> None:
        self.kubeconfig, self.state_dir, self.name = kubeconfig, state_dir, name

    def __call__(self, state: str, **options: Any) -> dict[str, Any]:
        given = {
            "kubeconfig": str(self.kubeconfig),
            "state_dir": str(self.state_dir),
            "name": self.name,
            "state": state,
            **options,
        }
        out = io.StringIO()
        with patch_module_args(given), redirect_stdout(out), pytest.raises(SystemExit):
            maintenance_run.main()
        printed: dict[str, Any] = json.loads(out.getvalue())
        return printed


@pytest.fixture
def machine(testbed: Testbed, tmp_path: Path, name: str) -> Machine:
    """An administrator's."""
    return Machine(testbed.kubeconfig, tmp_path / "one", name)


@pytest.fixture
def client(testbed: Testbed) -> KubeClient:
    """The product's client with credentials of the administrator."""
    return KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})


def config_map(name: str) -> str:
    """Path of the journal."""
    return f"/api/v1/namespaces/{NAMESPACE}/configmaps/podnet-upkeep-{name}"


def secret(name: str) -> str:
    """Path of the before-images."""
    return f"/api/v1/namespaces/{NAMESPACE}/secrets/podnet-upkeep-{name}-images"


def lease(name: str) -> str:
    """Path of the lock."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/podnet-upkeep-{name}"


def is_held(testbed: Testbed, name: str) -> bool:
    """Whether somebody has the lock."""
    return bool(((testbed.client.find(lease(name)) or {}).get("spec") or {}).get("holderIdentity"))


def expire(testbed: Testbed, name: str) -> None:
    """Let the Lease run out: its duration is set to one second, which is a write like any other, and that passes."""
    testbed.client.patch(lease(name), {"spec": {"leaseDurationSeconds": 1}})
    time.sleep(2.2)


# -- playbooks -------------------------------------------------------------------------------------------------------


def playbook(tmp_path: Path, machine: Machine, *, seconds: int) -> Path:
    """One that takes the lock, works for a while, and gives it back."""
    options = {"kubeconfig": str(machine.kubeconfig), "state_dir": str(machine.state_dir), "name": machine.name}
    module = "podnet.upkeep.maintenance_run"
    tasks = [
        {module: {**options, "state": "started"}, "register": "run"},
        {"ansible.builtin.debug": {"msg": "{{ run.resumed }} STARTED"}},
        {
            module: {
                **options,
                "state": "recorded",
                "holder": "{{ run.holder }}",
                "node": "w1",
                "entry": {"step": "deleted"},
            }
        },
        {"ansible.builtin.command": {"argv": ["sleep", str(seconds)]}, "changed_when": False},
        {module: {**options, "state": "finished", "holder": "{{ run.holder }}"}},
    ]
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": tasks,
    }
    path = tmp_path / f"run-{seconds}.yml"
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")
    return path


def launch(path: Path) -> subprocess.Popen[str]:
    """Start it."""
    return subprocess.Popen(
        command(str(path)), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )


def test_two_playbooks_at_once_and_one_that_was_killed(
    testbed: Testbed, machine: Machine, tmp_path: Path, name: str
) -> None:
    """From the same machine and another one the second refuses; after kill -9 the same command goes on at once."""
    first = launch(playbook(tmp_path, machine, seconds=60))
    try:
        wait_until(
            "w1 is recorded", lambda: "node.w1" in ((testbed.client.find(config_map(name)) or {}).get("data") or {})
        )
        stored = testbed.client.get(lease(name))
        short = playbook(tmp_path, machine, seconds=0)
        second = launch(short)
        elsewhere = launch(playbook(tmp_path, Machine(machine.kubeconfig, tmp_path / "two", name), seconds=1))
        holder = stored["spec"]["holderIdentity"]
        for process in (second, elsewhere):
            output = " ".join(process.communicate(timeout=60)[0].split())
            assert (
                process.returncode == 2 and f"{holder}, process {first.pid} of this machine holds the Lease" in output
            )
        assert testbed.client.get(lease(name))["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    third = launch(short)
    output = third.communicate(timeout=60)[0]
    assert third.returncode == 0 and "True STARTED" in output, output
    assert testbed.client.get(lease(name))["spec"]["holderIdentity"] == ""
    assert json.loads(testbed.client.get(config_map(name))["data"]["run"])["resumes"]["holder"] == holder


# -- the lock ----------------------------------------------------------------------------------------------------------


def test_expired_lease(testbed: Testbed, machine: Machine, tmp_path: Path, name: str) -> None:
    """Taken over on request only, by the clock of the API server; the one that had it may not go on."""
    first = machine("started")["holder"]
    assert machine("recorded", holder=first, node="w1", entry={"step": "deleted"})["changed"]
    other = Machine(machine.kubeconfig, tmp_path / "two", name)
    assert f"{first} holds the Lease" in other("started", take_over=True)["msg"]
    expire(testbed, name)
    assert "take_over" in other("started")["msg"]
    # our clock says that it was renewed in a hundred years, or long ago; neither matters
    for renewed in ("2126-01-01T00:00:00.000000Z", "2001-01-01T00:00:00.000000Z"):
        testbed.client.patch(lease(name), {"spec": {"renewTime": renewed, "leaseDurationSeconds": 300}})
        assert "Another run is under way" in other("started", take_over=True)["msg"]
    expire(testbed, name)
    second = other("started", take_over=True)
    assert second["resumed"] and second["unfinished_nodes"] == ["w1"], second
    for state, options in (("checkpoint", {}), ("recorded", {"node": "w1", "entry": {"step": "x"}})):
        lost = machine(state, holder=first, **options)
        assert lost["failed"] and f"held by {second['holder']} now" in lost["msg"]
    assert not machine("finished", holder=first)["changed"]
    assert machine("inspected")["journal"]["nodes"]["w1"]["step"] == "deleted"
    assert testbed.client.get(lease(name))["spec"]["leaseTransitions"] == 1


def test_lease_that_is_lost_in_a_wait_ends_it(testbed: Testbed, client: KubeClient, name: str) -> None:
    """And one that is kept was renewed meanwhile."""
    lock = RunLease(client, name, NAMESPACE, "me", 5)
    lock.acquire()
    before = last_write(testbed.client.get(lease(name)))
    started = time.monotonic()

    def probe() -> Pending:
        if time.monotonic() - started > 2.5:
            testbed.client.patch(lease(name), {"spec": {"holderIdentity": "somebody"}})
        return Pending("not yet")

    with pytest.raises(LeaseLostError, match="held by somebody now"):
        wait_for("something", probe, timeout=30, interval=0.2, heartbeat=Heartbeat(lock))
    assert (last_write(testbed.client.get(lease(name))) - before).total_seconds() >= 1


def test_many_start_at_the_same_moment(testbed: Testbed, name: str) -> None:
    """One gets the lock, whatever the others read before."""

    def start(number: int) -> str:
        mine = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
        lock = RunLease(mine, name, NAMESPACE, f"holder-{number}")
        try:
            lock.acquire()
        except RefusedError:
            return ""
        return lock.holder

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        winners = [one for one in pool.map(start, range(8)) if one]
    assert len(winners) == 1 and testbed.client.get(lease(name))["spec"]["holderIdentity"] == winners[0]


def test_restart_of_the_api_server_in_mid_run(testbed: Testbed, machine: Machine) -> None:
    """A step that is recorded meanwhile waits for it."""
    holder = machine("started")["holder"]
    testbed.control_plane.stop_component("kube-apiserver")

    def start_again() -> None:
        time.sleep(1)
        testbed.control_plane.start_component("kube-apiserver")

    thread = threading.Thread(target=start_again)
    thread.start()
    recorded = machine("recorded", holder=holder, node="w1", entry={"step": "deleted"})
    thread.join()
    assert recorded.get("changed"), recorded
    wait_until("the API server is ready", lambda: testbed.client.get("/version"))
    assert machine("finished", holder=holder)["changed"]


PAIRS = [(one, other) for one, other in itertools.combinations(sorted(RUNS), 2) if other in not_beside(one)]


def test_two_kinds_that_start_at_the_same_moment(testbed: Testbed) -> None:
    """Never do both begin; whoever is refused names the other one, leaves no Lease, and may start when that one has ended."""
    generator = random.Random(20)
    outcomes: collections.Counter[int] = collections.Counter()
    with starters(testbed.kubeconfig, 2) as both:
        for _round in range(60):
            kinds = list(generator.choice(PAIRS))
            generator.shuffle(kinds)
            soon = time.time() + 0.01
            for starter, kind in zip(both, kinds, strict=True):
                starter.start(kind, soon + generator.random() * 0.02)
            refusals = [starter.refusal() for starter in both]
            begun = [number for number, refusal in enumerate(refusals) if not refusal]
            assert len(begun) < 2, f"{kinds} have both begun"
            outcomes[len(begun)] += 1
            for number, refusal in enumerate(refusals):
                other = f"starter-{1 - number} #"
                assert not refusal or (other in refusal and f"podnet-upkeep-{kinds[1 - number]} " in refusal), refusal
            assert [kind for kind in kinds if is_held(testbed, kind)] == [kinds[number] for number in begun]
            for number in begun:
                both[number].end()
        print(f"begun of two: {dict(outcomes)}")
        assert outcomes[1] > 0
        both[0].start("retire-nodes", 0.0)
        assert both[0].refusal() == ""
        both[0].end()


# -- the journal -------------------------------------------------------------------------------------------------------


def a_hundred_nodes() -> Iterator[BeforeImage]:
    """Before-images of Nodes with what kubelets write: images, conditions, annotations of several agents."""
    for number in range(100):
        images = [
            {"names": [f"registry.example.com/team-{n}/app-{number}-{n}@sha256:{n:064x}"], "sizeBytes": n * 7919}
            for n in range(50)
        ]
        node = {
            "metadata": {
                "name": f"worker-{number:03}.example.com",
                "uid": f"{number:08x}-0000-0000-0000-000000000000",
                "labels": {f"example.com/label-{n}": f"value-{number}-{n}" for n in range(20)},
                "annotations": {f"example.com/note-{n}": f"text {number} " * 10 for n in range(10)},
                "managedFields": [{"manager": "kubelet", "fieldsV1": {f"f:field-{n}": {} for n in range(200)}}],
            },
            "spec": {"podCIDRs": [f"10.200.{number}.0/24"]},
            "status": {"images": images},
        }
        pods = [f"default/agent-{number}-{n}" for n in range(5)]
        yield BeforeImage(node, "c1", False, pods, [], {"lease": "u"}, [], "2026-11-01T00:00:00Z")


def test_journal_of_a_hundred_nodes_is_bounded(testbed: Testbed, client: KubeClient, name: str) -> None:
    """Also when all their before-images are there at once; each can be read; both objects are far from their limits."""
    journal = Journal(client, name, NAMESPACE)
    journal.begin({"holder": "me"})
    images = list(a_hundred_nodes())
    for image in images:
        journal.save_image(image)
        history = [{"step": step, "time": "2026-11-01T00:00:00Z"} for step in ("captured", "deleted", "restored")]
        journal.record(image.name, {"step": "deleted", "old_uid": image.uid, "new_uid": image.uid, "history": history})
    assert all(journal.load_image(image.name) == image for image in (images[0], images[99]))
    stored = {
        path: sum(map(len, testbed.client.get(path)["data"].values())) for path in (config_map(name), secret(name))
    }
    print(f"a hundred Nodes: {stored}")
    assert stored[config_map(name)] < 64_000 and stored[secret(name)] < 500_000
    for image in images[:99]:
        journal.record(image.name, {"step": "completed"})
        journal.drop_image(image.name)
    journal.begin({"holder": "me"})
    state = journal.load()
    assert state is not None and state.unfinished() == [images[99].name] == list(state.nodes)
    assert list(testbed.client.get(secret(name))["data"]) == [f"node.{images[99].name}"]


def test_journal_that_is_full_stays_usable(client: KubeClient, name: str) -> None:
    """The API server takes what we think it takes, and what is done leaves room for what is not."""
    journal = Journal(client, name, NAMESPACE)
    journal.begin({"holder": "me"})
    for number in range(80):
        journal.record(f"w{number}", {"step": "completed", "at": f"{number:04}", "filler": "x" * 15_000})
    journal.record("out", {"step": "deleted"})
    state = journal.load()
    assert state is not None and state.unfinished() == ["out"] and "w79" in state.nodes and "w0" not in state.nodes


def test_stop_switch_and_window(testbed: Testbed, machine: Machine, name: str) -> None:
    """Asked before each Node; a person's switch holds until a person takes it back, with the commands that we name."""
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    holder = machine("started", window_end=soon)["holder"]
    assert machine("checkpoint", holder=holder)["may_continue"]
    wait_until("the window is over", lambda: not machine("checkpoint", holder=holder)["may_continue"])
    assert machine("checkpoint", holder=holder)["reason"].startswith("The window ended at ")
    testbed.client.patch(config_map(name), {"data": {"stop": "true"}})
    assert machine("recorded", holder=holder, node="w1", entry={"step": "deleted"})["changed"]
    assert "switch stop" in machine("checkpoint", holder=holder)["reason"]
    assert machine("stopped", holder=holder)["changed"]
    refused = machine("started")
    assert refused["failed"] and '{"data": {"stop": "false"}}' in refused["msg"]
    testbed.client.patch(config_map(name), {"data": {"stop": "false"}})
    again = machine("started")
    assert again["resumed"] and again["may_continue"]


@pytest.mark.parametrize("damage", ["deleted", "run deleted", "run damaged", "node damaged", "emptied"])
def test_what_a_person_does_to_the_journal(testbed: Testbed, machine: Machine, name: str, damage: str) -> None:
    """The Node under way is brought to its end, no other is begun, and the sentence says why."""
    holder = machine("started")["holder"]
    assert machine("recorded", holder=holder, node="w1", entry={"step": "deleted"})["changed"]
    if damage == "deleted":
        testbed.client.delete(config_map(name))
        testbed.client.find(secret(name))
    elif damage == "emptied":
        testbed.client.patch(config_map(name), [{"op": "remove", "path": "/data"}], "application/json-patch+json")
    else:
        key, _space, what = damage.partition(" ")
        value = None if what == "deleted" else "{"
        testbed.client.patch(config_map(name), {"data": {"run" if key == "run" else "node.w9": value}})
    assert machine("recorded", holder=holder, node="w1", entry={"step": "precreated"})["changed"]
    asked = machine("checkpoint", holder=holder)
    assert not asked["may_continue"] and asked["unfinished_nodes"] == ["w1"], asked
    assert ("not what a run writes" if "damaged" in damage else "deleted the journal") in asked["reason"]
    assert machine("stopped", holder=holder)["changed"]


def test_before_images_that_a_person_damages(testbed: Testbed, client: KubeClient, name: str) -> None:
    """A deleted Secret is written again with the next step; damage is one sentence."""
    journal = Journal(client, name, NAMESPACE)
    image = next(a_hundred_nodes())
    journal.save_image(image)
    testbed.client.delete(secret(name))
    assert journal.load_image(image.name) is None
    journal.drop_image(image.name)
    journal.save_image(image.at("deleting"))
    loaded = journal.load_image(image.name)
    assert loaded is not None and loaded.step == "deleting"
    testbed.client.patch(secret(name), {"data": {f"node.{image.name}": "AAAA"}})
    with pytest.raises(Exception, match="cannot be read; use the file of the machine"):
        journal.load_image(image.name)


def test_another_machine_goes_on(testbed: Testbed, machine: Machine, client: KubeClient, tmp_path: Path) -> None:
    """With nothing but the cluster: what was begun, how far it got, and the before-image."""
    name = machine.name
    holder = machine("started", plan={"nodes": ["w1", "w2"]}, plan_digest="d1")["holder"]
    image = next(a_hundred_nodes()).at("deleting").at("deleted")
    Journal(client, name, NAMESPACE).save_image(image)
    machine("recorded", holder=holder, node=image.name, entry={"step": "deleted", "old_uid": image.uid})
    expire(testbed, name)
    other = Machine(machine.kubeconfig, tmp_path / "empty", name)
    started = other("started", take_over=True, plan_digest="d1")
    assert started["resumed"] and started["unfinished_nodes"] == [image.name]
    assert started["journal"]["run"]["resumes"]["plan_digest"] == "d1"
    assert Journal(client, name, NAMESPACE).load_image(image.name) == image


# -- permissions and check mode ----------------------------------------------------------------------------------------


def grant(testbed: Testbed, permissions: list[RunPermission]) -> None:
    """Give the user exactly these."""
    subject = {"kind": "User", "name": REPAIR, "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "Role", "name": REPAIR, "apiGroup": "rbac.authorization.k8s.io"}
    rules = rules_of(permissions)
    if testbed.client.find(f"{RBAC}/roles/{REPAIR}") is None:
        testbed.client.create(f"{RBAC}/roles", {"metadata": {"name": REPAIR}, "rules": rules})
        binding = {"metadata": {"name": REPAIR}, "subjects": [subject], "roleRef": reference}
        testbed.client.create(f"{RBAC}/rolebindings", binding)
    testbed.client.patch(f"{RBAC}/roles/{REPAIR}", {"rules": rules})


def in_force(testbed: Testbed, permission: RunPermission, allowed: bool) -> bool:
    """Whether the authorizer knows of it, asked by the administrator."""
    attributes = {
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
        "namespace": NAMESPACE,
        "name": permission.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": REPAIR, "resourceAttributes": attributes},
    }
    answer = testbed.client.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"].get("allowed")) is allowed


def whole_run(machine: Machine, client: KubeClient) -> list[dict[str, Any]]:
    """Everything that lock and journal are used for, to the first failure."""
    results = [machine("started")]
    holder = results[0].get("holder", "")
    journal = Journal(client, machine.name, NAMESPACE)
    image = next(a_hundred_nodes())
    for state, options in (
        ("checkpoint", {}),
        ("recorded", {"node": "w1", "entry": {"step": "completed"}}),
        ("finished", {}),
        ("inspected", {}),
    ):
        if not results[-1].get("failed"):
            results.append(machine(state, holder=holder, **options))
    for _step in range(2):
        journal.save_image(image)
    assert journal.load_image(image.name) == image
    journal.drop_image(image.name)
    results.append(Machine(machine.kubeconfig, machine.state_dir.with_name("two"), machine.name)("started"))
    return results


def test_least_privileges(testbed: Testbed, tmp_path: Path, name: str) -> None:
    """Nine rules in one namespace are enough; without any one of them the API's sentence names exactly that one."""
    kubeconfig = testbed.kubeconfig_for(REPAIR)
    mine = KubeClient.from_options({"kubeconfig": str(kubeconfig)})
    everything = list(run_permissions(name))
    assert len(everything) == 9
    grant(testbed, everything)
    wait_until("the rules are in force", lambda: all(in_force(testbed, one, True) for one in everything))
    machine = Machine(kubeconfig, tmp_path / "one", name)
    results = whole_run(machine, mine)
    assert not [one for one in results if one.get("failed")], results
    assert machine("inspected")["expired"] is False
    for lacking in everything:
        grant(testbed, [one for one in everything if one != lacking])
        wait_until("the rule is out of force", lambda one=lacking: in_force(testbed, one, False))
        for path in (lease(name), config_map(name), secret(name)):
            if testbed.client.find(path):
                testbed.client.delete(path)
        words = ""
        try:
            words = " ".join(one.get("msg", "") for one in whole_run(machine, mine))
        except Exception as error:  # noqa: BLE001 (the journal is used directly as well)
            words = str(error)
        assert f"No permission to {lacking.verb} {lacking.resource}" in words, (lacking, words)


def test_check_mode_writes_nothing(testbed: Testbed, machine: Machine, tmp_path: Path) -> None:
    """By the API server's own audit log: nothing but reads and dry runs."""
    user = "checker"
    kubeconfig = testbed.kubeconfig_for(user, ("system:masters",))
    machine("started", name="held")
    checked = Machine(kubeconfig, tmp_path / "nothing", machine.name)
    for state, options in (
        ("started", {"window_end": "04:00"}),
        ("checkpoint", {}),
        ("recorded", {"node": "w1", "entry": {"step": "deleted"}}),
        ("finished", {}),
        ("stopped", {}),
        ("inspected", {}),
    ):
        assert not checked(state, _ansible_check_mode=True, **options).get("failed")
    refused = checked("started", _ansible_check_mode=True, name="held")
    assert refused["failed"] and "Another run is under way" in refused["msg"]
    lines = testbed.audit_log.read_text(encoding="utf-8").splitlines()
    events = [event for event in map(json.loads, lines) if event["user"]["username"] == user]
    assert {event["verb"] for event in events} == {"get", "create"}
    assert all("dryRun=All" in event["requestURI"] for event in events if event["verb"] == "create")
    assert not (tmp_path / "nothing").exists()
    for path in (lease(machine.name), config_map(machine.name), secret(machine.name)):
        assert testbed.client.find(path) is None
