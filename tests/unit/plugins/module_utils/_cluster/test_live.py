"""Reading a cluster: pages, missing permissions, an expired list, and errors that are none of these."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable
from typing import Any

import pytest
from snapshots.small_clusters import config_map, lease, node, pod

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import PERMISSIONS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import (
    CONFIG_MAPS,
    EVENT_REASONS,
    NODE_CIDR_RESOURCES,
    RESOURCES,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError


class Api:
    """The part of KubeClient that `collect` uses, over a dict of paths; `refuse` may raise for a path and its token."""

    def __init__(self, objects: dict[str, Any], refuse: Callable[[str, str], None] = lambda path, token: None) -> None:
        self.objects = objects
        self.refuse = refuse
        self.served: dict[str, tuple[str, ...]] = {}
        for one in RESOURCES.values():
            if one.group:
                self.served[one.group] = (*self.served.get(one.group, ()), *one.versions)
        self.missing: set[str] = set()
        self.selectors: set[tuple[str, str]] = set()

    def exists(self, path: str) -> bool:
        """Whether the kind is served."""
        return path not in self.missing

    def server_version(self) -> str:
        """A version."""
        return "v1.36.1"

    host = "https://cluster.example"

    def get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """One page, or the list of groups."""
        if path == "/apis":
            self.refuse(path, "")
            return {
                "groups": [
                    {"name": group, "versions": [{"version": version} for version in versions]}
                    for group, versions in self.served.items()
                ]
            }
        if not self.exists(path):
            raise ApiError("there is no such resource", status=404)
        assert params is not None
        self.selectors.add((path, str(params.get("fieldSelector", ""))))
        token = str(params.get("continue", ""))
        self.refuse(path, token)
        items = self.objects.get(path, [])
        start = int(token or 0)
        end = start + int(params["limit"])
        return {"items": items[start:end], "metadata": {"continue": str(end) if end < len(items) else ""}}

    def get_text(self, path: str, params: dict[str, Any] | None = None) -> bytes:
        """The same as text."""
        return json.dumps(self.get(path, params)).encode()

    def decode(self, data: bytes, path: str) -> dict[str, Any]:
        """The page of a text."""
        found: dict[str, Any] = json.loads(data)
        return found

    def find(self, path: str) -> dict[str, Any] | None:
        """One object."""
        self.refuse(path, "")
        found: dict[str, Any] | None = self.objects.get(path)
        return found


EVERYTHING = live.LiveOptions()


def collect(
    objects: dict[str, Any],
    refuse: Callable[[str, str], None] = lambda path, token: None,
    options: live.LiveOptions = live.ONLY_NODE_CIDRS,
) -> ClusterState:
    """The state of this API."""
    return live.collect(t.cast(KubeClient, Api(objects, refuse)), options)


def test_only_what_is_wanted_is_read() -> None:
    """Who asks for podCIDRs does not read 65,000 identities, nor which groups are served."""
    state = collect({}, refusing(500, "/apis/cilium.io"))
    assert set(state.resources) == set(NODE_CIDR_RESOURCES)
    assert collect({}, refusing(500, "/apis/cilium.io")).absent == frozenset()


def test_what_is_not_served_is_absent_not_unknown() -> None:
    """A group that the cluster does not have, and a kind that its group does not have; no list of these is tried."""
    api = Api({}, refusing(403, "/apis/cilium.io/v2alpha1"))
    del api.served["crd.projectcalico.org"]
    api.served["cilium.io"] = ("v2",)
    api.missing = {"/apis/cilium.io/v2/ciliumpodippools"}
    state = live.collect(t.cast(KubeClient, api), EVERYTHING)
    assert state.absent == {"ippools", "blockaffinities", "ciliumpodippools"}
    assert state.unknown == {} and state.of("ippools") == () and state.knows("ippools", "nodes")


def test_without_discovery_every_version_is_tried() -> None:
    """A credential that may not list groups: a 404 says the same."""
    api = Api({"/apis/cilium.io/v2/ciliumpodippools": [{"metadata": {"name": "default"}}]}, refusing(403, "/apis"))
    api.refuse = lambda path, _token: refusing(403, "/apis")(path, "") if path == "/apis" else None
    api.missing = {"/apis/cilium.io/v2alpha1/ciliumpodippools"}
    state = live.collect(t.cast(KubeClient, api), EVERYTHING)
    assert [one["metadata"]["name"] for one in state.of("ciliumpodippools")] == ["default"]


def test_events_are_chosen_by_reason() -> None:
    """Not a hundred thousand events of everything else."""
    api = Api({})
    live.collect(t.cast(KubeClient, api), EVERYTHING)
    assert {one for path, one in api.selectors if path == "/api/v1/events"} == {
        f"reason={reason}" for reason in EVENT_REASONS
    }


def test_objects_of_the_cni_are_looked_up_in_its_namespace() -> None:
    """Cilium and flannel are often elsewhere than in kube-system."""
    daemon_set = {"metadata": {"name": "cilium", "namespace": "cilium", "labels": {"k8s-app": "cilium"}}}
    objects = {
        "/apis/apps/v1/daemonsets": [daemon_set],
        "/api/v1/namespaces/cilium/configmaps/cilium-config": config_map("cilium-config", ipam="multi-pool"),
        "/apis/apps/v1/namespaces/cilium/deployments/cilium-operator": {"metadata": {"name": "cilium-operator"}},
    }
    state = collect(objects, options=EVERYTHING)
    assert state.config_map("cilium-config") == {"ipam": "multi-pool"}
    assert len(state.of("deployments")) == 1
    objects["/apis/apps/v1/daemonsets"] = []
    assert collect(objects, options=live.LiveOptions(cilium_namespace="cilium")).config_map("cilium-config") is not None


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
    kind = RESOURCES[resource]
    place = kind.path(kind.versions[0], "kube-system" if kind.names and kind.namespaced else "")

    def refuse(path: str, _token: str) -> None:
        # names are looked up below the place, lists are the place itself
        if path == place or (kind.names and path.startswith(f"{place}/")):
            raise ApiError("the sentence", status=403, body={"message": "the server's words"})

    state = collect({"/api/v1/nodes": [node("a")]}, refuse, EVERYTHING)
    assert set(state.unknown) == {resource} and set(state.resources) == set(PERMISSIONS) - {resource}
    assert state.absent == frozenset() and not state.knows(resource)
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
