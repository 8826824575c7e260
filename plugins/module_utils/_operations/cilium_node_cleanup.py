# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which CiliumNodes may be deleted, and the proof before each batch."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_node_picture import (
    CILIUM_NODES,
    NodePicture,
    read_picture,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import standing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.dangling_cilium_nodes import (
    RISKS,
    Examined,
    examine,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import Candidate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

RISK_MODE = "ipam-mode-unknown"
_POLL = 2.0


@dataclass(frozen=True)
class NodeOptions:
    """Times in seconds. ``nodes`` empty: every CiliumNode that has outlived its Node; a named one has to be deletable."""

    nodes: tuple[str, ...] = ()
    quarantine: float = 1800.0
    settle_seconds: float = 30.0
    max_share: float = 0.5
    accepted_risks: tuple[str, ...] = ()
    namespace: str = "kube-system"

    def __post_init__(self) -> None:
        """Raises InputError naming the option that cannot be used."""
        for name in ("quarantine", "settle_seconds"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: {getattr(self, name):g} is no time; give seconds, 0 or more.")
        if not 0 <= self.max_share <= 1:
            raise InputError(f"max_share: {self.max_share:g} is no share; give 0 to 1.")
        unknown = sorted(set(self.accepted_risks) - {*RISKS, RISK_MODE})
        if unknown:
            raise InputError(
                f"accepted_risks: there is no risk {unknown[0]}; there are {', '.join((*RISKS, RISK_MODE))}."
            )


@dataclass
class NodePlan:
    """``examined`` are all CiliumNodes that have outlived their Node; those with standing objections are in ``kept``."""

    picture: NodePicture
    examined: list[Examined]
    candidates: list[Candidate] = field(default_factory=list)
    kept: list[dict[str, t.Any]] = field(default_factory=list)


class NodeCleanup:
    """Plans once, and proves each batch by a whole new picture: CiliumNodes are few."""

    def __init__(
        self,
        client: KubeClient,
        options: NodeOptions,
        *,
        clock: Clock | None = None,
        progress: t.Callable[[str], None] | None = None,
        heartbeat: t.Callable[[], str] | None = None,
    ) -> None:
        """``heartbeat`` keeps the lock of the run while CiliumNodes are watched, and says why to stop."""
        self._client = client
        self._options = options
        self._clock = clock or Clock()
        self._progress = progress or (lambda line: None)
        self._heartbeat = heartbeat or (lambda: "")

    def plan(self) -> NodePlan:
        """Read the cluster, judge, and watch for ``settle_seconds`` that no Node or agent comes back.

        Raises RefusedError where nothing can be judged, a named CiliumNode must stay, or too many look gone; ApiError.
        """
        picture = read_picture(self._client, self._options.namespace)
        self._refuse_cluster(picture)
        plan = NodePlan(picture, [found for name in picture.without_node if (found := self._examine(name, picture))])
        chosen = []
        for one in plan.examined:
            reasons = self._reasons(one)
            if reasons:
                plan.kept.append({"name": one.name, "cause": one.cause, "blocks": one.blocks, "reasons": reasons})
            elif not self._options.nodes or one.name in self._options.nodes:
                chosen.append(one)
        refused = [one for one in plan.kept if one["name"] in self._options.nodes]
        if refused:
            sentences = [reason for one in refused for reason in one["reasons"]]
            raise RefusedError(f"Nothing was changed: {' '.join(sentences)}", sentences)
        self._refuse_many(picture, chosen)
        lives = self._watch(picture, [one.name for one in chosen])
        for one in chosen:
            if one.name in lives:
                plan.kept.append(
                    {"name": one.name, "cause": one.cause, "blocks": one.blocks, "reasons": [lives[one.name]]}
                )
                continue
            held = f"; holds {', '.join(one.blocks)}" if one.blocks else ""
            whole = picture.whole[one.name]
            plan.candidates.append(Candidate.of(whole, f"{CILIUM_NODES}/{one.name}", f"{one.evidence}{held}"))
        return plan

    def prove(self, batch: Sequence[Candidate]) -> dict[str, str]:
        """{uid: why it is spared} by a picture made now. Raises RefusedError, ApiError."""
        picture = read_picture(self._client, self._options.namespace)
        self._refuse_cluster(picture)
        spared = {}
        for one in batch:
            whole = picture.whole.get(one.name)
            if whole is None:
                continue  # gone already: the deletion says so
            found = self._examine(one.name, picture)
            if found is None or whole["metadata"].get("uid") != one.uid:
                spared[one.uid] = "it has its Node again, or is another object now"
            elif reasons := self._reasons(found):
                spared[one.uid] = " ".join(reasons)
        return spared

    def _examine(self, name: str, picture: NodePicture) -> Examined | None:
        return examine(name, picture, self._options.quarantine)

    def _reasons(self, found: Examined) -> list[str]:
        return [one.sentence for one in standing(found.objections, self._options.accepted_risks)]

    def _refuse_cluster(self, picture: NodePicture) -> None:
        if not picture.ipam.nodes:
            raise RefusedError(
                "Nothing is judged: the cluster shows no Node at all, so every CiliumNode would look gone."
            )
        if picture.whole and not picture.ipam.mode and RISK_MODE not in self._options.accepted_risks:
            raise RefusedError(
                "Nothing is judged: it is not known how Cilium does IPAM here (cilium-config is not there, or Cilium is chained "
                f"behind another CNI), so not what CiliumNodes hold. Accept it with accepted_risks: [{RISK_MODE}]."
            )

    def _refuse_many(self, picture: NodePicture, chosen: Sequence[Examined]) -> None:
        most = max(1, math.floor(self._options.max_share * len(picture.whole)))
        if len(chosen) > most and not self._options.nodes:
            raise RefusedError(
                f"Nothing was changed: {len(chosen)} of {len(picture.whole)} CiliumNodes have outlived their Node, more than "
                f"max_share {self._options.max_share:g} allows. Find out why first; then name them, or raise max_share."
            )

    def _watch(self, picture: NodePicture, names: Sequence[str]) -> dict[str, str]:
        """{CiliumNode: what shows that it lives}: a Node of the name, or a write, while we look."""
        lives: dict[str, str] = {}
        end = self._clock.now() + self._options.settle_seconds
        while names and self._clock.now() < end:
            if reason := self._heartbeat():
                raise RefusedError(f"Nothing was changed: {reason}")
            self._progress(
                f"watches for {self._options.settle_seconds:g} s that {len(names)} CiliumNodes stay without Node"
            )
            self._clock.sleep(min(_POLL, max(0.05, end - self._clock.now())))
            uids = {name_of(one): one["metadata"].get("uid") for one in self._client.list("/api/v1/nodes")}
            now = {name_of(one): one for one in self._client.list(CILIUM_NODES)}
            for name in names:
                before = (picture.ipam.nodes.get(name) or {}).get("metadata", {}).get("uid")
                if uids.get(name) != before:
                    lives[name] = f"CiliumNode {name}: a Node of this name was registered, or went, a moment ago."
                elif name in now and _version(now[name]) != _version(picture.whole[name]):
                    lives[name] = f"CiliumNode {name}: somebody wrote to it a moment ago."
        return lives


def _version(cilium_node: Mapping[str, t.Any]) -> t.Any:
    return cilium_node["metadata"].get("resourceVersion")
