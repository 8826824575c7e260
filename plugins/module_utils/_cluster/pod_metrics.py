# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads the metrics of the cilium-operator and of agents through the API server.

Permission: ``get`` of ``pods/proxy`` in the namespace of Cilium. The API server must reach the pods' addresses, which
the control planes of some providers do not.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_metrics import (
    AGENT,
    DEFAULT_PORTS,
    OPERATOR,
    WANTED_METRICS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.prometheus_text import parse
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._plain_text import read_text

Object = dict[str, t.Any]
_LIMIT_BYTES = 64 * 1024 * 1024


def collect_metrics(
    client: KubeClient,
    operator_pods: Iterable[Mapping[str, t.Any]],
    agent_pods: Iterable[Mapping[str, t.Any]] = (),
    *,
    concurrency: int = 10,
    timeout: float = 10.0,
    ports: Mapping[str, int] | None = None,
) -> list[Object]:
    """The entries of the resource ``metrics``: one for each of the pods, in their order.

    ``ports``: of ``operator`` and ``agent`` (see ``agent_metrics.metrics_port``). A pod whose metrics cannot be read
    (they are off unless Helm was told otherwise) is an entry with ``error`` and no samples.
    Raises ApiError 403 when the permission is missing.
    """
    pods = [(OPERATOR, pod) for pod in operator_pods] + [(AGENT, pod) for pod in agent_pods]
    if not pods:
        return []
    with ThreadPoolExecutor(max(1, min(concurrency, len(pods)))) as pool:
        futures = [
            pool.submit(_read, client, component, pod, (ports or DEFAULT_PORTS)[component], timeout)
            for component, pod in pods
        ]
        try:
            return [future.result() for future in futures]
        except ApiError:
            for future in futures:
                future.cancel()
            raise


def _read(client: KubeClient, component: str, pod: Mapping[str, t.Any], port: int, timeout: float) -> Object:
    name, namespace = str(pod["metadata"]["name"]), str(pod["metadata"].get("namespace") or "kube-system")
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    entry: Object = {"component": component, "pod": name, "node": node, "samples": {}}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy/metrics"
    try:
        # 503 is what the API server says when nothing listens there: asking again would not help
        text, cut = read_text(client, path, {}, timeout=timeout, limit_bytes=_LIMIT_BYTES, attempts=1)
        if cut:
            raise ValueError(f"its metrics are more than {_LIMIT_BYTES // 2**20} MiB")
        entry["samples"] = parse(text, WANTED_METRICS)
    except ApiError as error:
        if error.status == 403:
            raise
        entry["error"] = error.server_message or str(error)
    except ValueError as error:
        entry["error"] = str(error)
    return entry
