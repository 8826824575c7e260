"""What counts as ours, and what is written into a report."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import (
    ANNOTATION,
    LABEL,
    PREFIX,
    StressLeftError,
    StressObjects,
    namespace_object,
    new_run,
    pod_object,
    run_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_run import _overlapping, _quantile
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_watch import SeenIdentity
from ansible_collections.podnet.upkeep.plugins.module_utils._report.stress_report import stress_lines, stress_markdown

RUN = "0123456789"


def test_all_marks_make_it_ours() -> None:
    """Any run; not one that lacks a mark, or whose marks tell of different runs."""
    run = new_run()
    assert run_of(namespace_object(run, "", "")) == run
    sound = namespace_object(RUN, "2026-11-01T00:00:00+00:00", "me")
    for path, value in (
        (("name",), f"{PREFIX}9876543210"),
        (("name",), "shop"),
        (("name",), f"{PREFIX}{RUN}0"),
        (("labels", LABEL), "9876543210"),
        (("labels", LABEL), None),
        (("labels", "app.kubernetes.io/managed-by"), "helm"),
        (("annotations", ANNOTATION), None),
        (("annotations", ANNOTATION), "not JSON"),
        (("annotations", ANNOTATION), '["list"]'),
        (("annotations", ANNOTATION), '{"run": "9876543210"}'),
    ):
        changed: dict[str, Any] = copy.deepcopy(sound)
        part = changed["metadata"]
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        assert run_of(changed) is None, path


class Api:
    """Namespaces and pods; what was deleted, with which uid."""

    def __init__(self, pods: list[Any]) -> None:
        self.pods = pods
        self.deleted: list[tuple[str, str]] = []

    def list(self, _path: str, params: Any = None) -> list[Any]:
        """Pods of any namespace."""
        del params
        return self.pods

    def find(self, _path: str) -> Any:
        """Namespaces go at once."""
        return None

    def delete(self, path: str, *, uid: str) -> None:
        """Somebody else deletes the second pod."""
        self.deleted.append((path, uid))
        if uid == "p1":
            raise ApiError("gone", status=404)


def pod(number: int, **labels: str) -> Any:
    """A pod of the test, or of somebody else."""
    made = pod_object(RUN, number, "app", "i", {})
    made["metadata"]["uid"] = f"p{number}"
    made["metadata"]["labels"].update(labels)
    return made


def space() -> Any:
    """Our namespace."""
    made = namespace_object(RUN, "", "")
    made["metadata"]["uid"] = "n"
    return made


def test_everything_is_deleted_by_its_uid() -> None:
    """Pods first; one that is gone already is no failure."""
    api: Any = Api([pod(0), pod(1)])
    assert StressObjects(api).remove([space()]) == 2
    path = f"/api/v1/namespaces/{PREFIX}{RUN}"
    assert sorted(api.deleted[:2]) == [(f"{path}/pods/stress-0", "p0"), (f"{path}/pods/stress-1", "p1")]
    assert api.deleted[2:] == [(path, "n")]


def test_a_namespace_with_other_pods_stays() -> None:
    """Nothing of it is deleted."""
    api: Any = Api([pod(0), pod(1, **{LABEL: "other"})])
    with pytest.raises(StressLeftError, match=r"pods that no stress test has made \(stress-1\)"):
        StressObjects(api).remove([space()])
    assert api.deleted == []


def test_pods_may_do_nothing() -> None:
    """As the strictest level of Pod Security wants it; each has a label of its own."""
    made = pod_object(RUN, 7, "app.kubernetes.io/instance", "image", {"nodeSelector": {"a": "b"}})
    other = pod_object(RUN, 8, "app.kubernetes.io/instance", "image", {})
    spec = made["spec"]
    assert (
        made["metadata"]["labels"]["app.kubernetes.io/instance"]
        != other["metadata"]["labels"]["app.kubernetes.io/instance"]
    )
    assert spec["automountServiceAccountToken"] is False and spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "resources" not in spec["containers"][0] and spec["nodeSelector"] == {"a": "b"}


def test_numbers() -> None:
    """Duplicates are identities with the same labels at the same time."""
    seen = [SeenIdentity("a", 1.0), SeenIdentity("a", 2.0), SeenIdentity("b", 1.0, deleted=2.0), SeenIdentity("b", 3.0)]
    assert _overlapping(seen) == [seen[1]]
    assert _quantile([], 0.5) is None and _quantile([1.0, 2.0, 3.0], 0.5) == 2.0 and _quantile([1.0, 2.0], 1.0) == 2.0


def test_reports() -> None:
    """Also of a test that stopped before anything was measured."""
    whole = {
        "server": "https://192.0.2.1:6443",
        "started": "2026-11-01T00:00:00+00:00",
        "identities_wanted": 10,
        "pods_created": 9,
        "allocation": {
            "identities": 8,
            "missing": 1,
            "duplicates": 1,
            "collected_early": 2,
            "per_second": 4.0,
            "seconds": 2.0,
            "wait_median_seconds": 0.1,
            "wait_95_percent_seconds": 0.2,
        },
        "recovery": {
            "recovered": False,
            "identities_left": 3,
            "seconds": None,
            "collected": 5,
            "collected_per_second": None,
            "expected_seconds": {"usual": 4500.0, "longest": 5400.0},
        },
        "clean": True,
        "left": "",
        "stopped": "The switch stop is set.",
        "plan": {"room": 100},
    }
    text = " ".join(stress_lines(whole))
    for words in (
        "8 of 10 identities were made for 9 pods",
        "3 are still there",
        "75 min",
        "2 identities were collected",
        "stop is set",
    ):
        assert words in text
    empty = {**whole, "allocation": {}, "recovery": {}, "clean": False, "left": "It is in namespace x."}
    assert "0 of 10 identities" in stress_lines(empty)[0] and "It is in namespace x." in stress_lines(empty)
    for one in (whole, empty):
        assert stress_markdown(one).startswith("# Stress test of identities\n")
