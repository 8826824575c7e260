# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Explains why pod sandboxes cannot be made: which finding of this audit is the cause, or what the CNI answered.

A failure counts when its event is of the last hour, its Node is still the one it happened on, and its pod is still there
and has no address: what came right by itself (a CNI agent that was just starting) is no finding.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import recent
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import (
    MOST_FINDINGS,
    counted,
    first,
    listed,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import INFO
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.sandbox_causes import (
    CAUSED_BY,
    FINDING_OF_CAUSE,
    ROOTS,
    UNEXPLAINED,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_patterns import LogPattern, matching

REASONS = ("FailedCreatePodSandBox", "NetworkNotReady")
_LENGTH = 300


@dataclass
class Failures:
    """Pods of one Node without a sandbox for one reason; ``pattern`` is None where nobody knows the text."""

    node: str
    pattern: LogPattern | None
    pods: set[str] = field(default_factory=set)
    message: str = ""

    @property
    def cause(self) -> str:
        """What the message says; empty when it says nothing known."""
        return "" if self.pattern is None else self.pattern.cause


def failures(context: Context) -> list[Failures]:
    """All failures that count, by Node and by what the message says; of each pod, its latest one."""
    found: dict[tuple[str, str], Failures] = {}
    for node, event in _latest(context).values():
        message = str(event.get("message") or "")
        pattern = matching(message)
        one = found.setdefault((node, pattern.id if pattern else ""), Failures(node, pattern))
        one.pods.add("/".join(_key(event.get("involvedObject") or {})))
        one.message = one.message or message[:_LENGTH]
    return [found[key] for key in sorted(found)]


def _latest(context: Context) -> dict[tuple[str, str], tuple[str, Object]]:
    """{pod: (its Node, its latest event)} of the events that count."""
    births = recent.node_births(context)
    known = context.state.knows("pods")
    events = list(recent.events(context, *REASONS))
    named = {_key(event.get("involvedObject") or {}) for event in events}
    pods = {key: pod for pod in context.state.of("pods") if (key := _key(pod["metadata"])) in named} if events else {}
    found: dict[tuple[str, str], tuple[str, Object]] = {}
    for event in sorted(events, key=lambda one: str(recent.last_seen(one))):
        involved = event.get("involvedObject") or {}
        pod = pods.get(_key(involved))
        if known and not _still_waits(pod, involved):
            continue
        node = str((event.get("source") or {}).get("host") or "")
        node = str(((pod or {}).get("spec") or {}).get("nodeName") or node)
        seen, born = recent.last_seen(event), births.get(node)
        if seen is not None and (born is None or seen >= born):
            found[_key(involved)] = (node, event)
    return found


def _key(metadata: Mapping[str, t.Any]) -> tuple[str, str]:
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _still_waits(pod: Object | None, involved: Mapping[str, t.Any]) -> bool:
    """Whether this very pod is there and has no address yet."""
    if pod is None or pod["metadata"].get("deletionTimestamp"):
        return False
    uid, other = pod["metadata"].get("uid"), involved.get("uid")
    same = not uid or not other or uid == other
    return same and (pod.get("status") or {}).get("phase") == "Pending" and not (pod.get("status") or {}).get("podIPs")


class Causes:
    """Findings that may be the cause of failures, by id and Node."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._of_node: dict[tuple[str, str], Finding] = {}
        self._of_cluster: dict[str, list[Finding]] = {}
        self._of_logs: dict[str, Finding] = {}
        for one in findings:
            if one.severity == INFO:
                continue
            if one.subject.kind == "Node":
                self._of_node.setdefault((one.id, one.subject.name), one)
            elif one.id == "component-log-trouble":
                self._of_logs.setdefault(str(one.evidence.get("cause")), one)
            else:
                self._of_cluster.setdefault(one.id, []).append(one)

    def find(self, identifiers: Sequence[str], node: str) -> Finding | None:
        """The first of these that is there, for this Node or for the whole cluster."""
        for identifier in identifiers:
            found = self._of_node.get((identifier, node))
            for other in () if found else self._of_cluster.get(identifier, ()):
                if _concerns(other, node):
                    return other
            if found is not None:
                return found
        return None

    def of(self, failure: Failures) -> Finding | None:
        """The finding that explains a failure: one of the state before one of the logs."""
        found = self.find(CAUSED_BY[failure.cause], failure.node)
        return found or (self._of_logs.get(failure.cause) if failure.cause else None)

    def chain(self, cause: Finding, node: str) -> list[Finding]:
        """The cause, what is behind it, and so on."""
        found = [cause]
        while (behind := self.find(ROOTS.get(found[-1].id, ()), node)) is not None and behind not in found:
            found.append(behind)
        return found


def _concerns(finding: Finding, node: str) -> bool:
    """Whether a finding about more than one Node is about this one; it may be where not all are named."""
    nodes = finding.evidence.get("nodes")
    if not nodes or not isinstance(nodes, (list, dict)):
        return True
    names = {str(one.get("node")) if isinstance(one, dict) else str(one) for one in nodes}
    return node in names or int(finding.evidence.get("count") or 0) > len(names)


def explain(context: Context, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings about sandbox failures, in which ``findings`` (those of all other checks) are the causes."""
    causes = Causes(findings)
    explained: dict[tuple[str, Subject], tuple[Finding, list[Failures]]] = {}
    by_message: dict[str, list[Failures]] = {}
    for failure in failures(context):
        cause = causes.of(failure)
        if cause is not None:
            explained.setdefault((cause.id, cause.subject), (cause, []))[1].append(failure)
        else:
            by_message.setdefault(FINDING_OF_CAUSE.get(failure.cause, UNEXPLAINED), []).append(failure)
    for cause, caused in explained.values():
        yield _explained(causes, cause, caused)
    for identifier, same in sorted(by_message.items()):
        yield from _by_message(identifier, same)


def _explained(causes: Causes, cause: Finding, caused: list[Failures]) -> Finding:
    chain = causes.chain(cause, caused[0].node)
    text = f"{_who(caused)}. Cause ({cause.id}): {cause.summary}"
    text += "".join(f". Behind it ({one.id}): {one.summary}" for one in chain[1:])
    evidence = {
        **_evidence(caused),
        "causes": [{"id": one.id, "subject": str(one.subject), "summary": one.summary} for one in chain],
    }
    return Finding("sandbox-failures-explained", cause.subject, text, evidence, cause.severity)


def _by_message(identifier: str, same: list[Failures]) -> Iterator[Finding]:
    """One finding for each Node, or one for all where there are many."""
    nodes: dict[str, list[Failures]] = {}
    for failure in same:
        nodes.setdefault(failure.node, []).append(failure)
    parts = list(nodes.items()) if len(nodes) <= MOST_FINDINGS else [("", same)]
    for node, failed in sorted(parts, key=lambda part: part[0]):
        said = sorted({one.pattern.meaning for one in failed if one.pattern is not None})
        text = f"{_who(failed)}. " + (" ".join(said) if said else f"The message: {failed[0].message}")
        subject = Subject("Node", node) if node else Subject("Cluster", "cluster")
        yield Finding(identifier, subject, text, _evidence(failed))


def _who(failed: list[Failures]) -> str:
    pods = {pod for one in failed for pod in one.pods}
    nodes = {one.node for one in failed if one.node}
    where = f" on {counted(len(nodes), 'Node')} ({listed(nodes)})" if nodes else ""
    return f"{counted(len(pods), 'pod')}{where} got no sandbox"


def _evidence(failed: list[Failures]) -> dict[str, t.Any]:
    pods = {pod for one in failed for pod in one.pods}
    nodes = {one.node for one in failed if one.node}
    return {
        "pods": first(pods),
        "count": len(pods),
        "nodes": first(nodes),
        "nodes_count": len(nodes),
        "messages": sorted({one.message for one in failed})[:3],
    }
