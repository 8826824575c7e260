"""Hosts that let in a user who becomes root by sudo, as AWX logs in: the same end state as with root, and refusals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import host_users, workload
from harness.end_state import end_state, wait_for_state
from harness.host_users import NOPASSWD, PASSWORD, HostUser
from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, HostSpec, Testbed, TestbedSpec

from .observers import host_fingerprint, writes_of

pytestmark = [pytest.mark.testbed, pytest.mark.hosts, pytest.mark.long]

PILOT = HostUser("pilot", NOPASSWD)
SECRET = HostUser("secret", PASSWORD, password="open-sesame")
AT_A_TERMINAL = HostUser("terminal", NOPASSWD, defaults="requiretty")
GUEST = HostUser("guest", password="let-me-in")
OPERATOR = "upkeep-operator"
RUN = "podnet-upkeep-reassign-pod-cidrs"
# What a hook may do on the host: a module, copied there or piped, that needs root.
HOOK = """
- name: Read what only root may read
  ansible.builtin.slurp:
    src: /etc/shadow
  become: true
  no_log: true
"""
TTY = {"reassign_pod_cidrs_tty": True}
BY_KUBELET = {"reassign_pod_cidrs_registration": "kubelet"}
NO_BECOME = {"reassign_pod_cidrs_become": False}


def given(password: str) -> dict[str, Any]:
    """Host variables with a password for sudo."""
    return {"ansible_become_password": password}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Testbed]:
    """Two hosts with a workload, and with users of all kinds."""
    spec = TestbedSpec(
        name=f"sudo-{os.getpid()}",
        control_plane=ControlPlaneSpec(control_plane_node="cp1"),
        hosts=(HostSpec("h1"), HostSpec("h2")),
    )
    with Testbed.up(spec) as testbed:
        host_users.create(testbed, PILOT, SECRET, AT_A_TERMINAL, GUEST)
        for host in testbed.hosts.values():
            host.run("chmod 0666 /run/containerd/containerd.sock")  # so that crictl answers whoever asks
        workload.deploy(testbed)
        wait_until("the workload is ready", lambda: workload.workload_ready(testbed))
        yield testbed


@pytest.fixture(scope="module")
def kubeconfig(cluster: Testbed) -> Path:
    """A kubeconfig of its own, so that the API server's audit log tells our requests from all others."""
    return Path(cluster.kubeconfig_for(OPERATOR, ("system:masters",)))


def images(cluster: Testbed) -> Path:
    """The folder of before-images."""
    return Path(cluster.directory) / "before-images"


def reassign(cluster: Testbed, kubeconfig: Path, inventory: Path, **variables: Any) -> PlaybookRun:
    """Register h1 anew."""
    return run_playbook(
        "podnet.upkeep.reassign_pod_cidrs",
        ["-i", str(inventory)],
        variables={
            "reassign_pod_cidrs_kubeconfig": str(kubeconfig),
            "reassign_pod_cidrs_state_dir": str(images(cluster)),
            "reassign_pod_cidrs_probe_image": workload.IMAGE,
            "reassign_pod_cidrs_nodes": ["h1"],
            "reassign_pod_cidrs_even_if_healthy": True,
            **variables,
        },
    )


def registered(cluster: Testbed) -> tuple[str, str]:
    """(uid, podCIDR) of the Node h1."""
    node = cluster.client.get("/api/v1/nodes/h1")
    return node["metadata"]["uid"], node["spec"]["podCIDR"]


@pytest.mark.parametrize(
    ("user", "login", "options", "words"),
    [
        pytest.param(GUEST, {}, {}, "Missing sudo password", id="no-rights"),
        pytest.param(GUEST, given(GUEST.password), {}, "guest is not in the sudoers file", id="no-rights, password"),
        pytest.param(GUEST, {}, NO_BECOME, "is not root (its number is 1", id="no-become"),
        pytest.param(SECRET, {}, {}, "Missing sudo password", id="password-not-given"),
        pytest.param(SECRET, {}, TTY, "Missing sudo password", id="password-not-given, terminal"),
        pytest.param(SECRET, given("wrong"), {}, "Incorrect sudo password", id="password-wrong"),
        pytest.param(AT_A_TERMINAL, {}, {}, "you must have a tty to run sudo", id="terminal-required"),
    ],
)
def test_who_cannot_become_root_is_refused(
    cluster: Testbed,
    kubeconfig: Path,
    tmp_path: Path,
    user: HostUser,
    login: dict[str, Any],
    options: dict[str, Any],
    words: str,
) -> None:
    """One sentence before anything is changed: the Node is not even cordoned, and only the lock was written."""
    hosts = {name: host_fingerprint(cluster, name) for name in cluster.hosts}
    nodes = {name: cluster.client.get(f"/api/v1/nodes/{name}")["spec"] for name in cluster.hosts}
    wrote = len(writes_of(cluster, OPERATOR))
    done = reassign(cluster, kubeconfig, host_users.inventory(cluster, tmp_path, user, **login), **options)
    assert done.returncode != 0, done.output
    assert words in done.failure and "Host h1 " in done.failure, done.failure
    assert "Nothing was changed." in done.failure and "The lock is given back." in done.failure, done.failure
    assert "Traceback" not in done.output
    objects = {line.rpartition("/")[2].partition("?")[0] for line in writes_of(cluster, OPERATOR)[wrote:]}
    assert objects <= {"configmaps", "leases", "secrets", RUN, f"{RUN}-images"}, objects
    assert {name: host_fingerprint(cluster, name) for name in cluster.hosts} == hosts
    assert {name: cluster.client.get(f"/api/v1/nodes/{name}")["spec"] for name in cluster.hosts} == nodes


@pytest.fixture(scope="module")
def wanted(cluster: Testbed, kubeconfig: Path) -> dict[str, Any]:
    """How everything stands after a run that logs in as root."""
    done = reassign(cluster, kubeconfig, cluster.inventory)
    assert done.returncode == 0, done.output
    wait_until("the workload is ready again", lambda: workload.workload_ready(cluster))
    return end_state(cluster, images(cluster))


@pytest.mark.parametrize(
    ("user", "login", "options"),
    [
        pytest.param(PILOT, {}, {}, id="nopasswd"),
        pytest.param(PILOT, {"ansible_pipelining": True}, BY_KUBELET, id="pipelining, kubelet creates the Node"),
        pytest.param(SECRET, given(SECRET.password), {}, id="password"),
        pytest.param(SECRET, given(SECRET.password), TTY, id="password, terminal"),
        pytest.param(AT_A_TERMINAL, {}, TTY, id="requiretty"),
        pytest.param(PILOT, {}, {**TTY, **BY_KUBELET}, id="terminal, kubelet creates the Node"),
    ],
)
def test_same_end_state_as_with_root(
    cluster: Testbed,
    kubeconfig: Path,
    wanted: dict[str, Any],
    tmp_path: Path,
    user: HostUser,
    login: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """The Node is another object with another podCIDR, and everything stands as after a run of root."""
    before, sudo = registered(cluster), host_users.became_root(cluster, user, "h1")
    inventory = host_users.inventory(cluster, tmp_path, user, **login)
    hook = tmp_path / "pre.yml"
    hook.write_text(HOOK, encoding="utf-8")
    if not user.defaults:  # modules have no terminal
        options = {**options, "reassign_pod_cidrs_pre_node_tasks": str(hook)}
    done = reassign(cluster, kubeconfig, inventory, **options)
    assert done.returncode == 0, done.output
    after = registered(cluster)
    assert after[0] != before[0] and after[1] != before[1]
    assert host_users.became_root(cluster, user, "h1") >= sudo + 4, "not all visits were of this user"
    wait_until("the workload is ready again", lambda: workload.workload_ready(cluster))
    wait_for_state(cluster, images(cluster), wanted)
