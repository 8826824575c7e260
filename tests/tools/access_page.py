"""Writes the page that says what each playbook must be allowed to do and why, and the manifests of install_access."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import manifests
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    PlaybookAccess,
    name_for,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import (
    CLUSTER,
    CNI,
    INSTALL,
    PLAYBOOKS,
    PROBE,
    RUN,
    Rule,
    features_of,
    rules_of,
)

HEAD = """\
.. _ansible_collections.podnet.upkeep.docsite.access:

..
   This page is written by tests/tools/access_page.py from the table of rules: change that.

What playbooks must be allowed to do
====================================

Each playbook has one ClusterRole for what it needs in all namespaces, and Roles where a namespace is enough. The playbook
``podnet.upkeep.install_access`` makes them with a ServiceAccount:

.. code-block:: console

   $ ansible-playbook podnet.upkeep.install_access -e '{"install_access_playbooks": ["clean_identities"]}' --check --diff
   $ ansible-playbook podnet.upkeep.install_access -e '{"install_access_playbooks": ["clean_identities"]}'
   $ kubectl -n kube-system create token podnet-upkeep-clean-identities --duration 1h

``roles/install_access/files`` has the same as manifests, for ``kubectl apply -f`` (defaults, no features).

A playbook that writes asks at its start about each of its rules and refuses with the names of those that are missing, before it
changes anything. In check mode it asks only for what a plan needs. An audit, also that at the end of a run, and a rehearsal go on
without what they may not read, and say what is unknown.

Who gives permissions must have all of them himself, or the verbs ``escalate`` and ``bind`` on roles and cluster roles. Only the API
server can judge that. So ``install_access``, ``install_audit_access`` and ``install_schedule`` do not ask for the two verbs: outside of
check mode they try everything as a dry run, and refuse before anything is written.

``configure_awx`` has no rules: it speaks to AWX and to no cluster. A rehearsal only reads the cluster; what its playbook writes, it
writes to the copy.

That the rules of a playbook are enough, and that each of them is used, is shown by the audit log of a real API server: for each verb of
each kind of object (and each name) there is a request that nothing else allows. Each is also taken away in turn. A playbook that writes
then refuses and names it, and one that only reads says what it could not read. *Only when* names the rules that a run without that case
does not use. A Role leaves out what the ClusterRole beside it, or another of its rules, allows already. Resources of groups that a
cluster does not serve are named all the same: such a rule allows nothing. Besides, every authenticated user may ask for the version, the
list of groups and its own permissions.

Where a rule holds:

.. list-table::
   :header-rows: 1

   * - word
     - meaning
   * - cluster
     - all namespaces, or objects without one (ClusterRole)
   * - CNI
     - ``kube-system``, and the namespaces of ``install_access_cni_namespaces``
   * - run
     - the namespace of lock and journal, ``install_access_run_namespace``
   * - probe
     - ``install_access_probe_namespace``
   * - install
     - ``install_access_install_namespace``

"""
_WORDS = {CLUSTER: "cluster", CNI: "CNI", RUN: "run", PROBE: "probe", INSTALL: "install"}
MANIFEST_HEAD = """\
# This file is written by tests/tools/access_page.py from the table of rules: change that.
# It is what the role install_access creates for {playbook} with its defaults; kubectl apply -f does it without Ansible.
"""


class _Indented(yaml.SafeDumper):
    """Items of lists stand deeper than their key, as yamllint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join(_section(playbook) for playbook in sorted(PLAYBOOKS))


def _section(playbook: str) -> str:
    features = features_of(playbook)
    lines = [playbook, "-" * len(playbook), ""]
    if features:
        lines += [f"Features: {', '.join(f'``{one}``' for one in features)}.", ""]
    lines += [".. list-table::", "   :header-rows: 1", "   :widths: 15 30 10 45", ""]
    lines += _row(["verbs", "objects", "where", "why"])
    for group in _grouped(rules_of(playbook, features)):
        lines += _row(_cells(group))
    return "\n".join([*lines, ""])


def _grouped(rules: Iterable[Rule]) -> list[list[Rule]]:
    """Rules that differ only in their verb."""
    found: dict[tuple[object, ...], list[Rule]] = {}
    for one in rules:
        key = (one.group, one.resource, one.names, one.where, one.why, one.when, one.feature)
        found.setdefault(key, []).append(one)
    return list(found.values())


def _cells(rules: list[Rule]) -> list[str]:
    first = rules[0]
    kind = f"{first.resource}.{first.group}" if first.group else first.resource
    names = f": {', '.join(f'``{one}``' for one in first.names)}" if first.names else ""
    why = first.why
    if first.when:
        why += f" Only when: {first.when}."
    if first.feature:
        why += f" Only with the feature ``{first.feature}``."
    where = _WORDS.get(first.where, f"``{first.where}``")
    return [", ".join(one.verb for one in rules), f"``{kind}``{names}", where, why]


def _row(cells: list[str]) -> list[str]:
    return [f"   {'*' if number == 0 else ' '} - {cell}" for number, cell in enumerate(cells)]


def manifest(playbook: str) -> str:
    """The manifest of one playbook."""
    access = PlaybookAccess(name=name_for(playbook), playbooks=(playbook,))
    whole = {"apiVersion": "v1", "kind": "List", "items": manifests(access)}
    text = yaml.dump(whole, Dumper=_Indented, explicit_start=True, sort_keys=False, width=120)
    return MANIFEST_HEAD.format(playbook=playbook) + text


def main() -> None:
    """Arguments: the page, and the folder of the manifests."""
    page_path, folder = map(Path, sys.argv[1:])
    page_path.write_text(page(), encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    for playbook in PLAYBOOKS:
        (folder / f"{playbook}.yml").write_text(manifest(playbook), encoding="utf-8")


if __name__ == "__main__":
    main()
