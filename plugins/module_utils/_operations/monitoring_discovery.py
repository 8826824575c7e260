# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Finds out what of a cluster can be monitored: releases, who serves metrics, who scrapes them already."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_view import CiliumView
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_metrics import (
    AGENT,
    OPERATOR,
    PORT_KEYS,
    metrics_port,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release, parse_version
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    read_flags,
    settings_from_flags,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import (
    IdentityRangeError,
    range_of_config,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.manifests import collection_path
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    API_SERVER,
    AUDIT,
    CILIUM,
    CILIUM_AGENT,
    CILIUM_OPERATOR,
    CLOUD_IPAM,
    CONTROLLER_MANAGER,
    CRD_IDENTITIES,
    DRIFT_CHECKER,
    KUBELET,
    KVSTORE,
    OPERATOR_IDENTITIES,
    USUAL_CAPACITY,
    MonitoredCluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.scraping import (
    Existing,
    ScrapeTarget,
    covered_by,
)

_SYSTEM = "kube-system"
_CLOUDS = ("eni", "azure", "alibabacloud", "crd")
_SELECTORS: t.Final = {
    CILIUM_OPERATOR: (("io.cilium/app", "operator"),),
    CILIUM_AGENT: (("k8s-app", "cilium"),),
}


@dataclass(frozen=True)
class Discovery:
    """A cluster, who is to be scraped in it (with the labels of such a pod), and who is already ({component: by whom})."""

    cluster: MonitoredCluster
    targets: tuple[ScrapeTarget, ...]
    scraped_by: Mapping[str, str]
    cilium_namespace: str


def discover(client: KubeClient, cilium_namespace: str = "") -> Discovery:
    """Look. Raises ApiError for what fails otherwise than by RBAC."""
    wanted = live.LiveOptions(resources=("daemonsets", "deployments", "configmaps"), cilium_namespace=cilium_namespace)
    state = live.collect(client, wanted)
    cilium = CiliumView(state)
    namespace = cilium_namespace or cilium.namespace
    found = {API_SERVER, KUBELET, AUDIT}
    why_not: dict[str, str] = {}
    targets = [*_cilium(cilium, namespace, state.unknown, found, why_not)]
    manager = _controller_manager(client, found, why_not)
    if manager is not None:
        targets.append(manager)
    version = parse_version((state.server_version or "").partition("+")[0])
    cluster = MonitoredCluster(
        components=frozenset(found),
        cilium=cilium.version,
        kubernetes=None if version is None else version[:2],
        identity_capacity=_capacity(cilium.config),
        why_not=why_not,
    )
    scraped = {one.component: by for one in targets if (by := _scraped_by(client, one))}
    return Discovery(cluster, tuple(targets), scraped, namespace)


def with_statements(
    cluster: MonitoredCluster,
    *,
    cilium: Release | None,
    kubernetes: Release | None,
    components: Mapping[str, bool],
) -> MonitoredCluster:
    """The cluster as a user states it to be, where they do."""
    there = {name for name, has in components.items() if has}
    not_there = {name for name, has in components.items() if not has}
    said = dict.fromkeys(not_there, "")
    why_not = {**cluster.why_not, **{name: f"the option components says that {name} is not there" for name in said}}
    return replace(
        cluster,
        components=(cluster.components | there) - not_there,
        cilium=cilium or cluster.cilium,
        kubernetes=kubernetes or cluster.kubernetes,
        why_not=why_not,
    )


# -- Cilium --------------------------------------------------------------------------------------------------------------


def _cilium(
    cilium: CiliumView, namespace: str, unknown: Mapping[str, str], found: set[str], why_not: dict[str, str]
) -> list[ScrapeTarget]:
    """What of Cilium is there; ``found`` and ``why_not`` are filled. Who serves metrics is a target."""
    of_cilium = (CILIUM_OPERATOR, CILIUM_AGENT, CRD_IDENTITIES, OPERATOR_IDENTITIES, KVSTORE, CLOUD_IPAM, DRIFT_CHECKER)
    if not cilium.installed:
        unread = [name for name in ("daemonsets", "configmaps") if name in unknown]
        reason = f"{unread[0]} could not be read: {unknown[unread[0]]}" if unread else "the cluster has no Cilium"
        why_not.update(dict.fromkeys((CILIUM, *of_cilium), reason))
        return []
    found.add(CILIUM)
    if cilium.config is None:
        reason = f"cilium-config could not be read: {unknown.get('configmaps', 'nobody knows why')}"
        why_not.update(dict.fromkeys(of_cilium, reason))
        return []
    has = {
        CILIUM_OPERATOR: cilium.value("enable-metrics").lower() == "true",
        CILIUM_AGENT: bool(cilium.value(PORT_KEYS[AGENT])),
        CRD_IDENTITIES: cilium.identity_mode != "kvstore",
        OPERATOR_IDENTITIES: cilium.management_mode in ("operator", "both"),
        KVSTORE: bool(cilium.value("kvstore")),
        CLOUD_IPAM: cilium.ipam_mode in _CLOUDS,
        DRIFT_CHECKER: cilium.value("enable-drift-checker").lower() == "true",
    }
    found.update(name for name, there in has.items() if there)
    why_not[CILIUM_OPERATOR] = (
        "cilium-operator serves no metrics (cilium-config: enable-metrics; Helm: operator.prometheus.enabled)"
    )
    why_not[CILIUM_AGENT] = (
        "agents of Cilium serve no metrics (cilium-config: prometheus-serve-addr; Helm: prometheus.enabled)"
    )
    ports = {
        CILIUM_OPERATOR: metrics_port(OPERATOR, cilium.value(PORT_KEYS[OPERATOR])),
        CILIUM_AGENT: metrics_port(AGENT, cilium.value(PORT_KEYS[AGENT])),
    }
    return [ScrapeTarget(name, namespace, _SELECTORS[name], port) for name, port in ports.items() if has[name]]


def _capacity(config: Mapping[str, str] | None) -> int:
    try:
        return range_of_config(config or {}).capacity
    except IdentityRangeError:
        return USUAL_CAPACITY  # the finding identity-range-unknown speaks of it


# -- Kubernetes ----------------------------------------------------------------------------------------------------------


def _controller_manager(client: KubeClient, found: set[str], why_not: dict[str, str]) -> ScrapeTarget | None:
    for key in ("component", "k8s-app"):
        try:
            selector = {"labelSelector": f"{key}={CONTROLLER_MANAGER}"}
            pods = client.list(f"/api/v1/namespaces/{_SYSTEM}/pods", params=selector)
        except ApiError as error:
            if error.status != 403:
                raise
            why_not[CONTROLLER_MANAGER] = f"pods of {_SYSTEM} could not be read: {error}"
            return None
        if pods:
            return _of_pod(pods[0], key, found, why_not)
    why_not[CONTROLLER_MANAGER] = (
        f"no pod of {CONTROLLER_MANAGER} is visible in {_SYSTEM}: a managed control plane, or it is no pod"
    )
    return None


def _of_pod(pod: Mapping[str, t.Any], key: str, found: set[str], why_not: dict[str, str]) -> ScrapeTarget | None:
    words = [
        word
        for container in pod["spec"].get("containers") or ()
        for word in (*(container.get("command") or ()), *(container.get("args") or ()))
    ]
    options = dict(word.lstrip("-").partition("=")[::2] for word in words if word.startswith("--") and "=" in word)
    settings = settings_from_flags(read_flags(words), f"pod {pod['metadata']['name']}")
    if settings.allocate_node_cidrs is False:
        why_not[CONTROLLER_MANAGER] = f"{CONTROLLER_MANAGER} gives out no podCIDRs here (--allocate-node-cidrs)"
        return None
    address = options.get("bind-address", "0.0.0.0")
    if address.startswith("127.") or address in ("localhost", "::1"):
        why_not[CONTROLLER_MANAGER] = (
            f"{CONTROLLER_MANAGER} listens at {address} only (--bind-address): nobody on another host can scrape it"
        )
        return None
    found.add(CONTROLLER_MANAGER)
    port = options.get("secure-port", "10257")
    return ScrapeTarget(
        CONTROLLER_MANAGER, _SYSTEM, ((key, CONTROLLER_MANAGER),), int(port) if port.isdecimal() else 10257, https=True
    )


# -- who scrapes already -------------------------------------------------------------------------------------------------


def _scraped_by(client: KubeClient, target: ScrapeTarget) -> str:
    """Somebody else's monitor; where monitors cannot be read nobody is known to scrape."""
    existing = Existing(
        tuple(_others(client, collection_path("Service", target.namespace))),
        tuple(_others(client, collection_path("ServiceMonitor"))),
        tuple(_others(client, collection_path("PodMonitor"))),
    )
    return covered_by(target, _pod_labels(client, target), existing)


def _pod_labels(client: KubeClient, target: ScrapeTarget) -> dict[str, str]:
    selector = ",".join(f"{key}={value}" for key, value in target.selector)
    asked = {"labelSelector": selector, "limit": 1}
    pods = client.get(f"/api/v1/namespaces/{target.namespace}/pods", asked).get("items") or []
    labels = pods[0]["metadata"].get("labels") or {} if pods else {}
    return {**dict(target.selector), **labels}


def _others(client: KubeClient, path: str) -> list[dict[str, t.Any]]:
    try:
        found = client.list(path)
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return []
    return [
        one
        for one in found
        if (one["metadata"].get("labels") or {}).get("app.kubernetes.io/managed-by") != "podnet.upkeep"
    ]
