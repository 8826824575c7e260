"""With the shipped ServiceAccount the whole audit runs, each of its rules is needed, and it writes nothing.

On the real API server with RBAC and its audit log. Every kind of object that an audit can read is served: those of CNIs
that do not run here by empty CustomResourceDefinitions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import (
    AccessOptions,
    collection_path,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import PERMISSIONS, Permission
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from harness import every_kind
from harness.playbook import run_playbook
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, ControlPlaneSpec, KwokSpec, Testbed, TestbedSpec, objects
from testbed.recordings import agent_answers

pytestmark = pytest.mark.testbed

ACCESS = AccessOptions()
READING = {"get", "list", "watch"}


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A control plane that shows its Node, the real cilium-operator, an agent of Cilium on a simulated Node."""
    spec = TestbedSpec(
        f"audit-access-{os.getpid()}",
        control_plane=ControlPlaneSpec(cluster_cidrs=("10.146.0.0/16",), control_plane_node="cp1"),
        cilium=CiliumOperatorSpec(),
        kwok=KwokSpec(exec_answers=agent_answers("healthy")),
    )
    with Testbed.up(spec) as made:
        every_kind.serve(made)
        for name in ("calico-node", "aws-node", "azure-cns"):
            made.client.create("/apis/apps/v1/namespaces/kube-system/daemonsets", every_kind.daemon_set(name))
        made.client.apply("/api/v1/nodes/agent-a", objects.node("agent-a", labels=objects.AGENT_NODE))
        wait_until("the DaemonSet has its agent", lambda: _agents(made))
        yield made


def _agents(testbed: Testbed) -> list[str]:
    """Pods of the agents that run."""
    pods = testbed.client.list("/api/v1/namespaces/kube-system/pods", params={"labelSelector": "k8s-app=cilium"})
    return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]


def install(testbed: Testbed, *options: str, **variables: Any) -> Any:
    """Run the playbook as an administrator."""
    given = {"audit_access_kubeconfig": str(testbed.kubeconfig), **variables}
    done = run_playbook("podnet.upkeep.install_audit_access", options, variables=given)
    assert done.returncode == 0, done.output
    return done


@pytest.fixture(scope="module")
def kubeconfig(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Credentials of the ServiceAccount as the README says, after the playbook has made it."""
    assert install(testbed, "--check", "--diff").changed
    assert testbed.client.find(f"{collection_path('ClusterRole')}/{ACCESS.name}") is None
    assert install(testbed).changed
    assert not install(testbed).changed
    return _credentials(testbed, tmp_path_factory.mktemp("access") / "kubeconfig")


def _credentials(testbed: Testbed, path: Path) -> Path:
    accounts = f"/api/v1/namespaces/{ACCESS.namespace}/serviceaccounts"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = testbed.client.create(f"{accounts}/{ACCESS.name}/token", request)["status"]["token"]
    content = json.loads(testbed.kubeconfig.read_text(encoding="utf-8"))
    content["users"] = [{"name": "user", "user": {"token": token}}]
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def client(kubeconfig: Path) -> KubeClient:
    """A client with the credentials of the ServiceAccount."""
    made = KubeClient.from_options({"kubeconfig": str(kubeconfig)})
    # authorizers learn of new rules within moments
    wait_until("the rules are in force", lambda: not read(made).unknown)
    return made


def read(client: KubeClient) -> ClusterState:
    """Everything that an audit reads."""
    return live.collect(client, live.LiveOptions())


def requests_of(testbed: Testbed, user: str) -> list[dict[str, Any]]:
    """What the API server has recorded of a user."""
    lines = testbed.audit_log.read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["user"]["username"] == user]


def audited(kubeconfig: Path, **variables: Any) -> dict[str, Any]:
    """The report of the playbook with these credentials."""
    report = kubeconfig.with_name("report.json")
    given = {"audit_kubeconfig": str(kubeconfig), "audit_output_path": str(report), **variables}
    done = run_playbook("podnet.upkeep.audit", variables=given)
    assert done.returncode == 0, done.output
    loaded: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return loaded


def test_the_whole_audit_runs_without_any_unknown(testbed: Testbed, kubeconfig: Path, client: KubeClient) -> None:
    """The module's state and the playbook's report."""
    state = read(client)
    assert not state.unknown and state.absent == every_kind.NOT_SERVED and set(state.resources) == set(RESOURCES)
    assert not any(one.id == "data-missing" for one in run_checks(Context(state)))
    report = audited(kubeconfig)
    assert report["unknown"] == {} and len(report["nodes"]) == 2
    assert report["summary"]["unknown"] == 0


def place_of(permission: Permission) -> str:
    """Path of the role that has the rule."""
    kind = "Role" if permission.namespace else "ClusterRole"
    return f"{collection_path(kind, permission.namespace)}/{ACCESS.name}"


@pytest.mark.parametrize("resource", PERMISSIONS)
def test_without_a_rule_exactly_that_is_missing(resource: str, testbed: Testbed, client: KubeClient) -> None:
    """And the finding shows the rule that would give it."""
    permission = PERMISSIONS[resource]
    path = place_of(permission)
    rules = testbed.client.get(path)["rules"]
    kept = [rule for rule in rules if rule != permission.rule()]
    assert len(kept) == len(rules) - 1
    testbed.client.patch(path, {"rules": kept})
    try:
        wait_until("the rule is out of force", lambda: read(client).unknown)
        state = read(client)
        assert set(state.unknown) == {resource}
        # ClusterCIDRs matter where kube-controller-manager does not allocate
        context = Context(state, AuditSettings(AllocatorSettings(allocate_node_cidrs=False)))
        (finding,) = [one for one in run_checks(context) if one.id == "data-missing"]
        assert finding.subject.name == resource and finding.evidence["rbac_rule"] == permission.rule()
    finally:
        testbed.client.patch(path, {"rules": rules})
        wait_until("the rule is in force again", lambda: not read(client).unknown)


def test_features_are_forbidden_until_they_are_asked_for(
    testbed: Testbed, kubeconfig: Path, client: KubeClient
) -> None:
    """Then agents and logs are read too, and the next run without them takes the permissions away again."""
    everything = {"audit_use_agents": True, "audit_read_logs": True}
    assert set(audited(kubeconfig, **everything)["unknown"]) == {"agents", "logs", "metrics"}
    assert install(testbed, audit_access_features=["agents", "logs", "metrics"]).changed
    wait_until("pods/exec is allowed", lambda: allowed(testbed, "pods", "exec"))
    report = audited(kubeconfig, **everything)
    # the operator of the testbed is a process and no pod: there is nobody to ask for metrics
    assert set(report["unknown"]) <= {"metrics"}
    assert report["agents"]["answered"] == len(_agents(testbed))
    assert install(testbed).changed
    wait_until("pods/exec is forbidden", lambda: not allowed(testbed, "pods", "exec"))
    assert set(audited(kubeconfig, **everything)["unknown"]) == {"agents", "logs", "metrics"}


def allowed(testbed: Testbed, resource: str, subresource: str, namespace: str = "kube-system") -> bool:
    """What the API server says about the ServiceAccount, asked by the administrator: it does not show in its requests."""
    attributes = {"verb": "create", "resource": resource, "subresource": subresource, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": ACCESS.user, "resourceAttributes": attributes},
    }
    answer = testbed.client.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"].get("allowed"))


def test_nothing_was_written(testbed: Testbed, client: KubeClient) -> None:
    """By all that the ServiceAccount has done here, commands in pods included: their WebSocket is a GET."""
    assert read(client)
    events = requests_of(testbed, ACCESS.user)
    done = {
        (event["verb"], event.get("objectRef", {}).get("resource"), event.get("objectRef", {}).get("subresource"))
        for event in events
    }
    assert {("get", "pods", "exec"), ("get", "pods", "log"), ("list", "nodes", None)} <= done
    assert {verb for verb, _resource, _subresource in done} <= READING


def test_removal_leaves_nothing(testbed: Testbed, client: KubeClient, kubeconfig: Path) -> None:
    """The token is worth nothing any more."""
    assert install(testbed, audit_access_state="absent").changed
    assert not install(testbed, audit_access_state="absent").changed
    for kind in ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"):
        assert not [one for one in testbed.client.list(collection_path(kind)) if one["metadata"]["name"] == ACCESS.name]

    def refused() -> bool:
        try:
            client.get("/api/v1/nodes")
        except ApiError as error:
            return error.status == 401
        return False

    wait_until("the token is refused", refused)
