# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Why identities of a cluster must not be deleted directly at all, with the way that is right there instead."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_collector import (
    leader_lease,
    operator_replicas,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_pending import security_labels
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView, view_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import HEALTHY, UNKNOWN

#: The option that goes on beside a collection that works.
OVERRIDE = "while_operator_collects"
AGENT, OPERATOR, BOTH = "agent", "operator", "both"
_MANAGED_SINCE = (1, 18)
_STALE_LEASE_SECONDS = 120.0
_TUNING = (
    "mend and speed up the collection of the cilium-operator instead (playbooks podnet.upkeep.recover_identities and "
    "podnet.upkeep.tune_cilium)"
)
_KVSTORE: t.Final = (
    "identity-allocation-mode is kvstore: the CiliumIdentities say nothing about what is in use, and a master key that is "
    "deleted by hand is written again by each agent that holds it. Only the cilium-operator may collect there, under the "
    "lock of the key: look at its log for 'Deleted unused allocator master key', at the kvstore's health (playbook "
    "podnet.upkeep.audit), and at keys without users with 'cilium-dbg kvstore get --recursive "
    "cilium/state/identities/v1/id'; then speed it up (playbook podnet.upkeep.tune_cilium)."
)
_DOUBLE_WRITE: t.Final = (
    "identity-allocation-mode is {mode}: each identity is in the kvstore and in a CiliumIdentity, and both must stay equal. "
    "Complete the migration to crd first, watching the operator's metrics identity_crd_only_count and "
    "identity_kvstore_only_count; until then only the cilium-operator may collect (playbook podnet.upkeep.tune_cilium)."
)


def is_operator_managed(context: Context) -> bool:
    """Whether agents may only look identities up: then no agent removes the mark of one that it begins to use."""
    return context.cilium.management_mode in (OPERATOR, BOTH)


def refusals(context: Context, *, beside_collection: bool, judge_collection: bool = True) -> list[str]:
    """One sentence for each reason; empty where direct deletion is possible.

    ``beside_collection``: the user accepts that the operator collects at the same time. ``judge_collection`` is for the
    start of a run only: what a run does itself can change the verdict.
    """
    if not context.cilium.installed:
        return ["Cilium was not found in this cluster: neither its DaemonSet nor its ConfigMap nor one of its objects."]
    view = view_of(context)
    found = [*_modes(context), *_picture(context, view)]
    if not found and judge_collection:
        found += _collection(view, beside_collection=beside_collection)
    return found


def _modes(context: Context) -> Iterator[str]:
    """Rule 1: identities are CiliumIdentities, and it is known who creates them."""
    cilium = context.cilium
    if not cilium.config:
        yield "cilium-config could not be read, so nobody knows where identities are kept."
        return
    mode = cilium.identity_mode
    if mode == "kvstore":
        yield _KVSTORE
    elif mode.startswith("doublewrite"):
        yield _DOUBLE_WRITE.format(mode=mode)
    elif mode != "crd":
        yield f"identity-allocation-mode is '{mode}', which is not known here; only crd is."
    management = cilium.management_mode
    if management not in (AGENT, OPERATOR, BOTH):
        yield f"identity-management-mode is '{management}', which is not known here; agent, operator and both are."
    elif management != AGENT and cilium.version is not None and cilium.version < _MANAGED_SINCE:
        yield f"identity-management-mode is {management}, which Cilium {cilium.version[0]}.{cilium.version[1]} does not know."
    elif management != AGENT:
        yield from _operator_alive(context)


def _operator_alive(context: Context) -> Iterator[str]:
    """Rule 8: where agents do not remove marks, the operator is the only one who re-creates what a new pod needs."""
    lease, replicas = leader_lease(context.state, context.cilium), operator_replicas(context.cilium)
    if not lease or lease[0] > _STALE_LEASE_SECONDS or (replicas is not None and replicas[0] == 0):
        yield (
            f"identity-management-mode is {context.cilium.management_mode} and the cilium-operator does not lead: agents take an "
            "identity there without a word, and nobody would re-create one that a new pod needs. Start the operator first "
            "(playbook podnet.upkeep.recover_identities)."
        )
    elif view_of(context).may_create is False:
        yield (
            f"identity-management-mode is {context.cilium.management_mode}, but the ClusterRole of the cilium-operator does not "
            "allow it to create ciliumidentities, so nobody would re-create one that a new pod needs. Mend the ClusterRole first."
        )


def _picture(context: Context, view: IdentityView) -> Iterator[str]:
    """Rules 2, 3 and 4 need a range, all lists, and labels that can be computed."""
    if not context.cilium.config:
        return
    yield from (f"{why[0].upper()}{why[1:]}." for why in view.why_unclassified if "kvstore" not in why)
    if view.range is None:
        yield f"The range of this cluster's identities is not known: {view.range_or_problem}."
    if not security_labels(context):
        yield (
            "The security labels of pods cannot be computed here, so nobody can tell which identity a starting pod waits "
            "for: the version of Cilium is not known (image tag), or its label filter is one of a file, differs between "
            "Nodes or cannot be simulated (podnet.upkeep.audit says which)."
        )
    if not context.state.of("nodes"):
        yield "No Node was seen, so nobody knows which agents work."


def _collection(view: IdentityView, *, beside_collection: bool) -> Iterator[str]:
    """Rule 5: where the operator collects, it is the one to do it."""
    verdict = view.verdict
    if verdict.name == UNKNOWN:
        yield f"Whether the cilium-operator collects is not known: {'; '.join(verdict.reasons)}. Give the missing permission."
    elif verdict.name == HEALTHY and not beside_collection:
        yield (
            "The cilium-operator collects unused identities itself; what is missing is speed, not deletions by hand: "
            f"{_TUNING}. In an emergency, when new pods get no identity and its pace is too slow, {OVERRIDE}: true goes on "
            "beside it."
        )
