# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A simulated label filter for people: lines for a terminal, and a chapter for reports."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import (
    Block,
    Cell,
    Chapter,
    Facts,
    Paragraph,
    table,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import Part, number, part_of, rows_of

_MOST_ROWS = 200
_LINES_OF_POLICIES, _LINES_OF_KEYS, _LINES_OF_WORKLOADS, _WIDEST_LINE = 8, 4, 3, 240
_TITLE = "Label filter"


def lines(part: Part) -> list[str]:
    """What a person in a maintenance window has to know, the reasons against the change last."""
    return [_cut(one) for one in (*_lines(part), *_verdict_lines(part))]


def _cut(line: str) -> str:
    line = " ".join(line.split("\n"))
    return line if len(line) <= _WIDEST_LINE else f"{line[: _WIDEST_LINE - 3]}..."


def _lines(part: Part) -> Iterator[str]:
    yield _change(part)
    if part.get("not_simulated"):
        return
    pods = part_of(part, "pods") or {}
    yield f"identities: {_counts(part)}"
    yield f"pods: {number(pods.get('changed'))} of {number(pods.get('judged'))} get another identity"
    for row in rows_of(part.get("workloads"))[:_LINES_OF_WORKLOADS]:
        yield f"  {_workload(row)}: {_many(row['pods'], 'pod')}{_lost(row)}"
    if (more := (part.get("workloads_count") or 0) - _LINES_OF_WORKLOADS) > 0:
        yield f"  ... and {number(more)} more workloads"
    costly = [row for row in rows_of(part.get("by_label_key")) if row.get("contribution_together")]
    for row in costly[:_LINES_OF_KEYS]:
        yield f"label {row['key']} ({row['state']}): {_cost(row)}"
    yield from _policy_lines(part)
    if upgrade := part_of(part, "upgrade"):
        for remark in upgrade.get("remarks") or ["the version changes nothing about the labels of identities"]:
            yield f"upgrade: {remark}"
    if agents := part_of(part, "agents"):
        yield f"agents: {_agents(agents)}"
    if found := part_of(part, "suggestion"):
        yield f"suggestion: {_suggestion(found)}"


def _verdict_lines(part: Part) -> Iterator[str]:
    for row in rows_of(part.get("lint")):
        yield f"pattern '{row['item']}': {row['effect']}{'; write ' + row['instead'] if row.get('instead') else ''}"
    for note in part.get("notes") or ():
        yield f"note: {note}"
    for row in rows_of(part.get("refusals")):
        yield f"AGAINST IT  {row['kind']}: {row['sentence']}"
    if part.get("changes") and not part.get("refusals"):
        yield "nothing speaks against it"
    if part.get("changes") and not part.get("not_simulated"):
        yield f"Helm values: {json.dumps(part.get('helm_values'))}"


def _policy_lines(part: Part) -> Iterator[str]:
    policies = part_of(part, "policies") or {}
    for resource, why in (part_of(policies, "unknown") or {}).items():
        yield f"UNKNOWN  {resource}: {why}"
    effects = rows_of(policies.get("effects"))
    yield f"policies: {_policies(policies)}"
    for row in effects[:_LINES_OF_POLICIES]:
        pods = (
            ""
            if row.get("pods_now") is None
            else f" ({_many(row['pods_now'], 'pod')} now, {number(row['pods_after'])} then)"
        )
        yield f"  {row['becomes']}  {_policy(row)} {row['place']}{pods}, {', '.join(row['conditions'])}: {row['consequence']}"
    if (more := (policies.get("effects_count") or 0) - _LINES_OF_POLICIES) > 0:
        yield f"  ... and {number(more)} more selectors"


def _change(part: Part) -> str:
    labels, version = part_of(part, "labels") or {}, part_of(part, "version") or {}
    text = f"label filter: '{labels.get('after')}'"
    text += " as it is now" if labels.get("now") == labels.get("after") else f" instead of '{labels.get('now')}'"
    if version.get("now"):
        text += f"; Cilium {version['now']}"
        text += "" if version.get("now") == version.get("after") else f" to {version['after']}"
    return text


def _counts(part: Part) -> str:
    found = part_of(part, "identities") or {}
    text = f"{number(found.get('now'))} that pods need now, {number(found.get('after'))} afterwards"
    if found.get("objects") is not None:
        text += f"; {number(found['objects'])} exist, and at most {number(found.get('peak'))}"
        text += f" of {number(found['capacity'])}" if found.get("capacity") is not None else ""
        text += " while old and new ones exist side by side"
    return text


def _workload(row: Mapping[str, t.Any]) -> str:
    return "/".join(str(row[key]) for key in ("namespace", "kind", "name") if row.get(key))


def _lost(row: Mapping[str, t.Any]) -> str:
    words = [f"{word} {', '.join(row[key][:4])}" for key, word in (("lost", "lose"), ("gained", "get")) if row.get(key)]
    return f", {' and '.join(words)}" if words else ""


def _cost(row: Mapping[str, t.Any]) -> str:
    text = f"{number(row['distinct_values'])} values, {number(row['contribution_together'])} identities"
    if row.get("together_with"):
        text += f" together with {', '.join(row['together_with'])}"
    return text


def _policies(policies: Part) -> str:
    if policies.get("affected") is None:
        return "which ones are affected is not known"
    opens = sum(1 for row in rows_of(policies.get("effects")) if row.get("opens"))
    text = f"{_many(policies['effects_count'], 'selector')} of {_many(policies['affected'], 'policy')} change"
    if opens:
        text += f", {number(opens)} so that traffic passes which is refused now"
    if policies.get("already_count"):
        text += f"; {_many(policies['already_count'], 'selector')} broken by the present filter already"
    return f"{text} ({_many(policies.get('read'), 'policy')} read)"


def _many(count: t.Any, what: str) -> str:
    """``1 policy``, ``2 policies``."""
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number(count)} {what if count == 1 else plural}"


def _policy(row: Mapping[str, t.Any]) -> str:
    return f"{row['kind']} {row['namespace']}/{row['name']}" if row.get("namespace") else f"{row['kind']} {row['name']}"


def _agents(agents: Part) -> str:
    text = f"{number(agents['agents'])} asked agents agree about {number(agents['labels_agreed'])} labels"
    if agents.get("labels_different_count"):
        text += f" and differ about {number(agents['labels_different_count'])}"
    return text


def _suggestion(found: Part) -> str:
    left = f"{_many(found['identities'], 'identity')} left"
    if not found.get("items"):
        return f"{left} with this filter already" if found["reached"] else f"{left}, and no label can be spared"
    text = f"labels: {found['labels']} ({left})"
    if not found["reached"]:
        text += f"; {number(found['target'])} cannot be reached"
        if found.get("spared_for_policies"):
            text += f" without labels that policies select by: {', '.join(found['spared_for_policies'])}"
    elif not found.get("smallest"):
        text += "; none of it can be left out, but not every smaller addition was tried"
    return text


def filter_chapter(part: Part | None) -> Chapter | None:
    """The simulation as a chapter; None where there is none."""
    if part is None:
        return None
    facts: list[tuple[str, Cell]] = [("Change", _change(part))]
    if part.get("not_simulated"):
        return Chapter("label_filter", _TITLE, [Facts(facts), Paragraph(f"Not simulated: {part['not_simulated']}.")])
    policies, pods = part_of(part, "policies") or {}, part_of(part, "pods") or {}
    facts += [
        ("Identities", _counts(part)),
        ("Pods", f"{number(pods.get('changed'))} of {number(pods.get('judged'))} get another identity"),
        ("Policies", _policies(policies)),
    ]
    for key, name, words in (("agents", "Agents", _agents), ("suggestion", "Suggestion", _suggestion)):
        if found := part_of(part, key):
            facts.append((name, words(found)))
    if part.get("changes"):
        facts.append(("Helm values", json.dumps(part.get("helm_values"))))
    blocks: list[Block] = [
        Facts(facts),
        *(Paragraph(f"Against it: {one['sentence']}.") for one in rows_of(part.get("refusals"))),
    ]
    if part.get("changes") and not part.get("refusals"):
        blocks.append(Paragraph("Nothing speaks against it."))
    blocks += [Paragraph(f"Not known: {key}: {why}.") for key, why in (part_of(policies, "unknown") or {}).items()]
    blocks += [Paragraph(f"Upgrade: {one}.") for one in (part_of(part, "upgrade") or {}).get("remarks") or ()]
    blocks += [Paragraph(f"Note: {one}.") for one in part.get("notes") or ()]
    return Chapter("label_filter", _TITLE, [*blocks, *_tables(part, policies)])


def _selector(row: Part) -> str:
    return f"{row['place']} ({row['selects']}): {', '.join(row['conditions'])}"


def _pods(row: Part) -> str:
    numbers = ((row.get("pods_now"), "now"), (row.get("pods_after"), "then"))
    return ", ".join(f"{number:,} {when}" for number, when in numbers if number is not None) or "unknown"


def _tables(part: Part, policies: Part) -> Iterator[Block]:
    heads = ("Becomes", "Policy", "Selector", "Pods", "What follows")
    for key, caption in (
        ("effects", "Selectors of policies that change"),
        ("already", "Selectors that are broken already"),
    ):
        rows = [
            (row["becomes"], _policy(row), _selector(row), _pods(row), row["consequence"])
            for row in rows_of(policies.get(key))
        ]
        yield from _table(caption, heads, rows)
    costs = [
        (
            *(row["key"], row["state"], row["distinct_values"], row["identities"], row["contribution_together"]),
            *(", ".join(row.get("together_with") or ()), "yes" if row.get("explodes") else "no"),
        )
        for row in rows_of(part.get("by_label_key"))
    ]
    cost_heads = (
        "Label",
        "Afterwards",
        "Values",
        "Identities with it",
        "Identities it costs",
        "Together with",
        "Explodes",
    )
    yield from _table("What labels cost", cost_heads, costs)
    namespaces = [(row["namespace"], row["now"], row["after"]) for row in rows_of(part.get("by_namespace"))]
    yield from _table("Identities by namespace", ("Namespace", "Now", "Afterwards"), namespaces)
    workloads = [
        (_workload(row), row["pods"], ", ".join(row["lost"]), ", ".join(row["gained"]))
        for row in rows_of(part.get("workloads"))
    ]
    yield from _table("Workloads that get another identity", ("Workload", "Pods", "Loses", "Gets"), workloads)
    remarks = [(row["item"], row["effect"], row.get("instead") or "") for row in rows_of(part.get("lint"))]
    yield from _table("Remarks on the patterns", ("Pattern", "What it does", "Write"), remarks)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[t.Any]]) -> Iterator[Block]:
    if rows:
        yield table(caption, heads, rows, _MOST_ROWS)
