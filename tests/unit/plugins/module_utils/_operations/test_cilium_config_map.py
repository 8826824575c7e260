"""Writing cilium-config: guarded, remembered, and back byte for byte, on an API that misbehaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.fake_api import FakeApi, Fault, Request

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_map import (
    CiliumConfigMap,
    ConfigMap,
    diff_of,
    real_changes,
    to_restore,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_memory import (
    ANNOTATION,
    RESTORED,
    Memory,
    memory_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_plan import (
    plan_change,
    plan_restore,
)

COLLECTION = "/api/v1/namespaces/kube-system/configmaps"
PATH = f"{COLLECTION}/cilium-config"
DATA = {"identity-gc-interval": "15m0s", "cluster-name": "default", "odd": ""}
NOW = "2026-11-01T06:00:00Z"
RELEASE = (1, 18)


@pytest.fixture
def config(api: FakeApi) -> Iterator[FakeApi]:
    """A ConfigMap with an annotation of somebody else."""
    api.store.add(
        COLLECTION, {"metadata": {"name": "cilium-config", "annotations": {"note": "keep"}}, "data": dict(DATA)}
    )
    yield api


def present(client: KubeClient, change: dict[str, str | None], *, remember: bool = True) -> ConfigMap:
    """What the module does with `state: present`."""
    config_map = CiliumConfigMap(client, "kube-system")
    seen = config_map.read()
    plan = plan_change(seen, change, RELEASE)
    real = real_changes(seen.data, plan.wanted)
    return config_map.write(seen, real, plan.memory(real, NOW, "", remember=remember))


def restored(client: KubeClient, *keys: str) -> ConfigMap:
    """What it does with `state: restored`."""
    config_map = CiliumConfigMap(client, "kube-system")
    seen = config_map.read()
    plan = plan_restore(seen, keys, RELEASE)
    return config_map.write(seen, plan.wanted, plan.memory(plan.wanted, NOW, "", remember=True))


def obj(api: FakeApi) -> dict[str, Any]:
    """The object as it is stored."""
    return api.store.objects[PATH]


def test_there_and_back(config: FakeApi, client: KubeClient) -> None:
    """Two changes on top of each other, and the first values are back; what others have written stays."""
    present(client, {"identity-gc-interval": "5m0s", "identity-gc-rate-limit": "5000"})
    present(client, {"identity-gc-interval": "7m0s", "odd": None})
    assert obj(config)["data"] == {
        "identity-gc-interval": "7m0s",
        "identity-gc-rate-limit": "5000",
        "cluster-name": "default",
    }
    assert set(memory_of(obj(config)["metadata"]).keys) == {"identity-gc-interval", "identity-gc-rate-limit", "odd"}
    restored(client)
    assert obj(config)["data"] == DATA
    annotations = obj(config)["metadata"]["annotations"]
    assert set(annotations) == {"note", RESTORED}
    assert set(json.loads(annotations[RESTORED])) == {"identity-gc-interval", "identity-gc-rate-limit", "odd"}
    present(client, {"odd": "x"})
    assert set(memory_of(obj(config)["metadata"]).restored) == {"identity-gc-interval", "identity-gc-rate-limit"}


def test_one_write_for_data_and_memory(config: FakeApi, client: KubeClient) -> None:
    """There is no moment in which one is there without the other."""
    present(client, {"identity-gc-interval": "5m0s"})
    assert config.count("PATCH", "configmaps") == 1
    restored(client)
    assert config.count("PATCH", "configmaps") == 2


def test_some_keys_only(config: FakeApi, client: KubeClient) -> None:
    """The others stay changed, and remembered."""
    present(client, {"identity-gc-interval": "5m0s", "identity-gc-rate-limit": "5000"})
    restored(client, "identity-gc-rate-limit")
    assert obj(config)["data"] == {**DATA, "identity-gc-interval": "5m0s"}
    assert set(memory_of(obj(config)["metadata"]).keys) == {"identity-gc-interval"}


def test_a_repair_is_not_remembered(config: FakeApi, client: KubeClient) -> None:
    """Not even when the key had been tuned before."""
    present(client, {"identity-gc-interval": "5m0s"})
    present(client, {"identity-gc-interval": "10m0s"}, remember=False)
    assert memory_of(obj(config)["metadata"]) == Memory()
    assert restored(client).data["identity-gc-interval"] == "10m0s"


def test_a_procedure_leaves_what_a_person_has_tuned(config: FakeApi, client: KubeClient) -> None:
    """Each key is remembered with its first reason; with a reason only those of it are restored, without one all."""
    config_map = CiliumConfigMap(client, "kube-system")
    for change, reason in (
        ({"identity-gc-interval": "7m0s"}, "large_cluster"),
        ({"identity-gc-interval": "5m0s", "identity-gc-rate-limit": "5000"}, "recover_identities"),
    ):
        seen = config_map.read()
        others = seen.memory.of_others(reason)
        plan = plan_change(seen, {key: value for key, value in change.items() if key not in others}, RELEASE)
        config_map.write(seen, plan.wanted, plan.memory(plan.wanted, NOW, reason, remember=True))
    tuned = {**DATA, "identity-gc-interval": "7m0s"}
    assert obj(config)["data"] == {**tuned, "identity-gc-rate-limit": "5000"}
    seen = config_map.read()
    plan = plan_restore(seen, (), RELEASE, spared=seen.memory.of_others("recover_identities"))
    config_map.write(seen, plan.wanted, plan.memory(plan.wanted, NOW, "", remember=True))
    assert obj(config)["data"] == tuned
    restored(client)
    assert obj(config)["data"] == DATA


def test_a_value_that_is_back_by_hand_is_forgotten(config: FakeApi, client: KubeClient) -> None:
    """There is nothing to restore."""
    present(client, {"identity-gc-interval": "5m0s"})
    present(client, {"identity-gc-interval": "15m0s"})
    assert ANNOTATION not in obj(config)["metadata"]["annotations"]


def test_what_somebody_changed_since_is_not_overwritten(config: FakeApi, client: KubeClient) -> None:
    """It is an objection with a name."""
    present(client, {"identity-gc-interval": "5m0s"})
    obj(config)["data"]["identity-gc-interval"] = "3m0s"
    seen = CiliumConfigMap(client, "kube-system").read()
    (found,) = plan_restore(seen, (), RELEASE).objections
    assert found.risk == "changed-since" and "'3m0s'" in found.reason and "'5m0s'" in found.reason


def test_what_stopped_a_program_does_not_come_back(config: FakeApi, client: KubeClient) -> None:
    """The runbook's value was tuned away; to restore it would stop the operator."""
    obj(config)["data"]["identity-gc-interval"] = "600"
    present(client, {"identity-gc-interval": "5m0s"})
    seen = CiliumConfigMap(client, "kube-system").read()
    (found,) = plan_restore(seen, (), RELEASE).objections
    assert found.risk == "does-not-start" and "missing unit" in found.reason


def test_a_restart_would_take_in_other_values(config: FakeApi, client: KubeClient) -> None:
    """A key that nobody asked about stops the operator at its next start; one of the agents only does not."""
    obj(config)["data"]["identity-heartbeat-timeout"] = "900"
    seen = CiliumConfigMap(client, "kube-system").read()
    (found,) = plan_change(seen, {"identity-gc-interval": "5m0s"}, RELEASE).objections
    assert found.risk == "does-not-start" and "identity-heartbeat-timeout" in found.reason
    assert not plan_change(seen, {"bpf-policy-map-max": "32768"}, RELEASE).objections
    both: dict[str, str | None] = {"identity-gc-interval": "5m0s", "identity-heartbeat-timeout": "15m0s"}
    assert not plan_change(seen, both, RELEASE).objections


def test_gitops_is_an_objection(config: FakeApi, client: KubeClient) -> None:
    """It may undo the change at once."""
    obj(config)["metadata"]["labels"] = {"argocd.argoproj.io/instance": "net"}
    seen = CiliumConfigMap(client, "kube-system").read()
    assert [one.risk for one in plan_change(seen, {"identity-gc-interval": "5m0s"}, RELEASE).objections] == [
        "reverted-by-gitops"
    ]
    assert not plan_change(seen, {"identity-gc-interval": "15m0s"}, RELEASE).objections


def meanwhile(api: FakeApi, act: Any) -> None:
    """Do something between our reading and our writing, once."""
    done: list[bool] = []

    def before(request: Request) -> None:
        if request.method == "PATCH" and not done:
            done.append(True)
            act(obj(api))
            obj(api)["metadata"]["resourceVersion"] = "9000"

    api.before_request = before


def test_a_label_that_somebody_sets_meanwhile_is_no_conflict(config: FakeApi, client: KubeClient) -> None:
    """Data is what it was: written over the new version, and the label stays."""
    meanwhile(config, lambda one: one["metadata"].update(labels={"new": "label"}))
    present(client, {"identity-gc-interval": "5m0s"})
    assert obj(config)["data"]["identity-gc-interval"] == "5m0s"
    assert obj(config)["metadata"]["labels"] == {"new": "label"}


@pytest.mark.parametrize("key", ["identity-gc-interval", "cluster-name", "new-key"])
def test_data_that_somebody_changes_meanwhile(key: str, config: FakeApi, client: KubeClient) -> None:
    """Nothing is written, and nothing of theirs is lost."""
    meanwhile(config, lambda one: one["data"].update({key: "theirs"}))
    with pytest.raises(RefusedError, match=f"{key}.*nothing was written"):
        present(client, {"identity-gc-interval": "5m0s"})
    assert obj(config)["data"] == {**DATA, key: "theirs"}


def test_a_write_whose_answer_is_lost(config: FakeApi, client: KubeClient) -> None:
    """It is not repeated; the same command finds it done and changes nothing."""
    config.faults.append(Fault("PATCH", "configmaps", 0, after=True))
    with pytest.raises(ApiError):
        present(client, {"identity-gc-interval": "5m0s"})
    seen = CiliumConfigMap(client, "kube-system").read()
    assert real_changes(seen.data, {"identity-gc-interval": "5m0s"}) == {}
    assert seen.memory.keys["identity-gc-interval"].before == "15m0s"


def test_inputs(config: FakeApi, client: KubeClient) -> None:
    """No ConfigMap, an immutable one, and an annotation that a person has damaged."""
    with pytest.raises(InputError, match="there is no ConfigMap other/cilium-config"):
        CiliumConfigMap(client, "other").read()
    obj(config)["immutable"] = True
    with pytest.raises(InputError, match="immutable"):
        present(client, {"identity-gc-interval": "5m0s"})
    for text in ("{", "[]", '{"keys": {"a": 1}}', '{"keys": 1}'):
        obj(config)["metadata"]["annotations"][ANNOTATION] = text
        with pytest.raises(RefusedError, match="correct or remove it"):
            restored(client)
    long = Memory().with_change({}, {"labels": "x" * 200_000}, NOW, "")
    with pytest.raises(RefusedError, match="change fewer keys"):
        long.text()


def test_when_a_key_was_changed(config: FakeApi, client: KubeClient) -> None:
    """By whoever owns the key; the operator's own writes do not count; a key that nobody owns is as young as anything."""

    def by(manager: str, hour: int, *keys: str) -> dict[str, Any]:
        fields = {"f:data": {f"f:{key}": {} for key in keys}}
        return {"manager": manager, "time": f"2026-11-01T{hour:02}:00:00Z", "fieldsV1": fields}

    obj(config)["metadata"]["managedFields"] = [
        by("helm", 1, "cluster-name", "odd"),
        by("kubectl-edit", 3, "identity-gc-interval"),
        by("cilium-operator-generic", 9, "cluster-name"),
        by("other", 5),
    ]
    seen = CiliumConfigMap(client, "kube-system").read()
    assert seen.changed_at(["cluster-name"]) == "2026-11-01T01:00:00Z"
    assert seen.changed_at(["cluster-name", "identity-gc-interval"]) == "2026-11-01T03:00:00Z"
    assert seen.changed_at(["cluster-name", "removed"]) == seen.changed_at() == "2026-11-01T05:00:00Z"


def test_diff() -> None:
    """A line for each key that is there, in quotes: an empty text is not an absent one."""
    found = diff_of("kube-system", DATA, {"odd": None, "new": "", "identity-gc-interval": "5m0s"})
    assert found["before"] == "identity-gc-interval: '15m0s'\nodd: ''\n"
    assert found["after"] == "identity-gc-interval: '5m0s'\nnew: ''\n"


NAMES = st.sampled_from(["identity-gc-interval", "identity-gc-rate-limit", "a", "b"])
TEXTS = st.none() | st.sampled_from(["", "5m0s", "1", "\u00e4\n\t", '"'])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(NAMES, TEXTS.filter(lambda one: one is not None)),
    st.lists(st.dictionaries(NAMES, TEXTS, min_size=1), max_size=4),
)
def test_any_changes_go_back(before: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    """Whatever was changed in whatever order: restored is byte for byte what it was."""
    data, memory = dict(before), Memory()
    for change in changes:
        real = real_changes(data, change)
        memory = memory.with_change(data, real, NOW, "")
        data = {key: value for key, value in {**data, **real}.items() if value is not None}
    annotations = {} if memory.text() is None else {ANNOTATION: memory.text()}
    back, foreign, _keys = to_restore(ConfigMap({"metadata": {"annotations": annotations}, "data": data}))
    after = {key: value for key, value in {**data, **back}.items() if value is not None}
    assert json.dumps(after, sort_keys=True) == json.dumps(before, sort_keys=True)
    assert foreign == []
