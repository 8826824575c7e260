# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether a host that we reached is the machine behind a Node, and will be let in again.

The best guard against working on the wrong host: the kubelet reports machine-id and boot-id of its machine
(status.nodeInfo), and the same two can be read on the host.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.certificate import CertificateError, not_after
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError

_SHORTEST_VALIDITY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class HostIdentity:
    """What was read on the host. ``client_certificate`` is PEM text that may hold a key too; empty means not found."""

    host: str
    machine_id: str
    boot_id: str = ""
    client_certificate: str = ""


def verify(node: Mapping[str, t.Any], identity: HostIdentity, *, kubelet_runs: bool, now: datetime.datetime) -> None:
    """Raise RefusedError, in one sentence, when the host is another machine or its kubelet could not come back.

    ``kubelet_runs``: the Node is reported by a live kubelet; only then its boot-id must be that of the host.
    """
    name = (node.get("metadata") or {}).get("name")
    info = (node.get("status") or {}).get("nodeInfo") or {}
    if _plain(identity.machine_id) != _plain(str(info.get("machineID") or "")):
        raise RefusedError(
            f"Host {identity.host} is not the machine of Node {name}: its machine-id is {identity.machine_id}, "
            f"the Node's is {info.get('machineID') or 'unknown'}; correct the inventory."
        )
    boot_id = str(info.get("bootID") or "")
    if kubelet_runs and identity.boot_id and boot_id and identity.boot_id.strip() != boot_id:
        raise RefusedError(
            f"Host {identity.host} has boot-id {identity.boot_id}, but Node {name} reports {boot_id}: two machines "
            "have the same machine-id, or the kubelet has not reported since the last boot; find out which."
        )
    _verify_certificate(identity, now)


def _verify_certificate(identity: HostIdentity, now: datetime.datetime) -> None:
    if not identity.client_certificate:
        return
    try:
        expires = not_after(identity.client_certificate)
    except CertificateError as error:
        raise RefusedError(f"The kubelet's client certificate on {identity.host} cannot be read: {error}.") from error
    if expires - now < _SHORTEST_VALIDITY:
        raise RefusedError(
            f"The kubelet's client certificate on {identity.host} expires at {expires:%Y-%m-%d %H:%M} UTC, so its "
            "kubelet might not be let in again; renew it first."
        )


def _plain(text: str) -> str:
    return text.strip().lower().replace("-", "")
