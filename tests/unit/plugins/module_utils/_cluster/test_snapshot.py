"""Saved states: the same findings after writing and reading, and one sentence for every broken file."""

from __future__ import annotations

import copy
import gzip
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
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import PRUNERS, prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.shape import SHAPES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._report_html import render
from ansible_collections.podnet.upkeep.plugins.module_utils._report_text import markdown, summary_lines


def everything(text: Any) -> None:
    """Judge a state and write all reports of it."""
    result = document(Context(ClusterState.from_json(text)))
    render(result)
    markdown(result)
    summary_lines(result)


@pytest.mark.parametrize("name", ["state.json", "state.json.gz"])
def test_written_and_read_it_gives_the_same_findings(name: str, tmp_path: Path) -> None:
    """Compressed by its name, for the owner and the group only, and equal bytes for equal states."""
    first = ClusterState.from_json(make_sick_small.state())
    path = tmp_path / name
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
    assert snapshot.load(str(make_sick_small.TARGET)) == ClusterState.from_json(make_sick_small.state())


def test_resources_that_a_state_does_not_hold_are_unknown() -> None:
    """Absent is not empty."""
    text = content()
    del text["resources"]["pods"]
    state = ClusterState.from_json(text)
    assert set(state.unknown) == {"pods"}
    assert ClusterState.from_json(state.to_json()) == state


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not a state"),
        (b"hello", "is not a state"),
        (b"[]", "not a JSON object"),
        (b"{}", "its format is None"),
        (b'{"format": 2}', "its format is 2"),
        (b'{"format": 1}', "state.taken_at is missing"),
        (b'{"format": 1, "taken_at": "yesterday", "resources": {}}', "isoformat"),
        (b'{"format": 1, "taken_at": "2026-01-01T00:00:00", "resources": {}}', "no time zone"),
        (b'{"format": 1, "taken_at": "2026-01-01T00:00:00Z", "resources": {"nodes": {}}}', "state.resources.nodes is not a list"),
        (b'{"format": 1, "taken_at": "2026-01-01T00:00:00Z", "resources": {"nodes": [1]}}', "nodes[0] is not an object"),
        (b'{"format": 1, "taken_at": "2026-01-01T00:00:00Z", "resources": {"nodes": [{"metadata": {}}]}}', "metadata.name is missing"),
        (b'{"format": 1, "taken_at": "2026-01-01T00:00:00Z", "resources": {}, "unknown": {"pods": 1}}', "unknown.pods is not a text"),
        (b"\x1f\x8b\x08broken", "is not a state"),
        (gzip.compress(b"{}" * 9)[:-6], "is not a state"),
        (b"\xff\xfe\x00", "is not a state"),
        (b"[" * 100000, "is not a state"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_in_one_sentence(data: bytes, words: str, tmp_path: Path) -> None:
    """With the option, the path, what is wrong, and where states come from."""
    path = tmp_path / "state.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        snapshot.load(str(path))
    message = str(caught.value)
    assert message.startswith(f"snapshot: {path} is not a state") and words in message and "save_state" in message
    assert "\n" not in message


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
                parent[path[-1]] = junk
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    try:
        ClusterState.from_json(text)
    except ValueError:
        return
    everything(text)


def test_what_is_kept_of_objects_is_what_states_look_like() -> None:
    """Pruners and shapes know the same resources, and pruning twice changes nothing."""
    assert set(PRUNERS) == set(SHAPES)
    for resource, objects in RICH["resources"].items():
        for obj in objects:
            pruned = prune(resource, obj)
            assert prune(resource, pruned) == pruned


def test_pruning_keeps_no_secrets_and_little_of_pods() -> None:
    """Neither environment variables nor managed fields nor labels of ordinary pods."""
    whole = pod("p", "a", "10.0.0.5", containers=[{"name": "c", "env": [{"name": "PASSWORD", "value": "x"}]}])
    whole["metadata"].update(labels={"app": "shop"}, managedFields=[{}], annotations={"token": "x"})
    assert prune("pods", whole) == {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "a"},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.5"}]},
    }
    manager = controller_manager("a", "--cluster-cidr=10.0.0.0/16")
    manager["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": "x"}]
    assert json.dumps(prune("pods", manager)).count("PASSWORD") == 0
    assert "--cluster-cidr=10.0.0.0/16" in prune("pods", manager)["spec"]["containers"][0]["command"]
