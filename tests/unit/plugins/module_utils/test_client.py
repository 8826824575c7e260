"""The HTTP door against a real HTTP server that misbehaves: what is repeated, what is not, and what is said."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient, describe_request
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError

NODES = "/api/v1/nodes"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A fake API with twelve Nodes."""
    with FakeApi() as running:
        for number in range(12):
            running.store.add(NODES, {"metadata": {"name": f"n{number:02}"}})
        yield running


@pytest.fixture
def client(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> KubeClient:
    """A client of it that does not really pause between tries."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return KubeClient.from_options(api.options)


def test_pages_are_one_list_and_the_token_is_sent(api: FakeApi, client: KubeClient) -> None:
    """All items come, page by page, in order."""
    names = [node["metadata"]["name"] for node in client.list(NODES, page_size=5)]
    assert names == [f"n{number:02}" for number in range(12)]
    assert api.count("GET", f"^{NODES}$") == 3
    assert {request.headers["authorization"] for request in api.requests} == {"Bearer token-of-the-test"}


def test_expired_continue_token_starts_over_once(api: FakeApi, client: KubeClient) -> None:
    """410 in the middle: the list starts over and is complete; a second 410 is an error."""
    gone = status_body(410, "Expired", "The provided continue parameter is too old")
    seen = []
    api.before_request = seen.append
    api.faults.append(Fault("GET", NODES, 410, gone))
    assert len(client.list(NODES, page_size=5)) == 12
    api.faults.append(Fault("GET", NODES, 410, gone, times=2))
    with pytest.raises(ApiError) as caught:
        client.list(NODES, page_size=5)
    assert caught.value.status == 410


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_reads_are_repeated_when_the_server_is_busy(api: FakeApi, client: KubeClient, status: int) -> None:
    """Three refusals, then the answer."""
    busy = status_body(status, "TooManyRequests", "try later")
    api.faults.append(Fault("GET", NODES, status, busy, {"Retry-After": "1"}, times=3))
    assert client.get(f"{NODES}/n00")["metadata"]["name"] == "n00"
    assert api.count("GET", "n00") == 4


def test_reads_are_repeated_after_a_lost_connection(api: FakeApi, client: KubeClient) -> None:
    """A reset connection is tried again, but not for ever."""
    api.faults.append(Fault("GET", "n01", times=2))
    assert client.get(f"{NODES}/n01")["metadata"]["name"] == "n01"
    api.faults.append(Fault("GET", "n01", times=99))
    with pytest.raises(ApiError, match="the connection was lost") as caught:
        client.get(f"{NODES}/n01")
    assert caught.value.status == 0
    assert caught.value.transient


def test_server_error_is_not_repeated(api: FakeApi, client: KubeClient) -> None:
    """500 is an answer."""
    api.faults.append(Fault("GET", "n01", 500, status_body(500, "InternalError", "boom"), times=2))
    with pytest.raises(ApiError, match="boom"):
        client.get(f"{NODES}/n01")
    assert api.count("GET", "n01") == 1


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "POST"])
def test_a_write_whose_answer_is_lost_is_never_sent_twice(api: FakeApi, client: KubeClient, method: str) -> None:
    """Nobody knows whether it was done, so the caller has to look."""
    api.faults.append(Fault(method, NODES, after=True))
    with pytest.raises(ApiError) as caught:
        if method == "DELETE":
            client.delete(f"{NODES}/n02")
        elif method == "PATCH":
            client.patch(f"{NODES}/n02", {"spec": {"unschedulable": True}})
        else:
            client.create(NODES, {"metadata": {"name": "new"}})
    assert caught.value.status == 0
    assert api.count(method) == 1


def test_delete_is_not_repeated_on_503_although_it_has_retry_after(api: FakeApi, client: KubeClient) -> None:
    """urllib3 would do so by itself."""
    api.faults.append(Fault("DELETE", "n03", 503, status_body(503, "ServiceUnavailable", "no"), {"Retry-After": "0"}))
    with pytest.raises(ApiError):
        client.delete(f"{NODES}/n03")
    assert api.count("DELETE") == 1
    assert f"{NODES}/n03" in api.store.objects


def test_throttled_write_is_repeated_because_nothing_was_done(api: FakeApi, client: KubeClient) -> None:
    """429 of API priority and fairness comes before the request is looked at."""
    api.faults.append(Fault("DELETE", "n03", 429, status_body(429, "TooManyRequests", "busy"), times=2))
    client.delete(f"{NODES}/n03")
    assert api.count("DELETE") == 3


def test_eviction_refused_by_a_budget_is_asked_once_and_says_why(api: FakeApi, client: KubeClient) -> None:
    """The caller decides about another try."""
    api.store.add(
        "/api/v1/namespaces/default/pods", {"metadata": {"name": "web-0", "uid": "u", "labels": {"app": "web"}}}
    )
    api.store.disruptions_allowed["web"] = 0
    with pytest.raises(ApiError) as caught:
        client.evict("default", "web-0", uid="u")
    assert caught.value.status == 429
    assert caught.value.causes[0]["reason"] == "DisruptionBudget"
    assert api.count("POST", "eviction") == 1


def test_preconditions_are_sent(api: FakeApi, client: KubeClient) -> None:
    """A delete with another uid deletes nothing."""
    with pytest.raises(ApiError) as caught:
        client.delete(f"{NODES}/n04", uid="another")
    assert caught.value.status == 409
    assert f"{NODES}/n04" in api.store.objects


def test_find_is_none_only_for_not_found(api: FakeApi, client: KubeClient) -> None:
    """404 is None; 403 is an error that names verb and resource."""
    assert client.find(f"{NODES}/absent") is None
    words = 'nodes "n00" is forbidden: User "eve" cannot get resource "nodes"'
    api.faults.append(Fault("GET", "n00", 403, status_body(403, "Forbidden", words)))
    with pytest.raises(ApiError, match=r'No permission to get nodes "n00".*User "eve"') as caught:
        client.find(f"{NODES}/n00")
    assert caught.value.status == 403


def test_unauthorized_names_where_the_credentials_came_from(api: FakeApi, client: KubeClient) -> None:
    """401 is about credentials."""
    api.faults.append(Fault("GET", NODES, 401, status_body(401, "Unauthorized", "Unauthorized")))
    with pytest.raises(ApiError, match="does not accept the credentials of the options host, api_key"):
        client.list(NODES)


def test_something_that_is_no_api_server(api: FakeApi, client: KubeClient) -> None:
    """A web page instead of JSON is said to be one."""
    api.faults.append(Fault("GET", "version", 200, "<html>hello</html>"))
    with pytest.raises(ApiError, match="is it really a Kubernetes API server"):
        client.server_version()


def test_unreachable_server_is_one_sentence_at_once() -> None:
    """A refused connection is not repeated."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = KubeClient.from_options({"host": f"https://127.0.0.1:{port}", "api_key": "x"})
    with pytest.raises(ApiError) as caught:
        client.get("/version")
    assert str(caught.value).startswith(
        f"Cannot reach the Kubernetes API at https://127.0.0.1:{port}: connection refused;"
    )


def kubeconfig(tmp_path: Path, **user: Any) -> dict[str, Any]:
    """A kubeconfig with one context."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "one",
    }


def test_wrong_kubeconfig_and_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one sentence that names the option."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(InputError, match=r"kubeconfig: the file .*none\.conf does not exist"):
        KubeClient.from_options({"kubeconfig": str(tmp_path / "none.conf")})
    with pytest.raises(InputError, match="context: the inline kubeconfig has no context 'two'; it has: one"):
        KubeClient.from_options({"kubeconfig": kubeconfig(tmp_path, token="t"), "context": "two"})
    (tmp_path / "broken").write_text("a: [", encoding="utf-8")
    with pytest.raises(InputError, match=r"kubeconfig: kubeconfig .*broken is not usable"):
        KubeClient.from_options({"kubeconfig": str(tmp_path / "broken")})
    with pytest.raises(InputError, match="host: 'cluster' is not a URL"):
        KubeClient.from_options({"host": "cluster", "api_key": "x"})


def test_token_and_exec_plugin_of_a_kubeconfig(api: FakeApi, tmp_path: Path) -> None:
    """Both ways end in the Authorization header, with every supported version of the library."""
    plugin = tmp_path / "plugin"
    plugin.write_text(
        '#!/bin/sh\necho \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
        '"status":{"token":"from-plugin"}}\'\n',
        encoding="utf-8",
    )
    plugin.chmod(0o755)
    command = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": str(plugin),
        "interactiveMode": "Never",
        "args": [],
    }
    for user, wanted in (({"token": "plain"}, "Bearer plain"), ({"exec": command}, "Bearer from-plugin")):
        KubeClient.from_options({"kubeconfig": kubeconfig(tmp_path, **user), "host": api.host}).get("/version")
        assert api.requests[-1].headers["authorization"] == wanted


def test_failing_exec_plugin_is_named(tmp_path: Path) -> None:
    """The library only logs it; without the sentence the server would say 401 or 403 to nobody."""
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/false", "interactiveMode": "Never"}
    with pytest.raises(InputError, match="credential plugin"):
        KubeClient.from_options({"kubeconfig": kubeconfig(tmp_path, exec=command)})


def test_impersonation(api: FakeApi) -> None:
    """User and groups become headers."""
    client = KubeClient.from_options({**api.options, "impersonate_user": "jane", "impersonate_groups": ["a", "b"]})
    client.get("/version")
    assert api.requests[-1].headers["Impersonate-User"] == "jane"
    assert "Impersonate-Group" in api.requests[-1].headers


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/api/v1/nodes", "list nodes"),
        ("DELETE", "/api/v1/nodes/w1", 'delete nodes "w1"'),
        ("POST", "/api/v1/namespaces/a/pods/p/eviction", 'create pods/eviction "p" in namespace "a"'),
        ("GET", "/apis/apps/v1/daemonsets", "list daemonsets.apps"),
        ("GET", "/api/v1/namespaces/kube-system", 'get namespaces "kube-system"'),
        ("GET", "/version", "GET /version"),
    ],
)
def test_requests_in_words(method: str, path: str, words: str) -> None:
    """What 403 sentences are made of."""
    assert describe_request(method, path) == words
