"""Runs playbooks as ServiceAccounts that lack one permission, and judges what became of it."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import manifests
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    Places,
    PlaybookAccess,
    missing_rules,
    name_for,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import features_of, rules_of
from testbed import Testbed

from . import access_cases, every_kind, limited_accounts
from .limited_accounts import Account
from .permission_atoms import Atom, atoms_of
from .playbook import PlaybookRun, run_playbook

#: They go on without what they may not read, and say what they then do not know.
READERS = frozenset({"audit", "audit_kvstore", "forecast", "rehearse", "simulate_label_filter"})
#: It fails at what it may not do; an audit, which has rules of its own, is a part of it.
FAILS = "scheduled_run"
#: What readers need for what they do besides, which takes its time.
_BESIDES: Mapping[str, Mapping[str, Any]] = {
    "audit": {"audit_use_agents": True, "audit_read_logs": True},
    "simulate_label_filter": {"simulate_label_filter_use_agents": True},
}
#: Variables without which a playbook does not begin, or does not need all that its features allow.
_NEEDED: Mapping[str, Mapping[str, Any]] = {
    "clean_endpoints": {"clean_endpoints_ask_agents": True},
    "clean_stale_pods": {"clean_stale_pods_ask_agents": True},
    "recover_identities": {"recover_identities_direct": True},
    "maintain_kvstore": {"maintain_kvstore_etcd_secret": access_cases.ETCD_SECRET},
    "install_access": {"install_access_playbooks": ["audit"]},
    "install_schedule": {"install_schedule_namespace": "kube-system"},
    "install_monitoring": {"install_monitoring_namespace": "kube-system"},
    "rehearse": {"rehearse_playbook": "clean_stale_pods"},
}
_PREFIXES = {"install_audit_access": "audit_access", FAILS: "audit"}
#: Work is made for these one after the other: it is the same objects each time.
_ONE_AT_A_TIME = threading.Lock()
_FOREIGN_NETWORKS = ("calico-node", "aws-node", "azure-cns")


def text_of(playbook: str) -> str:
    """Its file."""
    return (Path(__file__).parents[2] / f"playbooks/{playbook}.yml").read_text(encoding="utf-8")


def access_of(playbook: str, name: str) -> PlaybookAccess:
    """All that install_access gives for it, with every feature."""
    playbooks = ("audit", playbook) if playbook == FAILS else (playbook,)
    return PlaybookAccess(name=name, playbooks=playbooks, features=features_of(playbook))


def own_atoms(playbook: str, name: str) -> list[Atom]:
    """What its own rules give to a ServiceAccount of this name."""
    return atoms_of(manifests(PlaybookAccess(name=name, playbooks=(playbook,), features=features_of(playbook))))


def account(testbed: Testbed, folder: Path, playbook: str) -> Account:
    """The ServiceAccount with all of its rules, which are in force."""
    made = limited_accounts.create(testbed, folder, access_of(playbook, name_for(playbook)))
    limited_accounts.wait_in_force(testbed, made)
    return made


def leaves_no_trace(atom: Atom, playbook: str) -> bool:
    """Whether the API server asks for it in the middle of another request, so that no audit log has it."""
    if atom.verb in ("escalate", "bind") or (atom.verb, atom.resource) == ("create", "pods/exec"):
        return True
    return playbook == "install_monitoring" and atom.verb == "create"  # by an apply of what is not there


@dataclass(frozen=True)
class Trial:
    """One playbook without one permission. ``asked``: whether the playbook asks for it at its start."""

    playbook: str
    atom: Atom
    asked: bool

    def run(self, testbed: Testbed, folder: Path, account: Account, *, literal: bool = True) -> str:
        """Run it as this account; what is wrong with what came of it, or nothing.

        Not ``literal``: where the playbook asks at its start, its question alone is asked.
        """
        with limited_accounts.lacking(testbed, account, self.atom):
            if self.playbook in READERS:
                return self._unsaid(testbed, folder, account)
            if self.playbook == FAILS or not self.asked:
                with _ONE_AT_A_TIME:
                    return self._not_failed(self._with_work(testbed, folder, account))
            if not literal:
                return self._not_missed(account)
            variables = _variables(self.playbook, account)
            return self._not_refused(run_playbook(f"podnet.upkeep.{self.playbook}", variables=variables))

    def _with_work(self, testbed: Testbed, folder: Path, account: Account) -> PlaybookRun:
        case = access_cases.cases_of(self.playbook)[0]  # the usual one
        more = dict(case.more)
        if self.playbook == FAILS:
            more |= access_cases.summary_of(testbed, account.access.name)
        variables = {**case.scene.variables(testbed, folder, account.kubeconfig), **more}
        return run_playbook(f"podnet.upkeep.{self.playbook}", variables=variables)

    def _not_missed(self, account: Account) -> str:
        client = KubeClient.from_options({"kubeconfig": str(account.kubeconfig)})
        missing = missing_rules(client, self.playbook, features=features_of(self.playbook), planning=False)
        return "" if self.atom.words in missing else f"missing is {missing}"

    def _not_refused(self, done: PlaybookRun) -> str:
        if done.returncode == 0:
            return "it runs all the same"
        return "" if self.atom.words in done.flat_output else f"it does not name it: {done.output}"

    def _not_failed(self, done: PlaybookRun) -> str:
        if done.returncode == 0:
            return "it runs all the same"
        kind, _slash, _part = self.atom.resource.partition("/")
        return "" if kind in done.flat_output else f"it does not name {kind}: {done.output}"

    def _unsaid(self, testbed: Testbed, folder: Path, account: Account) -> str:
        """A reader: it ends, and says that this could not be read."""
        variables = _variables(self.playbook, account)
        if self.atom.resource.startswith("pods/"):
            variables |= _BESIDES.get(self.playbook, {})
        if self.playbook == "rehearse":
            variables["rehearse_work_dir"] = str(folder / account.access.name)
            said = run_playbook("podnet.upkeep.rehearse", ["--check"], variables=variables).flat_output
        elif self.playbook == "audit":
            said = _findings(variables, folder / f"{account.access.name}.json")
        else:
            variables |= dict(access_cases.reading(self.playbook, testbed, folder))
            said = run_playbook(f"podnet.upkeep.{self.playbook}", variables=variables).flat_output
        kind, _slash, part = self.atom.resource.partition("/")
        words = (
            self.atom.resource if part else f"{self.atom.verb} {kind}"
        )  # commands in pods need two verbs, and name one
        if words in said or f'cannot {self.atom.verb} resource "{self.atom.resource}"' in said:
            return ""
        return f"it says nothing of it: {said}"


def _variables(playbook: str, account: Account) -> dict[str, Any]:
    prefix = _PREFIXES.get(playbook, playbook)
    return {f"{prefix}_kubeconfig": str(account.kubeconfig), **_NEEDED.get(playbook, {})}


def _findings(variables: Mapping[str, Any], report: Path) -> str:
    """What an audit says that it does not know: in its report, and by findings."""
    report.unlink(missing_ok=True)
    done = run_playbook("podnet.upkeep.audit", variables={**variables, "audit_output_path": str(report)})
    if done.returncode != 0:
        return done.flat_output
    found = json.loads(report.read_text(encoding="utf-8"))
    # ClusterCIDRs matter only to who has no blocks of kube-controller-manager: no finding, but the report has them
    return json.dumps([found["unknown"], *(one for one in found["findings"] if one["id"] == "data-missing")])


def trials(playbook: str) -> list[Trial]:
    """One for each permission of its roles."""
    asked = {
        (rule.verb, rule.resource, rule.group, place)
        for rule in rules_of(playbook, features_of(playbook))
        if rule.asked
        for place in Places().of(rule, ("kube-system",))
    }
    found = own_atoms(playbook, name_of_trials(playbook))
    return [Trial(playbook, one, (one.verb, one.resource, one.group, one.namespace) in asked) for one in found]


def name_of_trials(playbook: str) -> str:
    """Of the ServiceAccount that lacks them one after the other."""
    return f"less-{playbook.replace('_', '-')}"


def run_all(testbed: Testbed, folder: Path, playbook: str, *, at_once: int = 1, every: int = 1) -> dict[Atom, str]:
    """{permission: what is wrong with what came of its removal, or nothing}; one in ``every`` is a literal run."""
    at_once = 1 if playbook == FAILS else at_once  # its rules have the name of the ServiceAccount
    accounts: queue.SimpleQueue[Account] = queue.SimpleQueue()
    for number in range(at_once):
        access = access_of(playbook, name_of_trials(playbook) + (f"-{number}" if number else ""))
        made = limited_accounts.create(testbed, folder, access)
        limited_accounts.wait_in_force(testbed, made)
        accounts.put(made)

    def run(numbered: tuple[int, Trial]) -> str:
        number, trial = numbered
        account = accounts.get()
        try:
            return trial.run(testbed, folder, account, literal=number % every == 0)
        finally:
            accounts.put(account)

    with surroundings(testbed, playbook), ThreadPoolExecutor(at_once) as pool:
        # what is not asked at the start needs a run of its own, which some playbooks have on hosts only
        chosen = [one for one in trials(playbook) if one.asked or access_cases.cases_of(playbook)]
        faults = dict(zip((one.atom for one in chosen), pool.map(run, enumerate(chosen)), strict=True))
    made_users = [accounts.get().access.user for _number in range(at_once)]
    written = limited_accounts.events_by_user(testbed, made_users)
    assert not [one for events in written.values() for one in limited_accounts.writes(events)]
    return faults


@contextmanager
def surroundings(testbed: Testbed, playbook: str) -> Iterator[None]:
    """For what only reads several CNIs seem to be there, by their DaemonSets, so that their objects matter."""
    path = "/apis/apps/v1/namespaces/kube-system/daemonsets"
    names = _FOREIGN_NETWORKS if playbook in READERS else ()
    for name in names:
        testbed.client.create(path, every_kind.daemon_set(name))
    try:
        yield
    finally:
        for name in names:
            testbed.client.delete(f"{path}/{name}")
