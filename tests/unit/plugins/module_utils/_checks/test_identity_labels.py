"""Which labels make the identities, against a slow model."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from snapshots.identity_clusters import cilium, identity, security_labels
from snapshots.small_clusters import context

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import identities
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_labels import dropping_lines, label_keys
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import view_of

LABELS = st.dictionaries(st.sampled_from(["k8s:a", "k8s:b", "k8s:c", "k8s:d"]), st.sampled_from("xyz"))


def of(labels: list[dict[str, str]], **config: str) -> Any:
    """A cluster with these identities."""
    made = [identity(300 + number, labels=one) for number, one in enumerate(labels)]
    return context(**{**cilium(**config), "ciliumidentities": made})


@given(st.lists(LABELS, max_size=12))
def test_contribution_equals_the_slow_model(labels: list[dict[str, str]]) -> None:
    """Distinct sets minus distinct sets without the key, and without all that part alike."""

    def distinct(*without: str) -> int:
        return len({tuple(sorted((k, v) for k, v in one.items() if k not in without)) for one in labels})

    cluster = of(labels)
    found = label_keys(view_of(cluster))
    assert {one.key for one in found} == {key for one in labels for key in one}
    for one in found:
        values = [labels_of[one.key] for labels_of in labels if one.key in labels_of]
        assert (one.distinct_values, one.identities) == (len(set(values)), len(values))
        assert one.contribution == distinct() - distinct(one.key)
        assert one.contribution_together == distinct() - distinct(one.key, *one.together)
        for other in one.together:
            pairs = {(each.get(one.key), each.get(other)) for each in labels}
            assert len(pairs) == len({first for first, _second in pairs}) == len({second for _first, second in pairs})


def test_keys_that_change_together() -> None:
    """Dropping job-name alone changes nothing while batch.kubernetes.io/job-name says the same."""
    names = ("k8s:job-name", "k8s:batch.kubernetes.io/job-name")
    cluster = of([dict.fromkeys(names, f"job-{number}") for number in range(9)])
    one, other = label_keys(view_of(cluster))
    assert (one.contribution, one.contribution_together) == (0, 8)
    assert one.together == (other.key,) and other.together == (one.key,)
    assert set(dropping_lines(cluster, one)) == {"k8s:!job-name$", r"k8s:!batch\.kubernetes\.io/job-name$"}


def test_no_line_where_none_would_do() -> None:
    """A name of a namespace is never dropped, a generated label never can be, and an unknown version tells nothing."""
    labels = [
        {"k8s:io.kubernetes.pod.namespace": f"n{number}", "gen:io.cilium.k8s.named-ports": f"p.TCP.{number % 5}"}
        for number in range(9)
    ]
    for cluster in (of(labels), of([{"k8s:a": str(number)} for number in range(9)], version="latest")):
        for key in label_keys(view_of(cluster)):
            assert dropping_lines(cluster, key) == []


def test_a_line_drops_what_is_included_by_default() -> None:
    """app.kubernetes.io is; a line that is long enough still drops one of it."""
    cluster = of([{"k8s:app.kubernetes.io/instance": str(number)} for number in range(3)])
    (key,) = label_keys(view_of(cluster))
    assert dropping_lines(cluster, key) == [r"k8s:!app\.kubernetes\.io/instance$"]


def test_explosion() -> None:
    """One finding for keys that change together, with the line; a warning for a tenth of the range."""
    answer = [{"node": "n", "pod": "p", "status": {"identity-range": {"min-identity": 256, "max-identity": 1255}}}]
    for count, severity in ((18, None), (30, "info"), (120, "warning")):
        labels = [
            {**security_labels(app="a"), "k8s:job-name": f"j{number}", "k8s:batch.kubernetes.io/job-name": f"j{number}"}
            for number in range(count)
        ]
        cluster = of(labels)
        cluster = context(
            **{**cilium(), "agents": answer, "ciliumidentities": list(cluster.state.of("ciliumidentities"))}
        )
        found = [one for one in identities.check(cluster) if one.id == "identity-label-explosion"]
        assert [one.severity for one in found] == ([severity] if severity else [])
    (only,) = found
    assert only.evidence["label_filter"] == r"k8s:!batch\.kubernetes\.io/job-name$ k8s:!job-name$"
    assert "without it and k8s:job-name there would be 119 of 120 identities less" in only.summary
