# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The options ``run``, ``journal`` and ``progress_path`` of modules that are steps of a maintenance run."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.progress import Progress, ProgressFile
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_heartbeat import Heartbeat
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import DEFAULT_SECONDS, RunLease

_NAME, _NAMESPACE = "reassign-pod-cidrs", "kube-system"


def run_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The option ``run`` (a fresh dict at every call); its documentation is the fragment ``podnet.upkeep.run``."""
    return {
        "run": {
            "type": "dict",
            "options": {
                "name": {"type": "str", "default": _NAME},
                "namespace": {"type": "str", "default": _NAMESPACE},
                "holder": {"type": "str", "required": True},
                "lease_seconds": {"type": "int", "default": DEFAULT_SECONDS},
            },
        }
    }


def journal_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The option ``journal``; its documentation is the fragment ``podnet.upkeep.run.journal``."""
    return {
        "journal": {
            "type": "dict",
            "options": {
                "name": {"type": "str", "default": _NAME},
                "namespace": {"type": "str", "default": _NAMESPACE},
            },
        }
    }


def progress_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The option ``progress_path``; its documentation is the fragment ``podnet.upkeep.run.progress``."""
    return {"progress_path": {"type": "path"}}


def heartbeat_of(options: Mapping[str, t.Any], client: KubeClient, *, check_mode: bool = False) -> Heartbeat | None:
    """What to call at the beginning and in every wait; None without a run, and in check mode, which writes nothing."""
    run = options.get("run")
    if not run or check_mode:
        return None
    lease = RunLease(client, run["name"], run["namespace"], run["holder"], run["lease_seconds"])
    return Heartbeat(lease)


def journal_of(options: Mapping[str, t.Any], client: KubeClient) -> Journal | None:
    """The journal in the cluster; None when the module is used without one."""
    journal = options.get("journal")
    return Journal(client, journal["name"], journal["namespace"]) if journal else None


def progress_of(options: Mapping[str, t.Any], *, check_mode: bool = False) -> Progress | None:
    """What to tell the state of a wait; None where nobody reads it, and in check mode, which does not wait.

    Raises InputError when the file cannot be written to.
    """
    path = options.get("progress_path")
    return Progress(ProgressFile(path)) if path and not check_mode else None
