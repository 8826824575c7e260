"""Agents, logs and metrics are asked for through a real API server, of pods that kwok answers for."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.agents import collect_agents
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pod_logs import collect_logs
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pod_metrics import collect_metrics
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._exec import OutputLimitError, run_in_pod
from testbed import KwokSpec, Testbed, TestbedSpec
from testbed.recordings import agent_answers

pytestmark = pytest.mark.testbed

NAMESPACE = "kube-system"
AGENTS = 20
OLD, SICK, FAILING, HANGING = 3, 5, 7, 11
TEN_YEARS = 10 * 365 * 86400
LOG = """\
level=info msg="Starting"
level=warning msg="Key allocation attempt failed" attempt=3 error="no more available IDs in configured space"
level=info msg="Policy imported"
"""


def name_of(number: int) -> str:
    """The agent's pod on the Node of that number."""
    return f"cilium-{number:02}"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """Return a testbed with twenty agents: one of Cilium 1.14, one sick, one that fails, one that hangs."""
    own = {
        OLD: agent_answers("version-1.14", program="cilium"),
        SICK: agent_answers("identities-exhausted"),
        FAILING: agent_answers(),
        HANGING: agent_answers(),
    }
    kwok = KwokSpec(
        nodes=AGENTS,
        exec_answers=agent_answers(),
        pod_exec_answers={f"{NAMESPACE}/{name_of(number)}": answers for number, answers in own.items()},
        logs={f"{NAMESPACE}/{name_of(SICK)}": LOG},
    )
    with Testbed.up(TestbedSpec(f"agents-{os.getpid()}", kwok=kwok)) as made:
        for number in range(AGENTS):
            made.client.create(f"/api/v1/namespaces/{NAMESPACE}/pods", agent_pod(number))
        end = time.monotonic() + 60
        while any(pod["status"].get("phase") != "Running" for pod in agent_pods(made)):
            assert time.monotonic() < end, "not all agents run"
            time.sleep(0.2)
        # cat of a folder ends with exit 1; cat of a pipe that nobody writes to never ends
        folder = answer_file(made, FAILING, "cilium-dbg endpoint list -o json")
        folder.unlink()
        folder.mkdir()
        pipe = answer_file(made, HANGING, "cilium-dbg status -o json")
        pipe.unlink()
        os.mkfifo(pipe)
        yield made
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))  # whoever still reads it ends


def agent_pod(number: int) -> dict[str, Any]:
    """A pod as the DaemonSet of Cilium makes it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name_of(number), "namespace": NAMESPACE, "labels": {"k8s-app": "cilium"}},
        "spec": {
            "nodeName": f"simulated-{number}",
            "hostNetwork": True,
            "automountServiceAccountToken": False,
            "containers": [{"name": "cilium-agent", "image": "simulated"}],
        },
    }


def agent_pods(testbed: Testbed) -> list[dict[str, Any]]:
    """The pods as the API has them."""
    pods = testbed.client.list(f"/api/v1/namespaces/{NAMESPACE}/pods", params={"labelSelector": "k8s-app=cilium"})
    return [dict(pod) for pod in pods]


def answer_file(testbed: Testbed, number: int, command: str) -> Path:
    """Where kwok has the text that one agent answers to one command."""
    digest = hashlib.sha256("".join(f"{word}\n" for word in shlex.split(command)).encode()).hexdigest()
    (found,) = testbed.directory.rglob(f"{NAMESPACE}.{name_of(number)}/{digest}")
    return found


def connect(testbed: Testbed, **options: Any) -> KubeClient:
    """A client of the collection; `impersonate_user` narrows what it may."""
    return KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig), **options})


def test_twenty_agents_are_asked_at_the_same_time(testbed: Testbed) -> None:
    """All but two answer everything; those two say why not, and cost no other agent its answer."""
    started = time.monotonic()
    agents = collect_agents(connect(testbed), agent_pods(testbed), concurrency=8, timeout=4, namespace=NAMESPACE)
    took = time.monotonic() - started
    assert 4 <= took < 30, "the hanging agent is waited for once, and no longer than was said"
    assert len(agents) == AGENTS and [one["node"] for one in agents] == sorted(one["node"] for one in agents)
    by_pod = {one["pod"]: one for one in agents}
    broken = {name_of(FAILING), name_of(HANGING)}
    for pod, one in by_pod.items():
        assert bool(one["error"]) == (pod in broken), one["error"]
        if pod not in broken:
            assert one["status"]["identity-range"] == {"max-identity": 65535, "min-identity": 256}
            assert one["endpoints"] and one["config"]["IPAM"] == "cluster-pool"
    hanging, failing = by_pod[name_of(HANGING)], by_pod[name_of(FAILING)]
    assert hanging["error"] == "no answer to status -o json within 4 s" and "status" not in hanging
    assert failing["error"].startswith("cilium-dbg endpoint list -o json failed (exit 1): cat: ")
    assert failing["status"]["cilium"]["state"] == "Ok" and "endpoints" not in failing
    assert by_pod[name_of(OLD)]["version"] == "1.14.19", "Cilium 1.14 has its program under the name cilium"
    (waiting,) = [one for one in by_pod[name_of(SICK)]["endpoints"] if one["state"] == "waiting-for-identity"]
    assert waiting["pod"] == "shop/cart-6c9d7f8b5-abcde" and waiting["since"] == "2026-03-01T10:11:12Z"


def test_pods_that_are_not_there_any_more(testbed: Testbed) -> None:
    """A pod that went meanwhile, or that does not run, is an entry with an error."""
    gone, waiting = agent_pod(0), agent_pod(1)
    gone["metadata"]["name"] = "cilium-gone"
    waiting["status"] = {"phase": "Pending"}
    agents = collect_agents(connect(testbed), [gone, waiting], concurrency=2, timeout=4, namespace=NAMESPACE)
    assert [one["error"] for one in agents] == ['pods "cilium-gone" not found', "the pod is Pending, not Running"]


@pytest.mark.parametrize(("verbs", "allowed"), [(["get"], False), (["create"], False), (["get", "create"], True)])
def test_what_exec_must_be_allowed(testbed: Testbed, verbs: list[str], allowed: bool) -> None:
    """API servers of today ask for both verbs; a refusal is raised, because then no agent is known."""
    user = "asker-" + "-".join(verbs)
    allow(testbed, user, "pods/exec", verbs)
    client = connect(testbed, impersonate_user=user)
    if allowed:
        (agent,) = collect_agents(client, [agent_pod(0)], concurrency=1, timeout=5, namespace=NAMESPACE)
        assert agent["error"] == ""
        return
    with pytest.raises(ApiError) as refused:
        collect_agents(
            client, [agent_pod(number) for number in range(5)], concurrency=2, timeout=5, namespace=NAMESPACE
        )
    assert refused.value.status == 403 and "pods/exec" in str(refused.value)


def allow(testbed: Testbed, user: str, resource: str, verbs: list[str]) -> None:
    """Let a user do this in kube-system."""
    group = "rbac.authorization.k8s.io"
    path = f"/apis/{group}/v1/namespaces/{NAMESPACE}"
    metadata = {"name": f"{user}-{resource.replace('/', '-')}", "namespace": NAMESPACE}
    testbed.client.create(
        f"{path}/roles",
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [{"apiGroups": [""], "resources": [resource], "verbs": verbs}],
        },
    )
    testbed.client.create(
        f"{path}/rolebindings",
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": metadata["name"]},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    )


def test_output_has_a_limit(testbed: Testbed) -> None:
    """An answer that is too long is given up, not kept in memory."""
    command = ["cilium-dbg", "endpoint", "list", "-o", "json"]
    with pytest.raises(OutputLimitError, match="printed more than 1000 bytes"):
        run_in_pod(connect(testbed), NAMESPACE, name_of(0), "cilium-agent", command, timeout=5, output_limit=1000)


def test_only_lines_that_matter_are_kept_of_logs(testbed: Testbed) -> None:
    """With their time; a pod without a log is told from one without such lines."""
    pods = [(agent_pod(SICK), "cilium-agent"), (agent_pod(0), "other")]
    lines = collect_logs(connect(testbed), pods, since_seconds=TEN_YEARS)
    assert [(one["pod"], one["node"], one["time"][:4]) for one in lines] == [
        (name_of(SICK), f"simulated-{SICK}", "2026"),
        (name_of(0), "simulated-0", ""),
    ]
    assert "no more available IDs in configured space" in lines[0]["text"]
    assert "container other is not valid" in lines[1]["error"] and lines[1]["text"] == ""
    allow(testbed, "reader", "pods/exec", ["create", "get"])
    with pytest.raises(ApiError) as refused:
        collect_logs(connect(testbed, impersonate_user="reader"), pods)
    assert refused.value.status == 403


def test_metrics_that_nobody_serves_are_an_error_of_that_pod(testbed: Testbed) -> None:
    """kwok's pods listen nowhere: the words of the API server are kept; a missing permission is raised."""
    # so that the API server asks nobody beyond this machine
    assert all(ipaddress.ip_address(pod["status"]["podIP"]).is_loopback for pod in agent_pods(testbed))
    (entry,) = collect_metrics(connect(testbed), [], [agent_pod(0)], timeout=5)
    assert entry["component"] == "agent" and entry["samples"] == {} and entry["error"]
    with pytest.raises(ApiError) as refused:
        collect_metrics(connect(testbed, impersonate_user="nobody"), [agent_pod(0)], timeout=5)
    assert refused.value.status == 403 and "pods/proxy" in str(refused.value)
