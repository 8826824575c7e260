"""Filters for AWX: what they refuse, and that they take what ansible-core hands over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.filter.awx_answers import awx_answers
from ansible_collections.podnet.upkeep.plugins.filter.awx_survey import awx_survey
from ansible_collections.podnet.upkeep.plugins.filter.run_summary import run_summary


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: awx_survey("no"), "awx_survey: the argument of the filter is a text; give a dictionary"),
        (
            lambda: awx_survey({"a": {"default": 1}}, excluded=["("]),
            "awx_survey: an excluded option is no regular expression",
        ),
        (lambda: awx_survey({}, excluded="_x$"), "excluded is a text; give a list of texts such as"),
        (lambda: awx_answers({"a": []}), "awx_answers: option a of the argument specification is no mapping"),
        (lambda: run_summary([], "p"), "run_summary: the argument of the filter is a list; give a dictionary"),
        (lambda: run_summary({}, "p", max_bytes=10), "run_summary: max_bytes is 10; give at least 2048"),
        (lambda: run_summary({}, "p", max_bytes=10**6), "max_bytes is 1000000; give a whole number from 0 to 700000"),
        (lambda: run_summary({}, 3), "playbook is a number; give a text such as podnet.upkeep.audit"),  # type: ignore[arg-type]
        (lambda: run_summary({}, "p", paths=["a"]), "paths is a list; give a dictionary"),
    ],
)
def test_refusals(call: Callable[[], Any], sentence: str) -> None:
    """One sentence that names the argument."""
    with pytest.raises(AnsibleFilterError) as refused:
        call()
    assert sentence in str(refused.value)


def test_answers() -> None:
    """Nothing to ask is no survey, and an empty run has all keys."""
    assert awx_survey({"a": {"type": "int"}}) == {} and awx_answers({"a": {"default": "x"}}) == {}
    made = run_summary({"deleted": 2}, "podnet.upkeep.clean_endpoints", check_mode=True, paths={"journal": ""})
    assert made["counts"] == {"deleted": 2} and made["paths"] == {} and made["check_mode"] is True
    assert made["omitted"] == {"findings": 0, "hosts": 0, "subjects": 0}
