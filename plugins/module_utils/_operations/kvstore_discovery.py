# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Where the etcd is: that of Cilium by cilium-config, that of the API server by its static pods."""

from __future__ import annotations

import base64
import binascii
import json
import os
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import EtcdCredentials

CILIUM, APISERVER, AUTO = "cilium", "apiserver", "auto"
_SYSTEM = "kube-system"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# as the chart of Cilium names the files of its Secret cilium-etcd-secrets
_SECRET_FILES = {
    "ca_cert": ("etcd-client-ca.crt", "ca.crt"),
    "client_cert": ("etcd-client.crt", "tls.crt"),
    "client_key": ("etcd-client.key", "tls.key"),
}


@dataclass(frozen=True)
class Found:
    """``used`` is whether Cilium keeps anything in a kvstore, None where cilium-config was not read; ``store`` is the one that
    ``endpoints`` are of. ``why`` says in words what ``endpoints`` come from, or why there are none."""

    store: str
    endpoints: tuple[str, ...]
    why: str
    used: bool | None = None
    namespace: str = _SYSTEM
    config: Mapping[str, str] | None = None


def discover(client: KubeClient, store: str, namespace: str = "") -> Found:
    """Endpoints of the store that is asked for; with ``auto`` that of the API server where Cilium uses none.

    Raises ApiError.
    """
    unread = ""
    if not namespace:
        namespace, unread = _namespace_of_cilium(client)
    made = _discovered(client, store, namespace)
    return replace(made, why=f"{made.why} ({unread})") if unread else made


def _discovered(client: KubeClient, store: str, namespace: str) -> Found:
    found = client.find(f"/api/v1/namespaces/{namespace}/configmaps/cilium-config")
    config: Mapping[str, str] | None = (found.get("data") or {}) if found is not None else None
    used = uses_kvstore(config) if config is not None else False
    if store == APISERVER or (store == AUTO and not used):
        endpoints, why = _of_api_server(client)
        return Found(APISERVER, endpoints, why, used, namespace, config)
    if config is None:
        return Found(CILIUM, (), f"there is no ConfigMap cilium-config in namespace {namespace}", False, namespace)
    if not used:
        return Found(CILIUM, (), "Cilium keeps identities as objects and uses no kvstore", False, namespace, config)
    endpoints, why = endpoints_of_config(config)
    return Found(CILIUM, endpoints, why, True, namespace, config)


def uses_kvstore(config: Mapping[str, str]) -> bool:
    """Whether Cilium is set up with an etcd of its own."""
    return config.get("kvstore") == "etcd" or config.get("identity-allocation-mode", "crd") != "crd"


def endpoints_of_config(config: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """(endpoints, where they come from, or why there are none) of ``kvstore-opt`` and ``etcd-config``."""
    options = _options(config.get("kvstore-opt") or "")
    address = options.get("etcd.address")
    if address:
        return _usable(address.split(",")), "kvstore-opt of cilium-config"
    written = config.get("etcd-config")
    if not written:
        return (), "cilium-config has neither etcd.address in kvstore-opt nor etcd-config"
    import yaml

    try:
        listed = (yaml.safe_load(written) or {}).get("endpoints") or []
    except (yaml.YAMLError, AttributeError):
        return (), "etcd-config of cilium-config is no YAML"
    return _usable(str(one) for one in listed), "etcd-config of cilium-config"


def credentials_of_secret(client: KubeClient, namespace: str, name: str, folder: str) -> EtcdCredentials:
    """Certificate, key and authority of a Secret, written as files (0600) into ``folder``, which must not outlive the task.

    Raises InputError when it is not there or has no certificate, ApiError.
    """
    found = client.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    if found is None:
        raise InputError(
            f"etcd_secret: there is no Secret {namespace}/{name}; name the one with the certificates of etcd."
        )
    data = found.get("data") or {}
    credentials = EtcdCredentials()
    for field, names in _SECRET_FILES.items():
        content = next((data[one] for one in names if data.get(one)), None)
        if content is None:
            raise InputError(f"etcd_secret: the Secret {namespace}/{name} has none of {', '.join(names)}.")
        path = os.path.join(folder, names[0])
        try:
            raw = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError(f"etcd_secret: {names[0]} of the Secret {namespace}/{name} is not base64.") from error
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(raw)
        credentials = replace(credentials, **{field: path})
    return credentials


# -- internals -------------------------------------------------------------------------------------------------------


def _namespace_of_cilium(client: KubeClient) -> tuple[str, str]:
    """And why it is only a guess; empty where it is none."""
    try:
        found = client.list("/apis/apps/v1/daemonsets", params={"labelSelector": "k8s-app=cilium"})
    except ApiError as error:
        if error.status != 403:
            raise
        why = error.server_message or str(error)
        return (
            _SYSTEM,
            f"Cilium was looked for in {_SYSTEM} only: the permission to list daemonsets.apps is missing ({why})",
        )
    return (str(found[0]["metadata"]["namespace"]) if found else _SYSTEM), ""


def _options(text: str) -> dict[str, str]:
    """``{"a": "b"}`` or ``a=b,c=d``, as pflag takes a map of texts."""
    try:
        loaded = json.loads(text)
    except ValueError:
        loaded = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    return {str(key).strip(): str(value).strip() for key, value in loaded.items()} if isinstance(loaded, dict) else {}


def _usable(endpoints: Iterable[str]) -> tuple[str, ...]:
    named = [one.strip().rstrip("/") for one in endpoints if one.strip()]
    return tuple(dict.fromkeys(one if "://" in one else f"http://{one}" for one in named))


def _of_api_server(client: KubeClient) -> tuple[tuple[str, ...], str]:
    pods = f"/api/v1/namespaces/{_SYSTEM}/pods"
    found: list[str] = []
    for pod in client.list(pods, params={"labelSelector": "component=etcd"}):
        found += _argument(pod, "--advertise-client-urls")
    if found:
        return _usable(found), "the static pods of etcd in kube-system"
    for pod in client.list(pods, params={"labelSelector": "component=kube-apiserver"}):
        found += [_seen_from_here(one, pod) for one in _argument(pod, "--etcd-servers")]
    if found:
        return _usable(found), "--etcd-servers of kube-apiserver"
    return (), "no pod in kube-system tells the etcd of the API server; give endpoints, or ask by etcdctl on the hosts"


def _argument(pod: JsonObject, name: str) -> list[str]:
    for container in (pod.get("spec") or {}).get("containers") or []:
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        for index, word in enumerate(words):
            if word.startswith(f"{name}="):
                return str(word).partition("=")[2].split(",")
            if word == name and index + 1 < len(words):
                return str(words[index + 1]).split(",")
    return []


def _seen_from_here(url: str, pod: JsonObject) -> str:
    """An etcd on the loopback of a host of the control plane is asked at the address of that host."""
    parts = urllib.parse.urlsplit(url)
    address = str((pod.get("status") or {}).get("hostIP") or "")
    if parts.hostname not in _LOOPBACK or not address:
        return url
    host = f"[{address}]" if ":" in address else address
    return f"{parts.scheme}://{host}:{parts.port or 2379}"


def found_by_user(endpoints: Iterable[str], store: str) -> Found:
    """What the user says needs no discovery."""
    return Found(APISERVER if store == APISERVER else CILIUM, tuple(endpoints), "the option endpoints")
