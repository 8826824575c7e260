"""Relief for a full pool on the real control plane: a Node is proposed, retired, and its block serves the Node that waits.

Then the same cluster with other settings: the predictions about a larger and about another range against what the real
kube-controller-manager does, and podCIDRs given out by us while allocation is off.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import RotationPlan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation import cidr_plan
from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, KwokSpec, Testbed, TestbedSpec, objects

from .observers import untouched_cluster

pytestmark = pytest.mark.testbed

OPERATOR = "upkeep-operator"
OLD, LARGER, OTHER = "10.142.0.0/22", "10.142.0.0/21", "10.150.0.0/22"


def create_node(testbed: Testbed, name: str) -> None:
    """A Node that kwok keeps Ready, of a machine that could be retired."""
    made = objects.node(name)
    del made["metadata"]["labels"]["type"], made["spec"]["taints"]
    testbed.client.create("/api/v1/nodes", made)


def block_of(testbed: Testbed, name: str) -> str:
    """podCIDR of a Node, empty without one."""
    return str(testbed.client.get(f"/api/v1/nodes/{name}")["spec"].get("podCIDR") or "")


def usable(testbed: Testbed, name: str) -> bool:
    """Whether a Node has a podCIDR, and no taint of a Node that is not Ready."""
    return bool(block_of(testbed, name)) and not testbed.client.get(f"/api/v1/nodes/{name}")["spec"].get("taints")


def nudge(testbed: Testbed, name: str) -> None:
    """Write the Node, as its kubelet does: the allocator tries again then."""
    annotations = {"example.com/status": str(time.monotonic())}
    testbed.client.patch(f"/api/v1/nodes/{name}", {"metadata": {"annotations": annotations}})


def deploy(testbed: Testbed, name: str, node: str, cpu: str) -> None:
    """A Deployment of one pod that prefers a Node, but may run elsewhere."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    preferred = [{"weight": 100, "preference": term}]
    labels = {"app": name}
    container = {"name": "main", "image": "simulated", "resources": {"requests": {"cpu": cpu}}}
    pod = {
        "automountServiceAccountToken": False,
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}},
        "containers": [container],
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    testbed.client.create("/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": name}, "spec": spec})
    wait_until(f"{name} runs on {node}", lambda: nodes_of(testbed, name) == [node])


def nodes_of(testbed: Testbed, name: str) -> list[str]:
    """Where the running pods of a Deployment are."""
    pods = testbed.client.list("/api/v1/namespaces/default/pods", {"labelSelector": f"app={name}"})
    running = [pod for pod in pods if pod["status"].get("phase") == "Running"]
    return [pod["spec"]["nodeName"] for pod in running if not pod["metadata"].get("deletionTimestamp")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Testbed]:
    """Four blocks: cp1, and three workers of which w2 has least to do; w4 waits."""
    control_plane = ControlPlaneSpec(cluster_cidrs=(OLD,), control_plane_node="cp1")
    spec = TestbedSpec(name=f"relief-{os.getpid()}", control_plane=control_plane, kwok=KwokSpec())
    with Testbed.up(spec) as testbed:
        for name in ("w1", "w2", "w3"):
            create_node(testbed, name)
        wait_until("every worker is usable", lambda: all(usable(testbed, name) for name in ("w1", "w2", "w3")))
        for name, node, cpu in (("large", "w1", "40"), ("small", "w2", "1"), ("middle", "w3", "20")):
            deploy(testbed, name, node, cpu)
        create_node(testbed, "w4")
        yield testbed


@pytest.fixture(scope="module")
def operator_kubeconfig(cluster: Testbed) -> Path:
    """Its own user, so that the audit log tells our requests from all others."""
    return Path(cluster.kubeconfig_for(OPERATOR, ("system:masters",)))


def retire(cluster: Testbed, kubeconfig: Path, *arguments: str, **variables: Any) -> PlaybookRun:
    """Retire w2."""
    return run_playbook(
        "podnet.upkeep.retire_nodes",
        arguments,
        variables={
            "retire_nodes_kubeconfig": str(kubeconfig),
            "retire_nodes_state_dir": str(Path(cluster.directory) / "retired"),
            "retire_nodes_nodes": ["w2"],
            "retire_nodes_without_hosts": True,
            **variables,
        },
    )


def test_the_least_used_node_is_proposed(cluster: Testbed, operator_kubeconfig: Path) -> None:
    """With what moves where, and nothing is written; the large one would not fit."""
    with untouched_cluster(cluster, OPERATOR):
        done = run_playbook(
            "podnet.upkeep.plan_pod_cidr_relief",
            variables={
                "plan_pod_cidr_relief_kubeconfig": str(operator_kubeconfig),
                "plan_pod_cidr_relief_cluster_cidrs": [LARGER],
            },
        )
    assert done.returncode == 0 and done.changed == 0, done.output
    text = done.flat_output
    assert "1 Nodes wait for one: w4" in text
    assert text.index("w2: frees 1 blocks, moves 1 pods (1000m CPU, 0 MiB requested), which fits") < text.index(
        "w3: frees"
    )
    assert "cp1: frees" not in text
    assert "The new range contains the old one and has the same mask" in text


def test_without_host_or_consent_nothing_is_retired(cluster: Testbed, operator_kubeconfig: Path) -> None:
    """w4 would get the pods; a kubelet that nobody stops would register the Node again; check mode writes nothing."""
    with untouched_cluster(cluster, OPERATOR):
        done = retire(cluster, operator_kubeconfig)
        assert done.returncode == 2 and "Ready and schedulable (w4)" in done.flat_output
    cluster.client.patch("/api/v1/nodes/w4", {"spec": {"unschedulable": True}})
    with untouched_cluster(cluster, OPERATOR):
        done = retire(cluster, operator_kubeconfig, retire_nodes_without_hosts=False)
        assert done.returncode == 2 and "no host in the inventory is the machine of Node w2" in done.flat_output
        done = retire(cluster, operator_kubeconfig, "--check", "--diff")
        assert done.returncode == 0, done.output


def test_the_waiting_node_gets_the_block(cluster: Testbed, operator_kubeconfig: Path) -> None:
    """Drained and deleted on choice; the pod moved as predicted, and the controller-manager serves w4."""
    block = block_of(cluster, "w2")
    assert block and not block_of(cluster, "w4")
    done = retire(cluster, operator_kubeconfig)
    assert done.returncode == 0, done.output
    assert cluster.client.find("/api/v1/nodes/w2") is None
    assert wait_until("the pod runs elsewhere", lambda: nodes_of(cluster, "small")) == ["w3"], "not as predicted"
    nudge(cluster, "w4")
    assert wait_until("w4 is served", lambda: block_of(cluster, "w4")) == block
    cluster.client.patch("/api/v1/nodes/w4", {"spec": {"unschedulable": None}})
    again = retire(cluster, operator_kubeconfig)
    assert again.returncode == 0 and again.changed == 0, again.output


def rotation(cluster: Testbed, cidr: str, mask: int = 24) -> RotationPlan:
    """The plan for another cluster CIDR, against the live cluster."""
    client = KubeClient.from_options({"kubeconfig": str(cluster.kubeconfig)})
    context = Context(live.collect(client), AuditSettings())
    target = settings_from_options({"cluster_cidrs": [cidr], "node_mask_size_ipv4": mask})
    return cidr_plan(client, context, target, settle_seconds=3)


def lease(cluster: Testbed) -> tuple[str, int]:
    """Who leads the controllers, and how often that has changed."""
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
    spec = (cluster.client.find(path) or {}).get("spec") or {}
    return str(spec.get("holderIdentity") or ""), int(spec.get("leaseTransitions") or 0)


def test_a_larger_range_with_the_same_mask_serves_more_nodes(cluster: Testbed) -> None:
    """As planned: nothing is touched, the controller-manager starts, and as many further Nodes get a block."""
    plan = rotation(cluster, LARGER)
    assert (plan.method, plan.rolling, plan.refusals, plan.nodes) == ("superset", True, [], [])
    assert any("4 blocks are free" in line for step in plan.steps for line in step.verify)
    disjoint = rotation(cluster, OTHER)
    assert (disjoint.method, disjoint.rolling) == ("disjoint", False)
    assert {one["name"] for one in disjoint.nodes} == {"cp1", "w1", "w3", "w4"}
    assert rotation(cluster, OLD, 25).method == "new-mask" and rotation(cluster, OLD).method == "unchanged"

    before = {name: block_of(cluster, name) for name in ("cp1", "w1", "w3", "w4")}
    cluster.restart_controller_manager(cluster_cidrs=(LARGER,))
    create_node(cluster, "w5")
    assert wait_until("w5 is served", lambda: block_of(cluster, "w5"))
    assert {name: block_of(cluster, name) for name in before} == before


def test_podcidrs_are_handed_out_where_nobody_allocates(
    cluster: Testbed, operator_kubeconfig: Path, tmp_path: Path
) -> None:
    """Refused while the allocator runs; with allocation off the chosen block is free, and is kept."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - podnet.upkeep.node_pod_cidr:
        kubeconfig: "{{ kubeconfig }}"
        name: w6
        accepted_risks: [ipam-model-unknown]
        pod_cidrs: "{{ wanted | default([]) }}"
""",
        encoding="utf-8",
    )

    def give(*arguments: str, **variables: Any) -> PlaybookRun:
        return run_playbook(str(playbook), arguments, variables={"kubeconfig": str(operator_kubeconfig), **variables})

    cluster.restart_controller_manager(allocate_node_cidrs=False)
    create_node(cluster, "w6")
    time.sleep(2)
    assert not block_of(cluster, "w6")
    taken = {block_of(cluster, name) for name in ("cp1", "w1", "w3", "w4", "w5")}
    with untouched_cluster(cluster, OPERATOR):
        done = give("--check", "--diff")
        assert done.returncode == 0 and done.changed == 1, done.output
        done = give(wanted=["10.99.0.0/24"])
        assert done.returncode == 2 and "cannot be given to Node w6: 10.99.0.0/24 is outside" in done.flat_output
    done = give()
    assert done.returncode == 0 and done.changed == 1, done.output
    given = block_of(cluster, "w6")
    assert given and given not in taken
    assert give().changed == 0

    cluster.restart_controller_manager(allocate_node_cidrs=True)
    create_node(cluster, "w7")
    assert wait_until("the allocator takes our block for used", lambda: block_of(cluster, "w7")) not in {*taken, given}
