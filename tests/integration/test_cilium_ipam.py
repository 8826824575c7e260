"""Predicted free blocks of Cilium's pools against the real cilium-operator: it gives as many, and not one more.

The oracle is the operator itself: CiliumNodes are created, as agents would do it, until it writes an error into one.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cilium_ipam
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.live import LiveOptions, collect
from ansible_collections.podnet.upkeep.plugins.modules import cilium_config, cilium_pod_ip_pool
from harness.module_answers import answer
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, Testbed, TestbedSpec
from testbed.cilium_operator import CiliumOperator

from .conftest import Audit

pytestmark = pytest.mark.testbed

NODES = "/apis/cilium.io/v2/ciliumnodes"
POOLS = "/apis/cilium.io/v2alpha1/ciliumpodippools"
FOUR_BLOCKS = {"pool_ipv4_cidrs": ("10.60.0.0/28",), "pool_ipv4_mask_size": 30}


def create(testbed: Testbed, name: str, ipam: Mapping[str, Any] | None = None, **metadata: Any) -> None:
    """A Node, and the CiliumNode that its agent would create."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    uid = testbed.client.create("/api/v1/nodes", node)["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
    testbed.client.create(
        NODES,
        {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNode",
            "metadata": {"name": name, "ownerReferences": [owner], **metadata},
            "spec": {"ipam": dict(ipam or {})},
        },
    )


def blocks(cilium_node: Mapping[str, Any]) -> list[str]:
    """CIDRs that a CiliumNode has, of either mode."""
    ipam = cilium_node["spec"].get("ipam") or {}
    pools = (ipam.get("pools") or {}).get("allocated") or ()
    return [*ipam.get("podCIDRs", ()), *(cidr for one in pools for cidr in one.get("cidrs", ()))]


def error(cilium_node: Mapping[str, Any]) -> str:
    """What the operator says about a CiliumNode."""
    text: str = cilium_node.get("status", {}).get("ipam", {}).get("operator-status", {}).get("error", "")
    return text


def decided(testbed: Testbed, name: str) -> Mapping[str, Any]:
    """The CiliumNode, once the operator has given it something or has said why not."""

    def look() -> Mapping[str, Any] | None:
        found: Mapping[str, Any] = testbed.client.get(f"{NODES}/{name}")
        return found if blocks(found) or error(found) else None

    answer: Mapping[str, Any] = wait_until(f"the operator's decision about {name}", look)
    return answer


def predicted(testbed: Testbed, pool: str = "cluster-pool") -> int:
    """Free blocks of a pool by the product's own reading and counting, without the playbook around it."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    context = Context(collect(client, LiveOptions()))
    section = cilium_ipam.section(context)
    assert section is not None
    return sum(row["free"] for row in section["pools"] if row["pool"] == pool)


def free(report: Mapping[str, Any], pool: str = "cluster-pool") -> int:
    """Free blocks of a pool by the audit."""
    return sum(row["free"] for row in report["cilium_pools"] if row["pool"] == pool)


def subjects(report: Mapping[str, Any], identifier: str) -> list[str]:
    """Names that the audit finds for an id."""
    return [one["subject"]["name"] for one in report["findings"] if one["id"] == identifier]


def finding(report: Mapping[str, Any], identifier: str) -> Mapping[str, Any]:
    """The only finding of an id."""
    (only,) = [one for one in report["findings"] if one["id"] == identifier]
    found: Mapping[str, Any] = only
    return found


def test_cluster_pool_gives_the_predicted_blocks(audit: Audit) -> None:
    """Four blocks: four Nodes are served, the fifth waits, and goes on waiting when a block is freed, until a start."""
    spec = TestbedSpec(name=f"cpool-{os.getpid()}", cilium=CiliumOperatorSpec(**FOUR_BLOCKS))
    with Testbed.up(spec) as testbed:
        left = free(audit(testbed.kubeconfig))
        assert left == 4
        for number in range(left):
            create(testbed, f"n{number}")
            assert blocks(decided(testbed, f"n{number}"))
            assert predicted(testbed) == left - 1 - number
        create(testbed, "late")
        late = decided(testbed, "late")
        assert not blocks(late) and error(late) == "allocator full"

        full = audit(testbed.kubeconfig)
        exhausted = finding(full, "cilium-pool-exhausted")
        assert exhausted["severity"] == "critical" and exhausted["evidence"]["waiting"] == ["late"]
        assert subjects(full, "cilium-node-cidr-missing") == ["late"]
        assert subjects(full, "cilium-operator-error-stale") == []

        testbed.client.delete(f"{NODES}/n1")
        testbed.client.delete("/api/v1/nodes/n1")
        time.sleep(5)
        assert not blocks(testbed.client.get(f"{NODES}/late"))
        freed = audit(testbed.kubeconfig)
        assert free(freed) == 1 and subjects(freed, "cilium-pool-exhausted") == []
        assert (
            "1 blocks are free, but the operator tries again only"
            in finding(freed, "cilium-node-cidr-missing")["summary"]
        )

        testbed.cilium.stop()
        testbed.cilium.start_process()
        wait_until(
            "the waiting Node is served by an operator that starts", lambda: blocks(testbed.client.get(f"{NODES}/late"))
        )
        assert predicted(testbed) == 0
        grow_cluster_pool(testbed)


def grow_cluster_pool(testbed: Testbed) -> None:
    """Full again, and further CIDRs: the Node that waits is served by them, and nobody else loses a block."""
    create(testbed, "later")
    assert error(decided(testbed, "later")) == "allocator full"
    before = {one["metadata"]["name"]: blocks(one) for one in testbed.client.list(NODES)}
    options = {"kubeconfig": str(testbed.kubeconfig), "add_pool_cidrs": ["10.61.0.0/29"]}
    done = answer(cilium_config, **options)
    (grown,) = done["pool_growth"]
    assert done["components"] == ["operator"] and done["changed"], done
    assert (grown["blocks_added"], grown["free"], grown["waiting"]) == (2, 0, ["later"])
    (key,) = done["change"]
    spec = dataclasses.replace(testbed.cilium.spec, config={key: done["change"][key]["after"]})
    testbed.cilium.stop()
    testbed.cilium = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    testbed.cilium.start_process()
    wait_until("a block of the CIDR that was appended", lambda: blocks(testbed.client.get(f"{NODES}/later")))
    after = {one["metadata"]["name"]: blocks(one) for one in testbed.client.list(NODES)}
    assert after.pop("later")[0] in ("10.61.0.0/30", "10.61.0.4/30") and before.pop("later") == []
    assert after == before
    assert predicted(testbed) == 1 and not answer(cilium_config, **options)["changed"]


def test_blocks_that_the_operator_does_not_book_are_given_away_twice(audit: Audit) -> None:
    """A CIDR outside of the pool, or of a family that is off, makes it forget the Node: the audit says so before."""
    spec = TestbedSpec(name=f"books-{os.getpid()}", cilium=CiliumOperatorSpec(**FOUR_BLOCKS))
    with Testbed.up(spec) as testbed:
        testbed.cilium.stop()
        create(testbed, "outside", {"podCIDRs": ["10.60.0.0/30", "10.99.0.0/30"]})
        create(testbed, "six", {"podCIDRs": ["10.60.0.4/30", "fd00::/120"]})
        create(testbed, "ignored", {"podCIDRs": ["10.60.0.8/30"]}, annotations={"ipam.cilium.io/ignore": "true"})
        create(testbed, "sound", {"podCIDRs": ["10.60.0.12/30"]})
        before = audit(testbed.kubeconfig)
        assert subjects(before, "cilium-node-cidr-not-booked") == ["ignored", "outside", "six"]
        assert subjects(before, "cilium-node-cidr-outside-pool") == ["outside"]
        assert free(before) == 3

        testbed.cilium.start_process()
        results = []
        for number in range(4):
            create(testbed, f"n{number}")
            results.append(error(decided(testbed, f"n{number}")))
        assert results == ["", "", "", "allocator full"]
        refused = {name: bool(error(testbed.client.get(f"{NODES}/{name}"))) for name in ("outside", "six", "ignored")}
        assert refused == {"outside": True, "six": True, "ignored": False}
        counts = Counter(cidr for one in testbed.client.list(NODES) for cidr in blocks(one))
        twice = {cidr for cidr, count in counts.items() if count > 1}
        assert twice == {"10.60.0.0/30", "10.60.0.4/30", "10.60.0.8/30"}

        after = audit(testbed.kubeconfig)
        sharing = {one["metadata"]["name"] for one in testbed.client.list(NODES) if set(blocks(one)) & twice}
        assert set(subjects(after, "cilium-node-cidr-overlap")) == sharing and len(sharing) == 6
        assert free(after) == 0


def test_multi_pool_gives_the_predicted_blocks(audit: Audit) -> None:
    """A block of /30 is two addresses: a Node that asks for three takes two of four blocks."""
    spec = TestbedSpec(name=f"mpool-{os.getpid()}", cilium=CiliumOperatorSpec(ipam="multi-pool"))
    with Testbed.up(spec) as testbed:
        testbed.client.create(
            POOLS,
            {
                "apiVersion": "cilium.io/v2alpha1",
                "kind": "CiliumPodIPPool",
                "metadata": {"name": "default"},
                "spec": {"ipv4": {"cidrs": ["10.61.0.0/28"], "maskSize": 30}},
            },
        )

        def ask(name: str, needed: int, pool: str = "default") -> Mapping[str, Any]:
            create(testbed, name, {"pools": {"requested": [{"pool": pool, "needed": {"ipv4-addrs": needed}}]}})
            return decided(testbed, name)

        assert predicted(testbed, "default") == 4
        assert len(blocks(ask("one", 2))) == 1
        assert predicted(testbed, "default") == 3
        assert len(blocks(ask("two", 3))) == 2
        assert predicted(testbed, "default") == 1
        ask("greedy", 5)
        assert "pool empty" in wait_until(
            "the refusal of too many", lambda: error(testbed.client.get(f"{NODES}/greedy"))
        )
        assert "non-existing pool: gone" in error(ask("astray", 1, "gone"))

        report = audit(testbed.kubeconfig)
        assert free(report, "default") == 0
        assert finding(report, "cilium-pool-exhausted")["evidence"]["waiting"] == ["greedy"]
        missing = {one["subject"]["name"]: one for one in report["findings"] if one["id"] == "cilium-node-cidr-missing"}
        assert set(missing) == {"greedy", "astray"}
        assert missing["greedy"]["evidence"]["missing"] == [{"pool": "default", "family": "IPv4", "blocks": 2}]
        assert subjects(report, "cilium-pool-missing") == ["gone"]

        # the operator of this mode retries by itself
        testbed.client.delete(f"{NODES}/two")
        served = wait_until(
            "retry", lambda: (found := testbed.client.get(f"{NODES}/greedy")) and len(blocks(found)) == 3
        )
        assert served and predicted(testbed, "default") == 0

        # and serves out of a CIDR that is appended, without a start
        ask("later", 2)
        assert "pool empty" in wait_until("the refusal", lambda: error(testbed.client.get(f"{NODES}/later")))
        before = {one["metadata"]["name"]: blocks(one) for one in testbed.client.list(NODES)}
        options = {"kubeconfig": str(testbed.kubeconfig), "add_cidrs": ["10.62.0.0/29"]}
        assert (
            "overlaps 10.61.0.0/28" in answer(cilium_pod_ip_pool, **{**options, "add_cidrs": ["10.61.0.8/29"]})["msg"]
        )
        done = answer(cilium_pod_ip_pool, **options)
        assert done["change"]["ipv4"]["after"] == ["10.61.0.0/28", "10.62.0.0/29"], done
        assert done["pool_growth"][0]["waiting"] == ["later"]
        wait_until("a block of the CIDR that was appended", lambda: blocks(testbed.client.get(f"{NODES}/later")))
        after = {one["metadata"]["name"]: blocks(one) for one in testbed.client.list(NODES)}
        assert after.pop("later")[0] in ("10.62.0.0/30", "10.62.0.4/30") and before.pop("later") == []
        assert after == before and not answer(cilium_pod_ip_pool, **options)["changed"]
