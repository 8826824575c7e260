"""The label filter against the vectors of upstream, and its patterns against what Go's regexp answered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import (
    LabelFilter,
    LabelFilterError,
    LabelFilterNotJudgedError,
    defaults,
    dropping_line,
    parse,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter_pattern import (
    PatternError,
    PatternNotJudgedError,
    compile_go,
)

OF_GO = json.loads((Path(__file__).parent / "go_patterns.json").read_text(encoding="utf-8"))
# filter_test.go of cilium/cilium: keys that a container has, and those that make its identity
CONTAINER_KEYS = (
    *("io.kubernetes.container.hash", "io.kubernetes.container.name", "io.kubernetes.container.restartCount"),
    *("io.kubernetes.container.terminationMessagePath", "io.kubernetes.pod.name", "io.kubernetes.pod.namespace"),
    *("app.kubernetes.io", "kubernetes.io.foo", "beta.kubernetes.io.foo", "annotation.kubectl.kubernetes.io"),
    *("annotation.hello", "io.kubernetes.pod.terminationGracePeriod", "io.kubernetes.pod.uid", "ignore", "ignorE"),
    *("annotation.kubernetes.io/config.seen", "controller-revision-hash"),
)


def kept(label_filter: LabelFilter, source: str, *keys: str) -> set[str]:
    """Those of the keys that make identities."""
    return {key for key in keys if label_filter.keep(source, key)}


@pytest.mark.parametrize(("pattern", "lengths"), OF_GO["patterns"], ids=repr)
def test_patterns_are_those_of_go(pattern: str, lengths: list[int] | None) -> None:
    """What Go refuses is refused, and what it compiles matches the same part of each key."""
    try:
        expression = compile_go(pattern)
    except PatternError:
        assert lengths is None
        return
    except PatternNotJudgedError:
        return
    found = [expression.match(key) for key in OF_GO["keys"]]
    assert [-1 if match is None else match.end() for match in found] == lengths


def test_few_patterns_are_not_judged() -> None:
    """The way out of a test above is no way around it."""
    unjudged = 0
    for pattern, _lengths in OF_GO["patterns"]:
        try:
            compile_go(pattern)
        except PatternError:
            pass
        except PatternNotJudgedError:
            unjudged += 1
    assert unjudged < 10


@given(st.text(alphabet="ab.-/\\()[]{}?*+|^$:!i,1<P=dwQEz", max_size=12))
def test_any_text_is_a_pattern_or_one_sentence(text: str) -> None:
    """Nothing but the two errors, and a match is what a match is."""
    try:
        match = compile_go(text).match("ab-1.a/b")
    except (PatternError, PatternNotJudgedError) as error:
        assert str(error)
    else:
        assert match is None or match.start() == 0


def test_upstream_filter_labels() -> None:
    """TestFilterLabels: an ignore, and two includes that turn the filter into a list of what is allowed."""
    label_filter = LabelFilter((1, 16), ":!ignor[eE] id.* foo")
    expected = {"io.kubernetes.pod.namespace", "app.kubernetes.io"}
    assert kept(label_filter, "container", *CONTAINER_KEYS) == expected
    assert label_filter.keep("container", "id.lizards") and label_filter.keep("k8s", "id.lizards.k8s")
    assert label_filter.keep("k8s", "foo2.lizards.k8s") and not label_filter.keep("k8s", "lizards.foo.lizards.k8s")


def test_upstream_default_filter() -> None:
    """TestDefaultFilterLabels."""
    label_filter = LabelFilter((1, 16))
    expected = {"app.kubernetes.io", "io.kubernetes.pod.namespace", "ignore", "ignorE", "ioXkubernetes"}
    assert kept(label_filter, "container", *CONTAINER_KEYS, "ioXkubernetes") == expected
    assert label_filter.keep("reserved", "host")


def test_upstream_example_of_the_documentation() -> None:
    """TestFilterLabelsDocExample."""
    label_filter = LabelFilter((1, 16), "k8s:io.kubernetes.pod.namespace k8s:k8s-app k8s:app k8s:name")
    keys = ("io.cilium.k8s.namespace.labels", "k8s-app-team", "app-production", "name-defined")
    assert kept(label_filter, "k8s", *keys) == set(keys)
    assert label_filter.keep("reserved", "host") and label_filter.keep("any", "io.kubernetes.pod.namespace")
    assert not label_filter.keep("container", "k8s-app-role")


def test_defaults_by_version() -> None:
    """As the real operator 1.18.4 logs them, and what came when."""
    assert [str(one) for one in defaults((1, 18, 4))] == [
        "reserved:.*",
        r":io\.kubernetes\.pod\.namespace",
        r":io\.cilium\.k8s\.namespace\.labels",
        r":app\.kubernetes\.io",
        r":io\.cilium\.k8s\.policy\.cluster",
        r":io\.cilium\.k8s\.policy\.serviceaccount",
        r"!:io\.kubernetes",
        r"!:kubernetes\.io",
        r"!:statefulset\.kubernetes\.io/pod-name",
        r"!:apps\.kubernetes\.io/pod-index",
        r"!:batch\.kubernetes\.io/job-completion-index",
        r"!:batch\.kubernetes\.io/controller-uid",
        r"!:.*beta\.kubernetes\.io",
        r"!:k8s\.io",
        "!:pod-template-generation",
        "!:pod-template-hash",
        "!:controller-revision-hash",
        "!:controller-uid",
        "!:annotation.*",
        "!:etcd_node",
    ]
    assert [len(defaults((1, minor))) for minor in (14, 15, 16, 17, 18, 19, 20)] == [13, 16, 19, 19, 20, 21, 21]
    assert len(defaults((1, 18, 6))) == 20 and len(defaults((1, 18, 7))) == 21
    keys = ("controller-uid", "job-name", "topology.kubernetes.io/zone", "batch.kubernetes.io/job-name")
    assert kept(LabelFilter((1, 14)), "k8s", *keys) == set(keys)
    assert kept(LabelFilter((1, 18)), "k8s", *keys) == set(keys) - {"controller-uid"}
    assert kept(LabelFilter((1, 20)), "k8s", *keys) == {"job-name", "batch.kubernetes.io/job-name"}


@pytest.mark.parametrize(
    ("labels", "key", "expected"),
    [
        # as many characters as the default include drop what it keeps; fewer do not
        (r"k8s:!io\.cilium\.k8s\.policy\.serviceaccount", "io.cilium.k8s.policy.serviceaccount", False),
        (r"k8s:!io\.cilium\.k8s\.policy\.serv", "io.cilium.k8s.policy.serviceaccount", True),
        # the mark before the source makes an include of it, which drops all else
        ("!k8s:version", "app", False),
        ("k8s:!version", "app", True),
        ("!version", "version", False),
        # a source that no pod label has still turns the filter
        ("any:app", "app", False),
        ("any:!app", "app", True),
        # a prefix unless it is anchored
        ("k8s:app", "application", True),
        ("k8s:app$", "application", False),
        # a comma separates nothing (seen with the real operator 1.18.4)
        ("k8s:!version,k8s:!track", "track", True),
        ("k8s:!version,k8s:!track", "version", True),
        ("k8s:!version\n  k8s:!track", "track", False),
        # an ignore of no length is none
        ("k8s:!", "app", True),
    ],
)
def test_what_people_write(labels: str, key: str, expected: bool) -> None:
    """Consequences of the algorithm that surprise."""
    assert LabelFilter((1, 18), labels).keep("k8s", key) is expected


@pytest.mark.parametrize(("text", "item"), [("k8s:", "k8s:"), ("a k8s:!(?=x) b", "k8s:!(?=x)"), ("*a", "*a")])
def test_refused(text: str, item: str) -> None:
    """The item is named, and so is the reason."""
    with pytest.raises(LabelFilterError, match=re.escape(f"'{item}' in labels")) as caught:
        parse(text)
    assert caught.value.item == item


def test_not_judged() -> None:
    """What would take Python for ever is not simulated."""
    with pytest.raises(LabelFilterNotJudgedError, match="cannot be simulated"):
        parse("k8s:(a+)+$")


def test_deciding_patterns() -> None:
    """Why a label is dropped can be told."""
    label_filter = LabelFilter((1, 18), "k8s:!io")
    found = [str(one) for one in label_filter.deciding("k8s", "io.kubernetes.pod.namespace")]
    assert found == [r":io\.kubernetes\.pod\.namespace", r"!:io\.kubernetes", "!k8s:io"]


@given(st.from_regex(r"[a-z0-9]([a-z0-9._/-]{0,30}[a-z0-9])?", fullmatch=True))
def test_a_dropping_line_drops_its_key_only(key: str) -> None:
    """Whatever the key, also one that is included by default; and no longer key with it."""
    line = dropping_line(key)
    assert not LabelFilter((1, 18), line).keep("k8s", key)
    plain = LabelFilter((1, 18))
    longer = key + "x"
    assert LabelFilter((1, 18), line).keep("k8s", longer) is plain.keep("k8s", longer)
