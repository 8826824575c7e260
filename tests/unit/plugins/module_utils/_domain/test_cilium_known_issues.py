"""Known bugs: which version has them under which configuration."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_known_issues import ISSUES, affecting

CRD: dict[str, str] = {}
KVSTORE = {"identity-allocation-mode": "kvstore"}
DUAL = {"enable-ipv4": "true", "enable-ipv6": "true"}


def numbers(
    version: tuple[int, int, int], config: dict[str, str], kubernetes: tuple[int, int] | None = (1, 36)
) -> set[int]:
    """Numbers of the issues that this version has, or may have."""
    return {one.number for one in affecting(version, config, kubernetes)}


@pytest.mark.parametrize(
    ("number", "config", "last_with", "first_without"),
    [
        (35946, CRD, (1, 16, 19), (1, 17, 0)),
        (34893, KVSTORE, (1, 16, 4), (1, 16, 5)),
        (43287, KVSTORE, (1, 18, 5), (1, 18, 6)),
        (43723, CRD, (1, 18, 6), (1, 18, 7)),
        (43723, CRD, (1, 17, 17), (1, 19, 0)),
        (19279, CRD, (1, 15, 19), (1, 16, 0)),
        (28003, CRD, (1, 14, 19), (1, 15, 0)),
        (18878, {"labels": "k8s:app$"}, (1, 17, 17), (1, 18, 0)),
        (16579, CRD, (1, 17, 17), (1, 18, 0)),
        (41986, {"ipam": "multi-pool"}, (1, 18, 11), (1, 19, 0)),
        (42920, CRD, (1, 18, 4), (1, 18, 5)),
        (44832, DUAL, (1, 18, 8), (1, 18, 9)),
        (44832, DUAL, (1, 17, 14), (1, 17, 15)),
        (44832, DUAL, (1, 19, 2), (1, 20, 0)),
        (42662, CRD, (1, 18, 4), (1, 18, 5)),
    ],
)
def test_where_a_fix_arrived(
    number: int, config: dict[str, str], last_with: tuple[int, int, int], first_without: tuple[int, int, int]
) -> None:
    """By the release notes of Cilium."""
    assert number in numbers(last_with, config)
    assert number not in numbers(first_without, config)


@pytest.mark.parametrize(
    ("number", "version", "config"),
    [
        (34893, (1, 16, 0), CRD),
        (41986, (1, 18, 0), {"ipam": "cluster-pool"}),
        (44832, (1, 17, 0), {"enable-ipv4": "true", "enable-ipv6": "false"}),
        (18878, (1, 15, 0), {"labels": "k8s:!app !team"}),
        (47214, (1, 19, 6), {"identity-management-mode": "operator"}),
        (47214, (1, 20, 0), CRD),
        (42662, (1, 17, 0), CRD),
        (28339, (1, 18, 0), KVSTORE),
    ],
)
def test_where_it_does_not_matter(number: int, version: tuple[int, int, int], config: dict[str, str]) -> None:
    """Another mode, or a version before it came."""
    assert number not in numbers(version, config)


def test_topology_labels_need_newer_kubernetes() -> None:
    """Older ones, and unknown ones, are left out."""
    assert 43723 not in numbers((1, 18, 4), CRD, (1, 34))
    assert 43723 not in numbers((1, 18, 4), CRD, None)


def test_every_issue_says_what_to_do() -> None:
    """Numbers are unique; what has no fix is not certain."""
    assert len({one.number for one in ISSUES}) == len(ISSUES)
    for issue in ISSUES:
        assert issue.symptom and issue.advice and issue.reference == f"cilium/cilium#{issue.number}"
        assert issue.fixed or not issue.certain
        assert issue.certain or " may " in issue.symptom or issue.rare
