"""Reading a cluster: pages, missing permissions, an expired list, and errors that are none of these."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from snapshots.small_clusters import config_map, lease, node, pod

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import CONFIG_MAPS, PERMISSIONS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

LISTS = {"/api/v1/nodes", "/api/v1/pods", "/apis/apps/v1/daemonsets"}


class Api:
    """The part of KubeClient that `collect` uses, over a dict of paths; `refuse` may raise for a path and its token."""

    def __init__(self, objects: dict[str, Any], refuse: Callable[[str, str], None] = lambda path, token: None) -> None:
        self.objects = objects
        self.refuse = refuse

    def server_version(self) -> str:
        """A version."""
        return "v1.36.1"

    def get(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """One page."""
        token = str(params.get("continue", ""))
        self.refuse(path, token)
        items = self.objects.get(path, [])
        start = int(token or 0)
        end = start + int(params["limit"])
        return {"items": items[start:end], "metadata": {"continue": str(end) if end < len(items) else ""}}

    def find(self, path: str) -> dict[str, Any] | None:
        """One object."""
        self.refuse(path, "")
        found: dict[str, Any] | None = self.objects.get(path)
        return found


def collect(objects: dict[str, Any], refuse: Callable[[str, str], None] = lambda path, token: None) -> ClusterState:
    """The state of this API."""
    return live.collect(t.cast(KubeClient, Api(objects, refuse)))


def refusing(status: int, where: str) -> Callable[[str, str], None]:
    """Refuse one path with this status."""

    def refuse(path: str, _token: str) -> None:
        if where in path:
            raise ApiError("the sentence", status=status, body={"message": "the server's words"})

    return refuse


def test_all_pages_are_read() -> None:
    """More pods than a page has."""
    pods = [pod(f"p{number}", "a", "10.0.0.5") for number in range(1203)]
    state = collect({"/api/v1/nodes": [node("a", "10.0.0.0/24")], "/api/v1/pods": pods})
    assert [one["metadata"]["name"] for one in state.of("pods")] == [f"p{number}" for number in range(1203)]
    assert state.unknown == {} and state.server_version == "v1.36.1" and state.taken_at.tzinfo is not None


def test_named_objects_are_looked_up() -> None:
    """ConfigMaps and the Lease; what does not exist is absent, not unknown."""
    state = collect(
        {
            "/api/v1/namespaces/kube-system/configmaps/cilium-config": config_map("cilium-config", ipam="kubernetes"),
            "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager": lease("cp1_1"),
        }
    )
    assert state.config_map("cilium-config") == {"ipam": "kubernetes"}
    assert state.config_map("kubeadm-config") is None
    assert len(state.of("leases")) == 1 and state.unknown == {}


@pytest.mark.parametrize("resource", PERMISSIONS)
def test_a_missing_permission_is_unknown_and_named(resource: str) -> None:
    """Everything else is read all the same."""
    state = collect({"/api/v1/nodes": [node("a")]}, refusing(403, f"/{resource}"))
    assert set(state.unknown) == {resource} and set(state.resources) == set(PERMISSIONS) - {resource}
    assert PERMISSIONS[resource].sentence in state.unknown[resource]
    assert "the server's words" in state.unknown[resource]


@pytest.mark.parametrize("status", [0, 401, 500, 503])
@pytest.mark.parametrize("where", ["/api/v1/pods", "/leases/"])
def test_any_other_failure_is_raised(status: int, where: str) -> None:
    """Half a picture that nobody forbade is no picture."""
    with pytest.raises(ApiError, match="the sentence"):
        collect({}, refusing(status, where))


def expiring(times: int) -> Callable[[str, str], None]:
    """The continue token of the pods is too old this many times."""
    left = [times]

    def refuse(path: str, token: str) -> None:
        if path == "/api/v1/pods" and token and left[0]:
            left[0] -= 1
            raise ApiError("too old", status=410)

    return refuse


def test_an_expired_list_starts_over_once() -> None:
    """As one picture, nothing twice; a second time it is an error."""
    pods = [pod(f"p{number}", "a", "10.0.0.5") for number in range(700)]
    assert len(collect({"/api/v1/pods": pods}, expiring(1)).of("pods")) == 700
    with pytest.raises(ApiError, match="too old"):
        collect({"/api/v1/pods": pods}, expiring(2))


def test_permissions_are_rbac_rules() -> None:
    """What a finding shows can be pasted into a ClusterRole."""
    assert PERMISSIONS["daemonsets"].rule() == {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["list"]}
    assert PERMISSIONS["configmaps"].rule()["resourceNames"] == list(CONFIG_MAPS)
    assert PERMISSIONS["leases"].sentence == "get leases.coordination.k8s.io in namespace kube-system"
    assert all(permission.without for permission in PERMISSIONS.values())


def test_the_documented_role_allows_everything_that_is_read() -> None:
    """The ClusterRole in the README of the role audit has one rule for each permission, and no other verb."""
    readme = Path(__file__).parents[5] / "roles/audit/README.md"
    (text,) = re.findall(r"```yaml\n(apiVersion: rbac.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    allowed = {
        (group, resource, verb, tuple(rule.get("resourceNames", ())))
        for rule in yaml.safe_load(text)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert allowed == {(one.group, one.resource, one.verb, one.names) for one in PERMISSIONS.values()}
