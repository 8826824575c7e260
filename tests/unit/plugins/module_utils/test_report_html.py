"""The HTML report: nothing from the cluster becomes markup, nothing leaves the file, and thousands of Nodes fit."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from typing import Any

import pytest
from snapshots.make_sick_small import state
from snapshots.small_clusters import audited, content, controller_manager, daemon_set, node, pod

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._report_html import render

SICK = document(Context(ClusterState.from_json(state())))
# elements that HTML lets stand without an end tag, and that we do so
OPEN = {"meta", "input", "br", "th", "td"}


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


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No address of another place, no event handler; the policy allows exactly the style and script that are there."""
    text = render(SICK)
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


def test_links_lead_somewhere() -> None:
    """Every target of the navigation exists, once."""
    page = Page(render(SICK))
    identifiers = [attributes["id"] for _tag, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = {str(attributes["href"])[1:] for _tag, attributes in page.elements if "href" in attributes}
    assert targets and targets <= set(identifiers)


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
    assert len(text) < 4_000_000
    assert text.count("kube-controller-manager exits when it starts") == 1
    assert "<details><summary>5000 findings</summary>" in text
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
