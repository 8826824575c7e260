"""What the audit says about identities against the real cilium-operator: its garbage collection and its labels.

The oracle of the classes is what the operator really deletes; that of security labels is what it writes into the identities
that it creates from plain pods (identity-management-mode operator).
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import identities
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_pending import security_labels
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import view_of
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import CLASSES
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, KwokSpec, Testbed, TestbedSpec
from testbed.cilium_operator import CiliumOperator
from testbed.objects import OPERATOR_NODE

pytestmark = pytest.mark.testbed

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
PODS = "/api/v1/namespaces/default/pods"
ENDPOINTS = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"
NOWHERE = {"testbed.podnet/nobody": "true"}
TIMEOUT, INTERVAL = 3, 2


def audited(testbed: Testbed) -> Context:
    """The cluster as the audit reads it now."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    return Context(live.collect(client, live.LiveOptions()))


def by_class(context: Context) -> dict[str, set[str]]:
    """{class: names of identities}, of those that the test created."""
    view = view_of(context)
    assert view.classes is not None, view.why_unclassified
    found: dict[str, set[str]] = {}
    for identity, number in zip(view.identities, view.classes, strict=True):
        found.setdefault(CLASSES[number], set()).add(identity["metadata"]["name"])
    return found


def there(testbed: Testbed) -> dict[str, Any]:
    """The identities that exist, by name."""
    return {one["metadata"]["name"]: one for one in testbed.client.list(IDENTITIES)}


def ids(context: Context) -> set[str]:
    """Ids of the findings about identities."""
    return {one.id for one in identities.check(context)}


def create_identity(testbed: Testbed, number: int, labels: Mapping[str, str] | None = None, mark: str = "") -> None:
    """A CiliumIdentity as an agent creates it."""
    metadata: dict[str, Any] = {"name": str(number)}
    if mark:
        metadata["annotations"] = {"io.cilium.heartbeat": mark}
    made = (
        {"k8s:app": f"app-{number}", "k8s:io.kubernetes.pod.namespace": "default"} if labels is None else dict(labels)
    )
    body = {"apiVersion": "cilium.io/v2", "kind": "CiliumIdentity", "metadata": metadata, "security-labels": made}
    testbed.client.create(IDENTITIES, body)


def create_pod(
    testbed: Testbed,
    name: str,
    labels: Mapping[str, str],
    *,
    bound: bool = True,
    namespace: str = "default",
    **spec: Any,
) -> str:
    """A pod on the simulated Node, or one that no Node takes; its uid."""
    place: dict[str, Any] = {"nodeName": "w-0"} if bound else {"nodeSelector": NOWHERE}
    container = {"name": "main", "image": "simulated"}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {**place, "tolerations": [{"operator": "Exists"}], "containers": [container], **spec},
    }
    uid: str = testbed.client.create(f"/api/v1/namespaces/{namespace}/pods", body)["metadata"]["uid"]
    return uid


def create_endpoint(testbed: Testbed, pod: str, uid: str, number: int) -> None:
    """The CiliumEndpoint of a pod, as an agent creates it."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
    body = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEndpoint",
        "metadata": {"name": pod, "ownerReferences": [owner]},
        "status": {"id": 1, "identity": {"id": number, "labels": []}, "state": "ready"},
    }
    testbed.client.create(ENDPOINTS, body)


def restarted(testbed: Testbed, *, without_identities: bool = False, **changes: Any) -> None:
    """The operator again, with other settings, which cilium-config shows too.

    Identities are taken away from under a stopped operator only: one that is deleted while it makes others stays away.
    """
    testbed.cilium.stop()
    for name in there(testbed) if without_identities else ():
        testbed.client.delete(f"{IDENTITIES}/{name}")
    spec = dataclasses.replace(testbed.cilium.spec, **changes)
    testbed.cilium = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    testbed.cilium.start()


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[Testbed]:
    """A control plane, a simulated Node that also takes the pod of the operator's Deployment, and the operator."""
    spec = TestbedSpec(
        name=f"identities-{os.getpid()}",
        cilium=CiliumOperatorSpec(endpoint_gc_interval="1h", nodes_gc_interval="1h", **request.param),
        kwok=KwokSpec(),
    )
    with Testbed.up(spec) as testbed:
        testbed.kwok.create_nodes(1, prefix="w")
        labels = {"metadata": {"labels": OPERATOR_NODE}}
        testbed.client.patch("/api/v1/nodes/w-0", labels)
        deployment = "/apis/apps/v1/namespaces/kube-system/deployments/cilium-operator"
        wait_until("a ready Deployment", lambda: testbed.client.get(deployment).get("status", {}).get("readyReplicas"))
        yield testbed


@pytest.mark.parametrize(
    "cluster", [{"identity_gc_interval": "0s", "identity_heartbeat_timeout": f"{TIMEOUT}s"}], indirect=True
)
def test_what_is_called_leaked_is_what_the_operator_deletes(cluster: Testbed) -> None:
    """With the collection off nothing goes; as soon as it is on, all that is unused goes, and nothing that is in use.

    Two classes are our own. The operator knows endpoints only: what a pod waits for it deletes as well, unless the agent
    is in time; and it deletes what is unused outside of the range, which we only report.
    """
    uid = create_pod(cluster, "web", {"app": "web"})
    for pod in ("early", "late"):
        create_pod(cluster, pod, {"app": pod}, bound=False)
    create_pod(cluster, "host", {"app": "host"}, hostNetwork=True)
    create_pod(cluster, "done", {"app": "done"}, bound=False)
    cluster.client.request(
        "PATCH",
        f"{PODS}/done/status",
        body={"status": {"phase": "Succeeded"}},
        content_type="application/merge-patch+json",
    )
    (maker, *_others) = security_labels(audited(cluster))
    pods = {one["metadata"]["name"]: one for one in audited(cluster).state.of("pods")}
    labels = {name: maker.of(pods[name]) or {} for name in ("web", "early", "late", "host", "done")}

    create_identity(cluster, 1000, labels["web"])
    create_identity(cluster, 1001, labels["web"])
    create_identity(cluster, 1002, mark="2026-01-01T00:00:00.123456789Z")
    create_endpoint(cluster, "web", uid, 1000)
    second = create_pod(cluster, "second", {"app": "second"})
    create_endpoint(cluster, "second", second, 1002)
    for number, pod in ((1010, "early"), (1011, "late"), (1020, "host"), (1021, "done")):
        create_identity(cluster, number, labels[pod])
    for number in range(1030, 1060):
        create_identity(cluster, number)
    create_identity(cluster, 1060, mark="2026-01-01T00:00:00Z")
    create_identity(cluster, 70000)
    created = set(there(cluster))
    time.sleep(2 * TIMEOUT + 2)
    for number in itertools.count(1070):
        create_identity(cluster, number)
        begun = time.monotonic()
        found = audited(cluster)
        if time.monotonic() - begun < 2 * TIMEOUT - 1:
            break
        cluster.client.delete(f"{IDENTITIES}/{number}")  # too slow a machine: it was old when it was looked at
    classes = by_class(found)
    assert classes == {
        "in-use": {"1000", "1002"},
        "pending": {"1010", "1011"},
        "leaked": {"1001", "1020", "1021", "1060", *map(str, range(1030, 1060))},
        "aging": {f"{number}"},
        "out-of-range": {"70000"},
    }
    assert {"identity-gc-off", "identities-leaked", "identities-duplicate", "identities-out-of-range"} <= ids(found)
    assert view_of(found).verdict.reasons == ("identity-gc-interval is 0, which turns the collection off",)
    assert set(there(cluster)) == created | {f"{number}"}

    restarted(cluster, identity_gc_interval=f"{INTERVAL}s")
    create_endpoint(cluster, "early", pods["early"]["metadata"]["uid"], 1010)

    def all_marked() -> bool:
        left = [one for name, one in there(cluster).items() if name in classes["leaked"]]
        return all("annotations" in one["metadata"] for one in left)

    wait_until("marks", all_marked)
    during = audited(cluster)
    assert view_of(during).verdict.name == "healthy", view_of(during).verdict
    now = by_class(during)
    assert now["in-use"] == {"1000", "1002", "1010"} and not now.get("leaked")
    # where the audit was slower than the operator, some are gone
    assert now.get("marked", set()) | (created - set(there(cluster))) >= classes["leaked"]

    # everything that the operator will not keep goes, and then nothing more
    keeps = {"1000", "1002", "1010"}
    wait_until("the operator's deletions", lambda: set(there(cluster)) <= keeps)
    time.sleep(TIMEOUT + 2 * INTERVAL)
    kept = set(there(cluster))
    deleted = created - kept
    assert kept == keeps
    assert deleted - {"1011", "70000"} == classes["leaked"]
    after = audited(cluster)
    assert by_class(after) == {"in-use": keeps} and ids(after) == set()


FILTERS = (
    "",
    # a comma separates nothing
    "k8s:!version k8s:!job-name,k8s:!application",
    # a list of what is allowed (the mark before the source makes an include), and ignores as long as default includes
    r"!k8s:version k8s:app$ k8s:![[:alpha:]]+\.kubernetes\.io/name$ k8s:!io\.cilium\.k8s\.policy\.serviceaccount",
)


def wait_until_labels_agree(testbed: Testbed, labels: str) -> None:
    """Until the identities that the operator created have the labels that we expect of the six pods."""
    difference: list[Any] = []

    def agree() -> bool:
        context = audited(testbed)
        (maker, *_others) = security_labels(context)
        pods = [one for one in context.state.of("pods") if one["metadata"]["namespace"] != "kube-system"]
        made = [maker.of(one) or {} for one in pods if not one["spec"].get("hostNetwork")]
        expected = {tuple(sorted(one.items())) for one in made}
        written = {tuple(sorted(one["security-labels"].items())) for one in there(testbed).values()}
        difference[:] = [expected - written, written - expected]
        return expected == written and len(made) == 6

    try:
        wait_until(f"equal labels with the filter '{labels}'", agree)
    except AssertionError as error:
        raise AssertionError(f"{error}: {difference}") from error


@pytest.mark.parametrize("cluster", [{"config": {"identity-management-mode": "operator"}}], indirect=True)
def test_security_labels_are_those_that_the_operator_writes(cluster: Testbed) -> None:
    """Of pods of several namespaces, accounts and labels, under several filters; and all that it made are pending."""
    cluster.client.create(
        "/api/v1/namespaces",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "shop", "labels": {"team": "a", "k8s.io/x": "y"}},
        },
    )
    accounts = "/api/v1/namespaces/shop/serviceaccounts"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "cart"}}
    cluster.client.create(accounts, account)
    # the controller-manager creates this one, in its own time
    wait_until("the ServiceAccount default", lambda: cluster.client.find(f"{accounts}/default"))
    ports = [{"name": "http", "containerPort": 80}]
    create_pod(cluster, "a", {"app": "x", "version": "1", "job-name": "j1", "pod-template-hash": "h1"})
    create_pod(cluster, "b", {"app": "x", "version": "2", "job-name": "j2", "pod-template-hash": "h2"})
    create_pod(cluster, "c", {"app.kubernetes.io/name": "x", "apps.kubernetes.io/pod-index": "0"}, namespace="shop")
    create_pod(cluster, "d", {"version": "1", "application": "x"}, namespace="shop", serviceAccountName="cart")
    create_pod(
        cluster,
        "e",
        {"io.cilium.k8s.policy.cluster": "spoofed", "topology.kubernetes.io/zone": "z"},
        containers=[{"name": "main", "image": "simulated", "ports": ports}],
    )
    create_pod(cluster, "unbound", {"app": "unbound"}, bound=False)
    create_pod(cluster, "host", {"app": "host"}, hostNetwork=True)
    for number, labels in enumerate(FILTERS):
        if number:
            config = {"identity-management-mode": "operator", "labels": labels}
            restarted(cluster, without_identities=True, config=config)
        wait_until_labels_agree(cluster, labels)
    classes = by_class(audited(cluster))
    assert set(classes) == {"pending"}
