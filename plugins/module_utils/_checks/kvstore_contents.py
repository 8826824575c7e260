# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of what is in the key-value store, as far as metrics or the files of a sysdump tell."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import CRITICAL
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_metrics import OPERATOR
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import (
    IdentityRangeError,
    range_of_config,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_status import (
    DEFAULT_QUOTA,
    LARGEST_DATABASE,
    counts_by_kind,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.prometheus_text import values

_FULL, _NEARLY = 0.95, 0.8
_SIZE = ("etcd_mvcc_db_total_size_in_bytes", "etcd_debugging_mvcc_db_total_size_in_bytes")
_IN_USE = "etcd_mvcc_db_total_size_in_use_in_bytes"
_QUOTA = "etcd_server_quota_backend_bytes"
# identities that no Node uses wait for two rounds of collection; so many are more than that
_ORPHANS = 100
# as summarize_keys of kvstore_status names them
_KINDS = ("identity-masters", "identity-orphans", "identity-locks")
# locks are held for milliseconds
_LOCKS = 10
_GIBIBYTE = 1024**3
# the GC's own measure of both sides while a cluster moves from one to the other
_ONLY = ("cilium_operator_identity_{}_only_count", "cilium_operator_doublewrite_identity_{}_only_count")


def check(context: Context, subject: Subject) -> Iterator[Finding]:
    """Size of the database, identities and locks in it, and whether double writes agree."""
    yield from _database(context, subject)
    yield from _identities(context, subject)
    yield from _double_write(context, subject)


def section(context: Context) -> dict[str, t.Any]:
    """What is known about its contents; None for what is not."""
    counts = counts_by_kind(context.state.of("kvstore"))
    size, quota = _size(context)
    return {
        "identities": counts.get("identity-masters"),
        "orphan_identities": counts.get("identity-orphans"),
        "locks": counts.get("identity-locks"),
        "database_bytes": size,
        "quota_bytes": quota,
    }


def _largest(context: Context, names: tuple[str, ...], component: str = "") -> float | None:
    found = [
        value
        for entry in context.state.of("metrics")
        if not component or entry.get("component") == component
        for name in names
        for _labels, value in values(entry.get("samples") or {}, name)
    ]
    return max(found, default=None)


def _size(context: Context) -> tuple[int | None, int | None]:
    size, quota = _largest(context, _SIZE), _largest(context, (_QUOTA,))
    return (None if size is None else int(size), int(quota) if quota else None)


def _database(context: Context, subject: Subject) -> Iterator[Finding]:
    size, quota = _size(context)
    if size is None:
        return
    limit = min(quota or DEFAULT_QUOTA, LARGEST_DATABASE)
    if size < _NEARLY * limit:
        return
    in_use = _largest(context, (_IN_USE,))
    free = f", of which {in_use / _GIBIBYTE:.2f} GiB are in use" if in_use is not None else ""
    known = "its quota" if quota else "etcd's usual quota (the real one is not known)"
    yield Finding(
        "kvstore-database-large",
        subject,
        f"The database of the kvstore has {size / _GIBIBYTE:.2f} GiB{free}; {known} is {limit / _GIBIBYTE:.2f} GiB",
        {
            "bytes": size,
            "bytes_in_use": None if in_use is None else int(in_use),
            "quota_bytes": quota,
            "largest_recommended_bytes": LARGEST_DATABASE,
        },
        CRITICAL if quota and size >= _FULL * limit else "",
    )


def _identities(context: Context, subject: Subject) -> Iterator[Finding]:
    counts = counts_by_kind(context.state.of("kvstore"))
    identities, orphans, locks = (counts.get(kind, 0) for kind in _KINDS)
    capacity = _capacity(context)
    if capacity is not None and identities >= _NEARLY * capacity:
        yield Finding(
            "kvstore-identities-many",
            subject,
            f"The kvstore holds {identities} identities; the range has {capacity}",
            {"identities": identities, "capacity": capacity, "orphans": orphans},
            CRITICAL if identities >= _FULL * capacity else "",
        )
    if orphans >= _ORPHANS:
        yield Finding(
            "kvstore-identities-orphaned",
            subject,
            f"{orphans} of {identities} identities in the kvstore are used by no Node",
            {"orphans": orphans, "identities": identities},
        )
    if locks >= _LOCKS:
        yield Finding(
            "kvstore-locks-held",
            subject,
            f"{locks} locks on identities were held in the kvstore at one moment; whether they are stale, one picture cannot tell",
            {"locks": locks},
        )


def _capacity(context: Context) -> int | None:
    if context.cilium.config is None:
        return None
    try:
        return range_of_config(context.cilium.config).capacity
    except IdentityRangeError:
        return None


def _double_write(context: Context, subject: Subject) -> Iterator[Finding]:
    if not context.cilium.identity_mode.startswith("doublewrite"):
        return
    only = {
        side: _largest(context, tuple(name.format(side) for name in _ONLY), OPERATOR) or 0.0
        for side in ("crd", "kvstore")
    }
    if any(only.values()):
        yield Finding(
            "kvstore-identities-inconsistent",
            subject,
            f"Identities that are written twice differ: {only['crd']:.0f} are CiliumIdentity objects only, "
            f"{only['kvstore']:.0f} are in the kvstore only",
            {"only_crd": int(only["crd"]), "only_kvstore": int(only["kvstore"]), "mode": context.cilium.identity_mode},
        )
