"""Mistakes in label filters: each is found with what it does, and a filter that is in order has none."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_label_filter import (
    ALLOW_LIST,
    LOOSE,
    NEGATION,
    NO_EFFECT,
    SEPARATOR,
    SOURCE,
    UNREADABLE,
    lint,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import LabelFilter

V = (1, 18)


def kinds(labels: str, version: tuple[int, int] = V) -> list[str]:
    """Kinds of all mistakes, in their order."""
    return [one.kind for one in lint(labels, version)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("", []),
        ("k8s:!job-name k8s:!controller-uid", []),
        (r"k8s:!app\.kubernetes\.io", []),
        (r"!batch\.kubernetes\.io/job-name$", []),
        ("reserved:.*", [ALLOW_LIST]),
        ("k8s:app$", [ALLOW_LIST]),
        ("k8s:app", [LOOSE, ALLOW_LIST]),
        ("k8s:!helm.sh", [LOOSE]),
        ("k8s:!helm.*", []),
        (r"k8s:!a\\.b", [LOOSE]),
        ("!k8s:job-name", [NEGATION]),
        ("!k8s:!job-name", [NEGATION]),
        ("any:app", [SOURCE]),
        ("any:!app", [SOURCE]),
        ("kubernetes:app", [SOURCE]),
        ("k8s:app,k8s:team", [SEPARATOR]),
        ("k8s:!app, k8s:!team", [SEPARATOR]),
        ("app,!team", [SEPARATOR]),
        ("k8s:!a{1,3}", []),
        ("k8s:!app", []),
        (r"k8s:!app\.kubernetes", [NO_EFFECT]),
        ("k8s:", [UNREADABLE]),
        ("k8s:(?!a)", [UNREADABLE]),
        ("k8s:(a", [UNREADABLE]),
        (r"k8s:!(a)\1", [UNREADABLE]),
        (r"k8s:!io\.cilium\.k8s\.policy\.serv", [NO_EFFECT]),
        (r"k8s:!io\.cilium\.k8s\.policy\.serviceaccount", []),
        (r"k8s:!io\.kubernetes\.pod\.namespace", [NO_EFFECT]),
        (r"k8s:!io\.cilium", [NO_EFFECT, NO_EFFECT, NO_EFFECT]),
    ],
)
def test_mistakes(labels: str, expected: list[str]) -> None:
    """The kinds, item by item; that it is an allow-list comes last."""
    assert kinds(labels) == expected


def test_defaults_depend_on_the_version() -> None:
    """The service account is a default include since 1.18 only."""
    assert kinds(r"k8s:!io\.cilium\.k8s\.policy\.serv", (1, 17)) == []


@pytest.mark.parametrize(
    ("labels", "instead"),
    [
        ("!k8s:job-name", "k8s:!job-name"),
        ("!k8s:!job-name", "k8s:!job-name"),
        ("any:!app", "k8s:!app"),
        ("k8s:!a.b.c", r"k8s:!a\.b\.c"),
        ("k8s:app,k8s:team", "k8s:app k8s:team"),
        ("app", "app$"),
    ],
)
def test_what_to_write_instead(labels: str, instead: str) -> None:
    """The corrected item, which has no such mistake."""
    first = next(lint(labels, V))
    assert first.instead == instead
    assert first.kind not in kinds(instead)


@pytest.mark.parametrize("labels", ["!k8s:job-name", "any:app", "k8s:app,k8s:team"])
def test_what_is_said_to_drop_all_labels_does(labels: str) -> None:
    """By the simulation: a label that the defaults keep is gone, a default include is not."""
    (mistake,) = lint(labels, V)
    assert "drops all labels but the default includes" in mistake.effect
    found = LabelFilter(V, labels)
    assert not found.keep("k8s", "app") and not found.keep("k8s", "team")
    assert found.keep("k8s", "io.kubernetes.pod.namespace")


@pytest.mark.parametrize("labels", ["any:!app", r"k8s:!io\.cilium\.k8s\.policy\.serv"])
def test_what_is_said_to_have_no_effect_has_none(labels: str) -> None:
    """By the simulation: the same labels are kept as without it."""
    assert kinds(labels)
    for key in ("app", "io.cilium.k8s.policy.serviceaccount", "team"):
        assert LabelFilter(V, labels).keep("k8s", key) == LabelFilter(V).keep("k8s", key)


@given(st.text(alphabet="k8sany:!,.*()[]{}$\\^ -/ab", max_size=30))
def test_any_text_at_all(labels: str) -> None:
    """Never an exception; every mistake names an item of the text."""
    for mistake in lint(labels, V):
        assert mistake.effect
        if mistake.kind != ALLOW_LIST:
            assert mistake.item in re.split(r"\s+", labels)
