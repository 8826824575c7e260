# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Who is to be scraped where: as Services and ServiceMonitors, and as plain configuration of Prometheus."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Json = dict[str, t.Any]
_TOKEN: t.Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_CA: t.Final = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
PORT_NAME: t.Final = "metrics"


@dataclass(frozen=True)
class ScrapeTarget:
    """Pods that serve metrics: by their labels, at a port. ``https``: with the token of Prometheus's ServiceAccount; their
    certificate is their own, so it is not verified, as in kube-prometheus."""

    component: str
    namespace: str
    selector: tuple[tuple[str, str], ...]
    port: int
    https: bool = False


def service(target: ScrapeTarget) -> Json:
    """``spec`` of a headless Service; it carries no traffic, it only names the pods."""
    ports = [{"name": PORT_NAME, "port": target.port, "protocol": "TCP", "targetPort": target.port}]
    return {"type": "ClusterIP", "clusterIP": "None", "selector": dict(target.selector), "ports": ports}


def service_monitor(target: ScrapeTarget, labels: Mapping[str, str], interval: str = "") -> Json:
    """``spec`` of a ServiceMonitor for the Service with these labels."""
    endpoint: Json = {"port": PORT_NAME, "scheme": "http"}
    if target.https:
        endpoint |= {"scheme": "https", "bearerTokenFile": _TOKEN, "tlsConfig": {"insecureSkipVerify": True}}
    if interval:
        endpoint["interval"] = interval
    node = {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node", "action": "replace"}
    endpoint["relabelings"] = [node]
    return {
        "jobLabel": "app.kubernetes.io/name",
        "namespaceSelector": {"matchNames": [target.namespace]},
        "selector": {"matchLabels": dict(labels)},
        "endpoints": [endpoint],
    }


def covered_by(target: ScrapeTarget, pod_labels: Mapping[str, str], existing: Existing) -> str:
    """Name of somebody else's monitor that scrapes the target's port already; empty where there is none."""
    services = [one for one in existing.services if _selects(one["spec"].get("selector") or {}, pod_labels)]
    for monitor in existing.service_monitors:
        for one in services:
            labels = one["metadata"].get("labels") or {}
            if _looks_in(monitor, target.namespace) and _matches(monitor["spec"].get("selector") or {}, labels):
                ports = {port.get("name"): port for port in one["spec"].get("ports") or ()}
                if any(_is(ports.get(end.get("port")), target.port) for end in monitor["spec"].get("endpoints") or ()):
                    return f"ServiceMonitor {monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
    for monitor in existing.pod_monitors:
        ends = monitor["spec"].get("podMetricsEndpoints") or ()
        named = any(end.get("port") == "prometheus" or _is(end, target.port) for end in ends)
        if (
            named
            and _looks_in(monitor, target.namespace)
            and _matches(monitor["spec"].get("selector") or {}, pod_labels)
        ):
            return f"PodMonitor {monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
    return ""


@dataclass(frozen=True)
class Existing:
    """What others have: Services of the target's namespace, ServiceMonitors and PodMonitors of all namespaces."""

    services: tuple[Json, ...] = ()
    service_monitors: tuple[Json, ...] = ()
    pod_monitors: tuple[Json, ...] = ()


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _is(port: Mapping[str, t.Any] | None, number: int) -> bool:
    """Whether a port of a Service or an end of a PodMonitor leads to this number; the charts of Cilium call it prometheus."""
    found = port or {}
    inner = [found[key] for key in ("targetPort", "portNumber") if found.get(key)]
    return number in (inner or [found.get("port")]) or "prometheus" in inner


def _looks_in(monitor: Mapping[str, t.Any], namespace: str) -> bool:
    chosen = monitor["spec"].get("namespaceSelector") or {}
    names = chosen.get("matchNames") or [monitor["metadata"]["namespace"]]
    return bool(chosen.get("any")) or namespace in names


def _matches(selector: Mapping[str, t.Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector of Kubernetes chooses these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or ():
        here, values = labels.get(one["key"]), one.get("values") or ()
        answers = {
            "In": here in values,
            "NotIn": here not in values,
            "Exists": here is not None,
            "DoesNotExist": here is None,
        }
        if not answers.get(one["operator"], False):
            return False
    return True


# -- plain configuration -------------------------------------------------------------------------------------------------


def scrape_configs(targets: Iterable[ScrapeTarget], interval: str = "") -> list[Json]:
    """Jobs for ``scrape_configs`` of a Prometheus that runs in the cluster: the targets, the API server, and kubelets."""
    made = [_pods(target) for target in targets]
    made.append(
        {
            "job_name": "kube-apiserver",
            **_secured(),
            "kubernetes_sd_configs": [{"role": "endpoints", "namespaces": {"names": ["default"]}}],
            "relabel_configs": [
                {
                    "source_labels": ["__meta_kubernetes_service_name", "__meta_kubernetes_endpoint_port_name"],
                    "regex": "kubernetes;https",
                    "action": "keep",
                }
            ],
        }
    )
    made.append(
        {
            "job_name": "kubelet",
            **_secured(verify=False),
            "kubernetes_sd_configs": [{"role": "node"}],
            "relabel_configs": [{"source_labels": ["__meta_kubernetes_node_name"], "target_label": "node"}],
        }
    )
    if interval:
        made = [{"job_name": job["job_name"], "scrape_interval": interval, **job} for job in made]
    return made


def _pods(target: ScrapeTarget) -> Json:
    selector = ",".join(f"{key}={value}" for key, value in target.selector)
    address = {"source_labels": ["__meta_kubernetes_pod_ip"], "target_label": "__address__"}
    return {
        "job_name": target.component,
        **(_secured(verify=False) if target.https else {}),
        "kubernetes_sd_configs": [
            {
                "role": "pod",
                "namespaces": {"names": [target.namespace]},
                "selectors": [{"role": "pod", "label": selector}],
            }
        ],
        "relabel_configs": [
            {**address, "regex": "([^:]+)", "replacement": f"$1:{target.port}"},
            {**address, "regex": "(.*:.*)", "replacement": f"[$1]:{target.port}"},
            {"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "node"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        ],
    }


def _secured(*, verify: bool = True) -> Json:
    tls = {"ca_file": _CA} if verify else {"insecure_skip_verify": True}
    return {"scheme": "https", "authorization": {"credentials_file": _TOKEN}, "tls_config": tls}
