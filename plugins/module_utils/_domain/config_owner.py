# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which tool made an object and will write it again: Helm, Argo CD or Flux, by what they leave in its metadata.

Sources: helm.sh/helm pkg/action/validate.go; argo-cd util/argo/resource_tracking.go and common/common.go;
fluxcd kustomize-controller and helm-controller (labels <group>/name and /namespace, names of field managers).
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

HELM, ARGO_CD, FLUX = "Helm", "Argo CD", "Flux"
_FLUX_LABELS = ("kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io")
_MANAGERS: Mapping[str, str] = {
    "argocd-controller": ARGO_CD,
    "argocd-application-controller": ARGO_CD,
    "kustomize-controller": FLUX,
    "helm-controller": FLUX,
}


@dataclass(frozen=True)
class ConfigOwner:
    """``name`` is its release, application or Kustomization (empty where it is not told), ``evidence`` what told it.

    ``reverts_by_itself``: it compares all the time and undoes what others change, where that is turned on.
    """

    tool: str
    name: str
    evidence: str
    reverts_by_itself: bool

    @property
    def when(self) -> str:
        """When a change by others is undone."""
        return "at its next comparison with its source" if self.reverts_by_itself else "by the next helm upgrade"

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "tool": self.tool,
            "name": self.name,
            "evidence": self.evidence,
            "reverts_by_itself": self.reverts_by_itself,
        }


def owners_of(metadata: Mapping[str, t.Any]) -> list[ConfigOwner]:
    """The tools that own an object, each once, Helm first; empty where nothing tells of one."""
    found: dict[str, ConfigOwner] = {}
    for owner in _evidence(metadata):
        found.setdefault(owner.tool, owner)
    return list(found.values())


def _evidence(metadata: Mapping[str, t.Any]) -> Iterator[ConfigOwner]:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    release = annotations.get("meta.helm.sh/release-name")
    if release or labels.get("app.kubernetes.io/managed-by") == HELM:
        namespace = annotations.get("meta.helm.sh/release-namespace") or ""
        name = f"{namespace}/{release}" if namespace and release else str(release or "")
        key = "annotation meta.helm.sh/release-name" if release else "label app.kubernetes.io/managed-by"
        yield ConfigOwner(HELM, name, key, reverts_by_itself=False)
    tracking = annotations.get("argocd.argoproj.io/tracking-id")
    if tracking:
        yield ConfigOwner(
            ARGO_CD, str(tracking).split(":", 1)[0], "annotation argocd.argoproj.io/tracking-id", reverts_by_itself=True
        )
    if labels.get("argocd.argoproj.io/instance"):
        name = str(labels["argocd.argoproj.io/instance"])
        yield ConfigOwner(ARGO_CD, name, "label argocd.argoproj.io/instance", reverts_by_itself=True)
    for group in _FLUX_LABELS:
        made_by = labels.get(f"{group}/name")
        if made_by:
            space = labels.get(f"{group}/namespace")
            yield ConfigOwner(
                FLUX, f"{space}/{made_by}" if space else str(made_by), f"label {group}/name", reverts_by_itself=True
            )
    for one in metadata.get("managedFields") or ():
        tool = _MANAGERS.get(str(one.get("manager") or ""))
        if tool:
            yield ConfigOwner(tool, "", f"field manager {one['manager']}", reverts_by_itself=True)
