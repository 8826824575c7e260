"""A whole run on hosts with exactly the permissions that install_access gives: they are enough, and each of them is used.

What the playbook asks for at its start is taken away in test_every_permission.py, permission by permission. Here it is done
with what only the audit at its end reads: the run ends well, and says what is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import every_kind, limited_accounts, permission_runs
from harness.permission_atoms import Atom, needed
from harness.playbook import run_playbook
from harness.rolling_scene import PLAYBOOK, Scene, assert_succeeded

pytestmark = [pytest.mark.testbed, pytest.mark.hosts, pytest.mark.long]

NAME = "reassign_pod_cidrs"
#: Used only where the API server refuses an eviction without saying how many pods a budget lacks, and where volumes are attached
#: to the machine; test_every_permission.py shows that drains of retire_nodes use them, which are the same. Claims and volumes
#: of pods that leave: test_machine_health_checks.py.
ELSEWHERE = {
    Atom("get", "poddisruptionbudgets", "policy"),
    Atom("get", "persistentvolumeclaims"),
    Atom("get", "persistentvolumes"),
}
#: Groups that are read for Nodes of machines only: test_machine_health_checks.py.
OF_MACHINES = {"cluster.x-k8s.io", "machine.openshift.io"}


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Two hosts, and every kind of object is served."""
    with Scene.up("permissions") as made:
        every_kind.serve(made.testbed)
        yield made


def test_a_run_needs_what_the_plan_asks_for(
    scene: Scene, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """No more: nothing is refused, and nothing is used besides. No less: all of it is used."""
    testbed = scene.testbed
    account = permission_runs.account(testbed, tmp_path, NAME)
    scene.kubeconfig = account.kubeconfig
    scene.drift("h1")
    assert_succeeded(scene.run())

    events = limited_accounts.events_by_user(testbed, [account.access.user])[account.access.user]
    requests = limited_accounts.requests(events)
    assert not {request for request, answers in requests.items() if 403 in answers}
    assert not {request for request in requests if not any(atom.allows(request) for atom in account.atoms)}
    used = needed(account.atoms, requests)
    record_property("atoms", len(account.atoms))
    record_property("used", len(used))
    unused = {atom for atom in account.atoms if atom not in used and atom.group not in OF_MACHINES}
    assert {atom.words for atom in unused - ELSEWHERE} == set()


def test_what_its_audit_may_not_read_is_unknown(
    scene: Scene, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Nothing is to be done, so that the run comes to its audit."""
    trials = [one for one in permission_runs.trials(NAME) if not one.asked and one.atom.group not in OF_MACHINES]
    account = limited_accounts.create(scene.testbed, tmp_path, permission_runs.access_of(NAME, "less"))
    limited_accounts.wait_in_force(scene.testbed, account)
    variables = {**scene.variables(), "reassign_pod_cidrs_kubeconfig": str(account.kubeconfig)}
    unsaid = {}
    for trial in trials:
        with limited_accounts.lacking(scene.testbed, account, trial.atom):
            done = run_playbook(PLAYBOOK, ["-i", str(scene.testbed.inventory)], variables=variables)
        assert_succeeded(done)
        if trial.atom.resource not in done.flat_output:
            unsaid[trial.atom.words] = done.output
    record_property("atoms", len(trials))
    record_property("failed_as_they_must", len(trials) - len(unsaid))
    assert unsaid == {}
