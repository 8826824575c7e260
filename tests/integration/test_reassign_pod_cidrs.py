"""The main job on real hosts: find the drifted Node, re-register it over SSH, and lose nothing on the way.

One cluster and one story; the tests of this file build on each other and run in file order.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import host_users, live_inventory, workload
from harness.end_state import end_state
from harness.host_users import NOPASSWD, PASSWORD, HostUser
from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, HostSpec, Testbed, TestbedSpec
from testbed.hosts import drift

from .conftest import Audit
from .observers import NodeWatch, host_fingerprint, untouched_cluster

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

CLUSTER = ipaddress.ip_network("10.121.0.0/16")
FOREIGN = "10.200.7.0/24"
OPERATOR = "upkeep-operator"
LABELS = {"rack": "r1", "node-role.kubernetes.io/worker": ""}
ANNOTATIONS = {"example.com/note": "keep"}
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-reassign-pod-cidrs"
JOURNAL = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-reassign-pod-cidrs"
IMAGES = "/api/v1/namespaces/kube-system/secrets/podnet-upkeep-reassign-pod-cidrs-images"
PILOT = HostUser("pilot", NOPASSWD)
SECRET = HostUser("secret", PASSWORD, password="open-sesame")
GUEST = HostUser("guest")
TAINT = {"key": "dedicated", "value": "x", "effect": "PreferNoSchedule"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Testbed]:
    """Two hosts with a workload; h1 has labels, an annotation and a taint of its own and a podCIDR out of range."""
    spec = TestbedSpec(
        name=f"reassign-{os.getpid()}",
        control_plane=ControlPlaneSpec(cluster_cidrs=(str(CLUSTER),), control_plane_node="cp1"),
        hosts=(HostSpec("h1"), HostSpec("h2")),
    )
    with Testbed.up(spec) as testbed:
        testbed.client.patch("/api/v1/nodes/h1", {"metadata": {"labels": LABELS, "annotations": ANNOTATIONS}})
        testbed.client.patch("/api/v1/nodes/h1", {"spec": {"taints": [TAINT]}})
        drift.make_drifted(testbed, "h1", (FOREIGN,))
        host_users.create(testbed, PILOT, SECRET, GUEST)
        workload.deploy(testbed)
        wait_until("the workload is ready", lambda: workload.workload_ready(testbed))
        wait_until("h1 runs a pod", lambda: workload.network_pods(testbed, "h1"))
        yield testbed


@pytest.fixture(scope="module")
def operator_kubeconfig(cluster: Testbed) -> Path:
    """A kubeconfig of its own, so that the API server's audit log tells our requests from all others."""
    return Path(cluster.kubeconfig_for(OPERATOR, ("system:masters",)))


def reassign(
    cluster: Testbed, kubeconfig: Path, *arguments: str, inventory: Path | None = None, **variables: Any
) -> PlaybookRun:
    """Run the repair playbook with what the testbed needs: its probe image and a folder for before-images."""
    return run_playbook(
        "podnet.upkeep.reassign_pod_cidrs",
        ["-i", str(inventory or cluster.inventory), *arguments],
        variables={
            "reassign_pod_cidrs_kubeconfig": str(kubeconfig),
            "reassign_pod_cidrs_state_dir": str(Path(cluster.directory) / "before-images"),
            "reassign_pod_cidrs_probe_image": workload.IMAGE,
            **variables,
        },
        env={"ANSIBLE_SHOW_CUSTOM_STATS": "true"},
    )


def node_of(cluster: Testbed, name: str) -> dict[str, Any]:
    """The Node object."""
    node: dict[str, Any] = cluster.client.get(f"/api/v1/nodes/{name}")
    return node


def owner_uids(cluster: Testbed, path: str) -> set[str]:
    """Owner uids of one object."""
    found = cluster.client.get(path)
    return {reference["uid"] for reference in found["metadata"].get("ownerReferences", ())}


def assert_addresses_in_node_cidr(cluster: Testbed, name: str) -> None:
    """Every pod with a pod network address has it from the Node's podCIDR."""
    block = ipaddress.ip_network(node_of(cluster, name)["spec"]["podCIDR"])
    pods = workload.network_pods(cluster, name)
    assert pods, f"no Ready pod with an address on {name}: nothing was proved"
    foreign = {
        pod["metadata"]["name"]: pod["status"]["podIP"]
        for pod in pods
        if ipaddress.ip_address(pod["status"]["podIP"]) not in block
    }
    assert foreign == {}


def journal_of(cluster: Testbed) -> dict[str, Any]:
    """The journal in the cluster: {key: its content}."""
    data = cluster.client.get(JOURNAL)["data"]
    return {key: json.loads(text) for key, text in data.items() if key == "run" or key.startswith("node.")}


def holder(cluster: Testbed) -> str:
    """Who holds the lock; empty when nobody does."""
    return str(cluster.client.get(LEASE)["spec"].get("holderIdentity") or "")


def finding_ids(report: dict[str, Any], subject: str) -> set[str]:
    """Ids of the findings about one object."""
    return {finding["id"] for finding in report["findings"] if finding["subject"]["name"] == subject}


def test_audit_names_the_drifted_node(cluster: Testbed, audit: Audit) -> None:
    """The drifted Node is critical and its remedy is this playbook; the healthy one has no finding of its own."""
    report = audit(cluster.kubeconfig)
    assert "node-cidr-out-of-range" in finding_ids(report, "h1")
    finding = next(entry for entry in report["findings"] if entry["id"] == "node-cidr-out-of-range")
    assert finding["severity"] == "critical"
    assert finding["remedy"]["playbook"] == "podnet.upkeep.reassign_pod_cidrs"
    assert finding_ids(report, "h2") == set()


def test_check_mode_shows_the_plan_and_writes_nothing(cluster: Testbed, operator_kubeconfig: Path) -> None:
    """`--check --diff`: the plan is complete, the API server saw no write and the hosts are as they were."""
    before = {name: host_fingerprint(cluster, name) for name in cluster.hosts}
    with untouched_cluster(cluster, OPERATOR):
        done = reassign(cluster, operator_kubeconfig, "--check", "--diff")
    assert done.returncode == 0, done.output
    assert FOREIGN in done.output and "h1" in done.output
    assert "dedicated" in done.output, "the plan does not show the taint that will be restored"
    assert "link cni0" in done.output, "it is not shown what would be removed from the host"
    assert {name: host_fingerprint(cluster, name) for name in cluster.hosts} == before
    assert not (Path(cluster.directory) / "before-images").exists()


def broken_kubeconfig(cluster: Testbed, tmp_path: Path, **changes: str) -> Path:
    """A copy of the operator's kubeconfig in which the server is another one."""
    source = yaml.safe_load(Path(cluster.kubeconfig).read_text(encoding="utf-8"))
    source["clusters"][0]["cluster"].update(changes)
    target = tmp_path / "kubeconfig"
    target.write_text(yaml.safe_dump(source), encoding="utf-8")
    return target


def inventory_with(cluster: Testbed, tmp_path: Path, addresses: dict[str, str]) -> Path:
    """The testbed's inventory with other hosts: {inventory name: host of the testbed whose address it gets}."""
    source = yaml.safe_load(Path(cluster.inventory).read_text(encoding="utf-8"))
    known = source["all"]["hosts"]
    source["all"]["hosts"] = {name: {**known[host]} for name, host in addresses.items()}
    target = tmp_path / "inventory.yml"
    target.write_text(yaml.safe_dump(source), encoding="utf-8")
    return target


def assert_one_clear_sentence(done: PlaybookRun, *words: str) -> None:
    """The run failed, said each of `words`, and showed no traceback."""
    assert done.returncode != 0, done.output
    assert "Traceback" not in done.output and "MODULE FAILURE" not in done.output, done.output
    for word in words:
        assert word in done.flat_output, f"{word!r} is not in:\n{done.output}"


@pytest.mark.parametrize(
    "case",
    [
        "missing-kubeconfig",
        "unreachable-api",
        "no-such-node",
        "node-without-host",
        "wrong-machine",
        "not-root",
        "sudo-wants-a-password",
        "no-permission",
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(
    case: str, cluster: Testbed, operator_kubeconfig: Path, tmp_path: Path
) -> None:
    """Each mistake is answered by a sentence that names it; neither the cluster nor a host is touched."""
    before = {name: host_fingerprint(cluster, name) for name in cluster.hosts}
    versions = {name: node_of(cluster, name)["spec"] for name in cluster.hosts}
    if case == "missing-kubeconfig":
        done = reassign(cluster, tmp_path / "none.conf")
        assert_one_clear_sentence(done, "none.conf")
    elif case == "unreachable-api":
        done = reassign(cluster, broken_kubeconfig(cluster, tmp_path, server="https://127.0.0.1:9"))
        assert_one_clear_sentence(done, "https://127.0.0.1:9", "refused")
    elif case == "no-such-node":
        done = reassign(cluster, operator_kubeconfig, reassign_pod_cidrs_nodes=["h9"])
        assert_one_clear_sentence(done, "h9", "no Node")
    elif case == "node-without-host":
        inventory = inventory_with(cluster, tmp_path, {"h2": "h2"})
        done = reassign(cluster, operator_kubeconfig, inventory=inventory, reassign_pod_cidrs_nodes=["h1"])
        assert_one_clear_sentence(done, "h1", "inventory")
    elif case == "wrong-machine":
        inventory = inventory_with(cluster, tmp_path, {"h1": "h2", "h2": "h1"})
        done = reassign(cluster, operator_kubeconfig, inventory=inventory)
        assert_one_clear_sentence(done, "h1", "machine-id")
    elif case == "not-root":
        inventory = host_users.inventory(cluster, tmp_path, GUEST)
        done = reassign(cluster, operator_kubeconfig, inventory=inventory, reassign_pod_cidrs_become=False)
        assert_one_clear_sentence(done, "Host h1 was read by a user who is not root", "Nothing was changed.")
    elif case == "sudo-wants-a-password":
        done = reassign(cluster, operator_kubeconfig, inventory=host_users.inventory(cluster, tmp_path, SECRET))
        said = "Host h1 could not be read: Missing sudo password. The user who logs in there has to become root"
        assert_one_clear_sentence(done, said, "Nothing was changed.")
    else:
        done = reassign(cluster, Path(cluster.kubeconfig_for("nobody-in-particular", ())))
        assert_one_clear_sentence(done, "nodes", "nobody-in-particular")
    assert {name: host_fingerprint(cluster, name) for name in cluster.hosts} == before
    assert {name: node_of(cluster, name)["spec"] for name in cluster.hosts} == versions


def test_repair_loses_nothing(cluster: Testbed, operator_kubeconfig: Path) -> None:
    """New uid, in range, metadata equal, never schedulable in between, no old address, old dependents gone, reachable."""
    before = node_of(cluster, "h1")
    with NodeWatch(cluster, "h1") as watch:
        done = reassign(cluster, operator_kubeconfig)
    assert done.returncode == 0, done.output
    after = node_of(cluster, "h1")

    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert ipaddress.ip_network(after["spec"]["podCIDR"]).subnet_of(CLUSTER)
    assert after["status"]["nodeInfo"]["machineID"] == before["status"]["nodeInfo"]["machineID"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    documented = {"node.alpha.kubernetes.io/ttl", "volumes.kubernetes.io/controller-managed-attach-detach"}
    annotations = [
        {key: value for key, value in node["metadata"].get("annotations", {}).items() if key not in documented}
        for node in (before, after)
    ]
    assert annotations[0] == annotations[1]
    assert [
        taint for taint in after["spec"].get("taints", ()) if not taint["key"].startswith("node.kubernetes.io/")
    ] == [TAINT]
    assert not after["spec"].get("unschedulable")

    cordoned = [index for index, version in enumerate(watch.versions) if version.unschedulable]
    assert {before["metadata"]["uid"], after["metadata"]["uid"]} <= {version.uid for version in watch.versions}
    between = watch.versions[cordoned[0] : cordoned[-1] + 1]
    assert all(version.unschedulable for version in between)
    reborn = next(version for version in watch.versions if version.uid == after["metadata"]["uid"])
    assert reborn.unschedulable, "the new Node object was schedulable when it was created"

    new_uid = {after["metadata"]["uid"]}
    wait_until(
        "the Lease is renewed by the new Node",
        lambda: owner_uids(cluster, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/h1") == new_uid,
    )
    assert owner_uids(cluster, "/apis/storage.k8s.io/v1/csinodes/h1") == new_uid
    wait_until("the workload is ready again", lambda: workload.workload_ready(cluster))
    assert_addresses_in_node_cidr(cluster, "h1")
    target = next(pod for pod in workload.network_pods(cluster, "h1"))
    assert workload.answers(cluster, "h2", target["status"]["podIP"])
    leftovers = [
        pod["metadata"]["name"]
        for pod in cluster.client.list(
            "/api/v1/pods", params={"labelSelector": "app.kubernetes.io/managed-by=podnet.upkeep"}
        )
    ]
    assert leftovers == []

    assert holder(cluster) == "", "the lock was not given back"
    journal = journal_of(cluster)
    assert journal["run"]["result"] == "finished" and journal["node.h1"]["step"] == "completed"
    assert (journal["node.h1"]["old_uid"], journal["node.h1"]["new_uid"]) == (
        before["metadata"]["uid"],
        after["metadata"]["uid"],
    )
    assert not cluster.client.get(IMAGES).get("data"), "the before-image of a Node that is back was kept in the cluster"
    assert "Node h1: captured " in done.flat_output, "the report has no timeline"


def test_second_run_changes_nothing(cluster: Testbed, operator_kubeconfig: Path, audit: Audit) -> None:
    """The audit is clean, and the same command again changes nothing and writes nothing."""
    report = audit(cluster.kubeconfig)
    assert [entry for entry in report["findings"] if entry["severity"] in ("critical", "warning")] == []
    with untouched_cluster(cluster, OPERATOR):
        done = reassign(cluster, operator_kubeconfig)
    assert done.returncode == 0, done.output
    assert done.changed == 0


def test_naive_sequence_of_the_runbook_loses(cluster: Testbed) -> None:
    """Why this collection exists: drain, delete, restart kubelet, uncordon on h2 (kept as documentation).

    The Node gets a new podCIDR and loses its metadata; new pods are Running and Ready with addresses of the *old*
    podCIDR, and nobody on another host can reach them.
    """
    cluster.client.patch("/api/v1/nodes/h2", {"metadata": {"labels": LABELS, "annotations": ANNOTATIONS}})
    cluster.client.patch("/api/v1/nodes/h2", {"spec": {"taints": [TAINT]}})
    before = node_of(cluster, "h2")
    drift.naive_reregistration(cluster, "h2")
    after = node_of(cluster, "h2")
    assert after["spec"]["podCIDR"] != before["spec"]["podCIDR"]
    assert "rack" not in after["metadata"]["labels"]
    assert "example.com/note" not in after["metadata"].get("annotations", {})
    assert TAINT not in after["spec"].get("taints", ())

    for pod in cluster.client.list("/api/v1/namespaces/default/pods", params={"labelSelector": "app=web"}):
        cluster.client.delete(f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}")
    wait_until("the workload says it is ready", lambda: workload.workload_ready(cluster))
    old_block = ipaddress.ip_network(before["spec"]["podCIDR"])
    wait_until(
        "a new pod runs on h2",
        lambda: [pod for pod in workload.network_pods(cluster, "h2") if pod["metadata"]["namespace"] == "default"],
    )
    new_pod = next(pod for pod in workload.network_pods(cluster, "h2") if pod["metadata"]["namespace"] == "default")
    assert ipaddress.ip_address(new_pod["status"]["podIP"]) in old_block
    assert not workload.answers(cluster, "h1", new_pod["status"]["podIP"])


def test_audit_names_the_naive_state(cluster: Testbed, audit: Audit) -> None:
    """Everything says Ready; the audit says which pods nobody can reach and what mends it."""
    report = audit(cluster.kubeconfig)
    assert "pod-address-outside-node-cidr" in finding_ids(report, "h2")


def test_playbook_mends_the_naive_state(
    cluster: Testbed, operator_kubeconfig: Path, audit: Audit, tmp_path: Path
) -> None:
    """After the repair every address is of the Node's podCIDR and pods answer across hosts, both ways.

    Here the kubelet creates its Node, as clouds want it: it is cordoned, tainted and restored as soon as it appears. The
    inventory is the cluster itself, and the run is limited to what has drifted.
    """
    inventory = live_inventory.write(cluster, tmp_path)
    assert live_inventory.members(live_inventory.shown(inventory), "drifted") == ["h2"]
    labels = {"team": "blue"}
    cluster.client.patch("/api/v1/nodes/h2", {"metadata": {"labels": labels}})
    with NodeWatch(cluster, "h2") as watch:
        limit = ("--limit", "localhost,drifted")
        kubelet: dict[str, Any] = {"reassign_pod_cidrs_registration": "kubelet"}
        done = reassign(cluster, operator_kubeconfig, *limit, inventory=inventory, **kubelet)
    assert done.returncode == 0, done.output
    assert "h2" in done.recap and "h1" not in done.recap
    after = node_of(cluster, "h2")
    reborn = [version for version in watch.versions if version.uid == after["metadata"]["uid"]]
    assert not reborn[0].unschedulable, "the Node was not created by its kubelet"
    cordoned = next(version for version in reborn if version.unschedulable)
    assert cordoned.at - reborn[0].at < 30, "the Node was schedulable for longer than a moment"
    assert labels.items() <= after["metadata"]["labels"].items()
    assert not after["spec"].get("unschedulable") and not after["spec"].get("taints")
    wait_until("the workload is ready again", lambda: workload.workload_ready(cluster))
    assert_addresses_in_node_cidr(cluster, "h2")
    for source, target in (("h1", "h2"), ("h2", "h1")):
        assert workload.answers(cluster, source, workload.network_pods(cluster, target)[0]["status"]["podIP"])
    report = audit(cluster.kubeconfig)
    assert [entry for entry in report["findings"] if entry["severity"] in ("critical", "warning")] == []


def test_failed_node_stays_cordoned_and_the_same_command_resumes(
    cluster: Testbed, operator_kubeconfig: Path, audit: Audit, tmp_path: Path
) -> None:
    """The probe cannot run, so the Node is not trusted: it stays cordoned, the lock stays, and the next run goes on.

    Another machine is refused meanwhile. The run that goes on may do one node only, and includes task files of the user.
    """
    before = node_of(cluster, "h1")
    wanted: dict[str, Any] = {"reassign_pod_cidrs_nodes": ["h1"], "reassign_pod_cidrs_even_if_healthy": True}
    broken = {"reassign_pod_cidrs_probe_image": "testbed.local/absent:1", "reassign_pod_cidrs_probe_timeout": 15}
    failed = reassign(cluster, operator_kubeconfig, **wanted, **broken)
    assert_one_clear_sentence(failed, "h1", "stays cordoned", "run the same command again", "stays with this run")
    handed_on = " ".join(failed.stdout.partition("CUSTOM STATS")[2].split())
    assert '"failure": "Node h1 was not registered anew.' in handed_on and '"planned": 1' in handed_on, failed.stdout
    between = node_of(cluster, "h1")
    assert between["spec"].get("unschedulable") is True
    assert between["metadata"]["uid"] != before["metadata"]["uid"]
    assert holder(cluster) and journal_of(cluster)["node.h1"]["step"] == "restored"

    elsewhere = reassign(cluster, operator_kubeconfig, reassign_pod_cidrs_state_dir=str(tmp_path / "elsewhere"))
    assert_one_clear_sentence(elsewhere, "Another run is under way", holder(cluster))
    assert node_of(cluster, "h1")["metadata"]["uid"] == between["metadata"]["uid"]

    task_file = tmp_path / "post.yml"
    task_file.write_text(
        "- name: Look\n  ansible.builtin.debug:\n"
        '    msg: "verified {{ reassign_pod_cidrs_node }} with {{ reassign_pod_cidrs_new_pod_cidrs | first }}"\n',
        encoding="utf-8",
    )
    both = {**wanted, "reassign_pod_cidrs_nodes": ["h1", "h2"], "reassign_pod_cidrs_max_nodes": 1}
    h2 = node_of(cluster, "h2")
    done = reassign(cluster, operator_kubeconfig, **both, reassign_pod_cidrs_post_node_tasks=str(task_file))
    assert done.returncode == 0, done.output
    after = node_of(cluster, "h1")
    assert f"verified h1 with {after['spec']['podCIDR']}" in done.flat_output
    assert "Node h2 is not begun, the run ends here." in done.flat_output
    assert node_of(cluster, "h2")["metadata"]["uid"] == h2["metadata"]["uid"]
    assert after["metadata"]["uid"] == between["metadata"]["uid"], "the resumed run registered the Node a second time"
    assert not after["spec"].get("unschedulable")
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert TAINT in after["spec"]["taints"]
    assert holder(cluster) == "" and journal_of(cluster)["run"]["result"] == "stopped"
    wait_until("the workload is ready again", lambda: workload.workload_ready(cluster))
    assert_addresses_in_node_cidr(cluster, "h1")
    assert audit(cluster.kubeconfig)["summary"]["critical"] == 0


def test_a_user_with_sudo_does_what_root_does(cluster: Testbed, operator_kubeconfig: Path, tmp_path: Path) -> None:
    """Logged in as AWX does: every visit by sudo, another podCIDR, and the Node, its host and its pods as root leaves them."""
    before = node_of(cluster, "h1")
    done = reassign(
        cluster,
        operator_kubeconfig,
        inventory=host_users.inventory(cluster, tmp_path, PILOT),
        reassign_pod_cidrs_nodes=["h1"],
        reassign_pod_cidrs_even_if_healthy=True,
    )
    assert done.returncode == 0, done.output
    assert host_users.became_root(cluster, PILOT, "h1") == 4, "read, stop, clean and start, read again"
    after = node_of(cluster, "h1")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["podCIDR"] != before["spec"]["podCIDR"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"] and not after["spec"].get("unschedulable")
    wait_until("the workload is ready again", lambda: workload.workload_ready(cluster))
    state_dir = Path(cluster.directory) / "before-images"

    def is_as_after_root() -> bool:
        hosts = end_state(cluster, state_dir)["hosts"]
        return bool(hosts["h1"] == hosts["h2"])  # which root alone has worked on

    wait_until("kubelet, CNI and pods of h1 are as those of h2", is_as_after_root)
    assert_addresses_in_node_cidr(cluster, "h1")
    assert holder(cluster) == "" and not list(state_dir.glob("*.json"))
