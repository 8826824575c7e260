"""CNI state of real hosts, read over SSH by the audit's role, against what the kubelet's runtime really left there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import host_network
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from harness import workload
from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import HostSpec, Testbed, TestbedSpec
from testbed.hosts import drift

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

PLAYBOOK = Path(__file__).with_name("host_facts.yml")


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """One host with pods."""
    with Testbed.up(TestbedSpec(name=f"host-facts-{os.getpid()}", hosts=(HostSpec("h1"),))) as made:
        workload.deploy(made, replicas=1)
        wait_until("a pod runs", lambda: workload.network_pods(made, "h1"))
        yield made


def read(testbed: Testbed, folder: Path, *hosts: str) -> tuple[list[dict[str, Any]], PlaybookRun]:
    """What the role reads on these hosts; the inventory has two that cannot be reached."""
    inventory = yaml.safe_load(testbed.inventory.read_text(encoding="utf-8"))
    known = inventory["all"]["hosts"]
    known["gone"] = {**known["h1"], "ansible_host": "127.0.0.1", "ansible_port": 1}
    known["other-name"] = {**known["h1"], "podnet_node_name": "h1"}
    inventory["all"]["children"] = {"machines": {"hosts": {name: {} for name in hosts}}}
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    into = folder / "facts.json"
    variables = {"audit_hosts_group": "machines", "read_into": str(into)}
    done = run_playbook(str(PLAYBOOK), ["-i", str(path)], variables=variables)
    assert done.returncode == 0, done.output
    return json.loads(into.read_text(encoding="utf-8")), done


def judged(testbed: Testbed, hosts: list[dict[str, Any]]) -> dict[str, Any]:
    """{finding: its evidence} of the check of hosts."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    stated = settings_from_options({"cluster_cidrs": list(testbed.spec.control_plane.cluster_cidrs)})
    context = Context(live.collect(client, live.LiveOptions(hosts=hosts)), AuditSettings(stated))
    return {one.id: one.evidence for one in host_network.check(context)}


def test_healthy_host_and_one_that_cannot_be_reached(testbed: Testbed, tmp_path: Path) -> None:
    """The same as the testbed reads; the dead one is an entry, nothing fails, nothing changes but our own file."""
    started = time.monotonic()
    found, done = read(testbed, tmp_path, "h1", "gone", "other-name")
    print(f"three hosts read in {time.monotonic() - started:.1f} s")
    facts = testbed.hosts["h1"].facts()
    gone, healthy, renamed = found  # as Ansible orders the group
    assert tuple(healthy["conflists"][0]["subnets"]) == facts.subnets
    assert tuple(healthy["bridge_addresses"]) == facts.bridge_addresses
    assert renamed == healthy and healthy["node"] == "h1"
    assert gone["node"] == "gone" and "connect" in gone["error"].lower()
    assert done.recap["localhost"]["changed"] == 1 and done.recap["localhost"]["failed"] == 0
    assert set(judged(testbed, found)) == {"host-not-read"}


def test_a_host_after_the_procedure_of_the_runbook(testbed: Testbed, tmp_path: Path) -> None:
    """Delete the Node, restart its kubelet: Ready, and CNI still works with the CIDR of before; the check says so."""
    before = testbed.hosts["h1"].facts()
    drift.naive_reregistration(testbed, "h1")
    found, _done = read(testbed, tmp_path, "h1")
    evidence = judged(testbed, found)
    assert set(evidence) == {"host-cni-config-drift", "host-bridge-address-drift"}
    assert evidence["host-cni-config-drift"]["subnets"] == list(before.subnets)
    assert evidence["host-bridge-address-drift"]["addresses"] == list(before.bridge_addresses)
    report = tmp_path / "audit.json"
    variables = {
        "audit_kubeconfig": str(testbed.kubeconfig),
        "audit_output_path": str(report),
        "audit_hosts_group": "machines",
        "audit_allocator": {"cluster_cidrs": list(testbed.spec.control_plane.cluster_cidrs)},
    }
    done = run_playbook("podnet.upkeep.audit", ["-i", str(tmp_path / "inventory.yml")], variables=variables)
    assert done.returncode == 0, done.output
    findings = json.loads(report.read_text(encoding="utf-8"))["findings"]
    places = {one["id"]: one["place"] for one in findings if one["id"].startswith("host-")}
    assert places == dict.fromkeys(evidence, "stale-cni")
    testbed.hosts["h1"].run("rm /etc/cni/net.d/*")
    found, _done = read(testbed, tmp_path, "h1")
    assert "host-cni-config-missing" in judged(testbed, found)
