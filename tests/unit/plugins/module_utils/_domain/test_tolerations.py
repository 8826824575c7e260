"""Taints and tolerations by the rules of Kubernetes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.tolerations import (
    not_tolerated,
    stays_under,
    tolerates,
)

TAINT = {"key": "k", "value": "v", "effect": "NoExecute"}


def pod(*tolerations: dict[str, Any]) -> dict[str, Any]:
    """A pod with these tolerations."""
    return {"spec": {"tolerations": list(tolerations)}}


@pytest.mark.parametrize(
    ("toleration", "tolerated", "stays"),
    [
        ({"operator": "Exists"}, True, True),
        ({"key": "k", "operator": "Exists"}, True, True),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, True, True),
        ({"key": "k", "operator": "Exists", "effect": "NoSchedule"}, False, False),
        ({"key": "k", "operator": "Exists", "tolerationSeconds": 300}, True, False),
        ({"key": "k", "value": "v"}, True, True),
        ({"key": "k", "operator": "Equal", "value": "v"}, True, True),
        ({"key": "k", "value": "other"}, False, False),
        ({"key": "k"}, False, False),
        ({"key": "other", "operator": "Exists"}, False, False),
        ({"operator": "Equal", "value": "v"}, False, False),
    ],
)
def test_one_toleration(toleration: dict[str, Any], tolerated: bool, stays: bool) -> None:
    """Whether it matches, and whether the pod stays for good."""
    assert (tolerates(pod(toleration), TAINT), stays_under(pod(toleration), TAINT)) == (tolerated, stays)


def test_several_tolerations() -> None:
    """The shortest that matches counts; none matches nothing."""
    forever, short = {"operator": "Exists"}, {"key": "k", "operator": "Exists", "tolerationSeconds": 0}
    assert not stays_under(pod(forever, short), TAINT)
    assert not stays_under({}, TAINT) and not tolerates({"spec": {}}, TAINT)


def test_what_keeps_a_new_pod_away() -> None:
    """A preference does not."""
    soft = {"key": "s", "effect": "PreferNoSchedule"}
    assert not_tolerated(pod(), [TAINT, soft]) == [TAINT]
    assert not_tolerated(pod({"operator": "Exists"}), [TAINT, soft]) == []
