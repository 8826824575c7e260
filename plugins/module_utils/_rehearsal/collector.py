# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Waits until the garbage collector of a copy has looked at everything that was loaded.

Whatever has an owner that it meets before its owner is asked for at the API server, one after the other. In a cluster that
was done at the start of the controller-manager, long ago; in a copy of thousands of Nodes it takes minutes in which nothing
that belonged to a deleted Node goes. An object whose owner never was is put at the end of that queue: when it is gone, the
queue has been worked off.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

_FOLDER: t.Final = "/api/v1/namespaces/default/configmaps"
_NAME: t.Final = "podnet-upkeep-rehearsal-of-nobody"
_NOBODY: t.Final = "00000000-0000-4000-8000-00000000dead"
_PAUSE: t.Final = 0.25


def wait_for_collector(client: KubeClient, seconds: float) -> str:
    """A sentence when the collector has not got so far within ``seconds``, else nothing. Raises ApiError."""
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": f"{_NAME}-there-is", "uid": _NOBODY}
    metadata = {"name": _NAME, "namespace": "default", "ownerReferences": [owner]}
    client.create(_FOLDER, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    end = time.monotonic() + seconds
    while client.find(f"{_FOLDER}/{_NAME}") is not None:
        if time.monotonic() > end:
            _remove(client)
            return (
                f"The garbage collector of the copy had not looked at everything after {seconds:.0f} s, so that what belongs to "
                "a deleted Node goes later here than in the cluster."
            )
        time.sleep(_PAUSE)
    return ""


def _remove(client: KubeClient) -> None:
    try:
        client.delete(f"{_FOLDER}/{_NAME}")
    except ApiError as error:
        if error.status != 404:
            raise
