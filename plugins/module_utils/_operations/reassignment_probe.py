# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether the probe at the end of each Node can work at all: asked before anything is changed, since it runs when the Node is new.

Its pods must pass admission and quotas, which a dry run shows, and their image must be on the Nodes or be pulled there,
which nothing shows: that is a warning.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import some
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_probe import (
    DEFAULT_IMAGE,
    agnhosts_of,
    can_run_pods,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_probe_pods import ProbePods
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import is_unschedulable
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

_NAME = "upkeep-probe-of-the-plan"
_RISK = "probe-refused"
_OPTIONS = "the option for the probe's image (reassign_pod_cidrs_probe_image)"
_OFF = "turn the probe off (reassign_pod_cidrs_probe: false)"
# k8s.io/apiserver/pkg/admission/plugin/webhook/errors: such a webhook is not asked, and the dry run refused
_NO_DRY_RUN = "does not support dry run"


def probe_outlook(
    client: KubeClient, names: Sequence[str], image: str, namespace: str
) -> tuple[list[Objection], list[str]]:
    """Objections and warnings about the probes of these Nodes; nothing is created. Raises ApiError.

    ``image`` is empty where nobody named one.
    """
    nodes = {name_of(node): node for node in client.list("/api/v1/nodes")}
    there = [name for name in names if name in nodes]
    if not there:
        return [], []
    pulling = [] if image else without_image(nodes, there)
    warnings = []
    if pulling:
        warnings.append(
            f"No agnhost is known to be on Node {some(pulling)} (status.images), so the probe there pulls "
            f"{DEFAULT_IMAGE} when the Node is new already: where that cannot be pulled, the run ends with this Node out of "
            f"service. Name an image that the Nodes have or can pull by {_OPTIONS}, or {_OFF}."
        )
    chosen = image or next(iter(agnhosts_of(nodes[there[0]])), DEFAULT_IMAGE)
    objections, more = _tried(client, there[0], chosen, namespace)
    return objections, warnings + more


def without_image(nodes: Mapping[str, Mapping[str, t.Any]], names: Collection[str]) -> list[str]:
    """Those of the probed Nodes, and of the first ones that may be probed from, that have told of no agnhost."""
    probed = set(names)
    usable = sorted(
        (name in probed, is_unschedulable(node), name) for name, node in nodes.items() if can_run_pods(node)
    )
    peers = {name for _avoided, _unschedulable, name in usable[:2]}  # the second one, where the first is the probed one
    return sorted(name for name in probed | peers if not agnhosts_of(nodes[name]))


def _tried(client: KubeClient, node_name: str, image: str, namespace: str) -> tuple[list[Objection], list[str]]:
    pods = ProbePods(client, node_name, image, namespace=namespace, timeout=60, clock=Clock())
    try:
        pods.try_start(_NAME, node_name)
    except ApiError as error:
        if error.status == 0:
            raise
        words = (error.server_message or str(error)).rstrip(".")
        if _NO_DRY_RUN in words:
            return [], [
                f"Whether the pods of the probe may be made in namespace {namespace} could not be tried: {words}."
            ]
        reason = (
            f"The pods of the probe could not be made in namespace {namespace}, so the first Node would stay out of service "
            f"({words}); name another namespace (reassign_pod_cidrs_probe_namespace) or image, or {_OFF}"
        )
        return [Objection(_RISK, reason, _RISK)], []
    return [], []
