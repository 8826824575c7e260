"""Another label filter by cilium_config: simulated on the pods and policies that there are, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault
from unit.fake_api.server import status_body

from ansible_collections.podnet.upkeep.plugins.modules import cilium_config

from .test_cilium_config import APPS, CONFIG, IMAGE, NS, run

POLICIES = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """Twenty jobs and ten pods of a shop; a policy selects by app."""
    monkeypatch.setattr(cilium_config.AnsibleModule, "warn", lambda _module, _text: None)
    with FakeApi() as running:
        add = running.store.add
        template = {"spec": {"containers": [{"image": IMAGE}]}}
        add(f"{APPS}/daemonsets", {"metadata": {"name": "cilium"}, "spec": {"template": template}})
        data = {"cluster-name": "default", "identity-management-mode": "operator"}
        fields = [{"manager": "helm", "time": "2026-11-01T06:00:00Z", "fieldsV1": {}}]
        add(f"{NS}/configmaps", {"metadata": {"name": "cilium-config", "managedFields": fields}, "data": data})
        add("/api/v1/namespaces", {"metadata": {"name": "shop", "labels": {}}})
        for number in range(30):
            labels = {"app": "shop"} if number < 10 else {"job": f"job-{number}"}
            spec = {"nodeName": "w1", "serviceAccountName": "default"}
            metadata = {"name": f"p{number}", "labels": labels}
            add("/api/v1/namespaces/shop/pods", {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})
        selector = {"podSelector": {"matchLabels": {"app": "shop"}}, "policyTypes": ["Ingress"]}
        add(POLICIES, {"metadata": {"name": "shop-only"}, "spec": selector})
        yield running


def test_a_filter_that_does_no_harm(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Its numbers are in the plan and in the diff; agents restart, and the operator where it manages identities."""
    looked = run(cilium_config, api, capsys, values={"labels": "!job"}, _ansible_check_mode=True)
    assert looked["changed"] and "labels" not in api.store.objects[CONFIG]["data"], looked
    assert looked["label_filter"]["identities"]["now"] == 21 and looked["label_filter"]["identities"]["after"] == 2
    assert looked["label_filter"]["dropped_labels"] == ["k8s:job"] and not looked["label_filter"]["refusals"]
    assert "# identities of live pods: 21\n" in looked["diff"]["before"]
    assert "# identities of live pods: 2\n" in looked["diff"]["after"]
    done = run(cilium_config, api, capsys, values={"labels": "!job"})
    assert (
        done["changed"] and done["components"] == ["operator", "agents"] and done["helm_values"] == {"labels": "!job"}
    )
    again = run(cilium_config, api, capsys, values={"labels": "!job"})
    assert not again["changed"] and again["label_filter"] is None
    # back is shown, and not refused
    back = run(cilium_config, api, capsys, state="restored")
    counts = back["label_filter"]["identities"]
    assert back["changed"] and (counts["now"], counts["after"]) == (2, 21)


@pytest.mark.parametrize(
    ("labels", "words", "risks"),
    [
        ("!app", "NetworkPolicy shop/shop-only", ["policies-affected"]),
        ("!k8s:app", "in labels", ["label-filter-mistake", "policies-affected"]),
        ("k8s:[", "would not start", []),
        ("k8s:(?=x)y", "would not start", []),
    ],
)
def test_a_filter_that_does(
    labels: str, words: str, risks: list[str], api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written, unless each reason is accepted by its name, or all by one."""
    answer = run(cilium_config, api, capsys, values={"labels": labels})
    assert answer["failed"] and words in answer["msg"], answer
    assert all(f"accepted_risks: [{risk}]" in answer["msg"] for risk in risks)
    assert bool(risks) is ("accepted_risks" in answer["msg"])
    assert not run(cilium_config, api, capsys, values={"labels": labels}, accepted_risks=risks[1:]).get("changed")
    assert api.count("PATCH") == 0
    taken = run(cilium_config, api, capsys, values={"labels": labels}, accepted_risks=risks, _ansible_check_mode=True)
    assert taken.get("changed", False) is bool(risks)
    taken = run(cilium_config, api, capsys, values={"labels": labels}, accepted_risks=["label-filter"])
    assert taken.get("changed", False) is bool(risks)


@pytest.mark.parametrize("why", ["pods", "prefixes"])
def test_what_cannot_be_simulated_is_not_harmless(why: str, api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Pods that may not be read, or a file that only agents know."""
    if why == "pods":
        api.faults = [Fault("GET", "^/api/v1/pods", 403, status_body(403, "Forbidden", "no"), times=99)]
    else:
        api.store.objects[CONFIG]["data"]["label-prefix-file"] = "/x"
    answer = run(cilium_config, api, capsys, values={"labels": "!job"})
    assert answer["failed"] and "accepted_risks: [label-filter-not-simulated]" in answer["msg"], answer
    assert api.count("PATCH") == 0


def test_more_identities_than_numbers(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """While old and new ones exist side by side."""
    api.store.objects[CONFIG]["data"].update({"labels": "!job"})
    identities: dict[str, Any] = {"security-labels": {"k8s:app": "x"}}
    for number in range(65280 // 1000):
        metadata = {"name": str(256 + number)}
        api.store.add("/apis/cilium.io/v2/ciliumidentities", {"metadata": metadata, **identities})
    answer = run(cilium_config, api, capsys, values={"labels": ""})
    assert answer["changed"] and answer["label_filter"]["identities"]["peak"] == 65 + 21
