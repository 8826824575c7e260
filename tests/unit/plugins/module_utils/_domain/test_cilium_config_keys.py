"""The table of keys: by release and by owner, and how each kind of value is read."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain import cilium_config_keys as keys
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import ConfigKey
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_values import (
    boolean,
    duration,
    integer,
    lost_unit,
    problem,
)

KINDS = {"bool", "duration", "float", "int", "int32", "uint", "uint8", "uint16", "uint32", "list", "map", "string"}


def key(kind: str, strict: bool = True) -> ConfigKey:
    """A key of this kind."""
    return ConfigKey("any", "operator", kind, strict, (1, 14), (1, 20))


def test_the_table_is_sound() -> None:
    """Known kinds only; forms of one key and owner follow each other and do not overlap."""
    table = keys.table()
    assert len(table) > 600
    for name, forms in table.items():
        assert all(form.kind in KINDS and form.name == name and form.since <= form.until for form in forms)
        for owner in ("agent", "operator"):
            own = [form for form in forms if form.owner == owner]
            assert all(one.until < other.since for one, other in itertools.pairwise(own)), name


def test_what_runbooks_and_details_name_exists_or_does_not() -> None:
    """Every key with details is real; no invented key is; what is meant instead is real."""
    assert set(keys.DETAILS) <= set(keys.table())
    assert not set(keys.INVENTED) & set(keys.table())
    assert {instead for instead, _remark in keys.INVENTED.values() if instead} <= set(keys.table())


@pytest.mark.parametrize(
    ("name", "release", "expected"),
    [
        ("identity-gc-interval", (1, 18), [("operator", "duration", True)]),
        ("nodes-gc-interval", (1, 19), [("operator", "duration", False)]),
        ("nodes-gc-interval", (1, 20), [("operator", "duration", True)]),
        ("nodes-gc-interval", (1, 25), [("operator", "duration", True)]),
        ("nodes-gc-interval", None, [("operator", "duration", True)]),
        ("unmanaged-pod-watcher-interval", (1, 18), [("operator", "int", False)]),
        ("unmanaged-pod-watcher-interval", (1, 19), [("operator", "duration", True)]),
        ("max-connected-clusters", (1, 14), []),
        ("cluster-id", (1, 18), [("agent", "uint32", True), ("operator", "uint32", True)]),
        ("endpoint-gc-interval", (1, 18), [("agent", "duration", True)]),
        ("disable-endpoint-crd", (1, 13), [("agent", "bool", False), ("operator", "bool", False)]),
        ("enable-endpoint-gc", (1, 18), []),
    ],
)
def test_forms(name: str, release: tuple[int, int] | None, expected: list[tuple[str, str, bool]]) -> None:
    """Who reads a key in a release, as what, and whether strictly."""
    assert [(one.owner, one.kind, one.strict) for one in keys.forms_in(name, release)] == expected


def test_history_and_similar_names() -> None:
    """A key of another release says so; a name that is nearly right says which it may be."""
    assert keys.history("enable-k8s-endpoint-slice", (1, 19)) == "removed after 1.17"
    assert keys.history("max-connected-clusters", (1, 14)) == "new in 1.15"
    assert keys.history("banana", (1, 18)) == ""
    assert keys.near_matches("identity-gc-intervl", (1, 18))[0] == "identity-gc-interval"
    assert keys.near_matches("zzzzzzzz", (1, 18)) == []
    assert keys.owners("ipam", (1, 18)) == ("agent", "operator")


def test_what_only_charts_write() -> None:
    """A chart may go on writing a key that its release no longer reads; what it writes is nobody's mistake."""
    assert keys.is_written_by_charts("etcd-config", (1, 18))
    assert keys.is_written_by_charts("enable-k8s-endpoint-slice", (1, 18))
    assert not keys.is_written_by_charts("enable-k8s-endpoint-slice", (1, 19))
    assert keys.is_written_by_charts("enable-k8s-endpoint-slice", None)
    assert keys.is_written_by_charts("monitor-aggregation-level", (1, 20))
    assert not keys.is_written_by_charts("banana", None)


@pytest.mark.parametrize(
    ("kind", "strict", "value", "words"),
    [
        ("duration", True, "15m0s", ""),
        ("duration", True, " 15m0s\n", ""),
        ("duration", True, "600", "missing unit in duration"),
        ("duration", False, "600", ""),
        ("duration", True, "0", ""),
        ("duration", True, "", 'invalid duration "ns"'),
        ("duration", False, "", 'invalid duration "ns"'),
        ("duration", False, "5 m", "unknown unit"),
        ("duration", False, "5d", "unknown unit"),
        ("bool", True, "true", ""),
        ("bool", True, "T", ""),
        ("bool", True, "yes", "ParseBool"),
        ("bool", True, "", "ParseBool"),
        ("int", True, "", ""),
        ("int", True, "-5", ""),
        ("int", True, "0x10", ""),
        ("int", True, "2_500", ""),
        ("int", True, "017", ""),
        ("int", True, "08", "invalid syntax"),
        ("int", True, "1.5", "invalid syntax"),
        ("int", False, "1.5", ""),
        ("int", False, ".", ""),
        ("int", True, "9223372036854775808", "out of range"),
        ("int32", True, "2147483648", "out of range"),
        ("int32", False, "2147483648", ""),
        ("uint16", True, "65536", "out of range"),
        ("uint16", True, "65535", ""),
        ("uint", True, "+5", "invalid syntax"),
        ("uint", False, "+5", ""),
        ("uint32", True, "-1", "invalid syntax"),
        ("float", True, "1e2", ""),
        ("float", True, "fast", "ParseFloat"),
        ("float", True, "1_0", "ParseFloat"),
        ("map", True, '{"etcd.config": "/x"}', ""),
        ("map", True, '{"a": 1}', "not a JSON object of texts"),
        ("map", True, "{", "not a JSON object"),
        ("map", True, "etcd", "not formatted as key=value"),
        ("map", True, "a=b,c=d", ""),
        ("string", True, "anything", ""),
        ("list", True, "", ""),
    ],
)
def test_values(kind: str, strict: bool, value: str, words: str) -> None:
    """What a program refuses, in its words; each line was seen with the real operator or is in its library."""
    found = problem(key(kind, strict), value)
    assert (words in found and bool(found)) if words else found == ""


def test_what_a_value_is_taken_for() -> None:
    """A number without unit is nanoseconds where it is read loosely."""
    assert lost_unit(key("duration", strict=False), "300") == "300ns"
    assert lost_unit(key("duration", strict=False), "0") == ""
    assert lost_unit(key("duration", strict=False), "5m") == ""
    assert lost_unit(key("duration"), "300") == ""
    assert duration(key("duration"), "5m") == 300 * 10**9
    assert duration(key("duration"), "300") is None
    assert [boolean(text) for text in ("t", "False", "maybe")] == [True, False, None]
    assert [integer(text) for text in ("017", "0b11", "0o7", "_1", "", "٣", "1__0")] == [
        15,
        3,
        7,
        None,
        None,
        None,
        None,
    ]


@given(st.sampled_from(sorted(KINDS)), st.booleans(), st.text(max_size=12))
def test_any_value_at_all(kind: str, strict: bool, value: str) -> None:
    """Never an exception; what an exact decoder takes, the loose one takes too."""
    if problem(key(kind, strict=True), value) == "":
        assert problem(key(kind, strict=False), value) == ""
    lost_unit(key(kind, strict), value)
    integer(value)
