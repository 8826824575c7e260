"""Real hosts for good: one is retired, one has lost its power, and one only its kubelet until then.

The SSH parts of `retire_nodes` and `remove_unreachable_nodes`, which simulated Nodes have no host for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, HostSpec, Testbed, TestbedSpec
from testbed.hosts import power

pytestmark = [pytest.mark.testbed, pytest.mark.hosts, pytest.mark.long]

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Testbed]:
    """Three hosts; a Node is given up after twelve seconds without a sign of life."""
    control_plane = ControlPlaneSpec(
        cluster_cidrs=("10.147.0.0/16",),
        control_plane_node="cp1",
        extra_arguments={"kube-controller-manager": ("--node-monitor-grace-period=12s",)},
    )
    spec = TestbedSpec(
        name=f"gone-{os.getpid()}",
        control_plane=control_plane,
        hosts=tuple(HostSpec(name) for name in ("h1", "h2", "h3")),
    )
    with Testbed.up(spec) as testbed:
        yield testbed


def retire(cluster: Testbed, **variables: Any) -> PlaybookRun:
    """The playbook for h3."""
    given = {
        "retire_nodes_kubeconfig": str(cluster.kubeconfig),
        "retire_nodes_state_dir": str(Path(cluster.directory) / "retired"),
        "retire_nodes_nodes": ["h3"],
        **variables,
    }
    return run_playbook("podnet.upkeep.retire_nodes", ["-i", str(cluster.inventory)], variables=given)


def remove(cluster: Testbed, host_timeout: int = 30, **of_ssh: Any) -> PlaybookRun:
    """The playbook, for whatever is gone; ``of_ssh``: how hosts are asked."""
    given = {
        "remove_unreachable_nodes_kubeconfig": str(cluster.kubeconfig),
        "remove_unreachable_nodes_state_dir": str(Path(cluster.directory) / "removed"),
        "remove_unreachable_nodes_quarantine": 1,
        "remove_unreachable_nodes_settle_seconds": 2,
        "remove_unreachable_nodes_max_share": 0.5,
        "remove_unreachable_nodes_host_timeout": host_timeout,
        **of_ssh,
    }
    return run_playbook("podnet.upkeep.remove_unreachable_nodes", ["-i", str(cluster.inventory)], variables=given)


def test_a_retired_host_stays_retired(cluster: Testbed) -> None:
    """Its kubelet is stopped and disabled, its Node is gone, and the second run finds nothing to do."""
    done = retire(cluster)
    assert done.returncode == 0, done.output
    assert cluster.client.find("/api/v1/nodes/h3") is None and cluster.client.find(f"{LEASES}/h3") is None
    unit = cluster.hosts["h3"].run("systemctl is-active kubelet; systemctl is-enabled kubelet", check=False).stdout
    assert unit.split() == ["inactive", "disabled"]
    again = retire(cluster)
    assert again.returncode == 0 and again.changed == 0, again.output


def test_a_host_that_answers_is_not_gone_and_one_without_power_is(cluster: Testbed) -> None:
    """The control plane sees the same of both; only SSH tells them apart."""
    cluster.hosts["h2"].run("systemctl stop kubelet")
    client = cluster.client
    # the kubelet's own 40 seconds would have to be watched twice
    client.patch(f"{LEASES}/h2", {"spec": {"leaseDurationSeconds": 2}})
    conditions = lambda: client.get("/api/v1/nodes/h2")["status"]["conditions"]  # noqa: E731
    wait_until("h2 is given up", lambda: {"Ready": "Unknown"} in [{one["type"]: one["status"]} for one in conditions()])

    done = remove(cluster)
    assert done.returncode == 2, done.output
    assert "host h2 answers over SSH, so Node h2 is not gone" in done.flat_output
    assert client.find("/api/v1/nodes/h2") is not None

    # what Ansible calls unreachable as well, of a machine that lives
    fresh = "-o ControlPath=none -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking="
    no_key = {
        "ansible_ssh_common_args": f"{fresh}no -o IdentitiesOnly=yes",
        "ansible_ssh_private_key_file": "/dev/null",
    }
    no_host_key = {"ansible_ssh_common_args": f"{fresh}yes"}
    for words, of_ssh in (
        ("Permission denied", no_key),
        ("Host key verification failed", no_host_key),
        ("Connection refused", {"ansible_port": 1}),
    ):
        done = remove(cluster, **of_ssh)
        assert done.returncode == 2 and "host h2 answers, but not to us" in done.flat_output, done.output
        assert words in done.failure, done.output

    power.off(cluster, "h2")
    done = remove(cluster, host_timeout=1)  # shorter than ssh itself waits for a connection
    assert done.returncode == 2, done.output
    assert "host h2 was not found unreachable within remove_unreachable_nodes_host_timeout (1 s)" in done.flat_output
    assert client.find("/api/v1/nodes/h2") is not None

    done = remove(cluster)
    assert done.returncode == 0, done.output
    assert client.find("/api/v1/nodes/h2") is None and client.find(f"{LEASES}/h2") is None
    assert client.find("/api/v1/nodes/h1") is not None
    again = remove(cluster)
    assert again.returncode == 0 and again.changed == 0, again.output
