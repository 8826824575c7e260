"""What the API server would not let us give is refused before anything is written.

That a real API server judges dry runs as it judges writes is in tests/integration/test_playbook_access.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, Request, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import AccessOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import missing_rules

ESCALATION = 'user "x" is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Verbs:["list"]}'


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API server with the namespaces that are needed."""
    with FakeApi() as made:
        for name in ("kube-system", "kube-node-lease", "monitoring"):
            made.store.add("/api/v1/namespaces", {"metadata": {"name": name}})
        yield made


def access(api: FakeApi, **options: Any) -> AccessObjects:
    """What is under test."""
    return AccessObjects(KubeClient.from_options(api.options), AccessOptions(**options))


def is_write(request: Request) -> bool:
    """Whether it changes something."""
    asked = request.path.endswith("selfsubjectaccessreviews")
    return request.method != "GET" and "dryRun" not in request.params and not asked


def deny(api: FakeApi, method: str, path: str, message: str, status: int = 403) -> None:
    """Answer the next such request so."""
    api.faults.append(Fault(method, path, status, status_body(status, "Forbidden", message)))


def refusal(api: FakeApi, **options: Any) -> RefusedError:
    """The refusal, before which nothing was written."""
    before = set(api.store.objects)
    with pytest.raises(RefusedError) as raised:
        access(api, **options).present()
    assert not any(map(is_write, api.requests)) and set(api.store.objects) == before
    assert "nothing was changed" in str(raised.value)
    return raised.value


def test_all_refusals_are_said_at_once(api: FakeApi) -> None:
    """A role, a binding, and an object that may not be written at all."""
    deny(api, "POST", "/clusterroles$", ESCALATION)
    deny(api, "POST", "/kube-system/rolebindings$", ESCALATION)
    deny(api, "POST", "/serviceaccounts$", "cannot create resource")
    error = refusal(api)
    assert [reason.partition(":")[0] for reason in error.reasons] == [
        "write ServiceAccount",
        "escalate clusterroles.rbac.authorization.k8s.io",
        "bind roles.rbac.authorization.k8s.io",
    ]
    assert "Whoever gives permissions must have all of them" in str(error) and "\n" not in str(error)


def test_everything_is_tried_before_the_first_write(api: FakeApi) -> None:
    """Creations, corrections, a binding that is made anew, and what goes."""
    access(api).present()
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    api.store.objects[f"{rbac}/clusterroles/podnet-upkeep-audit"]["rules"] = []
    api.store.objects[f"{rbac}/clusterrolebindings/podnet-upkeep-audit"]["roleRef"]["name"] = "view"
    api.requests.clear()
    access(api, namespace="monitoring").present()
    asked = [one for one in api.requests if one.method != "GET" and "selfsubject" not in one.path]
    count = len(asked) // 2
    assert count > 4 and not any(map(is_write, asked[:count])) and all(map(is_write, asked[count:]))
    tried, written = ([(one.method, one.path) for one in part] for part in (asked[:count], asked[count:]))
    assert sorted(tried) == sorted(written)


def test_a_removal_that_is_refused(api: FakeApi) -> None:
    """The ServiceAccount of the old place may not be deleted."""
    access(api).present()
    api.requests.clear()
    deny(api, "DELETE", "/kube-system/serviceaccounts/", "no")
    (reason,) = refusal(api, namespace="monitoring").reasons
    assert reason == "delete: ServiceAccount kube-system/podnet-upkeep-audit: no"


def missing_role(api: FakeApi) -> None:
    """As the API server answers where a role is not there, and the verb bind is not held."""
    api.faults.append(Fault("POST", "bindings$", 404, status_body(404, "NotFound", "not found"), times=2))


@pytest.mark.parametrize(
    ("denied", "refused"),
    [
        ({("bind", "clusterroles")}, False),  # and he has all rules
        ({("bind", "clusterroles"), ("list", "ciliumidentities")}, True),
        ({("list", "ciliumidentities")}, False),
        # without escalate the role would have been refused
        ({("bind", "clusterroles"), ("escalate", "clusterroles"), ("list", "ciliumidentities")}, False),
    ],
)
def test_the_binding_of_a_role_that_is_not_there_yet(api: FakeApi, denied: set[tuple[str, str]], refused: bool) -> None:
    """Bind, or all that it gives."""
    missing_role(api)
    api.store.denied |= denied
    if refused:
        (reason,) = refusal(api).reasons
        assert reason.startswith("bind clusterroles.") and reason.endswith("list ciliumidentities.cilium.io")
    else:
        assert access(api).present().changed


def test_another_failure_is_said_as_it_is(api: FakeApi) -> None:
    """No refusal is made of it."""
    deny(api, "POST", "/roles$", "no room", 507)
    with pytest.raises(ApiError, match="no room"):
        access(api).present()
    assert not any(map(is_write, api.requests))


def test_the_two_verbs_are_not_asked_for(api: FakeApi) -> None:
    """Who has what he gives does not need them."""
    api.store.denied |= {(verb, kind) for verb in ("escalate", "bind") for kind in ("roles", "clusterroles")}
    client = KubeClient.from_options(api.options)
    for playbook in ("install_access", "install_audit_access", "install_schedule"):
        assert not missing_rules(client, playbook, planning=False)
