"""Lists read object by object are what they are when read whole."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot_json, snapshot_yaml
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_yaml_value import parse

TEXTS = st.one_of(
    st.sampled_from(
        ["", "-", "- a", "items:", "- items:\n- b", "a\nb", "a\n\nb\n", "  lead", "trail ", "# no comment", "a: b", "'", '"']
    ),
    st.sampled_from(["yes", "null", "1:30", "0x1f", "012", "1e3", "1.0", "2026-01-01", "2026-01-01T00:00:00Z", "=", "<<", "~"]),
    st.sampled_from(["---", "...\n", "--- a", "\n- x\n- y", "kind: List", "\ttab", "é\N{PILE OF POO}", "x" * 300, "%", "&a", "*a"]),
    st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x85\u2028\u2029\ufeff\ufffe\uffff"), max_size=20),
)  # fmt: skip
KEYS = st.one_of(
    st.sampled_from(["metadata", "managedFields", "spec", "items", "kind2", "a", "1", "true", "null"]), TEXTS
)
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


class Dumper(yaml.SafeDumper):
    """Indents items by 2 or not at all; texts of several lines are block scalars; no aliases."""

    indented = False

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless and not self.indented)

    def ignore_aliases(self, _data: Any) -> bool:
        return True


class Indented(Dumper):
    indented = True


def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """As kubectl does: a block scalar for several lines, quotes for what Go would read as a number."""
    number = "'" if text[:1] in "+-.0123456789" else None
    style = "|" if "\n" in text.strip("\n") else number
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, represent)


def read_yaml(text: str, **options: Any) -> tuple[list[Any], str]:
    """Objects and the last kind."""
    entries = list(snapshot_yaml.entries(io.BytesIO(text.encode()), **options))
    return [obj for _header, obj in entries if obj is not None], entries[-1][0].kind if entries else ""


def read_json(data: bytes) -> list[Any]:
    """Objects only."""
    return [obj for _header, obj in snapshot_json.entries(io.BytesIO(data)) if obj is not None]


@settings(max_examples=400, deadline=None)
@given(st.lists(OBJECTS, max_size=4), st.booleans(), st.sampled_from([40, 10**9]))
def test_yaml_items_one_by_one_are_those_of_the_whole(items: list[Any], indented: bool, width: int) -> None:
    """Items at the indentation 0 and 2, block scalars, folded lines, empty lists."""
    content = {"apiVersion": "v1", "items": items, "kind": "XList", "metadata": {"resourceVersion": "1"}}
    text = yaml.dump(content, Dumper=Indented if indented else Dumper, width=width, allow_unicode=True)
    found, kind = read_yaml(text)
    assert found == yaml.load(text, Loader=yaml.CSafeLoader)["items"] == items
    assert kind == "XList"
    assert [header.kind for header in snapshot_yaml.headers(io.BytesIO(text.encode()))] == ["XList"]
    assert parse(text.encode()) == content


@settings(max_examples=200, deadline=None)
@given(st.lists(OBJECTS, max_size=3), st.integers(1, 3))
def test_items_that_cilium_indents_by_hand(items: list[Any], documents: int) -> None:
    """indentAsListItem puts two spaces before every line, also empty ones; several documents are one after another."""
    lines = ["apiVersion: v1\nitems:\n"]
    for item in items:
        text = yaml.dump(item, Dumper=Dumper, width=10**9)
        lines += [f"{'  ' if number else '- '}{line}" for number, line in enumerate(text.splitlines(keepends=True))]
    whole = "".join(lines) + "kind: XList\nmetadata: {}\n"
    found, kind = read_yaml("---\n".join([whole] * documents))
    assert found == items * documents
    assert kind == "XList"


@settings(max_examples=300, deadline=None)
@given(st.lists(OBJECTS, max_size=4), st.booleans())
def test_what_is_not_needed_is_passed_over_and_nothing_else(items: list[Any], indented: bool) -> None:
    """Exactly the block below `metadata: managedFields:` of its kind."""
    items = [
        {"kind": "Pod", "metadata": {"managedFields": [item, "managedFields:\n- x"], **item}, "spec": item}
        for item in items
    ]
    text = yaml.dump({"items": items, "kind": "PodList"}, Dumper=Indented if indented else Dumper, width=10**9)
    unneeded = {"Pod": ((b"metadata", b"managedFields"),)}
    found, _kind = read_yaml(text, unneeded=unneeded)
    assert len(found) == len(items)
    for one, item in zip(found, items, strict=True):
        (one["metadata"] or {}).pop("managedFields", None)
        item["metadata"].pop("managedFields", None)
        assert {**one, "metadata": one["metadata"] or {}} == item


def test_only_the_kinds_that_are_named_lose_parts() -> None:
    """The managers of a ConfigMap are evidence."""
    items = [{"kind": kind, "metadata": {"managedFields": [1], "name": kind}} for kind in ("ConfigMap", "Pod")]
    found, _kind = read_yaml(yaml.dump({"items": items}), unneeded={"Pod": ((b"metadata", b"managedFields"),)})
    assert found == [items[0], {"kind": "Pod", "metadata": {"name": "Pod"}}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: yes", "yes"), ("a: 1:30", "1:30"), ("a: 2026-01-01", "2026-01-01"), ("a: 0x1f", "0x1f"), ("a: 012", "012"),
        ("a: =", "="), ("a: 1_000", "1_000"), ("a: .inf", ".inf"), ("a: !!str 1", "1"), ("a: '1'", "1"),
        ("a: 1", 1), ("a: -7", -7), ("a: 1.5", 1.5), ("a: 1e3", 1000.0), ("a: true", True), ("a: ~", None), ("a:", None),
    ],
)  # fmt: skip
def test_scalars_are_read_as_kubernetes_reads_them(text: str, value: Any) -> None:
    """YAML 1.1 would make times, base 60 and octal numbers of texts."""
    assert parse(text.encode()) == {"a": value}
    assert parse(b"<<: {b: 1}\n2: x") == {"<<": {"b": 1}, "2": "x"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: " + "[" * 200000, "too deep"),
        ("\n".join(" " * depth + "a:" for depth in range(3000)), "too deep"),
        ("a: &x [1]\nb: *x", "alias"),
        ("a: !!python/name:os.system x", "tag"),
        ("a: !!binary eA==", "tag"),
        ("? [a]\n: b", "a key is no text"),
        ("a: b\n---\nc: d", "several documents"),
        ("a: 'b", "is no YAML"),
        ("a: \x01", "is no YAML"),
    ],
)
def test_what_kubectl_never_writes_is_refused(text: str, words: str) -> None:
    """Deep nesting would end the process in the composer of libyaml; a few aliases can stand for gigabytes."""
    with pytest.raises(BadContent, match=words):
        parse(text.encode())


@settings(max_examples=300, deadline=None)
@given(
    st.lists(OBJECTS, max_size=4), st.sampled_from([None, 1, 4]), st.booleans(), st.integers(1, 40), st.integers(1, 2)
)
def test_json_items_one_by_one_are_those_of_the_whole(
    items: list[Any], indent: int | None, escaped: bool, chunk: int, documents: int
) -> None:
    """However little is read at once, wherever a chunk ends."""
    content = {"apiVersion": "v1", "items": items, "kind": "XList", "metadata": {"a": items}}
    data = json.dumps(content, indent=indent, ensure_ascii=escaped).encode() * documents
    before = snapshot_json._CHUNK
    snapshot_json._CHUNK = chunk
    try:
        assert read_json(data) == items * documents
        assert [header.kind for header in snapshot_json.headers(io.BytesIO(data))] == ["XList"] * documents
        single = json.dumps({"a": items}).encode()
        assert read_json(single) == [{"a": items}]
        assert read_json(json.dumps(items).encode()) == items
    finally:
        snapshot_json._CHUNK = before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"items": [{"a": 1}', "cut off"),
        (b'{"items": [{"a": 1', "cut off"),
        (b'{"items": [{"a": "1', "cut off"),
        (b'{"items": [{"a": 1} {"b": 2}]}', "stands where , is to be"),
        (b'{"items": [1]}', "no objects"),
        (b'{"items": [{"a": NaN}]}', "NaN"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"items" [', "stands where : is to be"),
        (b"{1: 2}", "stands where"),
        (b'{"a": %s}' % (b"[" * 200000), "too deep"),
        (b'{"a": tru}' + b" " * 100, "is no JSON"),
        (b'{"a": 1}x', "stands where"),
    ],
)
def test_broken_json_says_what_is_wrong(data: bytes, words: str) -> None:
    """In a few words."""
    with pytest.raises(BadContent, match=words):
        read_json(data)


def test_a_number_is_not_cut_where_a_chunk_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """12 and 345 are 12345."""
    monkeypatch.setattr(snapshot_json, "_CHUNK", 8)
    assert read_json(b'{"a": 12345}') == [{"a": 12345}]
    assert read_json(b'[{"a": -1.5e10}, {"b": "\\u00e9\xf0\x9f\x92\xa9"}]') == [
        {"a": -1.5e10},
        {"b": "é\N{PILE OF POO}"},
    ]


class Endless(io.RawIOBase):
    """A stream that is made while it is read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._pieces, b"")
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def yaml_pieces(count: int) -> Iterator[bytes]:
    yield b"items:\n"
    for number in range(count):
        yield b"- metadata:\n    name: n%d\n    managedFields:\n%s" % (number, b"    - x: y\n" * 2000)
    yield b"kind: PodList\n"


def json_pieces(count: int) -> Iterator[bytes]:
    yield b'{"items": [{}'
    for number in range(count):
        yield b', {"metadata": {"name": "n%d", "x": "%s"}}' % (number, b"y" * 20000)
    yield b'], "kind": "PodList"}'


@pytest.mark.parametrize(
    ("pieces", "read"), [(yaml_pieces, snapshot_yaml.entries), (json_pieces, snapshot_json.entries)]
)
def test_a_long_list_takes_the_memory_of_its_largest_object(
    pieces: Callable[[int], Iterator[bytes]], read: Callable[[Any], Iterator[Any]]
) -> None:
    """20 MB pass through less than 3 MB."""
    stream = io.BufferedReader(Endless(pieces(1000)))
    options = {"unneeded": {"Pod": ((b"metadata", b"managedFields"),)}, "kind": "Pod"} if pieces is yaml_pieces else {}
    tracemalloc.start()
    count = sum(obj is not None for _header, obj in read(stream, **options))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count >= 1000 and peak < 3 << 20
