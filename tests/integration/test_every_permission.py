"""For every playbook and every single permission of its roles: it is really used, and without it the playbook fails or says so.

On the real API server with RBAC. One permission is one verb for one kind of object, by name where the role names objects. The
audit log of runs in which nothing is refused shows a request that this permission alone allows. Then it is taken away, each
from a ServiceAccount of its own, and the playbook is run: one that writes has to refuse before it writes and to name the
permission, one that only reads has to say what it could not read.

The long tests do all of it; `make test` has a seeded sample of what is missing (test_playbook_access.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import PLAYBOOKS
from harness import access_cases, access_scenes, every_kind, limited_accounts, permission_runs
from harness.permission_atoms import needed
from testbed import Testbed

pytestmark = [pytest.mark.testbed, pytest.mark.once, pytest.mark.long]

#: Its runs need hosts: test_reassignment_permissions.py.
ON_HOSTS = {"reassign_pod_cidrs"}
_RUNS_AT_ONCE = 2
#: On a machine with much else to do one removal in so many is a literal run of a playbook that asks at its start; for the
#: others its question is asked, with the same credentials. 1: all are literal.
EVERY = int(os.environ.get("PODNET_TEST_LITERAL_EVERY", "1"))


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """One cluster for all playbooks, that serves every kind of object and has several CNIs by its DaemonSets."""
    with access_scenes.up(f"every-permission-{os.getpid()}") as made:
        every_kind.serve(made)
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Journals, reports and kubeconfigs."""
    return tmp_path_factory.mktemp("permissions")


#: Those that refuse take seconds each; from the stress test on the operator collects.
PLAYBOOKS_IN_ORDER = sorted(
    PLAYBOOKS, key=lambda one: (one == "stress_identities", one in permission_runs.READERS, list(PLAYBOOKS).index(one))
)


@pytest.mark.parametrize("playbook", PLAYBOOKS_IN_ORDER)
def test_every_permission_is_used(
    playbook: str, testbed: Testbed, folder: Path, record_property: Callable[[str, object], None]
) -> None:
    """Nothing is refused, nothing is used besides, and of each permission there is a request that nothing else allows."""
    if playbook in ON_HOSTS:
        pytest.skip("its runs need hosts: test_reassignment_permissions.py")
    account = permission_runs.account(testbed, folder, playbook)
    began = time.monotonic()
    for case in access_cases.cases_of(playbook):
        done = case.play(testbed, folder, account.access.user, account.kubeconfig)
        assert done.returncode == 0, f"{case.name}: {done.output}"
    events = limited_accounts.events_by_user(testbed, [account.access.user])[account.access.user]
    requests = limited_accounts.requests(events)
    assert not {request for request, answers in requests.items() if 403 in answers}
    assert not {request for request in requests if not any(atom.allows(request) for atom in account.atoms)}
    used = needed(account.atoms, requests)
    own = permission_runs.own_atoms(playbook, account.access.name)
    unused = [one.words for one in own if one not in used and not permission_runs.leaves_no_trace(one, playbook)]
    record_property("atoms", len(own))
    record_property("used", len(set(own) & set(used)))
    record_property("seconds", round(time.monotonic() - began, 1))
    assert unused == []


@pytest.mark.parametrize("playbook", PLAYBOOKS_IN_ORDER)
def test_without_any_one_of_them_it_fails_or_says_so(
    playbook: str, testbed: Testbed, folder: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each is taken away in turn; all that have no effect are named, and nothing is written."""
    began = time.monotonic()
    faults = permission_runs.run_all(testbed, folder, playbook, at_once=_RUNS_AT_ONCE, every=EVERY)
    record_property("atoms", len(faults))
    record_property("failed_as_they_must", sum(1 for fault in faults.values() if not fault))
    record_property("seconds_for_each", round((time.monotonic() - began) / len(faults), 2))
    assert {atom.words: fault for atom, fault in faults.items() if fault} == {}
