"""Security labels of pods, as the real operator 1.18.4 wrote them, and the vectors of upstream for named ports."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import LabelFilter
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import (
    SecurityLabels,
    fingerprint,
    label_fingerprint,
    named_ports_labels,
)

NAMESPACES = {"shop": {"kubernetes.io/metadata.name": "shop", "team": "a"}, "bare": {}}
LABELS = st.dictionaries(st.sampled_from(["a", "b", "k8s:c", "d"]), st.text(max_size=3), min_size=1)


def pod(labels: dict[str, str] | None = None, namespace: str = "shop", account: str = "cart", **spec: Any) -> Any:
    """A pod with these labels."""
    metadata = {"name": "p", "namespace": namespace, "labels": labels} if labels is not None else {"name": "p"}
    metadata.setdefault("namespace", namespace)
    return {"metadata": metadata, "spec": {"serviceAccountName": account, **spec}}


def test_of_a_pod() -> None:
    """Pod labels without what is ignored, labels of the namespace, its name, service account and cluster."""
    labels = {
        "app": "cart",
        "pod-template-hash": "6c9d7",
        "io.cilium.k8s.policy.cluster": "spoofed",
        "io.kubernetes.pod.namespace": "spoofed",
    }
    made = SecurityLabels(NAMESPACES, LabelFilter((1, 18)), "west").of(pod(labels))
    assert made == {
        "k8s:app": "cart",
        "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": "shop",
        "k8s:io.cilium.k8s.namespace.labels.team": "a",
        "k8s:io.cilium.k8s.policy.cluster": "west",
        "k8s:io.cilium.k8s.policy.serviceaccount": "cart",
        "k8s:io.kubernetes.pod.namespace": "shop",
    }


def test_what_a_pod_may_lack() -> None:
    """Labels, service account; and a namespace that is not known leaves the identity unknown."""
    labels = SecurityLabels(NAMESPACES, LabelFilter((1, 18)))
    base = {"k8s:io.cilium.k8s.policy.cluster": "default", "k8s:io.kubernetes.pod.namespace": "bare"}
    assert labels.of(pod(None, "bare", "")) == base
    assert labels.of({"metadata": {"name": "p", "namespace": "bare"}}) == base
    assert labels.of(pod({"app": "x"}, "gone")) is None


def test_shared_labels_are_one_answer_for_each_place() -> None:
    """Pods of a workload share their labels in memory; another namespace or account is another identity."""
    shared = {"app": "x"}
    labels = SecurityLabels(NAMESPACES, LabelFilter((1, 18)))
    one, same = labels.of(pod(shared)), labels.of(pod(shared))
    assert one is same
    assert labels.of(pod(shared, "bare")) != one and labels.of(pod(shared, account="other")) != one
    assert labels.of(pod({"app": "y"})) != one


def test_filtered_base() -> None:
    """A filter drops what comes from namespace and service account too."""
    line = r"k8s:!io\.cilium\.k8s\.policy\.serviceaccount k8s:!io\.cilium\.k8s\.namespace\.labels\.team"
    made = SecurityLabels(NAMESPACES, LabelFilter((1, 18), line)).of(pod({}))
    assert made is not None and not any("serviceaccount" in key or "team" in key for key in made)


def test_named_ports() -> None:
    """TestNamedPortsIdentityLabels of upstream; since 1.20 only, and whatever the filter."""
    some = [["https", "TCP", 443], ["dns", "UDP", 53], ["http", "TCP", 80], ["", "TCP", 8080]]
    assert named_ports_labels(some) == {"gen:io.cilium.k8s.named-ports": "dns.UDP.53_http.TCP.80_https.TCP.443"}
    many = [[f"port-{letter}", "TCP", 8000 + index] for index, letter in enumerate("abcde")]
    assert named_ports_labels(many) == {
        "gen:io.cilium.k8s.named-ports": "port-a.TCP.8000_port-b.TCP.8001_port-c.TCP.8002_port-d.TCP.8003",
        "gen:io.cilium.k8s.named-ports-1": "port-e.TCP.8004",
    }
    for version, expected in (((1, 19), False), ((1, 20), True)):
        labels = SecurityLabels(NAMESPACES, LabelFilter(version, "k8s:app"), version=version)
        made = labels.of(pod({"app": "x"}, namedPorts=some))
        assert made is not None and ("gen:io.cilium.k8s.named-ports" in made) is expected
        assert "gen:io.cilium.k8s.named-ports" not in (labels.of(pod({"app": "x"})) or {})


def test_fingerprints_of_exchanged_values() -> None:
    """Sums of hashes of tuples would often be equal here."""
    keys, values = [f"k8s:{letter}" for letter in "abcdefgh"], "stuvwxyz"
    for first in range(8):
        for second in range(first):
            one = dict(zip(keys, values, strict=True))
            other = {**one, keys[first]: values[second], keys[second]: values[first]}
            assert fingerprint(one) != fingerprint(other)


@given(LABELS, LABELS)
def test_fingerprints(one: dict[str, str], other: dict[str, str]) -> None:
    """Equal sets share it, different ones do not, and a label can be taken out."""
    assert (fingerprint(one) == fingerprint(dict(reversed(list(one.items()))))) and (
        (fingerprint(one) == fingerprint(other)) == (one == other)
    )
    name, value = next(iter(one.items()))
    rest = {key: text for key, text in one.items() if key != name}
    assert fingerprint(one) - label_fingerprint(name, value) == fingerprint(rest)
