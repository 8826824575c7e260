"""Prometheus text: what is read, what is passed over, and that nothing but ValueError is ever raised."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.prometheus_text import labels_of, parse, values

TEXT = """\
# HELP cilium_operator_identity_gc_entries The number of alive and deleted identities
# TYPE cilium_operator_identity_gc_entries gauge
cilium_operator_identity_gc_entries{status="deleted",identity_type="crd"} 3
cilium_operator_identity_gc_entries{identity_type="crd",status="alive"} 41077

cilium_controllers_failing 2 1767225600000
cilium_bpf_map_pressure { map_name = "cilium_policy_01734" , } 9.5e-01
request_seconds_bucket{le="+Inf"} 7 # {trace_id="abc"} 0.4
cilium_broken{ 5
cilium_unknown NaN
cilium_endless +Inf
"""


def test_samples_are_named_alike_whatever_the_order_of_labels() -> None:
    """Labels are sorted, time stamps and exemplars passed over, values that are no numbers left out."""
    assert parse(TEXT) == {
        'cilium_operator_identity_gc_entries{identity_type="crd",status="deleted"}': 3.0,
        'cilium_operator_identity_gc_entries{identity_type="crd",status="alive"}': 41077.0,
        "cilium_controllers_failing": 2.0,
        'cilium_bpf_map_pressure{map_name="cilium_policy_01734"}': 0.95,
        'request_seconds_bucket{le="+Inf"}': 7.0,
    }


def test_only_what_is_wanted_is_kept() -> None:
    """By the exact name of a metric, not by its beginning."""
    assert parse(TEXT, ["cilium_controllers_failing", "cilium_bpf_map"]) == {"cilium_controllers_failing": 2.0}
    assert parse("a 1\nb 2\n", {"b"}) == {"b": 2.0}
    assert parse("a 1\n", {"b"}) == {}


@pytest.mark.parametrize("text", ["<html><body>404</body></html>", "404 page not found\n", "upstream", "\x00\x01"])
def test_another_text_is_told_from_an_empty_one(text: str) -> None:
    """What has no sample and no comment is no metrics text; nothing at all is one without samples."""
    with pytest.raises(ValueError, match="not the text of Prometheus metrics"):
        parse(text)
    assert parse("") == {} and parse("\n\n") == {} and parse("# EOF\n") == {}


def test_values_of_one_metric() -> None:
    """With their labels, unescaped; a metric whose name only begins so is another one."""
    samples = parse('a{x="1\\"2\\\\3\\n4,}{"} 1\na 2\nab{x="1"} 3\n')
    assert list(values(samples, "a")) == [({"x": '1"2\\3\n4,}{'}, 1.0), ({}, 2.0)]


_NAMES = st.from_regex(r"\A[a-zA-Z_:][a-zA-Z0-9_:]{0,8}\Z")
_LABEL_NAMES = st.from_regex(r"\A[a-zA-Z_][a-zA-Z0-9_]{0,8}\Z")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@given(_NAMES, st.dictionaries(_LABEL_NAMES, st.text(max_size=12), max_size=4), st.floats(allow_nan=False))
def test_every_sample_comes_back(name: str, labels: dict[str, str], value: float) -> None:
    """Whatever a label holds, written as the format says, is read back."""
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    line = f"{name}{{{inside}}} {value!r}\n" if labels else f"{name} {value!r}\n"
    read = parse("# TYPE x gauge\n" + line)
    if not math.isfinite(value):
        assert read == {}
        return
    ((sample, found),) = read.items()
    assert found == value and labels_of(sample) == (name, labels)


@given(st.text(alphabet=st.characters() | st.sampled_from('{}="\\, \n#ab1.')))
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    """Parsing ends with samples or with ValueError, and every key it makes can be taken apart."""
    try:
        samples = parse(text)
    except ValueError:
        return
    for sample, value in samples.items():
        assert math.isfinite(value) and labels_of(sample)[0]


def test_a_large_text_is_read() -> None:
    """An agent with many labels serves some ten megabytes; a reader that a broken label makes slow would need hours."""
    line = 'cilium_policy_verdict_total{action="allow",direction="ingress",port="8080",source="shop/cart"} 12\n'
    text = line * 100_000 + 'cilium_controllers_failing{a="' + '\\"x' * 200_000 + "\n"
    assert parse(text, {"cilium_controllers_failing"}) == {}
