# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The options of the modules that speak to an etcd, and what follows from them."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Limits
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_status import LARGEST_DATABASE
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import kvstore_discovery
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_cluster import EtcdCluster
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import EtcdCredentials
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_maintenance import Settings

_TOLD = ("kubeconfig", "context", "host", "api_key")


def etcd_argument_spec() -> dict[str, dict[str, t.Any]]:
    """Where the etcd is and how to be let in (a fresh dict at every call); documented by ``podnet.upkeep.etcd``."""
    return {
        "store": {
            "type": "str",
            "choices": [kvstore_discovery.AUTO, kvstore_discovery.CILIUM, kvstore_discovery.APISERVER],
            "default": kvstore_discovery.AUTO,
        },
        "endpoints": {"type": "list", "elements": "str", "default": []},
        "cilium_namespace": {"type": "str", "default": ""},
        "etcd_ca_cert": {"type": "path", "default": ""},
        "etcd_client_cert": {"type": "path", "default": ""},
        "etcd_client_key": {"type": "path", "default": "", "no_log": False},  # a path
        "etcd_secret": {"type": "str", "default": "", "no_log": False},  # the name of a Secret
        "etcd_user": {"type": "str", "default": ""},
        "etcd_password": {"type": "str", "default": "", "no_log": True},
        "etcd_server_name": {"type": "str", "default": ""},
        **sizes_argument_spec(),
    }


def sizes_argument_spec() -> dict[str, dict[str, t.Any]]:
    """How long to wait for an answer, and what to compare sizes with (a fresh dict at every call)."""
    return {
        "etcd_timeout": {"type": "float", "default": 10.0},
        "threshold_bytes": {"type": "int", "default": LARGEST_DATABASE},
        "quota_bytes": {"type": "int"},
    }


def maintenance_argument_spec() -> dict[str, dict[str, t.Any]]:
    """What is done and how far (a fresh dict at every call)."""
    return {
        "keep_revisions": {"type": "int", "default": 1000},
        "min_revisions": {"type": "int", "default": 10000},
        "min_gain": {"type": "int", "default": 67108864},
        "max_lag": {"type": "int", "default": 1000},
        "snapshot": {"type": "bool", "default": True},
        "snapshot_dir": {"type": "path", "default": "~/.local/state/podnet-upkeep/kvstore"},
        "move_leader": {"type": "bool", "default": True},
        "window_end": {"type": "str", "default": ""},
        "compact_timeout": {"type": "int", "default": 600},
        "defragment_timeout": {"type": "int", "default": 600},
        "member_timeout": {"type": "int", "default": 300},
    }


def settings_of(options: Mapping[str, t.Any]) -> Settings:
    """How to go about it. Raises InputError for a time that is none."""
    for name in ("compact_timeout", "defragment_timeout", "member_timeout"):
        if options[name] < 1:
            raise InputError(f"{name}: {options[name]} is no time to wait; give seconds, such as 300.")
    return Settings(
        snapshot_dir=options["snapshot_dir"] if options["snapshot"] else "",
        compact_timeout=options["compact_timeout"],
        defragment_timeout=options["defragment_timeout"],
        member_timeout=options["member_timeout"],
        move_leader=options["move_leader"],
    )


def limits_of(options: Mapping[str, t.Any]) -> Limits:
    """Sizes and counts to compare with. Raises InputError for one that is no such number."""
    for name, least in (
        ("threshold_bytes", 1),
        ("quota_bytes", 1),
        ("keep_revisions", 0),
        ("min_revisions", 0),
        ("min_gain", 1),
        ("max_lag", 0),
    ):
        value = options.get(name)
        if value is not None and value < least:
            raise InputError(f"{name}: {value} is too small; give {least} or more.")
    known = Limits(threshold=options["threshold_bytes"], quota=options.get("quota_bytes"))
    if "keep_revisions" not in options:
        return known
    return Limits(
        keep_revisions=options["keep_revisions"],
        min_revisions=options["min_revisions"],
        min_gain=options["min_gain"],
        max_lag=options["max_lag"],
        threshold=known.threshold,
        quota=known.quota,
    )


def kubernetes_of(options: Mapping[str, t.Any]) -> KubeClient | None:
    """The API, where it is needed or named; None when endpoints are given and nothing about Kubernetes is."""
    needed = not options["endpoints"] or options["etcd_secret"] or options.get("run")
    if not needed and not tells_kubernetes(options):
        return None
    return KubeClient.from_options(options)


def tells_kubernetes(options: Mapping[str, t.Any]) -> bool:
    """Whether the options name a Kubernetes."""
    return any(options.get(name) for name in _TOLD)


def found_of(options: Mapping[str, t.Any], client: KubeClient | None) -> kvstore_discovery.Found:
    """Where the store is. Raises ApiError."""
    if not options["endpoints"] and client is not None:
        return kvstore_discovery.discover(client, options["store"], options["cilium_namespace"])
    found = kvstore_discovery.found_by_user(options["endpoints"], options["store"])
    if client is None or found.store == kvstore_discovery.APISERVER:
        return found
    try:
        seen = kvstore_discovery.discover(client, kvstore_discovery.CILIUM, options["cilium_namespace"])
    except ApiError as error:
        if error.status != 403:
            raise
        return found  # cilium-config would only tell more about the contents
    return replace(found, used=seen.used, namespace=seen.namespace, config=seen.config)


def cluster_of(
    options: Mapping[str, t.Any], client: KubeClient | None, found: kvstore_discovery.Found, folder: str
) -> EtcdCluster:
    """The etcd of these endpoints; ``folder`` is where files of a Secret may be for as long as the task runs.

    Raises InputError, ApiError.
    """
    if not options["etcd_timeout"] > 0:
        raise InputError(f"etcd_timeout: {options['etcd_timeout']:g} is no time to wait; give seconds, such as 10.")
    credentials = EtcdCredentials(
        ca_cert=options["etcd_ca_cert"],
        client_cert=options["etcd_client_cert"],
        client_key=options["etcd_client_key"],
        user=options["etcd_user"],
        password=options["etcd_password"],
        server_name=options["etcd_server_name"],
    )
    if options["etcd_secret"] and client is not None:
        secret = kvstore_discovery.credentials_of_secret(client, found.namespace, options["etcd_secret"], folder)
        credentials = EtcdCredentials(
            ca_cert=credentials.ca_cert or secret.ca_cert,
            client_cert=credentials.client_cert or secret.client_cert,
            client_key=credentials.client_key or secret.client_key,
            user=credentials.user,
            password=credentials.password,
            server_name=credentials.server_name,
        )
    if not found.endpoints:
        raise InputError(f"endpoints: none were found, because {found.why}; give them as https://ADDRESS:PORT.")
    return EtcdCluster(found.endpoints, credentials, options["etcd_timeout"])
