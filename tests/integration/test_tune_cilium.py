"""Settings of the real operator: changed, in force after a real restart, and back byte for byte."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import objections
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_profiles import PROFILES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_live import (
    ConfigInForce,
    WantedValues,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_map import (
    CiliumConfigMap,
    real_changes,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_plan import (
    plan_change,
    plan_restore,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout import Rollout
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_pods import WaitSettings, Workload
from harness.identity_cluster import PODS as DEFAULT_PODS
from harness.identity_cluster import pod
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, KwokSpec, Testbed, TestbedSpec, objects, processes

from .operator_scene import (
    ANNOTATION,
    CONFIG,
    DEPLOYMENT,
    IDENTITIES,
    data,
    is_ready,
    operator_pods,
    play,
    raw,
    set_data,
    wait_operator,
)
from .test_restart_cilium import agents

pytestmark = pytest.mark.testbed

# as text, as `-e name=value` gives them
QUICK = {"settle_seconds": "3", "timeout": "90", "health_gate": "false", "remember": "true"}
RELEASE = (1, 18)


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """The real operator, one process for each pod of its Deployment."""
    config = {"identity-gc-interval": "15m0s", "identity-heartbeat-timeout": "30m0s"}
    spec = CiliumOperatorSpec(pods=True, config=config)
    with Testbed.up(TestbedSpec(name=f"tune-{os.getpid()}", cilium=spec)) as made:
        wait_operator(made)
        yield made


def log_of(testbed: Testbed, pod: dict[str, object]) -> str:
    """What the operator of a pod has written."""
    uid = str(pod["metadata"]["uid"])  # type: ignore[index]
    return processes.log_of(testbed.directory, f"cilium-operator-{uid[:13]}").read_text(encoding="utf-8")


@pytest.mark.once
def test_a_change_is_in_force_and_goes_back(testbed: Testbed) -> None:
    """Without playbooks, so that it is short: write, restart, proof by the operator's log, and back byte for byte."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    config_map, before = CiliumConfigMap(client, "kube-system"), raw(testbed)
    limit = str(random.Random(8).randint(2501, 9999))
    wanted: dict[str, str | None] = {"identity-gc-rate-limit": limit, "identity-gc-interval": "5m0s"}
    seen = config_map.read()
    plan = plan_change(seen, wanted, RELEASE)
    assert not plan.objections
    written = config_map.write(seen, wanted, plan.memory(wanted, "now", "", remember=True))
    values = WantedValues(wanted, written.changed_at(list(wanted)), RELEASE)
    in_force = ConfigInForce(client, "kube-system")
    (old,) = in_force.operator(values)
    assert not old["in_force"] and old["different"] == ["identity-gc-rate-limit", "identity-gc-interval"]

    what = Workload("Deployment", "kube-system", "cilium-operator", moment(values.changed_at))
    rollout = Rollout(client, what, WaitSettings(60, leader_lease="cilium-operator-resource-lock", settle_seconds=2))
    rollout.run(rollout.plan())
    (new,) = in_force.operator(values)
    assert new["in_force"] and new["known_by"] == "log" and new["running"]["identity-gc-rate-limit"] == limit
    assert not rollout.plan().old

    seen = config_map.read()
    back = plan_restore(seen, (), RELEASE)
    config_map.write(seen, back.wanted, back.memory(back.wanted, "now", "", remember=True))
    assert raw(testbed) == before


@pytest.mark.long
@pytest.mark.once
@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_profile_there_and_back(profile: str, testbed: Testbed) -> None:
    """The operator that runs then says every value of it itself; check mode and second run change nothing."""
    before, old = raw(testbed), wait_operator(testbed)
    looked = play(testbed, "tune_cilium", "--check", "--diff", profile=profile, **QUICK)
    assert looked.returncode == 0, looked.output
    assert raw(testbed) == before and wait_operator(testbed)["metadata"]["uid"] == old["metadata"]["uid"]
    values = PROFILES[profile].values
    differing = [key for key, value in values.items() if data(testbed).get(key) != value]
    assert differing and all(f"+{key}: '{values[key]}'" in looked.output for key in differing)
    assert "operator" in looked.output and "helm_values" in looked.output

    done = play(testbed, "tune_cilium", profile=profile, **QUICK)
    assert done.returncode == 0, done.output
    new = wait_operator(testbed)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    log = log_of(testbed, new)
    assert all(f"--{key}='{value}'" in log for key, value in values.items()), log
    assert '"known_by": "log"' in done.output

    again = play(testbed, "tune_cilium", profile=profile, **QUICK)
    assert (again.returncode, again.changed) == (0, 0), again.output
    assert wait_operator(testbed)["metadata"]["uid"] == new["metadata"]["uid"]

    back = play(testbed, "tune_cilium", state="restored", **QUICK)
    assert back.returncode == 0, back.output
    assert raw(testbed) == before
    assert ANNOTATION not in (testbed.client.get(CONFIG)["metadata"].get("annotations") or {})
    assert "--identity-gc-interval='15m0s'" in log_of(testbed, wait_operator(testbed))


@pytest.mark.long
@pytest.mark.once
def test_a_value_that_stops_the_operator_is_put_back(testbed: Testbed) -> None:
    """It is Ready, and exits when it leads: nothing but waiting for a leader shows that."""
    before = raw(testbed)
    pools = "10.60.0.0/22 10.60.1.0/24"  # overlap
    options = {**QUICK, "settle_seconds": "10", "accepted_risks": ["address-pool"]}
    failed = play(testbed, "tune_cilium", values={"cluster-pool-ipv4-cidr": pools}, **options)
    assert failed.returncode != 0
    assert "The values of before were put back." in failed.flat_output
    assert raw(testbed) == before
    wait_operator(testbed, 90)


@pytest.mark.long
@pytest.mark.once
def test_a_run_that_was_interrupted_goes_on(testbed: Testbed) -> None:
    """The change was written and nothing restarted: the same command only restarts; so does the way back."""
    before, old = raw(testbed), wait_operator(testbed)
    written = play(testbed, "tune_cilium", profile="faster_identity_gc", restart="false", **QUICK)
    assert written.returncode == 0 and wait_operator(testbed)["metadata"]["uid"] == old["metadata"]["uid"]
    done = play(testbed, "tune_cilium", profile="faster_identity_gc", **QUICK)
    assert done.returncode == 0 and done.changed > 0, done.output
    assert wait_operator(testbed)["metadata"]["uid"] != old["metadata"]["uid"]

    middle = wait_operator(testbed)["metadata"]["uid"]
    play(testbed, "tune_cilium", state="restored", restart="false", **QUICK)
    assert raw(testbed) == before
    play(testbed, "tune_cilium", state="restored", **QUICK)
    assert wait_operator(testbed)["metadata"]["uid"] != middle


@pytest.mark.long
@pytest.mark.once
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("identity-gc-interval", "600"),
        ("identity-gc-interval", "5 m"),
        ("identity-heartbeat-timeout", "forever"),
        ("identity-gc-rate-limit", "many"),
        ("operator-k8s-client-qps", "fast"),
        ("enable-ipv6", "no"),
        ("nodes-gc-interval", "5 m"),
        ("cluster-name", "EAST"),
        ("identity-gc-interval", "1m30s"),
        ("identity-gc-rate-limit", "9999"),
        ("operator-k8s-client-qps", "150.5"),
    ],
)
def test_what_is_refused_stops_the_real_operator(key: str, value: str, testbed: Testbed) -> None:
    """Forced past us: a new pod fails where we refuse without a way around, and is Ready elsewhere."""
    before = data(testbed)
    refused = [one for one in objections(before, {key: value}, RELEASE) if one.risk in ("", "fixed-at-installation")]
    uid = wait_operator(testbed, 90)["metadata"]["uid"]
    try:
        set_data(testbed, **{key: value})
        stamp = {"metadata": {"annotations": {"forced-at": str(time.time())}}}
        testbed.client.patch(DEPLOYMENT, {"spec": {"template": stamp}})

        def verdict() -> str:
            for pod in operator_pods(testbed):
                if pod["metadata"]["uid"] != uid:
                    states = pod.get("status", {}).get("containerStatuses") or [{"restartCount": 0}]
                    if is_ready(pod):
                        return "starts"
                    if states[0]["restartCount"]:
                        return "stops"
            return ""

        assert wait_until("the new pod starts or fails", verdict) == ("stops" if refused else "starts")
    finally:
        set_data(testbed, **{key: before.get(key)})
        wait_operator(testbed, 90)


@pytest.mark.long
@pytest.mark.once
def test_somebody_else_edits_all_the_time(testbed: Testbed) -> None:
    """Two hundred of our writes against a person's: no edit of theirs is lost, and each of ours is whole or not at all."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    config_map = CiliumConfigMap(client, "kube-system")
    stop, theirs = threading.Event(), []

    def edit() -> None:
        while not stop.is_set():
            theirs.append(len(theirs))
            set_data(testbed, **{f"edit-{len(theirs)}": "x"})
            time.sleep(0.005)

    before = data(testbed)
    editor = threading.Thread(target=edit)
    editor.start()
    written = refused = 0
    try:
        for number in range(200):
            seen = config_map.read()
            plan = plan_change(seen, {"identity-gc-rate-limit": str(3000 + number)}, RELEASE)
            change = real_changes(seen.data, plan.wanted)
            try:
                after = config_map.write(seen, change, plan.memory(change, "now", "", remember=True))
                assert after.memory.keys["identity-gc-rate-limit"].set_to == after.data["identity-gc-rate-limit"]
                written += 1
            except RefusedError:
                refused += 1
    finally:
        stop.set()
        editor.join()
    print(f"{written} written, {refused} refused, {len(theirs)} edits of others")
    found = data(testbed)
    assert {f"edit-{number + 1}" for number in theirs} <= set(found)
    assert written and refused
    gone = {f"edit-{number + 1}": None for number in theirs}
    testbed.client.patch(
        CONFIG, {"data": {**gone, "identity-gc-rate-limit": None}, "metadata": {"annotations": {ANNOTATION: None}}}
    )
    assert data(testbed) == before


@pytest.fixture(scope="module")
def managed() -> Iterator[Testbed]:
    """The operator manages identities; one simulated agent, twelve jobs and two pods of a shop on its Node."""
    config = {"identity-management-mode": "operator"}
    spec = TestbedSpec(
        name=f"tunelabels-{os.getpid()}", cilium=CiliumOperatorSpec(pods=True, config=config), kwok=KwokSpec()
    )
    with Testbed.up(spec) as made:
        made.client.create("/api/v1/nodes", objects.node("a1", labels=objects.AGENT_NODE))
        wait_operator(made)
        wait_until("the agent runs", lambda: len(agents(made)) == 1)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_until("the ServiceAccount default", lambda: made.client.find(account))
        for number in range(12):
            made.client.create(DEFAULT_PODS, pod(f"job-{number}", "a1", job=f"job-{number}"))
        for number in range(2):
            made.client.create(DEFAULT_PODS, pod(f"shop-{number}", "a1", app="shop"))
        selector = {"podSelector": {"matchLabels": {"app": "shop"}}, "policyTypes": ["Ingress"]}
        made.client.create(
            "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": "shop"},
                "spec": selector,
            },
        )
        wait_until("the identities of thirteen sets of labels", lambda: len(made.client.list(IDENTITIES)) == 13)
        yield made


def security_labels(testbed: Testbed) -> list[str]:
    """Each label of each CiliumIdentity."""
    return [key for one in testbed.client.list(IDENTITIES) for key in one["security-labels"]]


@pytest.mark.long
@pytest.mark.once
def test_another_label_filter_there_and_back(managed: Testbed) -> None:
    """The plan has its numbers, both programs restart, and the real operator makes what was predicted.

    The way back is interrupted after it was written: the same command restarts both, and then nothing more.
    """
    before = raw(managed)
    refused = play(managed, "tune_cilium", values={"labels": "!app"}, **QUICK)
    assert refused.returncode != 0 and "NetworkPolicy default/shop" in refused.flat_output, refused.output
    assert "accepted_risks: [policies-affected]" in refused.flat_output and raw(managed) == before

    old, agent = wait_operator(managed)["metadata"]["uid"], agents(managed)
    looked = play(managed, "tune_cilium", "--check", "--diff", values={"labels": "!job"}, **QUICK)
    assert looked.returncode == 0 and raw(managed) == before, looked.output
    assert "-# identities of live pods: 13" in looked.output and "+# identities of live pods: 2" in looked.output
    done = play(managed, "tune_cilium", values={"labels": "!job"}, **QUICK)
    assert done.returncode == 0, done.output
    middle = wait_operator(managed)["metadata"]["uid"]
    assert middle != old and agents(managed)["a1"] != agent["a1"]
    for one in managed.client.list(IDENTITIES):
        managed.client.delete(f"{IDENTITIES}/{one['metadata']['name']}")
    wait_until("the operator makes them anew", lambda: len(managed.client.list(IDENTITIES)) >= 2)
    time.sleep(3)
    assert len(managed.client.list(IDENTITIES)) == 2 and "k8s:job" not in security_labels(managed)

    agent = agents(managed)
    written = play(managed, "tune_cilium", state="restored", restart="false", **QUICK)
    assert written.returncode == 0 and raw(managed) == before, written.output
    assert agents(managed) == agent and wait_operator(managed)["metadata"]["uid"] == middle
    resumed = play(managed, "tune_cilium", state="restored", **QUICK)
    assert resumed.returncode == 0, resumed.output
    last = wait_operator(managed)["metadata"]["uid"]
    assert last != middle and agents(managed)["a1"] != agent["a1"]
    again = play(managed, "tune_cilium", state="restored", **QUICK)
    assert (again.returncode, again.changed) == (0, 0), again.output
    assert wait_operator(managed)["metadata"]["uid"] == last
