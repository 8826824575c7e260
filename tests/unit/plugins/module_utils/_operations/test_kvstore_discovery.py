"""Where the etcd is, by cilium-config, a Secret and static pods."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import kvstore_discovery
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.kvstore_discovery import (
    credentials_of_secret,
    discover,
    endpoints_of_config,
)


class Api:
    """Objects by path; lists by path and label selector."""

    def __init__(self, objects: Mapping[str, Any], lists: Mapping[tuple[str, str], Any] | None = None) -> None:
        self._objects, self._lists = objects, lists or {}

    def find(self, path: str) -> Any:
        return self._objects.get(path)

    def list(self, path: str, *, params: Mapping[str, str]) -> Any:
        found = self._lists.get((path, params["labelSelector"]), [])
        if isinstance(found, Exception):
            raise found
        return found


DAEMONSETS = ("/apis/apps/v1/daemonsets", "k8s-app=cilium")
PODS = "/api/v1/namespaces/kube-system/pods"
CONFIG = "/api/v1/namespaces/{}/configmaps/cilium-config"
# as the chart of Cilium 1.18 writes it
ETCD_CONFIG = """---
endpoints:
  - https://10.0.0.1:2379
  - https://10.0.0.2:2379
trusted-ca-file: '/var/lib/etcd-secrets/etcd-client-ca.crt'
"""


def pod(*words: str, host: str = "10.0.0.9") -> dict[str, Any]:
    """A static pod."""
    return {"spec": {"containers": [{"command": [words[0]], "args": list(words[1:])}]}, "status": {"hostIP": host}}


@pytest.mark.parametrize(
    ("config", "endpoints"),
    [
        (
            {"kvstore-opt": '{"etcd.config": "/x"}', "etcd-config": ETCD_CONFIG},
            ("https://10.0.0.1:2379", "https://10.0.0.2:2379"),
        ),
        ({"kvstore-opt": '{"etcd.address": "https://e:2379"}'}, ("https://e:2379",)),
        ({"kvstore-opt": "etcd.address=e:4001,etcd.qps=20"}, ("http://e:4001",)),
        ({"kvstore-opt": '{"etcd.config": "/x"}', "etcd-config": "{["}, ()),
        ({"kvstore-opt": '{"etcd.config": "/x"}', "etcd-config": "text"}, ()),
        ({"kvstore-opt": "[1]"}, ()),
        ({}, ()),
    ],
)
def test_endpoints_of_cilium_config(config: dict[str, str], endpoints: tuple[str, ...]) -> None:
    """Both keys, in both ways to write a map; without them it says so."""
    found, why = endpoints_of_config(config)
    assert found == endpoints and "cilium-config" in why


def test_a_cluster_without_a_kvstore() -> None:
    """Cilium's is none; auto is that of the API server, by what its members advertise."""
    config = {CONFIG.format("cilium"): {"data": {"identity-allocation-mode": "crd"}}}
    etcd = pod("etcd", "--advertise-client-urls=https://10.0.0.1:2379", "--name=cp1")
    lists = {DAEMONSETS: [{"metadata": {"namespace": "cilium"}}], (PODS, "component=etcd"): [etcd]}
    none = discover(Api(config, lists), "cilium")  # type: ignore[arg-type]
    assert none.endpoints == () and none.used is False and none.namespace == "cilium" and "no kvstore" in none.why
    found = discover(Api(config, lists), "auto")  # type: ignore[arg-type]
    assert (found.store, found.endpoints, found.used) == ("apiserver", ("https://10.0.0.1:2379",), False)


def test_a_stacked_etcd_is_asked_at_the_address_of_its_host() -> None:
    """--etcd-servers of kubeadm is the loopback of the host."""
    api = [
        pod("kube-apiserver", "--etcd-servers=https://127.0.0.1:2379", host="10.0.0.1"),
        pod("kube-apiserver", "--etcd-servers", "https://127.0.0.1:2379", host="fd00::2"),
    ]
    found = discover(Api({}, {(PODS, "component=kube-apiserver"): api}), "apiserver")  # type: ignore[arg-type]
    assert found.endpoints == ("https://10.0.0.1:2379", "https://[fd00::2]:2379")
    outside = pod("kube-apiserver", "--etcd-servers=https://e1:2379,https://e2:2379")
    found = discover(Api({}, {(PODS, "component=kube-apiserver"): [outside]}), "apiserver")  # type: ignore[arg-type]
    assert found.endpoints == ("https://e1:2379", "https://e2:2379")
    nothing = discover(Api({}), "apiserver")  # type: ignore[arg-type]
    assert nothing.endpoints == () and "ask by etcdctl on the hosts" in nothing.why


def test_without_permission_for_daemonsets() -> None:
    """The usual namespace is taken; other errors are told."""
    config = {CONFIG.format("kube-system"): {"data": {"kvstore": "etcd", "kvstore-opt": "etcd.address=http://e:1"}}}
    found = discover(Api(config, {DAEMONSETS: ApiError("no", status=403)}), "auto")  # type: ignore[arg-type]
    assert (found.store, found.endpoints, found.used) == ("cilium", ("http://e:1",), True)
    with pytest.raises(ApiError):
        discover(Api(config, {DAEMONSETS: ApiError("no", status=500)}), "auto")  # type: ignore[arg-type]
    missing = discover(Api({}), "cilium")  # type: ignore[arg-type]
    assert missing.used is False and "no ConfigMap cilium-config" in missing.why


def test_certificates_of_a_secret(tmp_path: Path) -> None:
    """Files for this user only; what is missing is named."""
    path = "/api/v1/namespaces/kube-system/secrets/etcd"
    content = {
        name: base64.b64encode(name.encode()).decode() for name in ("etcd-client-ca.crt", "tls.crt", "etcd-client.key")
    }
    found = credentials_of_secret(Api({path: {"data": content}}), "kube-system", "etcd", str(tmp_path))  # type: ignore[arg-type]
    assert Path(found.client_cert).read_text() == "tls.crt"
    assert all(one.stat().st_mode & 0o777 == 0o600 for one in tmp_path.iterdir())
    del content["tls.crt"]
    for api, words in (
        (Api({path: {"data": content}}), "has none of etcd-client.crt, tls.crt"),
        (
            Api({path: {"data": {**content, "tls.crt": "*"}}}),
            "etcd-client.crt of the Secret kube-system/etcd is not base64",
        ),
        (Api({}), "there is no Secret kube-system/etcd"),
    ):
        with pytest.raises(InputError, match=words):
            credentials_of_secret(api, "kube-system", "etcd", str(tmp_path))  # type: ignore[arg-type]


def test_json_of_any_shape_is_no_error() -> None:
    """kvstore-opt is what somebody wrote."""
    for text in ("", "=", ",", "null", "3", json.dumps({"a": 1}), "a=b=c"):
        assert endpoints_of_config({"kvstore-opt": text})[0] == ()
    assert kvstore_discovery.uses_kvstore({"identity-allocation-mode": "doublewrite-readcrd"})
