"""What install_access gives is enough for what a plan asks beyond the Node, on the real API server with RBAC.

Those are MachineHealthChecks of its machine, volumes of its pods, and whether the pods of the probe would be let in. Permissions
are taken away in turn: what is unknown is said then, and never that there is nothing. An API server answers 403 also for groups
that it does not serve, which are in a management cluster then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from snapshots import providers

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_pods import Elsewhere
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_probe import probe_outlook
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_of_node import further_objections
from harness import limited_accounts, permission_runs
from harness.limited_accounts import Account
from harness.permission_atoms import Atom
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, Testbed, TestbedSpec

pytestmark = [pytest.mark.testbed, pytest.mark.once]

NAME = "reassign_pod_cidrs"
CLUSTER_API, OPENSHIFT = "cluster.x-k8s.io", "machine.openshift.io"
NODES = {
    CLUSTER_API: providers.node(annotations=providers.CAPI_NODE),
    OPENSHIFT: providers.node(annotations={"machine.openshift.io/machine": "openshift-machine-api/prod-worker-1"}),
}
KINDS = ((CLUSTER_API, "v1beta2", "Machine"), (CLUSTER_API, "v1beta2", "Cluster"), (OPENSHIFT, "v1beta1", "Machine"))
CHECKS = ((CLUSTER_API, "v1beta2", "MachineHealthCheck"), (OPENSHIFT, "v1beta1", "MachineHealthCheck"))


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A control plane without Nodes."""
    spec = TestbedSpec(
        f"machine-health-{os.getpid()}", control_plane=ControlPlaneSpec(cluster_cidrs=("10.146.0.0/16",))
    )
    with Testbed.up(spec) as made:
        yield made


@pytest.fixture(scope="module")
def account(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The ServiceAccount of the playbook."""
    return permission_runs.account(testbed, tmp_path_factory.mktemp("machines"), NAME)


def serve(testbed: Testbed, group: str, version: str, kind: str) -> None:
    """Let the API server have this kind, with any content."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "scope": "Namespaced",
            "versions": [served],
        },
    }
    testbed.client.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    root = f"/apis/{group}/{version}"

    def known() -> bool:
        found = testbed.client.find(root)
        return found is not None and plural in {one["name"] for one in found["resources"]}

    wait_until(f"{plural}.{group} are served", known)


def add(testbed: Testbed, path: str, obj: dict[str, Any], kinds: dict[str, str]) -> None:
    """Create an object, which has to name its kind."""
    _root, _apis, group, version, _word, namespace, plural = path.split("/")
    if testbed.client.find(f"/api/v1/namespaces/{namespace}") is None:
        testbed.client.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    testbed.client.create(path, {"apiVersion": f"{group}/{version}", "kind": kinds[plural], **obj})


def codes(account: Account, group: str) -> list[str]:
    """What speaks against the Node, as this account sees it."""
    client = KubeClient.from_options({"kubeconfig": str(account.kubeconfig)})
    found = further_objections(client, read_context(client, AuditSettings()), NODES[group])
    return [one.code for one in found]


def test_each_permission_is_needed_where_the_kind_is_served(testbed: Testbed, account: Account) -> None:
    """First nothing is served, then machines alone as without health checks, then all of it."""
    atoms = [one for one in account.atoms if one.group in NODES]
    assert len(atoms) == 5
    assert [codes(account, group) for group in NODES] == [[], []]
    with limited_accounts.lacking(testbed, account, atoms[0]):
        assert codes(account, CLUSTER_API) == []
    for kind in KINDS:
        serve(testbed, *kind)
    machines = Atom("get", "machines", CLUSTER_API)
    with limited_accounts.lacking(testbed, account, machines):
        assert codes(account, CLUSTER_API) == []
    for kind in CHECKS:
        serve(testbed, *kind)
    kinds = {f"{kind.lower()}s": kind for _group, _version, kind in (*KINDS, *CHECKS)}
    for path, obj in (*providers.CAPI_OBJECTS, *providers.OPENSHIFT_OBJECTS):
        add(testbed, path, obj, kinds)
    for group in NODES:
        wait_until("the check is seen", lambda group=group: codes(account, group) == ["machine-health-check"])
    for atom in atoms:
        with limited_accounts.lacking(testbed, account, atom):
            assert codes(account, atom.group) == ["machine-health-check-unknown"], atom.words


DEFAULT = "/api/v1/namespaces/default"


def ready_node(testbed: Testbed, name: str) -> None:
    """A Node that has room, a podCIDR of the real allocator, and no taint; no kubelet reports it."""
    metadata = {"name": name, "labels": {"kubernetes.io/hostname": name}}
    testbed.client.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": metadata})
    room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    status = {"conditions": [{"type": "Ready", "status": "True"}], "capacity": room, "allocatable": room}
    testbed.client.patch(f"/api/v1/nodes/{name}/status", {"status": status})

    def usable() -> bool:
        spec = testbed.client.get(f"/api/v1/nodes/{name}")["spec"]
        return bool(spec.get("podCIDRs")) and not spec.get("taints")

    wait_until(f"Node {name} takes pods", usable)


def local_volume(testbed: Testbed) -> dict[str, Any]:
    """A pod on w1 whose volume is there."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["w1"]}]}
    shape = {"accessModes": ["ReadWriteOnce"], "storageClassName": "local", "volumeMode": "Filesystem"}
    volume = {
        **shape,
        "capacity": {"storage": "1Gi"},
        "local": {"path": "/data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "data"},
    }
    testbed.client.create("/api/v1/persistentvolumes", {"metadata": {"name": "disk-1"}, "spec": volume})
    claim = {**shape, "volumeName": "disk-1", "resources": {"requests": {"storage": "1Gi"}}}
    testbed.client.create(f"{DEFAULT}/persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": claim})
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "u1", "controller": True}
    mount = {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}
    spec = {"nodeName": "w1", "containers": [{"name": "x", "image": "example.invalid/x"}], "volumes": [mount]}
    return {"metadata": {"name": "db-0", "namespace": "default", "uid": "p1", "ownerReferences": [owner]}, "spec": spec}


def test_volumes_and_the_probe_are_judged_beforehand(testbed: Testbed, account: Account) -> None:
    """A local volume keeps a pod on its Node; a quota that forbids the pods of the probe says so, and nothing is made."""
    for name in ("w1", "w2"):
        ready_node(testbed, name)
    client = KubeClient.from_options({"kubeconfig": str(account.kubeconfig)})
    pod = local_volume(testbed)
    context = read_context(client, AuditSettings())
    (warning,) = Elsewhere(client, context).warnings("w1", [pod])
    assert warning.endswith("default/db-0 (volume disk-1 is bound to other Nodes (1 Nodes))")
    with limited_accounts.lacking(testbed, account, Atom("get", "persistentvolumes")):
        (warning,) = Elsewhere(client, context).warnings("w1", [pod])
    assert warning.endswith("could not be read: default/db-0")

    objections, (warning,) = probe_outlook(client, ["w1"], "", "default")
    assert objections == [] and "No agnhost is known to be on Node w1, w2 (" in warning
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"limits.cpu": "1"}}}
    testbed.client.create(f"{DEFAULT}/resourcequotas", quota)
    wait_until("the quota holds", lambda: probe_outlook(client, ["w1"], "", "default")[0])
    (objection,) = probe_outlook(client, ["w1"], "", "default")[0]
    testbed.client.delete(f"{DEFAULT}/resourcequotas/small")
    assert objection.code == "probe-refused" and "quota" in objection.reason
    assert testbed.client.list(f"{DEFAULT}/pods") == []
