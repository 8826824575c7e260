"""Saved states: the same findings after writing and reading, and one sentence for every broken file."""

from __future__ import annotations

import copy
import gzip
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshots import make_sick_small
from snapshots.small_clusters import config_map, content, controller_manager, daemon_set, lease, node, pod

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot, snapshot_saved
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import PRUNERS, prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import EXTRAS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.shape import SHAPES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._report.files import WRITERS
from ansible_collections.podnet.upkeep.plugins.module_utils._report.terminal import summary_lines


def everything(state: ClusterState) -> None:
    """Judge a state and write all reports of it."""
    result = document(Context(state))
    for write in WRITERS.values():
        write(result)
    summary_lines(result, {})


@pytest.mark.parametrize("name", ["state.json", "state.json.gz"])
def test_written_and_read_it_gives_the_same_findings(name: str, tmp_path: Path) -> None:
    """Compressed by its name, for the owner and the group only, and equal bytes for equal states."""
    made = ClusterState.from_json(make_sick_small.state())
    path = tmp_path / name
    assert snapshot.save(made, str(path)) == str(path)
    first = snapshot.load(str(path))
    assert document(Context(first)) == document(Context(made))
    assert snapshot.save(first, str(path)) == str(path)
    data = path.read_bytes()
    assert (data[:2] == b"\x1f\x8b") is name.endswith(".gz")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    second = snapshot.load(str(path))
    assert second == first
    assert document(Context(second)) == document(Context(first))
    snapshot.save(second, str(path))
    assert path.read_bytes() == data


def test_the_bundled_state_is_that_of_its_script() -> None:
    """Nobody forgot to run it."""
    assert json.loads(gzip.decompress(make_sick_small.TARGET.read_bytes())) == make_sick_small.state()
    made = ClusterState.from_json(make_sick_small.state())
    assert document(Context(snapshot.load(str(make_sick_small.TARGET)))) == document(Context(made))


def test_resources_that_a_state_does_not_hold_are_unknown() -> None:
    """Absent is not empty."""
    text = content()
    del text["resources"]["pods"]
    state = ClusterState.from_json(text)
    assert set(state.unknown) == {"pods"}
    assert ClusterState.from_json(state.to_json()) == state


STATE = b'"taken_at": "2026-01-01T00:00:00Z"'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no snapshot: it is empty"),
        (b"hello", "is no snapshot"),
        (b"[]", "is no snapshot"),
        (b"{}", "is no snapshot"),
        (b'{"format": 3}', "its format is 3"),
        (b'{"format": 1}', "state.taken_at is missing"),
        (b'{"format": 2}', "state.taken_at is missing"),
        (b'{"format": 1, "taken_at": "yesterday", "resources": {}}', "isoformat"),
        (b'{"format": 1, "taken_at": "2026-01-01T00:00:00", "resources": {}}', "no time zone"),
        (b'{"format": 1, "resources": {"nodes": {}}, %s}' % STATE, "state.resources.nodes is not a list"),
        (b'{"format": 1, "resources": {"nodes": [1]}, %s}' % STATE, "nodes[0] is not an object"),
        (b'{"format": 2,%s,"resources":{\n"nodes":[\n1\n]\n}}\n' % STATE, "nodes[0] is not an object"),
        (b'{"format": 1, "resources": {"nodes": [{"metadata": {}}]}, %s}' % STATE, "metadata.name is missing"),
        (b'{"format": 2,%s,"resources":{\n"nodes":[\n{"metadata":{}}\n]\n}}\n' % STATE, "metadata.name is missing"),
        (b'{"format": 2,%s,"resources":{\n"nodes":[\n{"metadata":{"na' % STATE, "is not a state"),
        (b'{"format": 2,%s,"resources":{\n"nodes":[\n' % STATE, "is cut off"),
        (b'{"format": 1, "resources": {}, "unknown": {"pods": 1}, %s}' % STATE, "unknown.pods is not a text"),
        (b'{"format": 1, "resources": {}, "skew_seconds": NaN, %s}' % STATE, "NaN"),
        (b'{"format": 1, "resources": {}, "skew_seconds": 1e300, %s}' % STATE, "is not a state"),
        (b'{"format": 1, "resources": {"nodes": [{"metadata": {"name": "\\ud800"}}]}, %s}' % STATE, "half a character"),
        (b'{"format": 1, "a": ' + b"[" * 100000, "nested too deep"),
        (b"\x1f\x8b\x08broken", "cannot be read"),
        (gzip.compress(b'{"format": 1,' * 9)[:-9], "cannot be read"),
        (b"\xff\xfe\x00", "UTF-16 is broken"),
        (b'{"format": 1, "a": "\xff"}', "is not a state"),
        (b"[" * 100000, "is no snapshot"),
    ],
)
def test_a_broken_file_is_named_in_one_sentence(data: bytes, words: str, tmp_path: Path) -> None:
    """With the option, the path, what is wrong, and where states come from."""
    path = tmp_path / "state.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        snapshot.load(str(path))
    message = str(caught.value)
    assert message.startswith(f"snapshot: {path} ") and words in message and "save_state" in message
    assert "\n" not in message


def test_a_state_is_written_an_object_a_line_and_read_however_it_is_formatted(tmp_path: Path) -> None:
    """Lines for us, one JSON document for everybody; the same with other spaces, other order and in UTF-16."""
    path = tmp_path / "state.json"
    snapshot.save(ClusterState.from_json(RICH), str(path))
    first = snapshot.load(str(path))
    snapshot.save(first, str(path))
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(first.to_json()))
    lines = text.splitlines()
    assert lines[0].endswith('"resources":{') and lines[-1] == "}}"
    assert sum(line.startswith("{") for line in lines) - 1 == sum(map(len, first.resources.values()))
    for other in (
        json.dumps(json.loads(text), indent=2),
        json.dumps(json.loads(text)),
        json.dumps(json.loads(text), sort_keys=True),
        text.replace("\n", "\r\n"),
        text.replace('"pods":[\n', '"pods":[\n\n'),
    ):
        path.write_text(other, encoding="utf-8", newline="")
        assert snapshot.load(str(path)) == first
    path.write_text(text, encoding="utf-16")
    assert snapshot.load(str(path)) == first
    path.write_text(text, encoding="utf-8-sig")
    assert snapshot.load(str(path)) == first


def test_an_absent_file(tmp_path: Path) -> None:
    """Also one sentence, for reading and for writing."""
    with pytest.raises(InputError, match=r"snapshot: .*absent.json cannot be read: No such file"):
        snapshot.load(str(tmp_path / "absent.json"))
    with pytest.raises(InputError, match=r"save_state: .* cannot be written: No such file"):
        snapshot.save(ClusterState.from_json(content()), str(tmp_path / "absent" / "state.json"))


RICH = content(
    nodes=[
        node("a", "10.0.0.0/24", "fd00::/64", address="192.0.2.1", annotations={"k3s.io/node-args": '["server"]'}),
        node("b", labels={"x": "y"}),
    ],
    pods=[
        controller_manager("a", "--allocate-node-cidrs=true", "--cluster-cidr=10.0.0.0/16"),
        pod("p", "a", "10.0.9.1", "fd00::1"),
    ],
    daemonsets=[daemon_set("calico-node")],
    configmaps=[
        config_map("calico-config", cni_network_config="host-local"),
        config_map("kubeadm-config", ClusterConfiguration="networking: {podSubnet: 10.1.0.0/16}"),
    ],
    leases=[lease("a_1")],
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values in a JSON document."""
    found = [path] if path else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        found += places(inner, (*path, key))
    return found


PLACES = places(RICH)
JUNK = st.sampled_from(
    [None, True, 0, -1, 3.5, "", "x", "10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "300.1.2.3", [], {}, [None], [1], {"a": 1}, "{", "é\x00"]
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK, st.booleans()), min_size=1, max_size=3))
def test_whatever_is_in_a_file_there_is_no_other_error(changes: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
    """Values anywhere in a state are replaced or removed: it is refused by ValueError, or judged and reported."""
    text = copy.deepcopy(RICH)
    for path, junk, remove in changes:
        parent: Any = text
        try:
            for key in path[:-1]:
                parent = parent[key]
            if remove:
                del parent[path[-1]]
            else:
                parent[path[-1]] = copy.deepcopy(junk)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    data = json.dumps(text).encode()
    try:
        state = snapshot_saved.read(lambda: io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
    except ValueError:
        return
    everything(state)


def test_what_is_kept_of_objects_is_what_states_look_like() -> None:
    """Pruners and shapes know the same resources, and pruning twice changes nothing."""
    assert {*PRUNERS, *EXTRAS} == set(SHAPES)
    for resource, objects in RICH["resources"].items():
        for obj in objects:
            pruned = prune(resource, obj)
            assert prune(resource, pruned) == pruned


def test_pruning_keeps_no_secrets_and_little_of_pods() -> None:
    """Neither environment variables nor managed fields nor annotations."""
    whole = pod("p", "a", "10.0.0.5", containers=[{"name": "c", "env": [{"name": "PASSWORD", "value": "x"}]}])
    whole["metadata"].update(labels={"app": "shop"}, managedFields=[{}], annotations={"token": "x"})
    assert prune("pods", whole) == {
        "metadata": {"name": "p", "namespace": "default", "labels": {"app": "shop"}},
        "spec": {"nodeName": "a"},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.5"}]},
    }
    manager = controller_manager("a", "--cluster-cidr=10.0.0.0/16")
    manager["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": "x"}]
    assert json.dumps(prune("pods", manager)).count("PASSWORD") == 0
    assert "--cluster-cidr=10.0.0.0/16" in prune("pods", manager)["spec"]["containers"][0]["command"]
