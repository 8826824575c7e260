"""With the ServiceAccount that install_access gives it each playbook does its work, uses every rule, and no other.

On the real API server with RBAC. Its audit log says what was used: a rule that is not used is too much, and one that is
lacking would have been refused. Without any one of them a playbook refuses at its start, and names it: here a sample, and all
of them, of all playbooks, in test_every_permission.py.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import collection_path
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    PlaybookAccess,
    missing_rules,
    name_for,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import (
    PLAYBOOKS,
    Rule,
    Triple,
    rules_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import STRESS_RUN
from harness import access_cases, access_scenes, limited_accounts, permission_runs
from harness.permission_atoms import Atom
from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import Testbed

pytestmark = [pytest.mark.testbed, pytest.mark.once]

NAMESPACE = "kube-system"
#: Groups of CNIs that do not run here; tests/integration/test_audit_access.py serves them all.
NOT_SERVED = {"crd.projectcalico.org", "vpcresources.k8s.aws", "acn.azure.com", "networking.x-k8s.io"}
#: No request is recorded under these: what RBAC asks about whoever changes a role.
NEVER_RECORDED = {"escalate", "bind"}
#: Their runs need hosts: test_reassignment_permissions.py.
ON_HOSTS = {"reassign_pod_cidrs"}
SEED = int(os.environ.get("PODNET_TEST_SEED", "20261121"))
QUESTION: Triple = ("authorization.k8s.io", "selfsubjectaccessreviews", "create")


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """One cluster for all playbooks."""
    with access_scenes.up(f"playbook-access-{os.getpid()}") as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Journals and reports."""
    return tmp_path_factory.mktemp("access")


def admin(testbed: Testbed) -> KubeClient:
    """An administrator's client."""
    return KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})


def access_of(playbook: str) -> PlaybookAccess:
    """What install_access makes for it."""
    features = access_scenes.SCENES[playbook].features
    return PlaybookAccess(name=name_for(playbook), playbooks=(playbook,), features=features)


def credentials(testbed: Testbed, access: PlaybookAccess, folder: Path) -> Path:
    """A kubeconfig with a token of the ServiceAccount, once its rules are in force."""
    AccessObjects(admin(testbed), access).present()
    path = limited_accounts.token(testbed, access, folder / f"{access.name}.conf")
    client = KubeClient.from_options({"kubeconfig": str(path)})
    (playbook,) = access.playbooks
    wait_until(
        "the rules are in force", lambda: not missing_rules(client, playbook, features=access.features, planning=False)
    )
    return path


def play(playbook: str, variables: dict[str, Any]) -> PlaybookRun:
    """Run it."""
    env = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}
    return run_playbook(f"podnet.upkeep.{playbook}", variables=variables, env=env)


def used_by(testbed: Testbed, access: PlaybookAccess) -> dict[Triple, set[int]]:
    """{(group, resource, verb): answers}, of all requests of the ServiceAccount."""
    found: dict[Triple, set[int]] = {}
    for event in access_scenes.requests_of(testbed, access.user):
        about = event.get("objectRef") or {}
        if not about:
            continue  # the version and the list of groups, which everybody may read
        part = f"/{about['subresource']}" if about.get("subresource") else ""
        key = (about.get("apiGroup", ""), f"{about['resource']}{part}", event["verb"])
        found.setdefault(key, set()).add(event["responseStatus"]["code"])
    found.pop(QUESTION, None)
    return found


def test_every_playbook_has_rules_and_runs() -> None:
    """A new playbook that talks to a cluster has to say what it needs, and what uses all of it."""
    root = Path(__file__).parents[2] / "playbooks"
    there = {path.stem for path in root.glob("*.yml")} & set(PLAYBOOKS)
    assert {one for one in there if not access_cases.cases_of(one)} == ON_HOSTS
    assert set(access_scenes.SCENES) <= set(PLAYBOOKS)


def test_a_clean_up_does_not_begin_beside_a_stress_test(testbed: Testbed, folder: Path) -> None:
    """It looks for the Lease with what it is allowed, and says who holds it. It stands first: later the operator collects."""
    scene, access = access_scenes.SCENES["clean_identities"], access_of("clean_identities")
    kubeconfig = credentials(testbed, access, folder)
    variables = scene.variables(testbed, folder, kubeconfig)
    lease = RunLease(admin(testbed), STRESS_RUN, NAMESPACE, "somebody")
    lease.acquire()
    done = play("clean_identities", variables)
    lease.release()  # the next test shows that it begins then
    assert done.returncode != 0 and f"{lease.holder} holds the Lease {NAMESPACE}/{lease.name}" in done.flat_output
    assert not writes_of(testbed, access)
    summary = json.loads(done.stdout.partition("CUSTOM STATS")[2].partition("RUN: ")[2])["podnet_upkeep"]
    assert summary["counts"]["candidates"] > 0 and done.failure == summary["failure"], "it is handed on, and said last"


#: They wait for restarts, for Nodes, or for a copy of the cluster; see test_every_permission.py.
SLOW = {"restart_cilium", "tune_cilium", "recover_identities", "retire_nodes", "remove_unreachable_nodes"}
SLOW |= {"rehearse", "stress_identities"}


@pytest.mark.parametrize("playbook", [one for one in access_scenes.SCENES if one not in SLOW])
def test_its_rules_are_enough_and_each_is_used(playbook: str, testbed: Testbed, folder: Path) -> None:
    """The run is green, nothing is refused, and used are exactly the rules (but for those of a case that is not here)."""
    scene, access = access_scenes.SCENES[playbook], access_of(playbook)
    kubeconfig = credentials(testbed, access, folder)
    variables = scene.variables(testbed, folder, kubeconfig)
    done = play(playbook, variables)
    assert done.returncode == 0, done.output
    used = used_by(testbed, access)
    assert not {triple for triple, answers in used.items() if 403 in answers}
    rules = rules_of(playbook, access.features)
    assert set(used) <= {rule.triple for rule in rules}
    always = {rule.triple for rule in rules if not rule.when and rule.verb not in NEVER_RECORDED}
    unused = {one for one in always - set(used) if one[0] not in NOT_SERVED and one[1] != "clustercidrs"}
    assert unused == set()


def _without(given: dict[str, Any], rule: Rule) -> dict[str, Any]:
    if given["apiGroups"] != [rule.group] or given["resources"] != [rule.resource]:
        return given
    return {**given, "verbs": [verb for verb in given["verbs"] if verb != rule.verb]}


def writes_of(testbed: Testbed, access: PlaybookAccess) -> list[dict[str, Any]]:
    """Requests that could change something; what is only tried does not."""
    events = [one for one in access_scenes.requests_of(testbed, access.user) if "dryRun=All" not in one["requestURI"]]
    found = [event for event in events if event["verb"] not in ("get", "list", "watch")]
    return [event for event in found if (event.get("objectRef") or {}).get("resource") != QUESTION[1]]


def sample_of_trials() -> list[permission_runs.Trial]:
    """Some of what the playbooks ask for at their start; all of it is in test_every_permission.py."""
    asking = [one for one in PLAYBOOKS if one not in permission_runs.READERS and one != permission_runs.FAILS]
    return random.Random(SEED).sample(
        [trial for one in asking for trial in permission_runs.trials(one) if trial.asked], 4
    )


@pytest.mark.parametrize("trial", sample_of_trials(), ids=lambda one: f"{one.playbook} {one.atom.words}")
def test_a_sample_of_permissions_that_are_missing(
    trial: permission_runs.Trial, testbed: Testbed, tmp_path: Path
) -> None:
    """Take one away, and run: nothing is written, and the message names it."""
    access = permission_runs.access_of(trial.playbook, f"less-{time.monotonic_ns()}")
    account = limited_accounts.create(testbed, tmp_path, access)
    limited_accounts.wait_in_force(testbed, account)
    assert trial.run(testbed, tmp_path, account) == ""
    assert not writes_of(testbed, access)


GIVEN = "clean_endpoints"


def installer(testbed: Testbed, folder: Path) -> tuple[PlaybookAccess, Path]:
    """Who may make roles, has the rules of one playbook, and neither escalate nor bind."""
    access = PlaybookAccess(name="installer", playbooks=("install_access", GIVEN))
    AccessObjects(admin(testbed), access).present()
    path = f"{collection_path('ClusterRole')}/{access.name}"
    rules = testbed.client.get(path)["rules"]
    for verb in NEVER_RECORDED:
        for resource in ("clusterroles", "roles"):
            rules = [_without(one, Rule(verb, resource, "rbac.authorization.k8s.io")) for one in rules]
    testbed.client.patch(path, {"rules": [one for one in rules if one["verbs"]]})
    kubeconfig = limited_accounts.token(testbed, access, folder / f"{access.name}.conf")
    client = KubeClient.from_options({"kubeconfig": str(kubeconfig)})

    def in_force() -> bool:
        own = missing_rules(client, "install_access", planning=False) or missing_rules(client, GIVEN, planning=False)
        return not own and not client.allowed("bind", "roles", group="rbac.authorization.k8s.io")

    wait_until("the rules are in force", in_force)
    return access, kubeconfig


def test_who_has_what_he_gives_needs_neither_escalate_nor_bind(testbed: Testbed, folder: Path) -> None:
    """As Kubernetes has it. With one rule less nothing is written, not even what he might give."""
    access, kubeconfig = installer(testbed, folder)
    given = PlaybookAccess(name=name_for(GIVEN), playbooks=(GIVEN,))
    variables = {"install_access_playbooks": [GIVEN], "install_access_kubeconfig": str(kubeconfig)}
    AccessObjects(admin(testbed), given).absent()
    done = play("install_access", variables)
    assert done.returncode == 0, done.output
    assert not AccessObjects(admin(testbed), given, check_mode=True).present().changed
    AccessObjects(admin(testbed), given).absent()
    # audit_kvstore alone he could give: what is refused for another one is refused before it
    path = f"{collection_path('ClusterRole')}/{access.name}"
    deleting = Rule("delete", "ciliumendpoints", "cilium.io")
    rules = [_without(one, deleting) for one in testbed.client.get(path)["rules"]]
    testbed.client.patch(path, {"rules": [one for one in rules if one["verbs"]]})
    client = KubeClient.from_options({"kubeconfig": str(kubeconfig)})
    wait_until("it is out of force", lambda: missing_rules(client, GIVEN, planning=False))
    AccessObjects(admin(testbed), PlaybookAccess(name=name_for("audit_kvstore"), playbooks=("audit_kvstore",))).absent()
    before = len(writes_of(testbed, access))
    done = play("install_access", {**variables, "install_access_playbooks": ["audit_kvstore", GIVEN]})
    assert done.returncode != 0, done.output
    for words in ("nothing was changed", "escalate clusterroles.rbac.authorization.k8s.io", "ciliumendpoints"):
        assert words in done.flat_output, done.output
    assert len(writes_of(testbed, access)) == before


def test_a_plan_needs_less(testbed: Testbed, folder: Path) -> None:
    """Check mode asks for what is read, and not for the act."""
    deleting = Atom("delete", "ciliumendpoints", "cilium.io")
    access = PlaybookAccess(name="planner", playbooks=("clean_endpoints",))
    account = limited_accounts.create(testbed, folder, access)
    limited_accounts.wait_in_force(testbed, account)
    variables = {"clean_endpoints_kubeconfig": str(account.kubeconfig)}
    with limited_accounts.lacking(testbed, account, deleting):
        assert run_playbook("podnet.upkeep.clean_endpoints", ["--check"], variables=variables).returncode == 0
