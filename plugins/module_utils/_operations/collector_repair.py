# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Give the cilium-operator back what it needs to collect unused identities: permissions, a replica, values it starts with."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import GUARDED
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import (
    DETAILS,
    OPERATOR,
    forms_in,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_rules import broken_rules
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_values import lost_unit, problem
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import (
    INTERVAL,
    allows,
    times_of_config,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError

_ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
#: What the collection does with CiliumIdentities (operator/identitygc), and what management by the operator adds.
VERBS = ("list", "watch", "update", "delete")
CREATE = "create"


@dataclass(frozen=True)
class CollectorRepair:
    """``verbs`` that the ClusterRole lacks, ``replicas`` to scale to (None: it has some), ``values`` to set for good.

    ``left`` are values that stop the operator and that only you can know.
    """

    role: JsonObject
    deployment: JsonObject
    verbs: Sequence[str]
    replicas: int | None
    values: Mapping[str, str]
    left: Sequence[str]

    @property
    def writes(self) -> bool:
        """Whether ClusterRole or Deployment are to be changed."""
        return bool(self.verbs) or self.replicas is not None


def values_to_mend(config: Mapping[str, str], release: Release | None) -> tuple[dict[str, str], list[str]]:
    """({key: the default that mends it}, values that stop the operator and are left): the operator's keys only."""
    values: dict[str, str] = {}
    left = []
    for key, text in sorted(config.items()):
        for form in forms_in(key, release):
            if form.owner != OPERATOR:
                continue
            why = problem(form, text) or (lost_unit(form, text) and f"taken for {lost_unit(form, text)}")
            if not why:
                continue
            detail = DETAILS.get(key)
            if detail and detail.default and key not in GUARDED:
                values[key] = detail.default
            elif problem(form, text):
                left.append(f"{key}: '{text}' ({why})")
    for rule in broken_rules(config, release):
        if OPERATOR in rule.stops:
            left.append(f"{rule.key}: '{rule.value}' ({rule.effect})")
        elif rule.severity == "critical":  # it starts, and deletes what is in use
            values[rule.key] = DETAILS[rule.key].default
    if INTERVAL not in values and times_of_config(config).is_off:
        values[INTERVAL] = DETAILS[INTERVAL].default
    return values, left


class Collector:
    """The operator of one cluster."""

    def __init__(self, client: KubeClient, namespace: str, deployment: str, cluster_role: str) -> None:
        self._client = client
        self._role_path = f"{_ROLES}/{cluster_role}"
        self._deployment_path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
        self._names = (cluster_role, f"{namespace}/{deployment}")

    def plan(self, config: Mapping[str, str], release: Release | None, replicas: int) -> CollectorRepair:
        """What is to be done. Raises InputError when ClusterRole or Deployment are not there, ApiError."""
        role, deployment = self._client.find(self._role_path), self._client.find(self._deployment_path)
        if role is None:
            raise InputError(f"cluster_role: there is no ClusterRole {self._names[0]}; name the one of the operator.")
        if deployment is None:
            raise InputError(f"deployment: there is no Deployment {self._names[1]}; name the one of the operator.")
        manages = config.get("identity-management-mode", "agent").strip() in ("operator", "both")
        wanted = (*VERBS, CREATE) if manages else VERBS
        verbs = [verb for verb in wanted if not allows(role.get("rules") or (), verb)]
        if verbs and role.get("aggregationRule"):
            raise RefusedError(
                f"ClusterRole {self._names[0]} is put together from others, so a rule that is added would be taken out again; "
                f"let one of them allow to {', '.join(verbs)} ciliumidentities.cilium.io."
            )
        stopped = (deployment.get("spec") or {}).get("replicas") == 0
        values, left = values_to_mend(config, release)
        return CollectorRepair(role, deployment, verbs, replicas if stopped else None, values, left)

    def run(self, repair: CollectorRepair, *, dry_run: bool = False) -> None:
        """Write what the plan says into exactly the objects that were read. Raises RefusedError, ApiError."""
        if repair.verbs:
            rule = {"apiGroups": ["cilium.io"], "resources": ["ciliumidentities"], "verbs": list(repair.verbs)}
            body = {"rules": [*(repair.role.get("rules") or ()), rule]}
            self._patch(self._role_path, repair.role, body, dry_run=dry_run)
        if repair.replicas is not None:
            self._patch(
                self._deployment_path, repair.deployment, {"spec": {"replicas": repair.replicas}}, dry_run=dry_run
            )

    def _patch(self, path: str, seen: JsonObject, body: Mapping[str, t.Any], *, dry_run: bool) -> None:
        guard = {key: seen["metadata"][key] for key in ("uid", "resourceVersion")}
        try:
            self._client.patch(path, {"metadata": guard, **body}, dry_run=dry_run)
        except ApiError as error:
            if error.status != 409:
                raise
            kind = seen.get("kind") or "object"
            raise RefusedError(
                f"{kind} {seen['metadata']['name']} was changed by somebody else meanwhile; nothing was written to it. "
                "Repeat the command."
            ) from error
