# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What is kept of the answers of a Cilium agent: ``cilium-dbg status``, ``endpoint list`` and ``config -a``, as JSON.

Source of the shapes: cilium api/v1/models (StatusResponse, Endpoint, DaemonConfigurationStatus), the same from 1.14 on in
what is read here. Go leaves out what is false, zero or empty; so a missing ``ready`` of a remote cluster means false.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_configuration import COMPARED
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import (
    count,
    mapping,
    moment,
    objects,
    sequence,
    text,
    whole,
)

Object = dict[str, t.Any]
_MESSAGE_LENGTH = 500
_VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)")
# of a ready endpoint nothing more is worth keeping
READY = "ready"


def agent_entry(
    node: str,
    pod: str,
    *,
    status: t.Any = None,
    endpoints: t.Any = None,
    config: t.Any = None,
    error: str = "",
) -> Object:
    """One entry of the resource ``agents``; ``None`` is an answer that is not there (and stays unknown).

    ``status``, ``endpoints`` and ``config`` are the decoded answers, whatever they are.
    """
    entry: Object = {"node": node, "pod": pod, "version": "", "error": error[:_MESSAGE_LENGTH]}
    if status is not None:
        entry["status"] = prune_status(status)
        entry["version"] = version_of(text(mapping(mapping(status).get("cilium")).get("msg")))
    if endpoints is not None:
        entry["endpoints"] = [prune_endpoint(one) for one in objects(endpoints)]
        labels = label_verdict(endpoints)
        if labels:
            entry["labels"] = labels
    if config is not None:
        entry["config"] = {key: value for key, value in mapping(config).items() if key in COMPARED}
    return entry


def version_of(message: str) -> str:
    """The version in ``status.cilium.msg``: ``"1.18.4 (v1.18.4-afda2aa9)"`` gives ``"1.18.4"``; empty without one."""
    found = _VERSION.search(message)
    return found[1] if found else ""


def prune_status(answer: t.Any) -> Object:
    """The part of a StatusResponse that checks need, under its own names.

    Ours: ``controllers`` has the failing ones only, and ``controllers-total`` says how many there are.
    """
    status = mapping(answer)
    kept: Object = {}
    for key in ("cilium", "kubernetes", "kvstore"):
        if key in status:
            kept[key] = _state(status[key])
    for key in ("identity-range", "stale"):
        if key in status:
            kept[key] = dict(mapping(status[key]))
    ipam = mapping(status.get("ipam"))
    kept["ipam"] = {
        "status": text(ipam.get("status")),
        "allocations": {key: text(owner) for key, owner in mapping(ipam.get("allocations")).items()},
    }
    maps = objects(mapping(status.get("bpf-maps")).get("maps"))
    kept["bpf-maps"] = {"maps": [{"name": text(one.get("name")), "size": count(one.get("size"))} for one in maps]}
    clusters = objects(mapping(status.get("cluster-mesh")).get("clusters"))
    if clusters:
        kept["cluster-mesh"] = {"clusters": [_remote_cluster(one) for one in clusters]}
    controllers = objects(status.get("controllers"))
    kept["controllers-total"] = len(controllers)
    kept["controllers"] = [found for one in controllers if (found := _failing(one)) is not None]
    return kept


def _state(value: t.Any) -> Object:
    one = mapping(value)
    return {"state": text(one.get("state")), "msg": text(one.get("msg"))[:_MESSAGE_LENGTH]}


def _remote_cluster(one: Mapping[str, t.Any]) -> Object:
    return {
        "name": text(one.get("name")),
        "ready": one.get("ready") is True,
        "num-failures": count(one.get("num-failures")),
        "last-failure": text(one.get("last-failure")),
        "status": text(one.get("status"))[:_MESSAGE_LENGTH],
    }


def _failing(controller: Mapping[str, t.Any]) -> Object | None:
    status = mapping(controller.get("status"))
    failures = count(status.get("consecutive-failure-count"))
    if not failures:
        return None
    return {
        "name": text(controller.get("name")),
        "consecutive-failure-count": failures,
        "last-failure-msg": text(status.get("last-failure-msg"))[:_MESSAGE_LENGTH],
        "last-failure-timestamp": text(status.get("last-failure-timestamp")),
        "last-success-timestamp": text(status.get("last-success-timestamp")),
    }


def prune_endpoint(answer: t.Any) -> Object:
    """One endpoint, flat (ours): ``id``, ``state``, ``identity``, ``pod`` (``NAMESPACE/NAME``), ``ingress`` and
    ``egress`` (numbers of identities that its policy names); unless it is ready also ``since`` and ``message``.

    ``since`` is the time of the oldest of the latest log entries that all have the present state; empty without any.
    """
    endpoint = mapping(answer)
    status = mapping(endpoint.get("status"))
    outside = mapping(status.get("external-identifiers"))
    pod = text(outside.get("pod-name"))
    if not pod and outside.get("k8s-pod-name"):
        pod = f"{text(outside.get('k8s-namespace'))}/{text(outside.get('k8s-pod-name'))}"
    kept: Object = {
        "id": whole(endpoint.get("id")) or 0,
        "state": text(status.get("state")),
        "identity": whole(mapping(status.get("identity")).get("id")) or 0,
        "pod": pod,
    }
    realized = mapping(mapping(status.get("policy")).get("realized"))
    for direction in ("ingress", "egress"):
        named = [sequence(realized.get(f"{verdict}-{direction}-identities")) for verdict in ("allowed", "denied")]
        if any(named):
            kept[direction] = sum(map(len, named))
    if kept["state"] != READY:
        kept["since"], kept["message"] = _since(kept["state"], status.get("log"))
    return kept


def label_verdict(endpoints: t.Any) -> dict[str, list[str]]:
    """Ours: the label keys, with their sources, by what the agent says of them: ``security-relevant`` (they make identities)
    and ``derived`` (they do not), of all its endpoints together. Empty where it says nothing.
    """
    found: dict[str, set[str]] = {}
    for one in objects(endpoints):
        labels = mapping(mapping(mapping(one).get("status")).get("labels"))
        for verdict in ("security-relevant", "derived"):
            keys = {text(label).partition("=")[0] for label in sequence(labels.get(verdict))}
            found.setdefault(verdict, set()).update(keys - {""})
    return {verdict: sorted(keys) for verdict, keys in found.items() if keys}


def _since(state: str, log: t.Any) -> tuple[str, str]:
    entries = [(when, one) for one in objects(log) if (when := moment(one.get("timestamp"))) is not None]
    # agents list the newest first; of equal times the first listed is the newer
    entries.sort(key=lambda entry: entry[0], reverse=True)
    since = ""
    for _when, one in entries:
        if text(one.get("state")) != state:
            break
        since = text(one.get("timestamp"))
    failures = (text(one.get("message")) for _when, one in entries if one.get("code") not in ("OK", "Ok"))
    return since, next(failures, "")[:_MESSAGE_LENGTH]
