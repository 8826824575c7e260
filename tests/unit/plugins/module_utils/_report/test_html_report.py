"""The HTML report: nothing from the cluster becomes markup, nothing leaves the file, and thousands of Nodes fit."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from typing import Any

import pytest
from snapshots.make_sick_small import state
from snapshots.report_documents import PARTS, PARTS_OF_ALL, full
from snapshots.small_clusters import audited, content, controller_manager, daemon_set, node, pod

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._report.html_report import render
from ansible_collections.podnet.upkeep.plugins.module_utils._report.page import _STYLE

SICK = document(Context(ClusterState.from_json(state())))
# elements that HTML lets stand without an end tag, and that we do so
OPEN = {"meta", "input", "br"}


class Page(html.parser.HTMLParser):
    """Reads a page: its elements and their attributes, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._stack: list[str] = []
        self.feed(text)
        self.close()
        assert self._stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One more open element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in OPEN:
            self._stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """The innermost element ends."""
        assert self._stack and self._stack.pop() == tag, f"</{tag}> does not close the innermost element"

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>' onload='alert(3)\" onfocus=\"alert(4)"


def hostile(value: Any) -> Any:
    """The value with a hostile piece in every text that is neither a key nor something that checks have to read."""
    if isinstance(value, dict):
        kept = (
            "phase",
            "type",
            "status",
            "taken_at",
            "podCIDR",
            "podCIDRs",
            "podIPs",
            "command",
            "namespace",
            "component",
        )
        return {key: one if key in kept else hostile(one) for key, one in value.items()}
    if isinstance(value, list):
        return [hostile(one) for one in value]
    return value + HOSTILE if isinstance(value, str) else value


def test_hostile_names_stay_text() -> None:
    """Whatever names, addresses, versions and reasons hold: the page has the elements of a page without them."""
    resources = {
        "nodes": [node("a", "10.1.0.0/24"), node("b"), node("c", "10.0.0.0/24", address="10.0.0.9")],
        "pods": [
            controller_manager("a", "--allocate-node-cidrs=true", "--cluster-cidr=10.0.0.0/16"),
            pod("p", "c", "10.9.0.1"),
        ],
    }
    plain = content(**resources, unknown={"leases": "forbidden"})
    pages = []
    for text in (plain, {**hostile(plain), "format": 1}):
        result = document(Context(ClusterState.from_json(text)))
        assert len(result["findings"]) > 2
        pages.append(Page(render(result)))
    ours, theirs = ([(tag, sorted(attributes)) for tag, attributes in page.elements] for page in pages)
    assert ours == theirs
    assert HOSTILE in pages[1].text


def test_hostile_parts_stay_text() -> None:
    """The same for what checks say about Cilium, and for the comparison: names of states, classes, keys, pools."""
    plain = full()
    # severities and ids are ours, and a chapter without a known verdict has other words
    spoiled = {**plain, **{part: hostile_parts(plain[part]) for part in PARTS_OF_ALL}}
    spoiled["nodes"] = [
        {**one, "provider": one["provider"] + HOSTILE, "if_deleted": one["if_deleted"] + HOSTILE}
        for one in plain["nodes"]
    ]
    ours, theirs = (Page(render(one)) for one in (plain, spoiled))
    assert [tag for tag, _attributes in ours.elements if tag != "a"] == [
        tag for tag, _attributes in theirs.elements if tag != "a"
    ]
    assert HOSTILE in theirs.text


def hostile_parts(value: Any, key: str = "") -> Any:
    """The value with a hostile piece in every text and in every name of a mapping that is data."""
    if isinstance(value, dict):
        data = key == "states"
        return {(name + HOSTILE if data else name): hostile_parts(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return value if key == "history" else [hostile_parts(one, key) for one in value]
    return value + HOSTILE if isinstance(value, str) and key != "exhausted_at" else value


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No address of another place, no event handler; the policy allows exactly the style and script that are there."""
    text = render(full())
    page = Page(text)
    for tag, attributes in page.elements:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "action", "style")}, tag
        assert tag not in ("link", "img", "iframe", "object", "form")
        assert (attributes.get("href") or "#").startswith("#")
    assert "http://" not in text and "https://" not in text and "url(" not in text and "@import" not in text
    (policy,) = [one["content"] for tag, one in page.elements if one.get("http-equiv") == "Content-Security-Policy"]
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        (inner,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)


@pytest.mark.parametrize("kinds", [1, 12])
def test_the_file_stays_small(kinds: int) -> None:
    """Five thousand Nodes with long names, each with a finding of every kind; what is left out is said."""
    document = full()
    name = "ip-10-222-111-{:03}.eu-central-1.compute.internal.and-more"
    example = document["nodes"][1]
    document["nodes"] = [{**example, "name": name.format(number)} for number in range(5000)]
    first = document["findings"][0]
    document["findings"] = [
        {**first, "id": f"{first['id']}-{kind}", "subject": {"kind": "Node", "name": node["name"], "namespace": ""}}
        for kind in range(kinds)
        for node in document["nodes"]
    ]
    text = render(document)
    assert len(text.encode()) < 3_000_000
    assert "rows are shown; the JSON report has all." in text
    for kind in range(kinds):
        part = text.split(f'id="critical-{first["id"]}-{kind}"')[1].split("</section>")[0]
        assert part.count("<tr data-f") >= 5


def test_all_parts() -> None:
    """Charts, pools, endpoints, model, decision path, agents, kvstore, comparison."""
    text = render(full())
    shown = Page(text).text
    for words in (
        *(
            "leaked: 42,148",
            "capacity 65,279",
            "broken: the cilium-operator may not delete",
            "batch.kubernetes.io/job-name",
        ),
        *(
            "waiting-for-identity",
            "fd00::/104",
            "What frees a block?",
            "Does the allocator run?",
            "NOSPACE",
            "kube-scheduler",
        ),
        *("Node worker-99 had 10.99.0.0/24", "bare metal", "52 of 254", "Failing controllers"),
    ):
        assert words in shown
    assert shown.count("new\n") + text.count('<span class="tag new">new</span>') == 2
    # ids of the decision path lead to their findings, an id without finding leads nowhere
    assert '<a href="#critical-pod-cidr-pool-exhausted">' in text and "<code>not-there</code>" in text


@pytest.mark.parametrize("part", PARTS)
def test_without_a_part(part: str) -> None:
    """The page is whole, and its links lead somewhere."""
    links_lead_somewhere(render({**full(), part: None}))


def test_parts_of_another_shape_are_shown_all_the_same() -> None:
    """A newer check may add to its part, or leave out what others have."""
    parts: dict[str, Any] = {
        "identities": {
            "used": None,
            "range": {},
            "classes": None,
            "gc": {},
            "history": [1],
            "forecast": {},
            "beside": {"a": [1, {"b": 2}]},
        },
        "endpoints": {"states": {"": None}, "per_node": [{"node": "a", "bad": 3}, {"node": "b", "since": None}]},
        "ipam_report": {"paragraphs": None, "table": {}},
        "decision_path": [{}, 3],
        "agents": {},
    }
    for made in ({**SICK, **parts}, {**SICK, **{key: {} for key in parts}}):
        links_lead_somewhere(render(made))
    assert "Per node" in render({**SICK, **parts})


def test_tables_have_headers() -> None:
    """A caption, column headers with their scope, and as many cells in each row."""
    text = render(full())
    for table in re.findall("<table.*?</table>", text, re.DOTALL):
        columns = re.findall('<th scope="col"', table)
        assert columns and table.count("<caption>") == 1
        for row in re.findall("<tr[^>]*>(.*?)</tr>", table.split("<tbody>")[1], re.DOTALL):
            assert len(re.findall("<t[dh][ >]", row)) == len(columns)
    for drawing in re.findall("<svg[^>]*>", text):
        assert 'role="img"' in drawing and "aria-label" in drawing


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, by WCAG 2."""

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(one * 2 for one in digits) if len(digits) == 3 else digits
        parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
        linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_can_be_told_apart() -> None:
    """Text has a contrast of 4.5, areas 3 against the panel, in both themes."""
    first, second = (
        dict(re.findall("--([a-z-]+):(#[0-9a-f]+)", part)) for part in re.findall(":root{(.*?)}", _STYLE, re.DOTALL)[:2]
    )
    for theme in (first, {**first, **second}):
        texts = [("text", "bg"), ("text", "card"), ("muted", "bg"), ("muted", "card"), ("text", "code"), ("info", "bg")]
        texts += [(name, f"{name}-bg") for name in ("critical", "warning", "info", "ok")]
        texts += [(name, "card") for name in ("critical", "warning", "info")]
        texts += [("on", name) for name in ("used", "shared", "odd", "reserved")]
        for one, other in texts:
            assert contrast(theme[one], theme[other]) >= 4.5, (one, other)
        for name in ("used", "shared", "odd", "second", "third"):
            assert contrast(theme[name], theme["card"]) >= 3, name
        assert contrast(theme["used"], theme["free"]) >= 3


def links_lead_somewhere(text: str) -> None:
    """Every target of a link exists, once."""
    page = Page(text)
    identifiers = [attributes["id"] for _tag, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = {str(attributes["href"])[1:] for _tag, attributes in page.elements if "href" in attributes}
    assert targets and targets <= set(identifiers)


@pytest.mark.parametrize("document", [SICK, full()], ids=["sick", "full"])
def test_links_lead_somewhere(document: dict[str, Any]) -> None:
    """Of the navigation, and of findings."""
    links_lead_somewhere(render(document))


def test_everything_is_there() -> None:
    """Each finding with its texts, each Node, and the settings with their source."""
    text = Page(render(SICK)).text
    for finding in SICK["findings"]:
        for part in (finding["summary"], finding["meaning"], finding["why"], finding["remedy"]["text"], finding["id"]):
            assert part in text
    for known in SICK["nodes"]:
        assert known["name"] in text
    assert SICK["allocator"]["source"] in text
    assert """-e '{"reassign_pod_cidrs_nodes": ["worker-4", "worker-5"]}'""" in text


def test_the_same_facts_give_the_same_bytes() -> None:
    """So that a difference between two reports means something."""
    assert render(SICK) == render(document(Context(ClusterState.from_json(state()))))


def test_thousands_of_findings() -> None:
    """They are grouped and folded; their common text is there once."""
    nodes = [node(f"node-{number:04}", f"11.{number >> 8}.{number & 255}.0/24") for number in range(5000)]
    text = render(audited(nodes=nodes))
    assert len(text) < 3_000_000
    assert text.count("kube-controller-manager exits when it starts") == 1
    assert '<details class="rows"><summary>5000 findings</summary>' in text
    assert "1000 of 5000 rows are shown; the JSON report has all." in text
    assert "reassign_pod_cidrs_nodes" not in text  # the command without names means: every Node that needs it


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"nodes": [node("a", "10.0.0.0/24")]}, "Everything that was checked is in order."),
        ({"allocator": None}, "It is not known which object decides about pod addresses"),
        ({"unknown": {"daemonsets": "the permission is missing"}}, "is neither fine nor faulty"),
        ({"allocator": None, "daemonsets": [daemon_set("calico-node")]}, "Calico gives Nodes blocks of its IPPools"),
    ],
)
def test_other_clusters(more: dict[str, Any], words: str) -> None:
    """A healthy one, one that shows nothing, one that may not be read."""
    assert words in Page(render(audited(**more))).text
