# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The options that say where etcdctl is on the host of an etcd's member, and what follows from them."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import etcdctl_program, etcdctl_snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import checked_endpoint
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_hosts import Work, identifier
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_cluster import Expected
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_program import Whereabouts
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_snapshot import Keeping

_PKI = "/etc/kubernetes/pki/etcd"


def etcdctl_argument_spec() -> dict[str, dict[str, t.Any]]:
    """Where etcdctl is, how it is let in, and where it keeps a snapshot (a fresh dict at every call)."""
    places = [etcdctl_program.AUTO, etcdctl_program.HOST, etcdctl_program.CONTAINER]
    return {
        "etcdctl_in": {"type": "str", "choices": places, "default": etcdctl_program.AUTO},
        "etcdctl": {"type": "str", "default": "etcdctl"},
        "crictl": {"type": "str", "default": "crictl"},
        "etcdctl_endpoint": {"type": "str", "default": "https://127.0.0.1:2379"},
        "etcdctl_ca_cert": {"type": "str", "default": f"{_PKI}/ca.crt"},
        "etcdctl_client_cert": {"type": "str", "default": f"{_PKI}/healthcheck-client.crt"},
        # a path
        "etcdctl_client_key": {"type": "str", "default": f"{_PKI}/healthcheck-client.key", "no_log": False},
        "snapshot_on": {
            "type": "str",
            "choices": [etcdctl_snapshot.CONTROLLER, etcdctl_snapshot.HOST],
            "default": etcdctl_snapshot.CONTROLLER,
        },
        "host_snapshot_dir": {"type": "str", "default": ""},
    }


def whereabouts_of(options: Mapping[str, t.Any]) -> Whereabouts:
    """Where etcdctl is, and whom it asks. Raises InputError for an endpoint or a program that is none."""
    for name in ("etcdctl", "crictl"):
        if not options[name] or options[name].startswith("-"):
            raise InputError(f"{name}: '{options[name]}' is no program; give its name, or its path on the host.")
    try:
        endpoint = checked_endpoint(options["etcdctl_endpoint"])
    except InputError as error:
        raise InputError(f"etcdctl_endpoint{str(error).removeprefix('endpoints')}") from error
    if bool(options["etcdctl_client_cert"]) != bool(options["etcdctl_client_key"]):
        raise InputError("etcdctl_client_key: a client certificate needs its key; give both, or neither.")
    return Whereabouts(
        options["etcdctl_in"],
        options["etcdctl"],
        options["crictl"],
        endpoint,
        options["etcdctl_ca_cert"],
        options["etcdctl_client_cert"],
        options["etcdctl_client_key"],
    )


def keeping_of(options: Mapping[str, t.Any]) -> Keeping:
    """Where a snapshot is kept. Raises InputError for a folder of the host that has no whole path."""
    folder = options["host_snapshot_dir"]
    if folder and not folder.rstrip("/").startswith("/"):
        raise InputError(f"host_snapshot_dir: '{folder}' is no folder of the host; give its whole path.")
    return Keeping(options["snapshot_on"], options["snapshot_dir"], folder, options["compact_timeout"])


def expected_of(member: str, work: Work) -> Expected:
    """Which member of which etcd the host must have. Raises InputError."""
    (number,) = numbers_of("member", [member])
    return Expected(work.cluster, number, work.names.get(number, ""))


def numbers_of(option: str, identifiers: Iterable[str]) -> list[int]:
    """IDs of members. Raises InputError for what is none."""
    try:
        return [identifier(one) for one in identifiers]
    except ValueError as error:
        raise InputError(
            f"{option}: it is no ID of a member ({error}); give it as kvstore_hosts returns it."
        ) from error
