"""What install_access gives is enough to see the MachineHealthChecks of a Node's machine, on the real API server with RBAC.

Each permission is taken away in turn: the risk is said then, and never that there is none. An API server answers 403 also for
groups that it does not serve, which are in a management cluster then.
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
