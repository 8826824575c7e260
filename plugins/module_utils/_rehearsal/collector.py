# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Waits until the garbage collector of a copy has looked at everything that was loaded.

Whatever has an owner that it meets before its owner is asked for at the API server, one after the other. In a cluster that
was done at the start of the controller-manager, long ago; in a copy of thousands of Nodes it takes minutes in which nothing
that belonged to a deleted Node goes. An object whose owner never was is put at the end of that queue: when it is gone, the
queue has been worked off.

Endpoints of Cilium belong to pods, and their list is read before that of the pods, which is longer. So they are written
when the collector knows the pods, which spares it two requests for each.

Upstream: pkg/controller/garbagecollector/graph_builder.go, addDependentToOwners.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.etcd_load import load
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.owned_pods import IMAGE
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.rebuild import Stored
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.stored_objects import MARK

_NAME: t.Final = "podnet-upkeep-rehearsal-of-nobody"
# a pod that no scheduler and no kubelet looks at
_GATED: t.Final = {
    "containers": [{"name": "main", "image": IMAGE}],
    "schedulingGates": [{"name": f"{MARK}/nobody"}],
}
# kind -> (path of the collection, the rest of an object)
_KINDS: t.Final[Mapping[str, tuple[str, Object]]] = {
    "ConfigMap": ("/api/v1/namespaces/default/configmaps", {"apiVersion": "v1"}),
    "Pod": ("/api/v1/namespaces/default/pods", {"apiVersion": "v1", "spec": _GATED}),
    "CiliumEndpoint": ("/apis/cilium.io/v2/namespaces/default/ciliumendpoints", {"apiVersion": "cilium.io/v2"}),
}
_NOBODY: t.Final = "00000000-0000-4000-8000-00000000dead"
_PAUSE: t.Final = 0.25


def write_followers(client: KubeClient, port: int, followers: Sequence[Stored], seconds: float) -> str:
    """Write what belongs to pods when the collector knows all pods, and wait until it knows this too; see below.

    ``followers``: keys and endpoints of Cilium for the etcd at ``port``. Raises ApiError, LoadError.
    """
    if not followers:
        return wait_for_collector(client, seconds)
    # one that is late has more to do, which is all
    wait_for_collector(client, seconds, "Pod")
    load(port, followers)
    return wait_for_collector(client, seconds, "CiliumEndpoint")


def wait_for_collector(client: KubeClient, seconds: float, kind: str = "ConfigMap") -> str:
    """A sentence when the collector has not got so far within ``seconds``, else nothing. Raises ApiError.

    ``kind``: of the object that is put at the end. What was written of this kind before is known to the collector by then.
    """
    folder, rest = _KINDS[kind]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": f"{_NAME}-there-is", "uid": _NOBODY}
    metadata = {"name": _NAME, "namespace": "default", "ownerReferences": [owner]}
    client.create(folder, {**rest, "kind": kind, "metadata": metadata})
    end = time.monotonic() + seconds
    while client.find(f"{folder}/{_NAME}") is not None:
        if time.monotonic() > end:
            _remove(client, f"{folder}/{_NAME}")
            return (
                f"The garbage collector of the copy had not looked at everything after {seconds:.0f} s, so that what belongs to "
                "a deleted Node goes later here than in the cluster."
            )
        time.sleep(_PAUSE)
    return ""


def _remove(client: KubeClient, path: str) -> None:
    try:
        client.delete(path)
    except ApiError as error:
        if error.status != 404:
            raise
