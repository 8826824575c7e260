"""Which logs are read, and which of their lines are kept."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pod_logs import matching_lines, pods_to_read

SINCE = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
FULL = "no more available IDs in configured space"


def pod(name: str, node: str, namespace: str = "kube-system", owner: str = "", **labels: str) -> Any:
    """A pruned pod."""
    owners = [{"kind": "DaemonSet", "name": owner}] if owner else []
    metadata = {"name": name, "namespace": namespace, "labels": labels, "ownerReferences": owners}
    return {"metadata": metadata, "spec": {"nodeName": node}}


def failure(node: str, count: int = 1, last: str = "2026-11-01T00:10:00Z") -> Any:
    """An event about a sandbox."""
    return {"reason": "FailedCreatePodSandBox", "count": count, "lastTimestamp": last, "source": {"host": node}}


def lease(holder: str) -> Any:
    """Who leads."""
    return {"metadata": {"name": "kube-controller-manager"}, "spec": {"holderIdentity": holder}}


MANAGERS = [pod(f"kube-controller-manager-cp{n}", f"cp{n}", component="kube-controller-manager") for n in (1, 2)]


def chosen(pods: list[Any], *events: Any, leases: list[Any] | None = None) -> list[tuple[str, str]]:
    """Names and containers."""
    return [(one["metadata"]["name"], container) for one, container in pods_to_read(pods, leases or [], events, SINCE)]


def test_the_controller_manager_that_leads() -> None:
    """By the host name in the Lease; all of them when nobody knows who leads."""
    leader = ("kube-controller-manager-cp2", "kube-controller-manager")
    assert chosen(MANAGERS, leases=[lease("cp2_0b5c-77")]) == [leader]
    both = [("kube-controller-manager-cp1", "kube-controller-manager"), leader]
    assert chosen(MANAGERS) == both
    assert chosen(MANAGERS, leases=[lease("elsewhere_1")]) == both


def test_operators_always_and_agents_where_sandboxes_fail() -> None:
    """Each with the container that knows; pods of unknown DaemonSets are left out."""
    pods = [
        pod("cilium-operator-5c-x", "w1", **{"io.cilium/app": "operator"}),
        pod("cilium-aaaaa", "w1", owner="cilium"),
        pod("cilium-bbbbb", "w2", owner="cilium"),
        pod("kube-flannel-ccccc", "w1", "kube-flannel", owner="kube-flannel-ds"),
        pod("fluentd-ddddd", "w1", owner="fluentd"),
        pod("web", "w1", "shop"),
    ]
    assert chosen(pods, failure("w1")) == [
        ("kube-flannel-ccccc", "kube-flannel"),
        ("cilium-aaaaa", "cilium-agent"),
        ("cilium-operator-5c-x", "cilium-operator"),
    ]


def test_at_most_ten_nodes() -> None:
    """Those with most failures; what is older does not count."""
    pods = [pod(f"cilium-{n:02}", f"w{n:02}", owner="cilium") for n in range(30)]
    events = [failure(f"w{n:02}", count=n) for n in range(1, 30)]
    assert [name for name, _container in chosen(pods, *events)] == [f"cilium-{n:02}" for n in range(20, 30)]
    assert chosen(pods, failure("w01", last="2026-10-31T23:59:59Z"), failure("w02", last="")) == []


def test_lines() -> None:
    """With their time where they have one; the newest five hundred; long ones are cut."""
    text = f'2026-11-01T00:00:00.123456789Z level=warning error="{FULL}"\n2026-11-01T00:00:01Z ordinary\n{FULL} {"x" * 900}\n\n'
    found = matching_lines(text)
    assert found[0] == {"time": "2026-11-01T00:00:00.123456789Z", "text": f'level=warning error="{FULL}"'}
    assert found[1]["time"] == "" and len(found[1]["text"]) == 500 and len(found) == 2
    many = "".join(f"2026-11-01T00:00:00Z {number} {FULL}\n" for number in range(1200))
    kept = matching_lines(many)
    assert len(kept) == 500 and kept[-1]["text"].startswith("1199 ") and kept[0]["text"].startswith("700 ")
