# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What another version of Cilium changes about the labels of identities, whatever the user's filter is."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_labels import contribution
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_pods import SimulatedPods
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import Version, defaults
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import NAMED_PORTS_SINCE

_NAMED_PORTS: t.Final = "gen:io.cilium.k8s.named-ports"
_SERVICE_ACCOUNT: t.Final = r"io\.cilium\.k8s\.policy\.serviceaccount"


@dataclass(frozen=True)
class Upgrade:
    """Default patterns that come and go, and what named ports cost, None where the version makes no label of them."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    named_ports: int | None
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "added_defaults": list(self.added),
            "removed_defaults": list(self.removed),
            "named_ports_identities": self.named_ports,
            "remarks": list(self.remarks),
        }


def upgrade(pods: SimulatedPods, running: Version, later: Version) -> Upgrade:
    """What changes from one version to the other; in the order of the defaults of upstream."""
    before, after = ([str(one) for one in defaults(version)] for version in (running, later))
    added = tuple(one for one in after if one not in before)
    removed = tuple(one for one in before if one not in after)
    remarks = [f"{one} is a new default: {_words(one)}" for one in added]
    remarks += [f"{one} is no default any more: {_words(one)} no longer" for one in removed]
    named_ports = None
    if later >= NAMED_PORTS_SINCE > running:
        keys = tuple(sorted({key for keys in pods.after.by_keys for key in keys if key.startswith(_NAMED_PORTS)}))
        named_ports = contribution(keys, pods.after, set(pods.after.fingerprints)) if keys else 0
        remarks.append(
            f"pods with named ports get a label made of them, which no filter drops: {named_ports} identities more; endpoints that "
            "are there already get it when their pods are renewed"
        )
    elif running >= NAMED_PORTS_SINCE > later:
        remarks.append("labels made of named ports are no part of identities any more")
    return Upgrade(added, removed, named_ports, tuple(remarks))


def _words(pattern: str) -> str:
    if pattern.startswith("!"):
        return "labels that begin so make no identity"
    if _SERVICE_ACCOUNT in pattern:
        return "the service account stays part of identities also where the filter is a list of what is allowed"
    return "labels that begin so make identities also where the filter is a list of what is allowed"
