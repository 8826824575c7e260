# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether the API server lets our credentials give the permissions that are to be given: everything is tried as a dry run.

Who grants permissions must have each of them himself, or the verb ``escalate`` on the role; who binds a role must have all that
it gives, or the verb ``bind`` on it. Only the API server can judge that, and it does so in dry runs too. It cannot judge the
binding of a role that is not there yet; for that we ask what it would look at.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import RBAC
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.owned_objects import Object, key_of

#: So it says that somebody would give what he does not have (ConfirmNoEscalation in k8s.io/kubernetes).
_ESCALATION: t.Final = "RBAC permissions not currently held"
_ROLES: t.Final = ("ClusterRole", "Role")
_BINDINGS: t.Final = ("ClusterRoleBinding", "RoleBinding")


class AccessTrial:
    """Tries writes and collects why they would be refused."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._reasons: list[str] = []
        self._roles: dict[str, Object] = {}

    def write(self, wanted: Object, write: Callable[[], object], *, again: bool = False) -> None:
        """Try one write, a role before its binding. ``again``: one of that name is deleted before. Raises ApiError."""
        kind = wanted["kind"]
        if kind in _ROLES:
            self._roles[key_of(wanted)] = wanted
        role = self._roles.get(_role_of(wanted)) if kind in _BINDINGS else None
        try:
            write()
        except ApiError as error:
            if error.status == 403:
                self._reasons.append(_refusal(_lacking(kind, error.server_message), wanted, error))
                return
            unjudged = (error.status == 404 and role is not None) or (error.status == 409 and again)
            if not unjudged:
                raise
        if role is not None and (reason := self._binding(wanted, role)):
            self._reasons.append(reason)

    def remove(self, found: Mapping[str, t.Any], delete: Callable[[], object]) -> None:
        """Try one removal. Raises ApiError."""
        try:
            delete()
        except ApiError as error:
            if error.status == 403:
                self._reasons.append(_refusal("delete", found, error))
            elif error.status != 404:
                raise

    def check(self) -> None:
        """Raises RefusedError with everything that would be refused."""
        if self._reasons:
            raise RefusedError(
                f"The run does not start, and nothing was changed: the credentials may not {'; '.join(self._reasons)}. "
                "Whoever gives permissions must have all of them himself, or the verbs escalate and bind on roles and "
                "clusterroles.",
                list(self._reasons),
            )

    def _binding(self, binding: Object, role: Object) -> str:
        """Why a role that is only now written may not be bound; empty when it may."""
        resource, metadata = f"{role['kind'].lower()}s", role["metadata"]
        place = metadata.get("namespace", "")

        def may(verb: str) -> bool:
            return self._client.allowed(verb, resource, group=RBAC, namespace=place, name=metadata["name"])

        # without escalate the role itself is refused to those who do not have all that it gives
        if may("bind") or not may("escalate"):
            return ""
        lacking = [
            words for words, question in _questions(role["rules"], place) if not self._client.allowed(**question)
        ]
        if not lacking:
            return ""
        what = _lacking(binding["kind"], _ESCALATION)
        return f"{what}: {key_of(binding)} would give what they do not have: {', '.join(lacking)}"


def _role_of(binding: Mapping[str, t.Any]) -> str:
    ref, metadata = binding["roleRef"], binding["metadata"]
    place = {"namespace": metadata["namespace"]} if metadata.get("namespace") and ref["kind"] == "Role" else {}
    return key_of({"kind": ref["kind"], "metadata": {"name": ref["name"], **place}})


def _refusal(act: str, obj: Mapping[str, t.Any], error: ApiError) -> str:
    return " ".join(f"{act}: {key_of(obj)}: {error.server_message or error}".split()).rstrip(".")


def _lacking(kind: str, message: str) -> str:
    """What they may not do, in words: the verb that would help where the API server speaks of an escalation."""
    if kind in _ROLES and _ESCALATION in message:
        return f"escalate {kind.lower()}s.{RBAC}"
    if kind in _BINDINGS and _ESCALATION in message:
        return f"bind {kind.removesuffix('Binding').lower()}s.{RBAC}"
    return f"write {kind}"


def _questions(rules: Sequence[Mapping[str, t.Any]], namespace: str) -> list[tuple[str, dict[str, str]]]:
    """(in words, a question to the API server) for each verb of each kind that the rules give."""
    found = []
    for rule in rules:
        for group in rule["apiGroups"]:
            for whole in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames") or ("",):
                        resource, _slash, part = whole.partition("/")
                        asked = {"verb": verb, "resource": resource, "group": group, "subresource": part}
                        words = " ".join(filter(None, (verb, f"{whole}.{group}".rstrip("."), name)))
                        found.append((words, {**asked, "namespace": namespace, "name": name}))
    return found
