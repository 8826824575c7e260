"""What a plan says about the probe at the end of each Node: its image, and whether its pods may be made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from snapshots import providers
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_probe import DEFAULT_IMAGE
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import (
    Plan,
    PlanOptions,
    make_plan,
    read_context,
)

SETTINGS = AuditSettings(
    allocator=settings_from_options({"cluster_cidrs": ["10.244.0.0/22"], "service_ranges": ["10.96.0.0/16"]})
)
AGNHOST = "registry.example/e2e/agnhost:2.40"
QUOTA = 'pods "upkeep-probe-of-the-plan" is forbidden: failed quota: small: must specify limits.cpu for: probe'


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """w1 is out of range, w2 and w3 are well."""
    with FakeApi() as running:
        running.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        running.store.add("/api/v1/nodes", providers.node())
        for number in (2, 3):
            running.store.add("/api/v1/nodes", providers.node(f"w{number}", cidr=f"10.244.{number}.0/24"))
        yield running


def plan(api: FakeApi, image: str | None = "", *risks: str) -> Plan:
    """The plan of w1."""
    client = KubeClient.from_options(api.options)
    accepted = ("controller-manager-unknown", *risks)
    options = PlanOptions(nodes=("w1",), accepted_risks=accepted, probe_image=image, probe_namespace="probes")
    return make_plan(client, read_context(client, SETTINGS), options)


def has_images(api: FakeApi, *names: str) -> None:
    """These Nodes have told of an agnhost."""
    for name in names:
        api.store.objects[f"/api/v1/nodes/{name}"]["status"]["images"] = [{"names": ["x/y:1", AGNHOST]}]


def test_image_that_no_node_is_known_to_have(cluster: FakeApi) -> None:
    """A warning in the text of the plan, with the options; no refusal."""
    made = plan(cluster)
    assert made.all_refusals == []
    (warning,) = made.warnings
    assert warning.startswith("No agnhost is known to be on Node w1, w2, w3") and DEFAULT_IMAGE in warning
    assert "reassign_pod_cidrs_probe_image" in warning and "reassign_pod_cidrs_probe: false" in warning
    assert f"warning: {warning}" in made.lines()


def test_nodes_that_have_the_image(cluster: FakeApi) -> None:
    """The Node itself, and those that it may be probed from."""
    has_images(cluster, "w1")
    assert "on Node w2, w3 (" in plan(cluster).warnings[0]
    has_images(cluster, "w2", "w3")
    assert plan(cluster).warnings == []


@pytest.mark.parametrize("image", ["registry.example/curl:8", None], ids=["a named image", "no probe"])
def test_somebody_decided(image: str | None, cluster: FakeApi) -> None:
    """Then nothing has to be said about images."""
    assert plan(cluster, image).warnings == []


def test_pod_is_tried_and_not_made(cluster: FakeApi) -> None:
    """Bound to the Node as the real one is, in the namespace of the probe."""
    has_images(cluster, "w1", "w2", "w3")
    assert plan(cluster).all_refusals == []
    (tried,) = [one for one in cluster.requests if one.method == "POST" and one.path.endswith("/pods")]
    assert (tried.path, tried.params) == ("/api/v1/namespaces/probes/pods", {"dryRun": "All"})
    assert tried.body["spec"]["nodeName"] == "w1" and tried.body["spec"]["containers"][0]["image"] == AGNHOST
    assert not [path for path in cluster.store.objects if "/pods/" in path]
    assert plan(cluster, None).all_refusals == []
    assert cluster.count("POST", "/pods$") == 1, "without a probe nothing is tried"


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (403, "Forbidden", QUOTA),
        (403, "Forbidden", 'pods "x" is forbidden: violates PodSecurity "restricted:latest": hostNetwork'),
        (404, "NotFound", 'namespaces "probes" not found'),
        (400, "BadRequest", 'admission webhook "policy.example" denied the request: image is not allowed'),
        (500, "InternalError", 'Internal error occurred: failed calling webhook "policy.example"'),
    ],
)
def test_pod_that_would_be_refused(status: int, reason: str, words: str, cluster: FakeApi) -> None:
    """Before anything is changed, with the API's words and a risk with a name."""
    cluster.faults.append(Fault("POST", "/pods$", status, status_body(status, reason, words), times=2))
    (found,) = plan(cluster).all_refusals
    assert words in found and "namespace probes" in found and "accepted_risks: [probe-refused]" in found
    assert plan(cluster, "", "probe-refused").all_refusals == []


def test_webhook_that_cannot_be_tried(cluster: FakeApi) -> None:
    """It says nothing about the pod."""
    words = 'admission webhook "side.effects" does not support dry run'
    cluster.faults.append(Fault("POST", "/pods$", 400, status_body(400, "BadRequest", words)))
    has_images(cluster, "w1", "w2", "w3")
    made = plan(cluster)
    assert made.all_refusals == [] and words in made.warnings[0]


def test_missing_permission_is_said_once(cluster: FakeApi) -> None:
    """By the refusal that names all of them, and nothing is tried then."""
    cluster.store.denied = {("create", "pods")}
    (found,) = plan(cluster).all_refusals
    assert found.startswith("The credentials may not: ") and cluster.count("POST", "/pods$") == 0
