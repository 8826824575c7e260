"""The protocol by which identities are deleted: mark, wait, prove, delete. Writers come in between at every point."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from snapshots.identity_clusters import ago, endpoint, identity, labelled_pod, security_labels
from unit.fake_api import FakeApi, Fault, Request, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import DeletionLimits
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup import IdentityCleanup
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_marks import is_ours

from .identity_scene import HEARTBEAT, IDENTITIES, Scene, marked


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An empty API."""
    with FakeApi() as api:
        yield Scene(api, tmp_path)


def once(scene: Scene, seconds: float, act: Callable[[], Any]) -> None:
    """Let somebody act when so many seconds have passed."""
    left = [act]

    def at(now: float) -> None:
        if now >= seconds and left:
            left.pop()()

    scene.at = at


def reasons(result: Any) -> dict[str, str]:
    """{name: why it was spared}."""
    return {one.name: reason for one, reason in result.deletion.spared}


def test_marked_first_and_deleted_when_the_grace_is_over(scene: Scene) -> None:
    """The deletion comes 360 seconds after the mark, with uid and resourceVersion of the mark."""
    made = scene.fill(identity(300)).identity(300)
    uid, before = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    seen: list[tuple[str, float, Any]] = []
    scene.api.before_request = lambda one: (
        seen.append((one.method, scene.now, one.body)) if one.method != "GET" else None
    )
    result = scene.run()
    assert not result.deletion.stopped and result.marked == 1 and result.after == 0 and scene.there() == set()
    (patch,) = [one for one in seen if one[0] == "PATCH"]
    (delete,) = [one for one in seen if one[0] == "DELETE"]
    assert patch[2]["metadata"]["uid"] == uid and patch[2]["metadata"]["resourceVersion"] == before
    assert patch[2]["metadata"]["annotations"] == {HEARTBEAT: "2026-11-01T00:00:00.000000Z"}
    assert delete[1] - patch[1] >= 360
    assert delete[2]["preconditions"]["uid"] == uid and delete[2]["preconditions"]["resourceVersion"] != before
    lines = [json.loads(line) for line in Path(result.journal_path).read_text(encoding="utf-8").splitlines()]
    (written,) = [line["object"] for line in lines if line.get("outcome") == "planned"]
    assert written["security-labels"] == security_labels(app="app-300") and written["kind"] == "CiliumIdentity"


def test_old_marks_need_no_wait(scene: Scene) -> None:
    """Those go at once, while the others wait."""
    scene.limits = DeletionLimits(batch_size=1)
    scene.fill(identity(300), marked(identity(301), 60, 60))
    once(scene, 1, lambda: seen.append(scene.there()))
    seen: list[set[str]] = []
    assert not scene.run().deletion.stopped
    assert seen == [{"300"}] and scene.there() == set() and scene.now >= 360


def test_an_agent_that_begins_to_use_it_removes_the_mark(scene: Scene) -> None:
    """Seen by the proof; and marked anew by somebody else it has another resourceVersion, which is as good."""
    scene.fill(identity(300), identity(301), identity(302))

    def agents() -> None:
        scene.unmark(300)
        scene.unmark(301)
        scene.client.patch(f"{IDENTITIES}/301", {"metadata": {"annotations": {HEARTBEAT: "again"}}})

    once(scene, 100, agents)
    result = scene.run()
    assert scene.there() == {"300", "301"} and [one.name for one in result.deletion.deleted] == ["302"]
    assert "its mark was removed" in reasons(result)["300"] and "changed since" in reasons(result)["301"]


def test_rule_6_an_agent_is_quicker_than_the_request(scene: Scene) -> None:
    """The mark is removed after the proof: the API server refuses the deletion, and the run goes on."""
    scene.fill(identity(300), identity(301))

    def unmark(request: Request) -> None:
        if request.method == "DELETE" and request.path.endswith("/300") and HEARTBEAT in str(scene.identity(300)):
            scene.api.store.handle("PATCH", request.path, {}, {"metadata": {"annotations": {HEARTBEAT: None}}})

    scene.api.before_request = unmark
    result = scene.run()
    assert scene.there() == {"300"} and "changed" in reasons(result)["300"] and not result.deletion.stopped


def test_rule_6_another_object_of_the_same_name(scene: Scene) -> None:
    """Deleted and made anew, before and after the mark."""
    scene.fill(identity(300), identity(301))

    def anew(number: int, uid: str) -> None:
        scene.client.delete(f"{IDENTITIES}/{number}")
        made = identity(number)
        made["metadata"]["uid"] = uid
        scene.add("ciliumidentities", made)

    def before_mark(request: Request) -> None:
        if (
            request.method == "PATCH"
            and request.path.endswith("/300")
            and scene.identity(300)["metadata"]["uid"] != "new"
        ):
            anew(300, "new")

    scene.api.before_request = before_mark
    once(scene, 100, lambda: anew(301, "new"))
    result = scene.run()
    assert scene.there() == {"300", "301"} and reasons(result)["301"] == "it was made anew"
    assert "changed since the plan" in reasons(result)["300"]


@pytest.mark.parametrize(
    ("resource", "obj"),
    [
        ("ciliumendpoints", endpoint("late", 300)),
        ("pods", labelled_pod("late", app="app-300")),
    ],
)
def test_rule_7_users_that_come_during_the_grace(scene: Scene, resource: str, obj: Any) -> None:
    """The proof sees what the plan did not."""
    scene.fill(identity(300), identity(301))
    once(scene, 359, lambda: scene.add(resource, obj))
    result = scene.run()
    assert scene.there() == {"300"} and "default/late" in reasons(result)["300"]


def test_rule_7_each_batch_is_proved(scene: Scene) -> None:
    """A pod that comes between two batches."""
    scene.fill(*(identity(number, age=1000 - number) for number in (300, 301, 302)))
    scene.limits = DeletionLimits(batch_size=1, pause=5)
    once(scene, 362, lambda: scene.add("pods", labelled_pod("late", app="app-302")))
    result = scene.run()
    assert scene.there() == {"302"} and "default/late needs it" in reasons(result)["302"]


def test_rule_7_a_cluster_that_changes(scene: Scene) -> None:
    """Another mode in the middle of the run: it stops before the batch."""
    scene.fill(identity(300))
    config = "/api/v1/namespaces/kube-system/configmaps/cilium-config"
    once(scene, 100, lambda: scene.client.patch(config, {"data": {"identity-allocation-mode": "doublewrite-readcrd"}}))
    result = scene.run()
    assert "Complete the migration" in result.deletion.stopped and scene.there() == {"300"}
    assert result.deletion.remaining == 1


def test_a_second_run_goes_on(scene: Scene) -> None:
    """What was marked by a run that stopped is deleted by the next, which waits only as long as is left."""
    scene.fill(identity(300), identity(301))
    scene.heartbeat = lambda: "somebody said stop" if scene.now >= 100 else ""
    result = scene.run()
    assert result.deletion.stopped == "somebody said stop" and result.marked == 2 and scene.there() == {"300", "301"}
    for number in (300, 301):
        made = scene.identity(number)
        fields = {"f:metadata": {"f:annotations": {f"f:{HEARTBEAT}": {}}}}
        made["metadata"]["managedFields"] = [{"manager": "podnet.upkeep", "time": ago(0), "fieldsV1": fields}]
    scene.heartbeat = None
    begun = scene.now
    again = scene.run()
    assert again.marked == 0 and scene.there() == set() and 250 < scene.now - begun <= 262
    assert not scene.plan().candidates


def test_limits(scene: Scene) -> None:
    """No more are marked than are to be deleted: the oldest first."""
    scene.fill(*(identity(number, age=1000 + number) for number in range(300, 310)))
    plan = scene.plan(most=3)
    assert [one.name for one in plan.candidates] == ["309", "308", "307"] and plan.left == 7
    scene.limits = DeletionLimits(max_deletions=3)
    result = scene.run(most=3)
    assert result.marked == 3 and len(scene.there()) == 7 and not result.deletion.stopped


def test_the_pace(scene: Scene) -> None:
    """Marks keep to the rate as well."""
    scene.fill(*(identity(number) for number in range(300, 330)))
    scene.limits = DeletionLimits(rate=2, concurrency=1)
    assert scene.run().marked == 30
    assert scene.now >= 360 + 2 * 13


@pytest.mark.parametrize("after", [True, False])
def test_a_mark_whose_answer_is_lost(scene: Scene, after: bool) -> None:
    """It is looked at; where it did not come through, the run stops before anything is deleted."""
    scene.fill(identity(300))
    scene.api.faults.append(Fault("PATCH", "/300$", 0, after=after))
    result = scene.run()
    assert bool(result.deletion.stopped) is not after
    assert scene.there() == (set() if after else {"300"})
    assert ("DELETE", f"{IDENTITIES}/300") in scene.writes() or not after


def test_marks_that_are_forbidden(scene: Scene) -> None:
    """Nothing is deleted without a mark."""
    scene.fill(identity(300), identity(301))
    scene.api.faults.append(Fault("PATCH", "/30[01]$", 403, status_body(403, "Forbidden", "no"), times=9))
    result = scene.run()
    assert "No permission to patch" in result.deletion.stopped and scene.there() == {"300", "301"}
    assert result.deletion.remaining == 2 and not result.deletion.deleted


def test_marks_are_taken_back(scene: Scene) -> None:
    """Ours only, and only in the version that was seen."""
    ours = marked(identity(300), 5, 5)
    ours["metadata"]["managedFields"][0]["manager"] = "podnet.upkeep"
    used = marked(identity(302), 5, 5)
    used["metadata"]["managedFields"][0]["manager"] = "podnet.upkeep"
    scene.fill(ours, marked(identity(301), 5, 5), used, identity(303))
    planning, picture = scene.planning()
    plan = planning.marks_of_ours()
    assert [one.name for one in plan.candidates] == ["300", "302"] and is_ours(ours)
    scene.unmark(302)
    cleanup = IdentityCleanup(scene.client, scene.limits, picture=picture, clock=scene.clock)
    done = cleanup.remove_marks(plan)
    assert [one.name for one in done.candidates] == ["300"] and len(done.spared) == 1 and not done.stopped
    assert HEARTBEAT not in str(scene.identity(300)["metadata"].get("annotations"))
    assert HEARTBEAT in str(scene.identity(301)["metadata"]["annotations"]) and len(scene.there()) == 4
