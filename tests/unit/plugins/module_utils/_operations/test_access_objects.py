"""The ServiceAccount of an audit: created, corrected, reduced, removed, and never somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import (
    FEATURES,
    AccessOptions,
    manifests,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import (
    FEATURE_PERMISSIONS,
    PERMISSIONS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.owned_objects import Outcome

ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API server with the namespaces that are needed."""
    with FakeApi() as made:
        for name in ("kube-system", "kube-node-lease", "cilium", "monitoring"):
            made.store.add("/api/v1/namespaces", {"metadata": {"name": name}})
        yield made


def access(api: FakeApi, *, check_mode: bool = False, **options: Any) -> AccessObjects:
    """What is under test."""
    return AccessObjects(KubeClient.from_options(api.options), AccessOptions(**options), check_mode=check_mode)


def actions(outcome: Outcome) -> set[str]:
    """Every kind of action that was done."""
    return {one["action"] for one in outcome.actions}


def test_every_permission_is_granted_once() -> None:
    """Cluster-wide ones in the ClusterRole, others in the Role of their namespace; nothing besides."""
    rules = [rule for one in manifests(AccessOptions()) for rule in one.get("rules", ())]
    assert sorted(map(str, rules)) == sorted(str(one.rule()) for one in PERMISSIONS.values())


def test_features_and_namespaces_of_the_cni() -> None:
    """Only Roles get them: no command is run in pods of other namespaces."""
    options = AccessOptions(cni_namespaces=("cilium", "kube-system"), features=FEATURES)
    roles = {one["metadata"]["namespace"]: one["rules"] for one in manifests(options) if one["kind"] == "Role"}
    assert set(roles) == {"kube-system", "cilium", "kube-node-lease"}
    for place in ("kube-system", "cilium"):
        given = {resource: rule["verbs"] for rule in roles[place] for resource in rule["resources"]}
        assert {one.resource for one in FEATURE_PERMISSIONS.values()} <= set(given)
        assert given["pods/exec"] == ["create", "get"] and given["configmaps"] == ["get"]
    assert [one["resources"] for one in roles["kube-node-lease"]] == [["leases"]]
    (cluster,) = [one for one in manifests(options) if one["kind"] == "ClusterRole"]
    assert not any("/" in resource for rule in cluster["rules"] for resource in rule["resources"])


def test_created_once(api: FakeApi) -> None:
    """The second call changes nothing."""
    first = access(api).present()
    assert first.changed and actions(first) == {"created"} and not first.before
    again = access(api).present()
    assert not again.changed and actions(again) == {"unchanged"} and again.before == again.after


def test_check_mode_writes_nothing_and_says_the_same(api: FakeApi) -> None:
    """Before the first call, before a correction, and before the removal."""
    for state in ("present", "absent"):
        would = getattr(access(api, check_mode=True), state)()
        written = len(api.store.objects)
        assert not any(one.method in ("POST", "PATCH", "DELETE") for one in api.requests)
        assert written == len(api.store.objects)
        did = getattr(access(api), state)()
        assert (would.actions, would.before, would.after) == (did.actions, did.before, did.after)
        api.requests.clear()


def test_a_rule_that_was_added_by_hand_is_taken_away(api: FakeApi) -> None:
    """And one that was taken away comes back."""
    access(api).present()
    role = api.store.objects[f"{ROLES}/podnet-upkeep-audit"]
    wanted = list(role["rules"])
    role["rules"] = [*wanted[1:], {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    outcome = access(api).present()
    assert [one for one in outcome.actions if one["action"] != "unchanged"] == [
        {"kind": "ClusterRole", "namespace": "", "name": "podnet-upkeep-audit", "action": "changed"}
    ]
    assert api.store.objects[f"{ROLES}/podnet-upkeep-audit"]["rules"] == wanted


def test_what_is_not_wanted_any_more_goes(api: FakeApi) -> None:
    """A namespace of the CNI, and the ServiceAccount's old place with every binding to it."""
    access(api, cni_namespaces=("cilium",)).present()
    outcome = access(api, namespace="monitoring").present()
    gone = {(one["kind"], one["namespace"]) for one in outcome.actions if one["action"] == "deleted"}
    assert gone == {("Role", "cilium"), ("RoleBinding", "cilium"), ("ServiceAccount", "kube-system")}
    subjects = [subject["namespace"] for obj in api.store.objects.values() for subject in obj.get("subjects", ())]
    assert set(subjects) == {"monitoring"}
    assert not access(api, namespace="monitoring").present().changed


def test_a_binding_to_another_role_is_made_anew(api: FakeApi) -> None:
    """roleRef cannot be changed."""
    access(api).present()
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/podnet-upkeep-audit"
    api.store.objects[path]["roleRef"]["name"] = "cluster-admin"
    old = api.store.objects[path]["metadata"]["uid"]
    assert actions(access(api).present()) == {"unchanged", "changed"}
    assert api.store.objects[path]["roleRef"]["name"] == "podnet-upkeep-audit"
    assert api.store.objects[path]["metadata"]["uid"] != old


def test_removal_takes_what_is_ours_only(api: FakeApi) -> None:
    """Another instance and objects of others stay; nothing is left of this one, and a second removal changes nothing."""
    access(api, name="other").present()
    before = dict(api.store.objects)
    access(api, features=("logs",)).present()
    outcome = access(api).absent()
    assert actions(outcome) == {"deleted"} and set(api.store.objects) == set(before)
    assert not access(api).absent().changed


def test_an_object_of_somebody_else_is_refused(api: FakeApi) -> None:
    """Before anything is written."""
    api.store.add(ROLES, {"metadata": {"name": "podnet-upkeep-audit"}, "rules": []})
    count = len(api.store.objects)
    with pytest.raises(RefusedError, match="ClusterRole podnet-upkeep-audit exists and is not of this collection"):
        access(api).present()
    assert len(api.store.objects) == count and not access(api).absent().changed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"namespace": "nowhere"}, "namespace: there is no namespace 'nowhere'"),
        ({"cni_namespaces": ("nowhere",)}, "cni_namespaces: there is no namespace 'nowhere'"),
        ({"name": "Big"}, "name: 'Big' is not a name"),
        ({"namespace": "a/b"}, "namespace: 'a/b' is not a name"),
        ({"cni_namespaces": ("",)}, "cni_namespaces: '' is not a name"),
    ],
)
def test_options_that_cannot_be_used(api: FakeApi, options: dict[str, Any], words: str) -> None:
    """One sentence with option and value; nothing is written."""
    with pytest.raises(InputError, match=words):
        access(api, **options).present()
    assert not any(one.method != "GET" for one in api.requests)
