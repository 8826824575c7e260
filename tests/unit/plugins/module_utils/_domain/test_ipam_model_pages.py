"""Every model that can be found has a page, and every page says all there is to say."""

from __future__ import annotations

import dataclasses
import re

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain import ipam_model, ipam_model_of_node
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import NODE_SPEC, UNKNOWN
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_pages import PAGES, page_key, page_of

CILIUM_MODES = ("cluster-pool", "multi-pool", "eni", "azure", "alibabacloud", "crd", "delegated-plugin")


def test_every_model_has_a_page() -> None:
    """Those by DaemonSet, those of Cilium's modes, those of single Nodes."""
    models = {*ipam_model._BY_DAEMON_SET.values(), *ipam_model_of_node._OF_COMPUTE_TYPE.values()}
    models |= {f"cilium-{mode}" for mode in CILIUM_MODES} | {"aws-windows", "virtual-kubelet", UNKNOWN}
    pages = {key.partition("/")[0] for key in PAGES}
    assert pages == models
    cnis = {*ipam_model._CNI.values(), "cilium"}
    assert {key.partition("/")[2] for key in PAGES} - {""} == cnis


@pytest.mark.parametrize("key", PAGES)
def test_a_page_has_whole_sentences(key: str) -> None:
    """And no character that belongs to a template or a draft."""
    page = PAGES[key]
    for field in dataclasses.fields(page):
        text = getattr(page, field.name)
        if field.name == "agent":
            continue
        assert text and "\n" not in text and "  " not in text
        if field.name not in ("title", "verify"):
            assert text.endswith(".") and not re.search(r"[{}\u2014]", text)


def test_what_is_not_listed_is_unknown() -> None:
    """A new mode of Cilium, for example; a CNI without a way of its own has the page of Node.spec."""
    assert page_of("cilium-new-mode") is PAGES[UNKNOWN]
    assert page_of(NODE_SPEC, "something") is PAGES[NODE_SPEC]
    assert page_key(NODE_SPEC, "flannel") == "node-spec/flannel" and page_key("calico", "flannel") == "calico"
