"""The hosts of the testbed: real kubelets that run pods, apart from the machine and from each other, gone after a kill."""

from __future__ import annotations

import fnmatch
import ipaddress
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import workload
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, HostSpec, Testbed, TestbedSpec, binaries, paths, processes, remove_orphans
from testbed.hosts import base, cgroups, drift, guest, images, network
from testbed.hosts.mounts import mount_points_below

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

TESTS = Path(paths.__file__).parents[1]
POD_RANGES = ("10.150.0.0/16", "fd00:10:150::/56")
SERVICE_RANGES = ("10.96.0.0/16", "fd00:10:96::/112")

# sysctls that move by themselves
_RESTLESS = (
    "fs/aio-nr",
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-*",
    "fs/quota/*",
    "kernel/ns_last_pid",
    "kernel/pty/nr",
    "kernel/random/*",
    "net/netfilter/nf_conntrack_count",
)


@dataclass(frozen=True)
class Machine:
    """What a testbed must not change on the machine that it runs on."""

    sysctls: dict[str, str]
    rules: str
    default_routes: str
    firewall: str


def machine() -> Machine:
    """Read sysctls, routing rules, default routes and firewall rules of this machine."""
    root, sysctls = Path("/proc/sys"), {}
    # net/ipv4/conf/all/... is three deep, as is net/ipv4/conf/LINK/...: links come and go with every testbed
    for path in [*root.glob("*/*"), *root.glob("*/*/*"), *root.glob("net/*/*/all/*"), *root.glob("net/*/*/default/*")]:
        name = str(path.relative_to(root))
        if path.is_file() and not any(fnmatch.fnmatch(name, pattern) for pattern in _RESTLESS):
            try:
                sysctls[name] = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # write-only, or not on this kernel
    firewall = ""
    for command in (["iptables-save"], ["ip6tables-save"], ["nft", "list", "ruleset"]):
        if shutil.which(command[0]) is not None:
            output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            firewall += "\n".join(line for line in output.splitlines() if line.startswith("-"))
    return Machine(
        sysctls,
        network.ip("rule", "show").stdout + network.ip("-6", "rule", "show", check=False).stdout,
        network.ip("route", "show", "default").stdout,
        firewall,
    )


@dataclass(frozen=True)
class Pair:
    """Two hosts, how long they took, and the machine as it was before."""

    testbed: Testbed
    seconds: float
    before: Machine


def unique(name: str) -> str:
    """A testbed name of this test process."""
    return f"{name}-{os.getpid()}"


def dual_stack() -> ControlPlaneSpec:
    """A control plane that hands out podCIDRs of both families."""
    return ControlPlaneSpec(cluster_cidrs=POD_RANGES, service_ranges=SERVICE_RANGES)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Two dual-stack hosts with pods on them; what is built once for all testbeds is there before the clock runs."""
    base.prepare()
    images.prepare()
    binaries.locate(["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "crictl"])
    before = machine()
    started = time.monotonic()
    with Testbed.up(TestbedSpec(unique("pair"), dual_stack(), hosts=(HostSpec("h1"), HostSpec("h2")))) as testbed:
        seconds = time.monotonic() - started
        workload.deploy(testbed)
        wait_until("the workload is ready", lambda: workload.workload_ready(testbed))
        yield Pair(testbed, seconds, before)


def pod_cidrs(testbed: Testbed, name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The podCIDRs of one Node."""
    return [ipaddress.ip_network(cidr) for cidr in testbed.client.get(f"/api/v1/nodes/{name}")["spec"]["podCIDRs"]]


def addresses_of(pod: dict[str, Any]) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Addresses of a pod, in the order of its families."""
    return [ipaddress.ip_address(entry["ip"]) for entry in pod["status"]["podIPs"]]


def ready(testbed: Testbed) -> set[str]:
    """Names of the Nodes that are Ready."""
    return {
        node["metadata"]["name"]
        for node in testbed.client.list("/api/v1/nodes")
        for condition in node["status"].get("conditions") or ()
        if condition["type"] == "Ready" and condition["status"] == "True"
    }


def test_two_hosts_are_ready(pair: Pair, record_property: Callable[[str, object], None]) -> None:
    """Control plane and hosts together, with real kubelets that know which machine they run on."""
    record_property("seconds", round(pair.seconds, 1))
    assert ready(pair.testbed) == {"h1", "h2"}
    seen = set()
    for host in pair.testbed.hosts.values():
        info = pair.testbed.client.get(f"/api/v1/nodes/{host.name}")["status"]["nodeInfo"]
        asked = host.run("cat /etc/machine-id /proc/sys/kernel/random/boot_id; hostname").stdout.split()
        assert asked == [info["machineID"], info["bootID"], host.name]
        seen.update(asked[:2])
    assert len(seen) == 4  # each host is a machine of its own
    assert not seen & {Path("/etc/machine-id").read_text(encoding="utf-8").strip()}


def test_host_looks_like_one_that_kubeadm_made(pair: Pair) -> None:
    """Unit, kubeconfig, client certificate, crictl and containerd are where a repair over SSH looks for them."""
    host = pair.testbed.hosts["h1"]
    host.run("systemctl is-active kubelet.service containerd.service")
    current = "/var/lib/kubelet/pki/kubelet-client-current.pem"
    assert current in host.run("cat /etc/kubernetes/kubelet.conf").stdout
    subject = host.run(f"openssl x509 -checkend 86400 -noout -subject -in {current}").stdout
    assert "system:node:h1" in subject and "system:nodes" in subject
    assert "conf_template" in host.run("cat /etc/containerd/config.toml").stdout
    assert len(host.run("crictl pods -q --state ready").stdout.split()) == len(workload.pods_on(pair.testbed, "h1"))
    failed = host.run("systemctl list-units --state=failed --plain --no-legend").stdout
    assert failed == ""


def test_pods_have_addresses_of_their_node_and_answer_across_hosts(pair: Pair) -> None:
    """Both families: in the podCIDRs, different everywhere, and reachable from a pod on the other host."""
    everything = []
    for name in ("h1", "h2"):
        blocks = pod_cidrs(pair.testbed, name)
        assert [block.version for block in blocks] == [4, 6]
        pods = workload.network_pods(pair.testbed, name)
        assert pods, f"no Ready pod on {name}"
        for pod in pods:
            addresses = addresses_of(pod)
            assert [address in block for address, block in zip(addresses, blocks, strict=True)] == [True, True]
            everything += addresses
    assert len(set(everything)) == len(everything)
    for source, target in (("h1", "h2"), ("h2", "h1")):
        for address in addresses_of(workload.network_pods(pair.testbed, target)[0]):
            text = f"[{address}]" if address.version == 6 else str(address)
            assert workload.answers(pair.testbed, source, text), f"{target}'s pod does not answer {source} at {text}"
    unused = str(pod_cidrs(pair.testbed, "h2")[0][-2])
    assert not workload.answers(pair.testbed, "h1", unused)  # the probe can say no


def test_cni_state_comes_from_the_pod_cidr(pair: Pair) -> None:
    """The configuration is the one that containerd rendered from its template; cni0 and leases follow it."""
    for name in ("h1", "h2"):
        facts = pair.testbed.hosts[name].facts()
        blocks = pod_cidrs(pair.testbed, name)
        assert facts.subnets == tuple(str(block) for block in blocks)
        assert facts.bridge_addresses == tuple(f"{block[1]}/{block.prefixlen}" for block in blocks)
        pods = workload.network_pods(pair.testbed, name)
        assert set(facts.leases) == {str(address) for pod in pods for address in addresses_of(pod)}
        assert len(facts.sandboxes) == len(workload.pods_on(pair.testbed, name))


def test_routes_follow_the_nodes(pair: Pair) -> None:
    """A Node that comes, changes nothing of its own accord, and goes: so does its route, also across a restart."""
    client, host = pair.testbed.client, pair.testbed.hosts["h1"]

    def routes() -> set[str]:
        return set(host.run("ip -o route show proto 99 | cut -d' ' -f1,3").stdout.splitlines())

    address = pair.testbed.hosts["h2"].address
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "elsewhere"}, "spec": {"unschedulable": True}}
    client.create("/api/v1/nodes", body)
    status = {"status": {"addresses": [{"type": "InternalIP", "address": address}]}}
    client.patch("/api/v1/nodes/elsewhere/status", status)
    wait_until("it has a block", lambda: client.get("/api/v1/nodes/elsewhere")["spec"].get("podCIDRs"))
    route = f"{pod_cidrs(pair.testbed, 'elsewhere')[0]} {address}"
    wait_until("h1 has its route", lambda: route in routes())
    record = processes.read(pair.testbed.directory, "route-sync")
    assert record is not None
    processes.stop(pair.testbed.directory, "route-sync", number=signal.SIGKILL)
    client.delete("/api/v1/nodes/elsewhere")
    processes.start(pair.testbed.directory, "route-sync", record.argv, cwd=TESTS)
    wait_until("h1 has it no more", lambda: route not in routes())
    assert f"{pod_cidrs(pair.testbed, 'h2')[0]} {address}" in routes()


def test_machine_is_as_it_was(pair: Pair) -> None:
    """Two kubelets run, and no sysctl, routing rule, default route or firewall rule of the machine is another one."""
    now = machine()
    assert len(now.sysctls) > 300  # it looked
    changed = {name for name, value in pair.before.sysctls.items() if now.sysctls.get(name) != value}
    assert changed == set()
    assert (now.rules, now.default_routes, now.firewall) == (
        pair.before.rules,
        pair.before.default_routes,
        pair.before.firewall,
    )
    for host in pair.testbed.hosts.values():
        assert host.run("cat /proc/sys/kernel/panic").stdout == "10\n"  # what the kubelet asked for is there
        assert host.run("ip route show default; ip -6 route show default").stdout == ""  # no way out of the bridge


def test_second_testbed_with_a_host_shares_nothing(pair: Pair) -> None:
    """The same host name, the same ranges: own bridge, addresses and cgroups; its end does not touch the first."""
    spec = TestbedSpec(unique("beside"), dual_stack(), hosts=(HostSpec("h1"),))
    with Testbed.up(spec) as beside:
        assert beside.index != pair.testbed.index
        own, other = beside.hosts["h1"], pair.testbed.hosts["h1"]
        assert own.run("cat /etc/machine-id").stdout != other.run("cat /etc/machine-id").stdout
        assert own.address != other.address
        assert cgroups.members(beside.index, "h1") and cgroups.members(pair.testbed.index, "h1")
        assert not cgroups.members(beside.index, "h1") & cgroups.members(pair.testbed.index, "h1")
        own.run("systemctl stop kubelet containerd")
        other.run("systemctl is-active kubelet containerd")
        own.run("systemctl start containerd")
        # made drifted beside the first one, its pods get what an administrator once chose
        drift.make_drifted(beside, "h1", ("10.201.7.0/24", "fd00:201:7::/64"))
        workload.deploy(beside, replicas=1)
        wait_until("a pod runs", lambda: workload.network_pods(beside, "h1"))
        for pod in workload.network_pods(beside, "h1"):
            assert str(addresses_of(pod)[0]).startswith("10.201.7.")
            assert str(addresses_of(pod)[1]).startswith("fd00:201:7:")
    assert remains(beside.directory, beside.index, ["h1"]) == []
    assert ready(pair.testbed) == {"h1", "h2"}
    assert workload.answers(pair.testbed, "h1", str(addresses_of(workload.network_pods(pair.testbed, "h2")[0])[0]))


def remains(directory: Path, index: int, hosts: list[str]) -> list[str]:
    """Everything that is left of a testbed with hosts, as words for a person."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    left = [f"mount {target}" for target in mount_points_below(directory, mounts)]
    if directory.exists():
        left.append(f"folder {directory}")
    if not network.number_is_free(index):
        left.append(f"bridge {network.bridge_name(index)}")
    for host in hosts:
        name = guest.machine_name(index, host)
        left += [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"**/{name}")]
        left += [f"file {path}" for path in Path("/run/systemd").glob(f"nspawn/*/{name}")]
    for entry in Path("/proc").glob("[0-9]*"):
        if processes.start_time_of(int(entry.name)) is None:
            continue  # ended, its parent has not asked for its exit status yet
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "cgroup").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        named = any(f"/{guest.machine_name(index, host)}/".encode() in text for host in hosts)
        if named or f"{directory}/".encode() in text:
            left.append(f"process {entry.name} {text[:200]!r}")
    return left


def _nothing(_directory: Path) -> bool:
    return True


def _guest_is_recorded(directory: Path) -> bool:
    return processes.read(directory, guest.record_name("h1")) is not None


def _guest_boots(directory: Path) -> bool:
    return guest.init_pid(directory, "h1") is not None


def _everything_is_up(directory: Path) -> bool:
    return (directory / "ready").exists()


@pytest.mark.parametrize(
    ("moment", "also_guest"),
    [
        (_nothing, False),
        (_guest_is_recorded, False),
        (_guest_boots, True),
        (_everything_is_up, False),
        (_everything_is_up, True),
    ],
    ids=["before-guests", "guest-starts", "guest-boots-and-is-killed", "up", "up-and-guest-is-killed"],
)
def test_kill_of_the_owner_leaves_nothing(moment: Callable[[Path], bool], also_guest: bool) -> None:
    """Owner killed, nspawn killed too or not: no process, mount, bridge, cgroup or folder is left after the reaper."""
    name = unique(f"killed-{moment.__name__.replace('_', '')}-{'both' if also_guest else 'owner'}")
    directory = paths.testbeds_root() / name
    script = (
        "import sys, time; from testbed import *\n"
        "spec = TestbedSpec(sys.argv[1], hosts=(HostSpec('h1'),))\n"
        "with Testbed.up(spec) as testbed: (testbed.directory / 'ready').touch(); time.sleep(300)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, name], cwd=TESTS, start_new_session=True)
    try:
        wait_until("the folder is there", directory.exists)
        index = paths.index_of(directory)
        wait_until("the moment has come", lambda: owner.poll() is not None or moment(directory))
        assert owner.poll() is None, "the owner ended by itself"
        if also_guest:
            record = processes.read(directory, guest.record_name("h1"))
            assert record is not None and processes.send(record, signal.SIGKILL)
    finally:
        owner.kill()
        owner.wait()
    wait_until("a run has removed it", lambda: remove_orphans() or not directory.exists())
    wait_until("nothing is left", lambda: remains(directory, index, ["h1"]) == [])
