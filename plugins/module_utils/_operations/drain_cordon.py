# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Cordon a node for its drain, watch that it stays so, and make it schedulable again when the drain fails."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import Drain, DrainError, PodOutcome
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import LeaseLostError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    is_unschedulable,
    node_path,
    require_uid,
    set_unschedulable,
    uid_of,
)


@dataclass(frozen=True)
class Drained:
    """``cordoned``: whether this drain cordoned the node, which was schedulable before."""

    outcomes: list[PodOutcome]
    cordoned: bool


def cordon_and_drain(client: KubeClient, node: JsonObject, drain: Drain, *, uncordon_on_failure: bool) -> Drained:
    """Cordon exactly this Node, and drain it; it is still the same and still cordoned when this returns.

    When the drain fails, a node that was cordoned here is uncordoned again, unless the Lease of the run is lost (another
    run may be at work on it) or it is another Node by now. Raises DrainError that says how the node stands, ApiError,
    RefusedError.
    """
    name, uid = str(node["metadata"]["name"]), uid_of(node)
    node, cordoned = set_unschedulable(client, node, True)
    try:
        return Drained(drain.run(lambda: _require_cordoned(client, name, uid)), cordoned)
    except DrainError as error:
        if not cordoned:
            raise
        standing = _undo(client, name, uid, error, uncordon_on_failure=uncordon_on_failure)
        raise DrainError(f"{error} {standing}".strip(), error.outcomes, error.further) from error
    except BaseException:  # an interruption, or a defect of ours: the node must not stay cordoned for it
        if cordoned and uncordon_on_failure:
            _uncordon(client, name, uid)
        raise


def _require_cordoned(client: KubeClient, name: str, uid: str) -> None:
    node = client.find(node_path(name))
    if node is None:
        raise RefusedError(f"Node {name} was deleted while it was drained, so the drain stopped.")
    require_uid(node, uid)
    if not is_unschedulable(node):
        raise RefusedError(f"Node {name} was made schedulable by somebody else while it was drained; so it stopped.")


def _undo(client: KubeClient, name: str, uid: str, error: DrainError, *, uncordon_on_failure: bool) -> str:
    """Uncordon where that is right; a sentence about how the node stands."""
    if isinstance(error.__cause__, LeaseLostError):
        return f"Node {name} stays cordoned, because another run may be at work on it."
    if not uncordon_on_failure:
        return f"Node {name} stays cordoned."
    try:
        changed = _uncordon(client, name, uid)
    except UpkeepError as another:
        return f"Node {name} stays cordoned, because it could not be made schedulable again: {another}"
    return f"Node {name} is schedulable again as before." if changed else ""


def _uncordon(client: KubeClient, name: str, uid: str) -> bool:
    node = client.find(node_path(name))
    if node is None or uid_of(node) != uid:
        return False
    _node, changed = set_unschedulable(client, node, False)
    return changed
