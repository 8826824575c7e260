"""The hosts of the testbed are real, several testbeds live side by side, and nothing of them is left behind."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import workload
from testbed import ControlPlaneSpec, HostSpec, Testbed, TestbedSpec, paths, remove_orphans
from testbed.hosts import network

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

# what a kubelet or a container runtime would change on a machine that did not keep them apart
SYSCTLS = ("net/ipv4/ip_forward", "vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")


def machine() -> dict[str, str]:
    """What of this machine must not change: routes beyond the bridges, forwarding, sysctls, firewall."""
    routes = network.ip("route", "show", "table", "all").stdout.splitlines()
    own = ("pnu", "vb-podnet-")  # bridges of testbeds, and the guests' ends on them
    found = {"routes": "\n".join(line for line in routes if not any(name in line for name in own))}
    for name in SYSCTLS:
        found[name] = Path("/proc/sys", name).read_text(encoding="utf-8")
    return found


def traces(name: str, index: int) -> list[str]:
    """Everything that a testbed could leave: folder, mounts, bridge, cgroups, processes."""
    directory = str(paths.testbeds_root() / name)
    found = [directory] if Path(directory).exists() else []
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    found += [line for line in mounts if f"{directory}/" in line]
    found += [network.bridge_name(index)] if network.bridge_exists(index) else []
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/podnet-{index}-*")]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if f"{directory}/" in text:
            found.append(text)
    return found


def test_two_testbeds_with_hosts_side_by_side() -> None:
    """Each is up within a minute, its pods have addresses of their podCIDR and answer across hosts; this machine stays."""
    before = machine()
    specs = [
        TestbedSpec(
            name=f"hosts-{os.getpid()}-{number}",
            control_plane=ControlPlaneSpec(cluster_cidrs=(f"10.13{number}.0.0/16",)),
            hosts=(HostSpec("h1"), HostSpec("h2")),
        )
        for number in range(2)
    ]
    started = time.monotonic()
    with Testbed.up(specs[0]) as one, Testbed.up(specs[1]) as other:
        assert time.monotonic() - started < 120, "two testbeds took more than a minute each"
        identities = set()
        for testbed in (one, other):
            workload.deploy(testbed)
        for testbed in (one, other):
            workload.wait_until("the workload is ready", lambda testbed=testbed: workload.workload_ready(testbed))
            for node in testbed.client.list("/api/v1/nodes"):
                block = ipaddress.ip_network(node["spec"]["podCIDR"])
                pods = workload.network_pods(testbed, node["metadata"]["name"])
                assert pods and all(ipaddress.ip_address(pod["status"]["podIP"]) in block for pod in pods)
                identities.add(node["status"]["nodeInfo"]["machineID"])
            target = workload.network_pods(testbed, "h2")[0]["status"]["podIP"]
            assert workload.answers(testbed, "h1", target)
        assert len(identities) == 4
        assert machine() == before
    for testbed in (one, other):
        assert traces(testbed.name, testbed.index) == []


@pytest.mark.parametrize("seconds", [0.0, 4.0])
def test_killed_owner_leaves_nothing_after_the_next_reap(seconds: float) -> None:
    """SIGKILL to the process that owns a testbed, while it comes up and when it is up."""
    name = f"killed-{os.getpid()}-{int(seconds)}"
    code = (
        "import time; from testbed import *\n"
        f"with Testbed.up(TestbedSpec({name!r}, hosts=(HostSpec('h1'),))): time.sleep(300)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    directory = paths.testbeds_root() / name
    workload.wait_until("its first guest boots", lambda: (directory / "processes" / "guest-h1.json").exists())
    time.sleep(seconds)
    index = paths.index_of(directory)
    assert traces(name, index)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert name in remove_orphans()
    workload.wait_until("everything is gone", lambda: not traces(name, index), seconds=15)
