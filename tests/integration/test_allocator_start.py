"""What the real kube-controller-manager does at its start against what the audit says about it.

It is started with the node-ipam-controller only, beside the testbed's own, which allocates from another range. The audit
says that it does not start (`problems` of the settings), or that it exits when it sees a Node (critical findings).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    read_flags,
    settings_from_flags,
)
from testbed import ControlPlaneSpec, Testbed, TestbedSpec, binaries

pytestmark = pytest.mark.testbed

STARTED = "Starting range CIDR allocator"
EXITS = {"node-cidr-out-of-range", "node-cidr-family-order"}
ON = "--allocate-node-cidrs=true"
SINGLE = "--cluster-cidr=10.1.0.0/16"
DUAL = "--cluster-cidr=10.1.0.0/16,fd00::/48"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A control plane that allocates from a range of its own."""
    control_plane = ControlPlaneSpec(cluster_cidrs=("10.140.0.0/16",))
    with Testbed.up(TestbedSpec(name=f"allocator-start-{os.getpid()}", control_plane=control_plane)) as made:
        yield made


def settings(flags: list[str]) -> AllocatorSettings:
    """What the audit reads from these flags."""
    return settings_from_flags(read_flags([ON, *flags]), "test")


def starts(testbed: Testbed, flags: list[str], log: Path, seconds: float = 180) -> bool:
    """Whether a controller-manager with these flags begins to allocate (True) or exits (False)."""
    program = binaries.locate(["kube-controller-manager"])["kube-controller-manager"]
    words = [str(program), f"--kubeconfig={testbed.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*words, "--controllers=node-ipam-controller", ON, *flags], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                return False
            if STARTED in log.read_text(encoding="utf-8"):
                return True
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(timeout=10)
    raise AssertionError(f"neither started nor exited within {seconds:.0f} s:\n{log.read_text(encoding='utf-8')}")


@pytest.mark.parametrize(
    "flags",
    [
        [SINGLE],
        [],
        [SINGLE, "--node-cidr-mask-size=24", "--node-cidr-mask-size-ipv4=24"],
        [SINGLE, "--node-cidr-mask-size-ipv4=25"],
        [SINGLE, "--node-cidr-mask-size-ipv6=64"],
        [SINGLE, "--node-cidr-mask-size=15"],
        [SINGLE, "--service-cluster-ip-range=nonsense"],
        [SINGLE, "--service-cluster-ip-range=10.96.0.0/16,10.97.0.0/16"],
        ["--cluster_cidr=10.1.0.0/16"],
        ["--cluster-cidr=10.1.2.3/16"],
        ["--cluster-cidr=10.1.0.0/33"],
        ["--cluster-cidr=10.1.0.0/16,"],
        ["--cluster-cidr=10.1.0.0/16, fd00::/48"],
        ["--cluster-cidr=10.1.0.0/16,10.2.0.0/16"],
        ["--cluster-cidr=10.1.0.0/16,fd00::/48,fd01::/48"],
        [DUAL, "--node-cidr-mask-size=24"],
        ["--cluster-cidr=fd00::/48,10.1.0.0/16", "--node-cidr-mask-size-ipv6=60"],
        ["--cluster-cidr=fd00::/48", "--node-cidr-mask-size-ipv4=24"],
        ["--cluster-cidr=fd00::/48", "--node-cidr-mask-size=60"],
        ["--cluster-cidr=fd00::/40"],
        ["--cluster-cidr=fd00::/40", "--node-cidr-mask-size-ipv6=56"],
    ],
    ids=" ".join,
)
def test_flags_it_cannot_start_with(flags: list[str], testbed: Testbed, tmp_path: Path) -> None:
    """The settings have a problem exactly where it exits."""
    problems = settings(flags).problems
    assert starts(testbed, flags, tmp_path / "log") is not bool(problems), problems


@pytest.mark.parametrize(
    ("cluster", "cidrs"),
    [
        (SINGLE, ["10.1.2.0/24"]),
        (SINGLE, ["10.2.0.0/24"]),
        (SINGLE, ["10.0.0.0/15"]),
        (SINGLE, ["10.0.0.0/8"]),
        (SINGLE, ["10.1.2.0/23"]),
        (SINGLE, ["10.1.2.0/26"]),
        (SINGLE, ["10.1.2.0/24", "fd00::/64"]),
        (SINGLE, ["fd00::/64"]),
        (DUAL, ["10.1.2.0/24", "fd00::/64"]),
        (DUAL, ["fd00::/64", "10.1.2.0/24"]),
        (DUAL, ["fd00::/64"]),
        (DUAL, ["10.1.2.0/24"]),
        (DUAL, ["10.1.2.0/24", "fd01::/64"]),
    ],
)
def test_nodes_it_exits_at(cluster: str, cidrs: list[str], testbed: Testbed, tmp_path: Path) -> None:
    """There is a finding that says so exactly where it exits."""
    spec = {"podCIDR": cidrs[0], "podCIDRs": cidrs}
    testbed.client.create(
        "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "x"}, "spec": spec}
    )
    try:
        client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
        found = run_checks(Context(live.collect(client), AuditSettings(settings([cluster]))))
        critical = {one.id for one in found if one.severity == "critical"}
        assert starts(testbed, [cluster], tmp_path / "log") is not bool(critical & EXITS), critical
    finally:
        testbed.client.delete("/api/v1/nodes/x")
