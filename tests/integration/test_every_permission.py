"""For every playbook and every single permission of its roles: it is really used, and without it the playbook fails or says so.

On the real API server with RBAC. One permission is one verb for one kind of object, by name where the role names objects. The
audit log of runs in which nothing is refused shows a request that this permission alone allows. Then it is taken away, each
from a ServiceAccount of its own, and the playbook is run: one that writes has to refuse before it writes and to name the
permission, one that only reads has to say what it could not read.

The long tests do all of it; `make test` has a seeded sample of what is missing (test_playbook_access.py).
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import Places
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import PLAYBOOKS
from harness import access_cases, access_scenes, every_kind, limited_accounts, permission_runs
from harness.permission_atoms import Atom, needed
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


def test_what_no_audit_log_shows_is_needed(testbed: Testbed, folder: Path) -> None:
    """The same requests as the playbooks send, as dry runs: with the permission they are answered, and without it refused."""
    recover = limited_accounts.create(testbed, folder, permission_runs.access_of("recover_identities", "escalates"))
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cilium-operator"
    everything = {"apiGroups": ["cilium.io"], "resources": ["ciliumidentities"], "verbs": ["*"]}
    escalate = Atom("escalate", "clusterroles", "rbac.authorization.k8s.io", name="cilium-operator")
    require(testbed, recover, escalate, lambda client: client.patch(role, {"rules": [everything]}, dry_run=True))

    access_cases.serve_monitoring(testbed)
    install = limited_accounts.create(testbed, folder, permission_runs.access_of("install_monitoring", "applies"))
    creating = [one for one in install.atoms if permission_runs.leaves_no_trace(one, "install_monitoring")]
    assert len(creating) == 4
    for atom in creating:
        version = f"{atom.group}/v1" if atom.group else "v1"
        root = f"/apis/{version}" if atom.group else "/api/v1"
        path = f"{root}/namespaces/{atom.namespace}/{atom.resource}/not-there"
        require(testbed, install, atom, partial(apply, path=path, body=new_object(atom.resource, version)))


def new_object(resource: str, version: str) -> dict[str, Any]:
    """As install_monitoring applies them, with as little as the API server takes."""
    kind, spec = {
        "configmaps": ("ConfigMap", {"data": {}}),
        "services": ("Service", {"spec": {"ports": [{"port": 80}]}}),
        "prometheusrules": ("PrometheusRule", {"spec": {"groups": []}}),
        "servicemonitors": ("ServiceMonitor", {"spec": {"selector": {}, "endpoints": []}}),
    }[resource]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "not-there"}, **spec}


def apply(client: KubeClient, *, path: str, body: dict[str, Any]) -> object:
    """Server-side apply, as a dry run."""
    params = {"fieldManager": "podnet.upkeep", "force": True, "dryRun": "All"}
    return client.request("PATCH", path, params=params, body=body, content_type="application/apply-patch+yaml")


def require(
    testbed: Testbed, account: limited_accounts.Account, atom: Atom, act: Callable[[KubeClient], object]
) -> None:
    """It succeeds with this permission, and is refused without it."""
    limited_accounts.wait_in_force(testbed, account)
    client = KubeClient.from_options({"kubeconfig": str(account.kubeconfig)})
    act(client)
    with limited_accounts.lacking(testbed, account, atom), pytest.raises(ApiError) as refused:
        act(client)
    assert refused.value.status == 403


RUN_NAMESPACE = re.compile(r"run_namespace: \"\{\{ (\w+)")
WITH_RUN_NAMESPACE = [
    one
    for one in PLAYBOOKS_IN_ORDER
    if one != "stress_identities" and RUN_NAMESPACE.search(permission_runs.text_of(one))
]


@pytest.mark.parametrize("playbook", WITH_RUN_NAMESPACE)
def test_they_are_enough_where_runs_have_a_namespace_of_their_own(
    playbook: str, testbed: Testbed, folder: Path
) -> None:
    """What is needed in kube-system beside that is not hidden by what is needed for lock and journal."""
    found = RUN_NAMESPACE.search(permission_runs.text_of(playbook))
    assert found is not None
    for namespace in ("upkeep-runs", "upkeep-probes"):
        if testbed.client.find(f"/api/v1/namespaces/{namespace}") is None:
            testbed.client.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    chosen = Places(run="upkeep-runs", probe="upkeep-probes")
    access = dataclasses.replace(
        permission_runs.access_of(playbook, f"apart-{playbook.replace('_', '-')}"), chosen=chosen
    )
    account = limited_accounts.create(testbed, folder, access)
    limited_accounts.wait_in_force(testbed, account)
    places = {found.group(1): "upkeep-runs", f"{playbook}_probe_namespace": "upkeep-probes"}
    case = access_cases.cases_of(playbook)[0]
    case = dataclasses.replace(case, more={**case.more, **places}, around=access_cases.as_it_is)
    done = case.play(testbed, folder, access.user, account.kubeconfig)
    assert done.returncode == 0, done.output
    requests = limited_accounts.requests(limited_accounts.events_by_user(testbed, [access.user])[access.user])
    assert not {request for request, answers in requests.items() if 403 in answers}
