"""What speaks against a run beside Nodes and control plane: other runs, webhooks without endpoint, a broken pod network."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from snapshots import providers
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import (
    PlanOptions,
    make_plan,
    read_context,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_webhooks import read_webhooks
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import NODE_RUNS

ALLOCATOR = {"cluster_cidrs": ["10.244.0.0/22"], "service_ranges": ["10.96.0.0/16"]}
RISKS = ("controller-manager-unknown", "no-other-node", "other-nodes-not-ready")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/guard/endpointslices"
DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
PODS = "/api/v1/namespaces/kube-system/pods"


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """A cluster with one Node out of range."""
    with FakeApi() as running:
        running.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        running.store.add("/api/v1/nodes", providers.node())
        yield running


def refusals(api: FakeApi, *risks: str, run_nodes: tuple[str, ...] = ()) -> list[str]:
    """Why the re-registration of w1 is refused, by the run reassign-pod-cidrs."""
    client = KubeClient.from_options(api.options)
    context = read_context(client, AuditSettings(allocator=settings_from_options(ALLOCATOR)))
    journal = Journal(client, "reassign-pod-cidrs", "kube-system")
    options = PlanOptions(nodes=("w1",), run_nodes=run_nodes, accepted_risks=(*RISKS, *risks), journal=journal)
    return make_plan(client, context, options).all_refusals


# -- other runs ------------------------------------------------------------------------------------------------------


def lease(name: str, holder: str, age: int = 0, ours: bool = True) -> dict[str, Any]:
    """A Lease that is valid for five minutes and was last written `age` seconds ago."""
    written = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    stamp = written.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {
        "name": name,
        "labels": {"app.kubernetes.io/managed-by": "podnet.upkeep"} if ours else {},
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "test", "operation": "Update", "time": stamp}],
    }
    return {"metadata": metadata, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 300, "acquireTime": stamp}}


@pytest.mark.parametrize("name", ["retire-nodes", "remove-unreachable-nodes", "clean-identities"])
def test_another_run_is_named(name: str, cluster: FakeApi) -> None:
    """Of whatever kind; no risk answers that."""
    cluster.store.add(LEASES, lease(f"podnet-upkeep-{name}", "ann@bastion 1f #2"))
    (found,) = refusals(cluster, "other-run")
    assert found.startswith(
        f"ann@bastion 1f #2 holds the Lease kube-system/podnet-upkeep-{name} of another run since 2"
    )


@pytest.mark.parametrize(
    "other",
    [
        lease("podnet-upkeep-reassign-pod-cidrs", "ann@bastion"),
        lease("podnet-upkeep-retire-nodes", ""),
        lease("podnet-upkeep-retire-nodes", "ann@bastion", age=400),
        lease("podnet-upkeep-of-somebody", "ann@bastion", ours=False),
        lease("theirs", "ann@bastion"),
    ],
    ids=["its own", "released", "expired", "without our label", "with another name"],
)
def test_leases_that_do_not_matter(other: dict[str, Any], cluster: FakeApi) -> None:
    """The lock itself looks at its own."""
    cluster.store.add(LEASES, other)
    assert refusals(cluster) == []


def checkpoint(api: FakeApi, name: str, other: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a run of this name is told before its next Node, when another one has taken its Lease meanwhile."""
    run = MaintenanceRun(KubeClient.from_options(api.options), RunOptions(name, "kube-system", "me@here"))
    run.start()
    if other is not None:
        api.store.add(LEASES, other)
    return run.checkpoint()


@pytest.mark.parametrize("own", sorted(NODE_RUNS))
@pytest.mark.parametrize("other", sorted(NODE_RUNS))
def test_run_that_slept_while_another_one_began_stops(own: str, other: str, cluster: FakeApi) -> None:
    """Its Lease was expired for a while, so the other one did not wait for it."""
    answer = checkpoint(cluster, own, lease(f"podnet-upkeep-{other}", "ann@bastion") if own != other else None)
    assert answer["may_continue"] == (own == other)
    assert own == other or answer["reason"].startswith(f"ann@bastion holds the Lease kube-system/podnet-upkeep-{other}")


def test_runs_that_take_no_nodes_are_not_stopped(cluster: FakeApi) -> None:
    """They may be parts of each other."""
    cluster.store.add(LEASES, lease("podnet-upkeep-cilium", "me@here"))
    assert checkpoint(cluster, "clean-identities")["may_continue"]
    assert checkpoint(cluster, "clean-endpoints", lease("podnet-upkeep-retire-nodes", "ann@bastion"))["may_continue"]


def test_an_expired_lease_stops_nobody(cluster: FakeApi) -> None:
    """Its holder does not live."""
    other = lease("podnet-upkeep-retire-nodes", "ann@bastion", age=400)
    assert checkpoint(cluster, "reassign-pod-cidrs", other)["may_continue"]


# -- webhooks --------------------------------------------------------------------------------------------------------


def hook(*resources: str, groups: tuple[str, ...] = ("",), policy: str | None = "Fail", **more: Any) -> dict[str, Any]:
    """A webhook of Service guard/policy."""
    rule = {"apiGroups": list(groups), "apiVersions": ["*"], "resources": list(resources), "operations": ["CREATE"]}
    return {
        "name": "policy.guard",
        "rules": [{**rule, **more.pop("rule", {})}],
        "clientConfig": {"service": {"namespace": "guard", "name": "policy"}},
        **({"failurePolicy": policy} if policy else {}),
        **more,
    }


def add_hook(api: FakeApi, content: dict[str, Any], *endpoints: dict[str, Any]) -> None:
    """Put it in, with the endpoints of its Service."""
    api.store.add(HOOKS, {"metadata": {"name": "guard"}, "webhooks": [content]})
    for service, found in (("policy", list(endpoints)), ("other", [{"nodeName": "w9"}])):
        labels = {"kubernetes.io/service-name": service}
        api.store.add(SLICES, {"metadata": {"name": f"{service}-x", "labels": labels}, "endpoints": found})


@pytest.mark.parametrize(
    "content",
    [
        hook("pods"),
        hook("nodes", policy=None),
        hook("*"),
        hook("*/*", groups=("*",)),
        hook("pods/*"),
        hook("leases", groups=("coordination.k8s.io",)),
        hook("nodes/status", rule={"operations": ["UPDATE"]}),
    ],
)
def test_webhook_without_endpoint(content: dict[str, Any], cluster: FakeApi) -> None:
    """Nothing that the run writes would be allowed."""
    add_hook(cluster, content, {"nodeName": "w2", "conditions": {"ready": False}})
    (found,) = refusals(cluster, "webhook-on-node")
    assert found.startswith("Webhook policy.guard has to allow each write of ")
    assert "its Service guard/policy has no ready endpoint" in found
    assert refusals(cluster, "webhook-unavailable") == []


@pytest.mark.parametrize(
    "content",
    [
        hook("pods", policy="Ignore"),
        hook("deployments", groups=("apps",)),
        hook("pods", groups=("metrics.k8s.io",)),
        hook("pods/log"),
        hook("pods", rule={"operations": ["CONNECT"]}),
        hook("pods", clientConfig={"url": "https://elsewhere.example/"}),
    ],
)
def test_webhooks_that_do_not_matter(content: dict[str, Any], cluster: FakeApi) -> None:
    """They let pass, look at something else, or are outside of the cluster."""
    add_hook(cluster, content)
    assert refusals(cluster) == []


def test_webhook_that_answers_from_elsewhere(cluster: FakeApi) -> None:
    """One endpoint on another Node is enough."""
    add_hook(cluster, hook("pods"), {"nodeName": "w1"}, {"nodeName": "w2", "conditions": {"ready": True}})
    assert refusals(cluster) == []


def test_webhook_that_lives_on_the_node_only(cluster: FakeApi) -> None:
    """Its eviction would stop it, and it forbids its own new pods then."""
    add_hook(cluster, hook("pods"), {"nodeName": "w1"}, {"nodeName": "w2", "conditions": {"ready": False}})
    (found,) = refusals(cluster, "webhook-unavailable")
    assert found.startswith(
        "Node w1: the only ready endpoints of webhook policy.guard (Service guard/policy) are on it"
    )
    assert refusals(cluster, "webhook-on-node") == []


def test_one_service_is_asked_for_once(cluster: FakeApi) -> None:
    """Policy engines have dozens of webhooks on one Service."""
    content = hook("pods")
    cluster.store.add(HOOKS, {"metadata": {"name": "many"}, "webhooks": [content] * 40})
    client = KubeClient.from_options(cluster.options)
    before = len(cluster.requests)
    assert len(read_webhooks(client)) == 40
    assert len(cluster.requests) - before == 3


# -- the pod network ---------------------------------------------------------------------------------------------------


def agents(api: FakeApi, name: str, **ready: bool) -> None:
    """A DaemonSet with a pod on each of these Nodes."""
    status = {"desiredNumberScheduled": len(ready), "numberReady": sum(ready.values())}
    api.store.add(DAEMON_SETS, {"metadata": {"name": name, "uid": f"uid-{name}"}, "status": status})
    owner = {"kind": "DaemonSet", "name": name, "uid": f"uid-{name}", "controller": True}
    for node, is_ready in ready.items():
        condition = {"type": "Ready", "status": str(is_ready)}
        metadata = {"name": f"{name}-{node}", "ownerReferences": [owner]}
        api.store.add(PODS, {"metadata": metadata, "spec": {"nodeName": node}, "status": {"conditions": [condition]}})


@pytest.mark.parametrize("name", ["kube-flannel-ds", "kube-proxy"])
def test_agents_that_are_not_ready_elsewhere(name: str, cluster: FakeApi) -> None:
    """A second Node would be out at once."""
    agents(cluster, name, w1=False, w2=False, w3=True)
    (found,) = refusals(cluster)
    assert found.startswith(f"DaemonSet kube-system/{name} gives pods their network, and it is not ready on w2;")
    assert refusals(cluster, "network-agent-not-ready") == []


def test_agents_of_nodes_of_the_run_do_not_count(cluster: FakeApi) -> None:
    """They are what is mended, and so are Nodes that wait for a podCIDR."""
    cluster.store.add("/api/v1/nodes", providers.node("w3", cidr=""))
    agents(cluster, "kube-flannel-ds", w1=False, w2=False, w3=False)
    assert refusals(cluster, run_nodes=("w1", "w2")) == []


def test_other_daemonsets_do_not_count(cluster: FakeApi) -> None:
    """The health gate looks at those."""
    agents(cluster, "log-collector", w1=True, w2=False)
    assert refusals(cluster) == []
