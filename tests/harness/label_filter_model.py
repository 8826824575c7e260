"""A slow model of Cilium's label filter and of policies under it, written from their descriptions and not from the product.

Identities are sets of labels, filters are tried pattern by pattern, policies are matched pod by pod.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Visible = frozenset[tuple[str, str]]
#: Default patterns of Cilium 1.18.4.
DEFAULTS = (
    *(r"reserved:.*", r"io\.kubernetes\.pod\.namespace", r"io\.cilium\.k8s\.namespace\.labels", r"app\.kubernetes\.io"),
    *(r"io\.cilium\.k8s\.policy\.cluster", r"io\.cilium\.k8s\.policy\.serviceaccount", r"!io\.kubernetes"),
    *(r"!kubernetes\.io", r"!statefulset\.kubernetes\.io/pod-name", r"!apps\.kubernetes\.io/pod-index"),
    *(
        r"!batch\.kubernetes\.io/job-completion-index",
        r"!batch\.kubernetes\.io/controller-uid",
        r"!.*beta\.kubernetes\.io",
    ),
    *(
        r"!k8s\.io",
        r"!pod-template-generation",
        r"!pod-template-hash",
        r"!controller-revision-hash",
        r"!controller-uid",
    ),
    *(r"!annotation.*", r"!etcd_node"),
)


def keeps(labels: str, key: str) -> bool:
    """Whether a label of a pod makes identities: the longest include must be longer than the shortest exclude."""
    only_what_is_included = False
    includes: list[int] = [0]
    excludes: list[int] = []
    for number, item in enumerate([*DEFAULTS, *labels.split()]):
        source, _colon, pattern = item.rpartition(":") if item.count(":") == 1 else ("", "", item)
        exclude = pattern.startswith("!")
        if number >= len(DEFAULTS) and not exclude:
            only_what_is_included = True
        found = re.match(pattern.removeprefix("!"), key) if source in ("", "k8s") else None
        if found is not None:
            (excludes if exclude else includes).append(len(found.group()))
    if not excludes and not only_what_is_included:
        return True
    return max(includes) > min(excludes, default=0)


def identity(labels: str, pod: Mapping[str, Any], spaces: Mapping[str, Mapping[str, str]]) -> Visible:
    """What is left of a pod's labels, of those of its namespace, and of those that Cilium adds."""
    metadata = pod["metadata"]
    found = {key: value for key, value in metadata["labels"].items() if not key.startswith("io.cilium.k8s")}
    for key, value in spaces[metadata["namespace"]].items():
        found[f"io.cilium.k8s.namespace.labels.{key}"] = value
    found["io.kubernetes.pod.namespace"] = metadata["namespace"]
    found["io.cilium.k8s.policy.serviceaccount"] = pod["spec"]["serviceAccountName"]
    found["io.cilium.k8s.policy.cluster"] = "default"
    return frozenset((key, value) for key, value in found.items() if keeps(labels, key))


def _holds(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """As Kubernetes defines label selectors."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or ():
        key, values = one["key"], one.get("values") or ()
        fulfilled = {
            "In": key in labels and labels[key] in values,
            "NotIn": key not in labels or labels[key] not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }[one["operator"]]
        if not fulfilled:
            return False
    return True


def selected(policy: Mapping[str, Any], visible: Visible) -> dict[str, bool]:
    """{place of a selector of a NetworkPolicy: whether it selects who has this identity}."""
    labels, prefix = dict(visible), "io.cilium.k8s.namespace.labels."
    of_space = {key.removeprefix(prefix): value for key, value in visible if key.startswith(prefix)}
    space = labels.get("io.kubernetes.pod.namespace")
    here = space == policy["metadata"]["namespace"]
    found = {"spec.podSelector": here and _holds(policy["spec"]["podSelector"], labels)}
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(policy["spec"].get(direction) or ()):
            for place, peer in enumerate(rule.get(peers) or ()):
                by_pod, by_space = peer.get("podSelector"), peer.get("namespaceSelector")
                if by_space is None:
                    fulfilled = here and _holds(by_pod, labels)
                else:
                    anywhere = space is not None if not any(by_space.values()) else _holds(by_space, of_space)
                    fulfilled = anywhere and _holds(by_pod or {}, labels)
                found[f"spec.{direction}[{number}].{peers}[{place}]"] = fulfilled
    return found


def identities(labels: str, pods: Iterable[Mapping[str, Any]], spaces: Mapping[str, Mapping[str, str]]) -> set[Visible]:
    """Those that all pods need together."""
    return {identity(labels, pod, spaces) for pod in pods}
