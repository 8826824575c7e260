"""What the operator's collection lacks, and a probe that leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi, Request

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import start_problems
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.collector_repair import (
    Collector,
    values_to_mend,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_probe import (
    LABEL,
    IdentityProbe,
    ProbePod,
)

from .conftest import PODS, FastClock

ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
DEPLOYMENTS = "/apis/apps/v1/namespaces/kube-system/deployments"
RULE = {"apiGroups": ["cilium.io"], "resources": ["ciliumidentities"], "verbs": ["list", "watch", "update"]}
RELEASE = (1, 18)


@pytest.fixture
def cluster(api: FakeApi) -> Iterator[FakeApi]:
    """An operator that may not delete, with no replica."""
    api.store.add(ROLES, {"kind": "ClusterRole", "metadata": {"name": "cilium-operator"}, "rules": [RULE]})
    api.store.add(DEPLOYMENTS, {"metadata": {"name": "cilium-operator"}, "spec": {"replicas": 0}})
    yield api


def collector(client: KubeClient) -> Collector:
    """The operation."""
    return Collector(client, "kube-system", "cilium-operator", "cilium-operator")


def test_repair(cluster: FakeApi, client: KubeClient) -> None:
    """A rule of its own for what is missing, the others as they are; a replica; and then nothing is left to do."""
    operation = collector(client)
    plan = operation.plan({}, RELEASE, 2)
    assert plan.verbs == ["delete"] and plan.replicas == 2 and plan.writes
    assert cluster.count("PATCH") == 0
    operation.run(plan)
    added = {"apiGroups": ["cilium.io"], "resources": ["ciliumidentities"], "verbs": ["delete"]}
    assert cluster.store.objects[f"{ROLES}/cilium-operator"]["rules"] == [RULE, added]
    assert cluster.store.objects[f"{DEPLOYMENTS}/cilium-operator"]["spec"]["replicas"] == 2
    assert not operation.plan({}, RELEASE, 2).writes


def test_an_operator_that_manages_needs_more(cluster: FakeApi, client: KubeClient) -> None:
    """It creates identities."""
    assert collector(client).plan({"identity-management-mode": "both"}, RELEASE, 1).verbs == ["delete", "create"]


def test_refusals(cluster: FakeApi, client: KubeClient) -> None:
    """An aggregated role, objects that are not there, and one that somebody changes meanwhile."""
    operation = collector(client)
    plan = operation.plan({}, RELEASE, 1)
    cluster.store.objects[f"{ROLES}/cilium-operator"]["metadata"]["resourceVersion"] = "9000"
    with pytest.raises(RefusedError, match="ClusterRole cilium-operator was changed by somebody else"):
        operation.run(plan)
    assert cluster.store.objects[f"{DEPLOYMENTS}/cilium-operator"]["spec"]["replicas"] == 0
    cluster.store.objects[f"{ROLES}/cilium-operator"]["aggregationRule"] = {"clusterRoleSelectors": []}
    with pytest.raises(RefusedError, match="put together from others"):
        operation.plan({}, RELEASE, 1)
    for name, role in (("no-such", "cilium-operator"), ("cilium-operator", "no-such")):
        with pytest.raises(InputError, match="there is no"):
            Collector(client, "kube-system", name, role).plan({}, RELEASE, 1)


@pytest.mark.parametrize(
    ("config", "values", "left"),
    [
        ({}, {}, 0),
        ({"identity-gc-interval": "600"}, {"identity-gc-interval": "15m0s"}, 0),
        ({"identity-gc-interval": "0"}, {"identity-gc-interval": "15m0s"}, 0),
        ({"identity-gc-interval": "2h"}, {}, 0),
        ({"identity-heartbeat-timeout": "1m"}, {}, 0),
        ({"cilium-endpoint-gc-interval": "0"}, {"cilium-endpoint-gc-interval": "5m0s"}, 0),
        ({"cilium-endpoint-gc-interval": "300"}, {"cilium-endpoint-gc-interval": "5m0s"}, 0),
        ({"identity-gc-rate-limit": "many", "cluster-name": "EAST"}, {"identity-gc-rate-limit": "2500"}, 1),
        ({"enable-ipv6": "no"}, {}, 1),
        ({"bpf-policy-map-max": "many"}, {}, 0),
    ],
)
def test_values(config: dict[str, str], values: dict[str, str], left: int) -> None:
    """Only what stops the operator, turns the collection off, or makes it delete what is in use; the rest is a person's."""
    found, not_mended = values_to_mend(config, RELEASE)
    assert (found, len(not_mended)) == (values, left)
    if not left:
        assert "operator" not in start_problems({**config, **found}, RELEASE)


IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"


def probe(client: KubeClient, fast: FastClock) -> IdentityProbe:
    """The operation."""
    return IdentityProbe(client, ProbePod("default", "pause", "w1"), timeout=20, clock=fast.clock())


def given(api: FakeApi, **what: Any) -> None:
    """Let an agent or operator act as soon as the pod is there."""

    def act(request: Request) -> None:
        if request.method != "GET":
            return
        for path, pod in list(api.store.objects.items()):
            value = pod["metadata"].get("labels", {}).get(LABEL) if path.startswith(PODS) else None
            if value and "endpoint" in what:
                status = {"state": "ready", "identity": {"id": what["endpoint"]}}
                collection = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"
                api.store.add(collection, {"metadata": {"name": pod["metadata"]["name"]}, "status": status})
            if value and "identity" in what:
                labels = {"io.kubernetes.pod.namespace": "default"}
                made = {"metadata": {"name": str(what["identity"]), "labels": labels}}
                api.store.add(IDENTITIES, {**made, "security-labels": {f"k8s:{LABEL}": value}})

    api.before_request = act


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"endpoint": 4711, "identity": 4711}, {"identity": 4711, "new": True}),
        ({"identity": 4712}, {"identity": 4712, "new": True}),
        ({"endpoint": 300}, {"identity": 300, "new": False}),
    ],
)
def test_probe(
    what: dict[str, int], expected: dict[str, Any], api: FakeApi, client: KubeClient, fast: FastClock
) -> None:
    """By the agent's endpoint, or by what an operator that manages has made; the pod is gone in the end."""
    given(api, **what)
    found = probe(client, fast).run()
    assert {key: found[key] for key in expected} == expected
    assert not [path for path in api.store.objects if path.startswith(f"{PODS}/{LABEL}")]


def test_probe_in_vain(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """An endpoint with the identity init has none yet; the pod is gone all the same."""
    given(api, endpoint=5)
    with pytest.raises(WaitTimeoutError, match="its endpoint is ready"):
        probe(client, fast).run()
    assert not [path for path in api.store.objects if path.startswith(f"{PODS}/{LABEL}")]
