"""Every row of the table of refusals, by Nodes and clusters of that provider, through the plan of a re-registration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from snapshots import providers
from snapshots.providers import ClusterCase, NodeCase
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import cluster_preflight
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import RUN, Rule, rules_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import (
    Plan,
    PlanOptions,
    make_plan,
    read_context,
)

from .conftest import FastClock

ALLOCATOR = {"cluster_cidrs": ["10.244.0.0/22"], "service_ranges": ["10.96.0.0/16"]}
ELSEWHERE = ("controller-manager-unknown", "no-other-node", "other-nodes-not-ready")
EVERY_NAME = (
    *("managed-node", "cloud-provider", "machine-api", "foreign-finalizer", "shared-block", "cluster-autoscaler"),
    *("other-nodes-not-ready", "other-nodes-cordoned", "machine-is-terminated", "not-a-host", "embedded-etcd"),
    *("being-removed", "ipam-model", "machine-health-check", "no-host-access", "control-plane"),
)
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """A cluster without Nodes."""
    with FakeApi() as running:
        running.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        yield running


def add(api: FakeApi, objects: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Put objects in."""
    for path, obj in objects:
        api.store.add(path, obj)


def plan(
    api: FakeApi, allocator: Any = ALLOCATOR, risks: Iterable[str] = (), nodes: tuple[str, ...] = (), version: str = ""
) -> Plan:
    """The plan of the cluster as it is."""
    client = KubeClient.from_options(api.options)
    context = read_context(client, AuditSettings(allocator=settings_from_options(allocator) if allocator else None))
    if version:
        object.__setattr__(context.state, "server_version", version)
    options = PlanOptions(nodes=nodes, accepted_risks=(*ELSEWHERE, *risks), even_if_healthy=True)
    return make_plan(client, context, options)


@pytest.mark.parametrize("case", providers.NODES, ids=lambda case: case.product)
def test_node_of_each_provider(case: NodeCase, cluster: FakeApi) -> None:
    """Refused with reason and override by name; nothing else overrides it."""
    name = case.node["metadata"]["name"]
    add(cluster, [("/api/v1/nodes", case.node), *case.objects])

    def refusals(*risks: str) -> list[str]:
        made = plan(cluster, nodes=(name,), risks=(*risks, *case.others), version=case.server_version)
        return made.all_refusals

    found = [one for one in refusals() if case.says in one]
    assert len(found) == 1, refusals()
    assert found[0].count(f"accepted_risks: [{case.override}]") == (1 if case.override else 0), found
    others = [risk for risk in EVERY_NAME if risk != case.override]
    assert found[0] in refusals(*others)
    if case.override:
        assert refusals(case.override) == []


@pytest.mark.parametrize("case", providers.NODES, ids=lambda case: case.product)
def test_nobody_named_it(case: NodeCase, cluster: FakeApi) -> None:
    """Then it is left out of the plan with the same reason, and the run may start without it."""
    add(cluster, [("/api/v1/nodes", case.node), *case.objects])
    made = plan(cluster, version=case.server_version, risks=case.others)
    assert case.node["metadata"]["name"] not in [one.name for one in made.nodes]
    assert any(case.says in one["reason"] or "control plane" in one["reason"] for one in made.skipped), made.skipped


@pytest.mark.parametrize("product", providers.ORDINARY)
def test_ordinary_node(product: str, cluster: FakeApi) -> None:
    """Nothing is known against it."""
    add(cluster, [("/api/v1/nodes", providers.ORDINARY[product])])
    assert plan(cluster, nodes=("w1",), version="v1.31.4").all_refusals == []


@pytest.mark.parametrize("name", providers.PAUSED_CHECKS)
def test_health_checks_that_do_not_act(name: str, cluster: FakeApi) -> None:
    """What is left is the annotation, whose risk may be taken."""
    add(cluster, [("/api/v1/nodes", providers.node(annotations=providers.CAPI_NODE)), *providers.PAUSED_CHECKS[name]])
    assert len(plan(cluster, nodes=("w1",)).all_refusals) == 1
    assert plan(cluster, nodes=("w1",), risks=["machine-api"]).all_refusals == []


def test_server_of_microk8s(cluster: FakeApi) -> None:
    """Also where nodes of the control plane are allowed, and whatever risk is taken: the API would be gone half-way."""
    labels = {"microk8s.io/cluster": "true", "node.kubernetes.io/microk8s-controlplane": "microk8s-controlplane"}
    add(cluster, [("/api/v1/nodes", providers.node(labels=labels))])
    client = KubeClient.from_options(cluster.options)
    context = read_context(client, AuditSettings(allocator=settings_from_options(ALLOCATOR)))
    risks = (*ELSEWHERE, "kubelet-is-api-server")
    options = PlanOptions(nodes=("w1",), control_plane=True, accepted_risks=risks)
    (found,) = make_plan(client, context, options).all_refusals
    assert found == (
        "Node w1 is a server of MicroK8s: its kubelet cannot be stopped without its API server (kubelite)."
    )


OPENSHIFT_NODE = {"machine.openshift.io/machine": "openshift-machine-api/prod-worker-1"}


@pytest.mark.parametrize(
    ("annotations", "objects", "kind"),
    [
        *(
            (providers.CAPI_NODE, providers.CAPI_OBJECTS, kind)
            for kind in ("machines", "clusters", "machinehealthchecks")
        ),
        *((OPENSHIFT_NODE, providers.OPENSHIFT_OBJECTS, kind) for kind in ("machines", "machinehealthchecks")),
    ],
)
def test_health_checks_that_may_not_be_read(annotations: Any, objects: Any, kind: str, cluster: FakeApi) -> None:
    """Where this API has them, that is no reason to take it that there are none; it is a risk of its own."""
    add(cluster, [("/api/v1/nodes", providers.node(annotations=annotations)), *objects])
    forbidden = status_body(403, "Forbidden", f"{kind} is forbidden")
    cluster.faults.append(Fault("GET", f"/namespaces/[^/]+/{kind}(/|$)", 403, forbidden, times=99))
    (found,) = plan(cluster, nodes=("w1",), risks=["machine-api"]).all_refusals
    assert found.startswith("Node w1: whether a MachineHealthCheck would replace its machine ") and kind in found
    assert found.endswith("(accept it with accepted_risks: [machine-health-check-unknown]).")
    assert plan(cluster, nodes=("w1",), risks=["machine-api", "machine-health-check-unknown"]).all_refusals == []


def test_health_checks_that_this_api_does_not_serve(cluster: FakeApi) -> None:
    """They may be in a management cluster; the API server forbids also what it does not have."""
    add(cluster, [("/api/v1/nodes", providers.node(annotations=providers.CAPI_NODE))])
    forbidden = status_body(403, "Forbidden", "no")
    cluster.faults.append(Fault("GET", "/apis/cluster.x-k8s.io/[^/]+/.+", 403, forbidden, times=99))
    assert plan(cluster, nodes=("w1",), risks=["machine-api"]).all_refusals == []


def test_discovery_that_may_not_be_asked(cluster: FakeApi) -> None:
    """Then what follows tells whether there is one."""
    add(cluster, [("/api/v1/nodes", providers.node(annotations=providers.CAPI_NODE)), *providers.CAPI_OBJECTS])
    forbidden = status_body(403, "Forbidden", "no")
    cluster.faults.append(Fault("GET", "^/apis/cluster.x-k8s.io/[^/]+$", 403, forbidden, times=99))
    (found,) = plan(cluster, nodes=("w1",), risks=["machine-api"]).all_refusals
    assert "MachineHealthCheck fleet/md-1-unhealthy selects its machine md-1-x7" in found


@pytest.mark.parametrize("case", providers.CLUSTERS, ids=lambda case: case.state)
def test_state_of_the_cluster(case: ClusterCase, cluster: FakeApi) -> None:
    """No Node is touched, whatever is accepted, unless the refusal names its override."""
    add(cluster, [("/api/v1/nodes", providers.node()), *case.objects])
    cluster.store.denied = set(case.denied)
    risks = ["controller-manager-unknown", "no-other-node"]

    def refusals(*more: str) -> list[str]:
        client = KubeClient.from_options(cluster.options)
        settings = AuditSettings(allocator=settings_from_options(case.allocator) if case.allocator else None)
        options = PlanOptions(nodes=("w1",), accepted_risks=(*risks, *more), even_if_healthy=True)
        return make_plan(client, read_context(client, settings), options).all_refusals

    found = [one for one in refusals() if case.says in one]
    assert len(found) == 1, refusals()
    others = [risk for risk in EVERY_NAME if risk != case.override]
    assert found[0] in refusals(*others)
    if case.override:
        assert f"accepted_risks: [{case.override}]" in found[0]
        assert not [one for one in refusals(case.override) if case.says in one]


#: Without a journal there is no run.
ASKED = [one for one in rules_of("reassign_pod_cidrs") if one.asked and one.where != RUN]


@pytest.mark.parametrize("rule", ASKED, ids=lambda one: f"{one.words} {one.where}")
def test_service_account_that_lacks_a_verb(rule: Rule, cluster: FakeApi) -> None:
    """Each of them is found before anything is touched, and named."""
    add(cluster, [("/api/v1/nodes", providers.node())])
    cluster.store.denied = {(rule.verb, rule.resource.partition("/")[0])}
    (refusal,) = plan(cluster, nodes=("w1",), risks=EVERY_NAME).refusals
    assert refusal.startswith("The credentials may not: ") and rule.words in refusal


def leader(holder: str, transitions: int, acquired: int, renewed: int) -> dict[str, Any]:
    """The Lease of kube-controller-manager; times in seconds of one hour."""

    def stamp(seconds: int) -> str:
        return f"2026-01-01T00:{seconds // 60:02}:{seconds % 60:02}.000000Z"

    spec = {"holderIdentity": holder, "leaseTransitions": transitions, "leaseDurationSeconds": 15}
    spec.update(acquireTime=stamp(acquired), renewTime=stamp(renewed))
    return {"metadata": {"name": "kube-controller-manager"}, "spec": spec}


CONTROLLER_MANAGERS: dict[str, tuple[Callable[[int], dict[str, Any] | None], str, str | None]] = {
    "stopped": (lambda second: leader("cp1_a", 3, 0, 100), "does not renew its Lease", None),
    "crash loop behind a fresh Lease": (
        lambda second: leader(f"cp1_{second // 17}", 5 + second // 17, 100 + second // 17 * 17, 101 + second),
        "restarts again and again",
        None,
    ),
    "absent": (
        lambda second: None,
        "There is no Lease kube-system/kube-controller-manager",
        "controller-manager-unknown",
    ),
    "well": (lambda second: leader("cp1_a", 3, 0, 100 + second), "", None),
}


@pytest.mark.parametrize("state", CONTROLLER_MANAGERS)
def test_controller_manager(state: str, cluster: FakeApi, fast: FastClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unhealthy, crash-looping or absent: nobody would do the other half of the work."""
    world, says, override = CONTROLLER_MANAGERS[state]
    monkeypatch.setattr(cluster_preflight, "Clock", fast.clock)
    add(cluster, [("/api/v1/nodes", providers.node())])

    def turn() -> None:
        lease = world(int(fast.seconds))
        if lease is not None:
            cluster.store.add(LEASES, lease)

    turn()
    fast.on_sleep = turn
    client = KubeClient.from_options(cluster.options)
    settings = AuditSettings(allocator=settings_from_options(ALLOCATOR))
    options = PlanOptions(nodes=("w1",), accepted_risks=("no-other-node",))
    found = make_plan(client, read_context(client, settings), options).all_refusals
    assert len(found) == (1 if says else 0) and all(says in one for one in found), found
    assert bool(override) == any(f"accepted_risks: [{override}]" in one for one in found)


def test_window_of_a_cluster_autoscaler(cluster: FakeApi) -> None:
    """It removes machines of clouds whose Node stays away; on other machines it is a warning."""
    status = providers.config_map("cluster-autoscaler-status", status="")
    add(cluster, [("/api/v1/nodes", providers.node(provider="openstack:///1")), status])
    found = plan(cluster, nodes=("w1",), risks=["cloud-provider"]).all_refusals
    assert len(found) == 1 and "A Cluster Autoscaler runs" in found[0] and "[cluster-autoscaler]" in found[0]
    assert plan(cluster, nodes=("w1",), risks=["cloud-provider", "cluster-autoscaler"]).all_refusals == []
    del cluster.store.objects["/api/v1/nodes/w1"]["spec"]["providerID"]
    made = plan(cluster, nodes=("w1",))
    assert made.all_refusals == [] and "A Cluster Autoscaler runs" in made.warnings[0]
