# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The ServiceAccount of an audit with exactly the rules that it needs, as Kubernetes objects.

Drawn from ``permissions``, so an audit cannot need what is not granted here. One rule for each permission: whoever takes one
away knows what the audit then cannot say.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import (
    FEATURE_PERMISSIONS,
    PERMISSIONS,
)

Object = dict[str, t.Any]
RBAC: t.Final = "rbac.authorization.k8s.io"
FEATURES: t.Final = tuple(FEATURE_PERMISSIONS)
_SYSTEM: t.Final = "kube-system"


@dataclass(frozen=True)
class AccessOptions:
    """Who is to audit. ``cni_namespaces``: where Cilium or flannel have their objects besides kube-system."""

    namespace: str = _SYSTEM
    name: str = "podnet-upkeep-audit"
    cni_namespaces: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        """The name by which the API server knows the ServiceAccount."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def component(self) -> str:
        """What tells the objects of several kinds of access with one name apart."""
        return "audit-access"

    @property
    def labels(self) -> dict[str, str]:
        """By these the objects are found again."""
        return {
            "app.kubernetes.io/managed-by": "podnet.upkeep",
            "app.kubernetes.io/component": self.component,
            "app.kubernetes.io/instance": self.name,
        }

    @property
    def places(self) -> tuple[str, ...]:
        """Namespaces in which a CNI may have its objects."""
        return (_SYSTEM, *(one for one in self.cni_namespaces if one != _SYSTEM))

    def cluster_rules(self) -> list[Object]:
        """Rules of the ClusterRole."""
        return [one.rule() for one in PERMISSIONS.values() if not one.namespace]

    def namespaced_rules(self) -> dict[str, list[Object]]:
        """{namespace: rules of the Role in it}."""
        found: dict[str, list[Object]] = {place: [] for place in self.places}
        for permission in PERMISSIONS.values():
            if permission.namespace:
                for place in self.places if permission.also_in else (permission.namespace,):
                    found.setdefault(place, []).append(permission.rule())
        for feature in FEATURES:
            if feature in self.features:
                for place in self.places:
                    found[place].append(FEATURE_PERMISSIONS[feature].rule())
        return found


def manifests(options: AccessOptions) -> list[Object]:
    """All objects, in the order in which they are to be created."""
    made = [
        {**_head("v1", "ServiceAccount", options, options.namespace), "automountServiceAccountToken": False},
        {**_head(f"{RBAC}/v1", "ClusterRole", options), "rules": options.cluster_rules()},
    ]
    places = options.namespaced_rules()
    made += [{**_head(f"{RBAC}/v1", "Role", options, place), "rules": rules} for place, rules in places.items()]
    made.append(_binding("ClusterRoleBinding", options))
    made += [_binding("RoleBinding", options, place) for place in places]
    return made


def _head(version: str, kind: str, options: AccessOptions, namespace: str = "") -> Object:
    place = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": options.name, **place, "labels": options.labels},
    }


def _binding(kind: str, options: AccessOptions, namespace: str = "") -> Object:
    return {
        **_head(f"{RBAC}/v1", kind, options, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": kind.removesuffix("Binding"), "name": options.name},
        "subjects": [{"kind": "ServiceAccount", "name": options.name, "namespace": options.namespace}],
    }


def collection_path(kind: str, namespace: str = "") -> str:
    """Path of the collection of a kind; of all namespaces without one."""
    root = "/api/v1" if kind == "ServiceAccount" else f"/apis/{RBAC}/v1"
    return f"{root}{f'/namespaces/{namespace}' if namespace else ''}/{kind.lower()}s"


def needed_namespaces(made: Iterable[Mapping[str, t.Any]]) -> list[str]:
    """Namespaces that must be there before the objects can be created."""
    return sorted({one["metadata"]["namespace"] for one in made if "namespace" in one["metadata"]})
