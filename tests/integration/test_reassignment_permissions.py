"""A whole run with exactly the permissions that the plan asks for: they are enough, and each of them is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import (
    PERMISSIONS,
    missing_permissions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permissions import rules_of, run_permissions
from harness.rolling_scene import Scene, assert_succeeded
from harness.waiting import wait_until

pytestmark = [pytest.mark.testbed, pytest.mark.hosts, pytest.mark.long]

USER = "careful-operator"
RUN = "reassign-pod-cidrs"
#: Asked for, and not needed in this cluster: (verb, resource) and where it is.
ELSEWHERE = {("get", "persistentvolumeclaims"): "pods with volumes"}
ROLES = "/apis/rbac.authorization.k8s.io/v1"
Use = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Two hosts; h1 has a podCIDR out of range."""
    with Scene.up("permissions") as made:
        yield made


def allow(scene: Scene) -> None:
    """The documented rules, and nothing else, for a user of his own."""
    rules = [
        {"apiGroups": [group], "resources": ["/".join(filter(None, (resource, part)))], "verbs": [verb]}
        for verb, resource, group, part in PERMISSIONS
    ]
    subject = {"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}
    for kind, folder, found in (
        ("ClusterRole", ROLES, rules),
        ("Role", f"{ROLES}/namespaces/kube-system", rules_of(run_permissions(RUN))),
    ):
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": USER}
        head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": USER}}
        scene.testbed.client.create(f"{folder}/{kind.lower()}s", {**head, "kind": kind, "rules": found})
        binding = {**head, "kind": f"{kind}Binding", "roleRef": role, "subjects": [subject]}
        scene.testbed.client.create(f"{folder}/{kind.lower()}bindings", binding)


def uses(scene: Scene) -> dict[Use, set[int]]:
    """What the user has done, by the API server's audit log: {(verb, resource, group, subresource): answers}."""
    found: dict[Use, set[int]] = {}
    for line in scene.testbed.audit_log.read_text(encoding="utf-8").splitlines():
        event: dict[str, Any] = json.loads(line)
        about = event.get("objectRef") or {}
        if event["user"]["username"] == USER and about.get("apiGroup") != "authorization.k8s.io" and about:
            key = (event["verb"], about["resource"], about.get("apiGroup", ""), about.get("subresource", ""))
            found.setdefault(key, set()).add(event["responseStatus"]["code"])
    return found


def test_a_run_needs_what_the_plan_asks_for(scene: Scene) -> None:
    """No more: nothing is refused but what the audit reads if it may. No less: all of it is used."""
    kubeconfig = scene.testbed.kubeconfig_for(USER)
    allow(scene)
    client = KubeClient.from_options({"kubeconfig": str(kubeconfig)})
    wait_until("the rules are in force", lambda: not missing_permissions(client))
    scene.kubeconfig = kubeconfig
    scene.drift("h1")
    assert_succeeded(scene.run())
    scene.wait_healthy()

    seen = uses(scene)
    refused = {use for use, answers in seen.items() if 403 in answers}
    # checks of the audit do without what they may not read
    assert {verb for verb, _resource, _group, _part in refused} <= {"list", "get"}, refused
    asked = {*PERMISSIONS, *((one.verb, one.resource, one.group, "") for one in run_permissions(RUN))}
    assert not refused & asked
    assert set(seen) - refused <= asked, set(seen) - refused - asked
    unused = {(verb, resource) for verb, resource, group, part in asked - set(seen)}
    assert unused == set(ELSEWHERE)
