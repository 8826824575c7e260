"""Each of the rules by which an identity may be deleted: without it, a test here fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snapshots.identity_clusters import ago, endpoint, endpoint_slice, identity, labelled_pod, security_labels
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError

from .identity_scene import Scene, agent, marked, node

LABELS = security_labels(app="cart")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An empty API."""
    with FakeApi() as api:
        yield Scene(api, tmp_path)


def owned(name: str, number: int, uid: str = "uid-of-pod") -> Any:
    """The CiliumEndpoint of a pod of this uid."""
    made = endpoint(name, number)
    made["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}]
    return made


def cart(name: str = "cart-1", **more: Any) -> Any:
    """A pod that runs on the sound Node and has a uid."""
    made = labelled_pod(name, phase=more.pop("phase", "Running"), app="cart", spec={"nodeName": "w1", **more})
    made["metadata"]["uid"] = "uid-of-pod"
    return made


# -- rule 1, and what a picture must have ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"identity_allocation_mode": "kvstore"}, "cilium-dbg kvstore get"),
        ({"identity_allocation_mode": "doublewrite-readkvstore"}, "Complete the migration"),
        ({"identity_allocation_mode": "doublewrite-readcrd"}, "Complete the migration"),
        ({"identity_allocation_mode": "other"}, "not known here"),
        ({"identity_management_mode": "other"}, "not known here"),
        ({"identity_management_mode": "operator", "version": "1.17.3"}, "does not know"),
        ({"identity_management_mode": "operator", "renewed": 10}, "does not lead"),
        ({"identity_management_mode": "both", "ready": 0}, "does not lead"),
        ({"disable_endpoint_crd": "true"}, "no CiliumEndpoints that would show use"),
        ({"cluster_id": "many"}, "range of this cluster's identities is not known"),
        ({"version": "latest"}, "cannot be computed"),
        ({"label_prefix_file": "/x"}, "cannot be computed"),
        ({"labels": "k8s:(?=x)y"}, "cannot be computed"),
        ({"identity_allocation_sync_interval": "often"}, "how fast agents remove marks"),
    ],
)
def test_refused(scene: Scene, config: dict[str, Any], words: str) -> None:
    """Nothing is written, and the sentence says what is wrong."""
    scene.fill(identity(300), config=config)
    with pytest.raises(RefusedError, match=words):
        scene.run()
    assert scene.writes() == []


def test_refused_without_permission_to_create(scene: Scene) -> None:
    """Where the operator manages identities it must be able to re-create one."""
    scene.fill(identity(300), config={"identity_management_mode": "operator", "renewed": -1e6})
    role = scene.api.store.objects["/apis/rbac.authorization.k8s.io/v1/clusterroles/cilium-operator"]
    role["rules"][0]["verbs"] = ["update", "delete"]
    with pytest.raises(RefusedError, match="to create ciliumidentities"):
        scene.run()


def test_refused_with_filters_that_differ(scene: Scene) -> None:
    """A CiliumNodeConfig with its own label filter."""
    override = {"metadata": {"name": "x", "namespace": "kube-system"}, "spec": {"defaults": {"labels": "k8s:!app"}}}
    scene.fill(identity(300), ciliumnodeconfigs=[override])
    with pytest.raises(RefusedError, match="differs between Nodes"):
        scene.run()


def test_refused_without_nodes_or_cilium(scene: Scene) -> None:
    """Without Nodes nobody knows which agents work; without Cilium there is nothing to do."""
    with pytest.raises(RefusedError, match="Cilium was not found"):
        scene.run()
    scene.fill(identity(300), nodes=[])
    with pytest.raises(RefusedError, match="No Node was seen"):
        scene.run()


@pytest.mark.parametrize(
    "resource", ["ciliumidentities", "ciliumendpoints", "ciliumendpointslices", "pods", "namespaces", "nodes"]
)
def test_an_unreadable_list_ends_it(scene: Scene, resource: str) -> None:
    """At the beginning, and in the middle of a run: nothing more is deleted."""
    scene.fill(identity(300), ciliumendpointslices=[endpoint_slice(999)])
    fault = Fault("GET", f"/{resource}$", 403, status_body(403, "Forbidden", "no"), times=1000)
    scene.api.faults.append(fault)
    with pytest.raises(ApiError, match=resource):
        scene.run()
    assert scene.writes() == []
    fault.times = 0
    scene.at = lambda seconds: setattr(fault, "times", 1000)
    result = scene.run()
    assert resource in result.deletion.stopped and scene.there() == {"300"}


# -- rules 2 and 3 -----------------------------------------------------------------------------------------------------


def test_rule_2_numbers_of_others_stay(scene: Scene) -> None:
    """Outside of the range, and names that are no numbers."""
    scene.fill(identity(300), identity(70000), identity(255), identity("abc"))
    assert scene.dead() == {"300"}
    assert all("range of this cluster (256 to 65535)" in reason for reason in scene.kept().values())


def test_rule_3_endpoints_and_slices(scene: Scene) -> None:
    """One name is enough, in either."""
    scene.fill(
        *(identity(number) for number in (300, 301, 302)),
        ciliumendpoints=[endpoint("a", 301)],
        ciliumendpointslices=[endpoint_slice(302)],
    )
    assert scene.dead() == {"300"}
    kept = scene.kept(identities=(300, 301, 302, 303))
    assert kept == {
        301: "CiliumEndpoint default/a names it",
        302: "CiliumEndpointSlice ces-1 names it",
        303: "there is no such CiliumIdentity",
    }


# -- rule 4 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pod", "uses"),
    [
        (labelled_pod("p", app="cart"), True),
        (labelled_pod("p", phase="Running", app="cart", spec={"nodeName": "w1"}), True),
        (labelled_pod("p", phase="Succeeded", app="cart", spec={"nodeName": "w1"}), False),
        (labelled_pod("p", phase="Running", app="cart", spec={"nodeName": "w1", "hostNetwork": True}), False),
        (labelled_pod("p", app="other"), False),
        (labelled_pod("p", app="cart", spec={"serviceAccountName": "other"}), False),
        (labelled_pod("p", "shop", app="cart"), False),
        (labelled_pod("p", app="cart", **{"pod-template-hash": "x"}), True),
        (labelled_pod("p", "unknown-namespace", app="cart"), False),
    ],
)
def test_rule_4_pods_without_endpoint(scene: Scene, pod: Any, uses: bool) -> None:
    """By phase, network, labels, service account and namespace."""
    scene.fill(identity(300, labels=LABELS), pods=[pod])
    assert (scene.dead() == set()) is uses


def test_rule_4_a_pod_that_is_being_deleted(scene: Scene) -> None:
    """It runs until its grace period is over."""
    pod = labelled_pod("p", phase="Running", app="cart", spec={"nodeName": "w1"})
    pod["metadata"]["deletionTimestamp"] = ago(1)
    scene.fill(identity(300, labels=LABELS), pods=[pod])
    assert scene.kept() == {300: "pod default/p needs it"}


def test_rule_4_the_filter_the_cluster_and_the_namespace(scene: Scene) -> None:
    """Its labels are computed with the filter, the cluster's name and the labels of its namespace of this cluster."""
    needed = {
        **security_labels(app="cart"),
        "k8s:io.cilium.k8s.policy.cluster": "north",
        "k8s:io.cilium.k8s.namespace.labels.team": "a",
    }
    del needed["k8s:io.cilium.k8s.policy.serviceaccount"]
    labels = {"kubernetes.io/metadata.name": "default", "team": "a"}
    scene.fill(
        identity(300, labels=needed),
        identity(301, labels=LABELS),
        config={"cluster_name": "north", "labels": r"k8s:!version k8s:!io\.cilium\.k8s\.policy\.serviceaccount"},
        namespaces=[{"metadata": {"name": "default", "labels": labels}}],
        pods=[labelled_pod("p", app="cart", version="7")],
    )
    assert scene.dead() == {"301"}


@pytest.mark.parametrize(("version", "dead"), [("1.19.2", {"301"}), ("1.20.0", set())])
def test_rule_4_named_ports(scene: Scene, version: str, dead: set[str]) -> None:
    """Since 1.20 a label is made of them; endpoints of before the upgrade are without, so both stay."""
    ports = [{"name": "main", "ports": [{"name": "http", "containerPort": 80}]}]
    scene.fill(
        identity(300, labels=LABELS),
        identity(301, labels={**LABELS, "gen:io.cilium.k8s.named-ports": "http.TCP.80"}),
        config={"version": version},
        pods=[labelled_pod("p", app="cart", spec={"containers": ports})],
    )
    assert scene.dead() == dead


def test_rule_4_labels_that_cannot_be_told(scene: Scene) -> None:
    """A namespace whose labels are not known keeps all of its identities, and those of which no namespace is known."""
    scene.fill(
        identity(300, labels=security_labels("new", app="x")),
        identity(301, labels={"k8s:app": "x"}),
        identity(302, labels=security_labels(app="x")),
        pods=[labelled_pod("p", "new", app="cart")],
    )
    assert scene.dead() == {"302"} and all("cannot be told" in reason for reason in scene.kept().values())


@pytest.mark.parametrize(
    ("pod", "named", "dead"),
    [
        (cart(), 301, {"300"}),
        (cart(), 302, set()),  # its labels were changed: it is about to take one with the new ones
        (cart(), 399, set()),  # the one that is named does not exist
        ({**cart(), "metadata": {**cart()["metadata"], "uid": "replaced"}}, 301, set()),
    ],
)
def test_rule_4_duplicates(scene: Scene, pod: Any, named: int, dead: set[str]) -> None:
    """A pod whose own endpoint names an identity with exactly its labels needs no other one."""
    other = identity(302, labels=security_labels(app="before"))
    scene.fill(
        identity(300, labels=LABELS),
        identity(301, labels=LABELS),
        other,
        pods=[pod],
        ciliumendpoints=[owned("cart-1", named), endpoint("x", 301), endpoint("y", 302)],
    )
    assert scene.dead() == dead


@pytest.mark.parametrize(
    ("nodes", "agents"),
    [
        ([node(ready="False")], [agent()]),
        ([node(ready="Unknown")], [agent()]),
        ([node()], [agent(ready="False")]),
        ([node()], [agent(deletionTimestamp=ago(1))]),
        ([node()], []),
        ([node("w2")], [agent(), agent("w2")]),
    ],
)
@pytest.mark.parametrize("phase", ["Running", "Failed"])
def test_rule_4_nodes_that_are_not_sound(scene: Scene, nodes: list[Any], agents: list[Any], phase: str) -> None:
    """Without a Node and an agent that work nothing is certain: the pod counts, whatever the API says about it."""
    scene.fill(
        identity(300, labels=LABELS),
        identity(301, labels=LABELS),
        nodes=nodes,
        pods=[cart(phase=phase)],
        ciliumendpoints=[owned("cart-1", 301)],
    )
    for path in [one for one in scene.api.store.objects if "/pods/cilium-" in one]:
        del scene.api.store.objects[path]
    for one in agents:
        scene.add("pods", one)
    assert "may use it on Node w1" in scene.kept()[300]


# -- rules 5 and 8 -----------------------------------------------------------------------------------------------------


def test_rule_5_age(scene: Scene) -> None:
    """Two heartbeat timeouts, by the clock of the API server."""
    unknown = identity(302)
    del unknown["metadata"]["creationTimestamp"]
    scene.fill(identity(300, age=61), identity(301, age=59), unknown)
    kept = scene.kept()
    assert scene.dead() == {"300"} and "two heartbeat timeouts" in kept[301] and "not known" in kept[302]


@pytest.mark.parametrize(
    ("config", "verdict"),
    [
        ({}, "off"),
        ({"identity_gc_interval": "15m", "ready": 0}, "broken"),
        ({"identity_gc_interval": "600"}, "broken"),
    ],
)
def test_rule_5_where_nobody_collects(scene: Scene, config: dict[str, Any], verdict: str) -> None:
    """Off and broken are what direct deletion is for."""
    scene.fill(identity(300), config=config)
    plan = scene.plan()
    assert plan.verdict == verdict and len(plan.candidates) == 1


def test_rule_5_where_the_operator_collects(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is to be made faster; the override says so in its name."""
    scene.fill(identity(300), config={"identity_gc_interval": "15m", "renewed": -1e6})
    with pytest.raises(RefusedError, match=r"tune_cilium.*while_operator_collects: true"):
        scene.run()
    assert scene.writes() == []
    assert scene.dead(beside_collection=True) == {"300"}


def test_rule_5_where_the_operator_is_not_seen(scene: Scene) -> None:
    """Unknown is not off."""
    scene.fill(identity(300), config={"identity_gc_interval": "15m"}, deployments=[], leases=[])
    for beside in (False, True):
        with pytest.raises(RefusedError, match="not known"):
            scene.run(beside_collection=beside)


def test_rule_5_grace(scene: Scene) -> None:
    """1.2 times the longest interval in which an agent removes marks; less is refused."""
    override = {"identity-allocation-sync-interval": "10m"}
    scene.fill(identity(300), config={"identity_allocation_sync_interval": "1m"})
    assert scene.plan().grace == 72 and scene.plan(grace=100).grace == 100
    with pytest.raises(InputError, match=r"grace: 71 seconds are too few.*72 or more"):
        scene.plan(grace=71)
    scene.add(
        "ciliumnodeconfigs", {"metadata": {"name": "x", "namespace": "kube-system"}, "spec": {"defaults": override}}
    )
    assert scene.plan().grace == 720


@pytest.mark.parametrize(
    ("text", "written", "wait"),
    [(60, 60, 0), (60, 5, 60), (5, 60, 60), (60, None, 360), (-60, 60, 360), (0, 0, 360)],
)
def test_rule_5_marks_of_others(scene: Scene, text: float, written: float | None, wait: float) -> None:
    """The later of what the mark says and what the API server has recorded counts; without a record only what we see."""
    scene.fill(marked(identity(300), text, written))
    (candidate,) = (plan := scene.plan()).candidates
    assert plan.due_in[candidate.uid] == wait and not plan.unmarked


def test_rule_8_where_the_operator_manages(scene: Scene) -> None:
    """A pod with a fitting endpoint counts there, because no agent removes the mark of a duplicate that it takes."""
    for management, dead in (("agent", {"300"}), ("operator", set()), ("both", set())):
        scene.api.store.objects.clear()
        scene.fill(
            identity(300, labels=LABELS),
            identity(301, labels=LABELS),
            config={"identity_management_mode": management, "renewed": -1e6},
            pods=[cart()],
            ciliumendpoints=[owned("cart-1", 301)],
        )
        assert scene.dead() == dead, management
