# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What maintenance of an etcd asks before each step, whichever way leads to it."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_maintenance import Guards
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_window import window_end
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_other_runs import other_runs
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import wait_for
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import heartbeat_of, progress_of

#: How long a question to an API server is repeated whose own etcd is worked on, in seconds.
_PATIENCE = 90.0


def guards_of(options: t.Mapping[str, t.Any], client: KubeClient | None, *, check_mode: bool) -> Guards:
    """What the run is asked before each step, and told while it waits. Raises InputError for a window that is none."""
    guards = Guards()
    end = window_end(options["window_end"], _now())
    if end is not None:
        guards.checkpoint = lambda: f"The window ended at {end.isoformat(timespec='seconds')}." if _now() >= end else ""
    progress = progress_of(options, check_mode=check_mode)
    if progress is not None:
        guards.progress = progress
    if client is not None and not check_mode:
        own = guards.checkpoint
        guards.checkpoint = lambda: own() or beside(options, client)
    if options["run"] and client is not None and not check_mode:
        run = options["run"]
        asked = MaintenanceRun(client, RunOptions(run["name"], run["namespace"], run["holder"], run["lease_seconds"]))
        guards.checkpoint = lambda: str(asked.checkpoint()["reason"]) or beside(options, client)
        heartbeat = heartbeat_of(options, client)
        if heartbeat is not None:
            guards.heartbeat = heartbeat
    return guards


def beside(options: t.Mapping[str, t.Any], client: KubeClient) -> str:
    """In words which other run is under way; empty when none is, or Leases may not be listed. Raises ApiError."""
    run = options["run"] or {"name": "", "namespace": "kube-system"}
    try:
        found = wait_for(
            "the Leases of other runs", lambda: other_runs(client, run["name"], run["namespace"]), timeout=_PATIENCE
        )
    except ApiError as error:
        if error.status != 403:
            raise
        return ""
    return f"{'; '.join(one.reason for one in found)}." if found else ""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).astimezone()
