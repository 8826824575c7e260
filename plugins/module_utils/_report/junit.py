# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit as JUnit XML, for pipelines: one test case for each id of the catalogue."""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    catalogue_agents,
    catalogue_cilium_config,
    catalogue_cilium_ipam,
    catalogue_control_plane,
    catalogue_endpoints,
    catalogue_events,
    catalogue_host_network,
    catalogue_identities,
    catalogue_ipam_models,
    catalogue_kvstore,
    catalogue_pod_cidrs,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import Document, missing

_MISSING = "data-missing"
_MOST_SUBJECTS = 100
_NODE_CIDRS = ("nodes", "pods", "daemonsets", "configmaps", "leases")
_CILIUM = ("daemonsets", "configmaps", "pods")
# subject -> (its part of the catalogue, what it has to read, the part of the document without which nothing was asked)
_SUBJECTS: t.Final[Mapping[str, tuple[t.Any, tuple[str, ...], str]]] = {
    "pod_cidrs": (catalogue_pod_cidrs, _NODE_CIDRS, ""),
    "cilium_config": (catalogue_cilium_config, (*_CILIUM, "ciliumnodeconfigs"), "cilium"),
    "identities": (
        catalogue_identities,
        (*_CILIUM, "namespaces", "ciliumidentities", "ciliumendpoints", "ciliumendpointslices", "deployments", "leases", "clusterroles"),
        "cilium",
    ),
    "cilium_ipam": (catalogue_cilium_ipam, (*_CILIUM, "nodes", "ciliumnodes", "ciliumendpoints", "ciliumpodippools"), "cilium"),
    "endpoints": (catalogue_endpoints, (*_CILIUM, "ciliumendpoints", "ciliumendpointslices"), "cilium"),
    "events": (catalogue_events, ("events", "pods", "nodes"), ""),
    "control_plane": (catalogue_control_plane, ("leases", "pods", "apiservices", "deployments"), ""),
    "ipam_models": (
        catalogue_ipam_models,
        (*_NODE_CIDRS, "ippools", "blockaffinities", "clustercidrs", "clustercidrs-in-tree", "cninodes", "nodenetworkconfigs"),
        "",
    ),
    "agents": (catalogue_agents, (*_CILIUM, "agents"), "agents"),
    "kvstore": (catalogue_kvstore, (*_CILIUM, "agents"), "kvstore"),
    "host_network": (catalogue_host_network, ("nodes", "hosts"), "host_network"),
}  # fmt: skip
_SUBJECT_OF: t.Final = {kind.id: name for name, (part, _needs, _key) in _SUBJECTS.items() for kind in part.KINDS}


def junit(document: Document) -> str:
    """The result as one test suite.

    A critical or warning finding is a failure. A case is skipped when something that its subject needs could not be
    read, or when the cluster has or was asked for no such part: what was not judged never passes.
    """
    found: dict[str, list[Mapping[str, t.Any]]] = {}
    for finding in document["findings"]:
        found.setdefault(finding["id"], []).append(finding)
    lacking = missing(document)
    # a finding of a newer catalogue than this one is a case as well
    cases = [_case(identifier, found.get(identifier, ()), lacking, document) for identifier in {**CATALOGUE, **found}]
    suite = ElementTree.Element(
        "testsuite",
        name="podnet.upkeep.audit",
        tests=str(len(cases)),
        failures=str(sum(1 for case in cases if case.find("failure") is not None)),
        errors="0",
        skipped=str(sum(1 for case in cases if case.find("skipped") is not None)),
        time="0",
        timestamp=_timestamp(document["taken_at"]),
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("server_version", document["server_version"] or "unknown"),
        ("ipam_model", document["ipam_model"]["name"]),
        ("unknown", ", ".join(lacking) or "nothing"),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=_legal(value))
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(
    identifier: str, findings: Sequence[Mapping[str, t.Any]], lacking: Mapping[str, str], document: Document
) -> ElementTree.Element:
    subject = _SUBJECT_OF.get(identifier, "other")
    case = ElementTree.Element("testcase", classname=f"podnet.upkeep.{subject}", name=identifier, time="0")
    urgent = [one for one in findings if one["severity"] != "info"]
    if identifier == _MISSING:
        if lacking:
            reasons = "; ".join(f"{resource}: {why}" for resource, why in lacking.items())
            ElementTree.SubElement(case, "skipped", message=_legal(f"not everything could be read: {reasons}"))
        return case
    if urgent:
        more = f" (and {len(urgent) - 1} more)" if len(urgent) > 1 else ""
        failure = ElementTree.SubElement(
            case, "failure", type=urgent[0]["severity"], message=_legal(urgent[0]["summary"] + more)
        )
        failure.text = _legal(_text(urgent))
        return case
    if findings:
        ElementTree.SubElement(case, "system-out").text = _legal(_text(findings))
        return case
    reason = _not_judged(subject, lacking, document)
    if reason:
        ElementTree.SubElement(case, "skipped", message=_legal(reason))
    return case


def _not_judged(subject: str, lacking: Mapping[str, str], document: Document) -> str:
    """Why no finding does not mean that all is well; empty when it does."""
    _part, needs, key = _SUBJECTS.get(subject, (None, tuple(lacking), ""))
    unread = [resource for resource in needs if resource in lacking]
    if unread:
        return f"not everything that this needs could be read: {', '.join(unread)}"
    if key and document.get(key) is None:
        return f"the audit has no part {key}: the cluster has none, or it was not asked for"
    if subject == "pod_cidrs" and document["ipam_model"]["name"] == "unknown":
        return "podCIDRs of Nodes were not judged: the IPAM model is not known"
    return ""


def _text(findings: Sequence[Mapping[str, t.Any]]) -> str:
    lines = [f"{one['severity']}: {one['summary']}" for one in findings[:_MOST_SUBJECTS]]
    if len(findings) > _MOST_SUBJECTS:
        lines.append(f"... and {len(findings) - _MOST_SUBJECTS} more; the JSON report has all")
    first = findings[0]
    verify = first["verify"] if len(findings) == 1 else first["verify_of_kind"]
    return "\n".join(
        (*lines, f"Why it matters: {first['why']}", f"Verify: {verify}", f"Remedy: {first['remedy']['text']}")
    )


def _timestamp(taken_at: str) -> str:
    """The time in UTC without a zone, as the schema of JUnit has it."""
    moment = datetime.datetime.fromisoformat(taken_at).astimezone(datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _legal(text: object) -> str:
    """The text without characters that XML 1.0 cannot hold."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", str(text))
