"""Golden snapshots of one cluster: every layout gives the resources that the API gives, and says what it does not have."""

from __future__ import annotations

import datetime
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from snapshots import make_sick_cilium, sick_cilium, sysdump_layout
from snapshots.sick_cilium_objects import TAKEN_AT, VERSION

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import EVENT_REASONS, EXTRAS, RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_answers import LINES_KEPT
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

START = datetime.datetime.fromisoformat(TAKEN_AT)
# what sysdumps do not have, or not all of
NOT_COLLECTED = {"csinodes", "apiservices", "clusterroles"}
ONLY_OF_CILIUM = {"daemonsets": {"cilium"}, "configmaps": {"cilium-config"}}


def live_like() -> dict[str, list[Any]]:
    """Resources as a live audit holds them."""
    found = sick_cilium.objects()
    found["events"] = [one for one in found["events"] if one["reason"] in EVENT_REASONS]
    return {resource: [prune(resource, one) for one in objects] for resource, objects in found.items()}


def by_name(objects: Any) -> list[Any]:
    """In an order that does not depend on the layout."""
    return sorted(objects, key=lambda one: (one["metadata"].get("namespace") or "", one["metadata"]["name"]))


def without_what_v1_15_drops(resource: str, objects: list[Any]) -> list[Any]:
    """The CLI of that time reads through structs that lack newer fields."""
    copied = json.loads(json.dumps(objects))
    for one in copied:
        for endpoint in one.get("endpoints", ()):
            endpoint.pop("pod-uid")
        if resource == "ciliumnodes":
            one["spec"].pop("bootid", None)
    return copied


def test_building_again_gives_the_same_bytes() -> None:
    """Nobody forgot to run the script, and nothing in it depends on the clock."""
    for path, data in {**make_sick_cilium.sysdumps(), **make_sick_cilium.kubectl_files()}.items():
        assert path.read_bytes() == data, path
        assert len(data) < 60_000, path


@pytest.mark.parametrize("path", [make_sick_cilium.V1_15, make_sick_cilium.MAIN], ids=["v1.15", "main"])
def test_a_sysdump_gives_what_the_api_gives(path: Path) -> None:
    """As far as it goes: it has no CSINodes, and only the DaemonSet and ConfigMap of Cilium."""
    state = snapshot.load(str(path))
    for resource, objects in live_like().items():
        if resource in NOT_COLLECTED:
            assert resource not in state.resources
            assert state.unknown[resource] == "cilium sysdump does not collect them"
            continue
        names = ONLY_OF_CILIUM.get(resource)
        wanted = [one for one in objects if names is None or one["metadata"]["name"] in names]
        if path == make_sick_cilium.V1_15:
            wanted = without_what_v1_15_drops(resource, wanted)
        assert by_name(state.of(resource)) == by_name(wanted), resource
    assert state.server_version == VERSION
    assert state.taken_at == START
    assert state.skew == datetime.timedelta(seconds=4)
    document(Context(state))


def test_an_empty_list_is_none_and_a_kind_without_definition_is_absent() -> None:
    """v1.15 wrote `items: []`; on main the kind was not served, which the log tells."""
    for path in (make_sick_cilium.V1_15, make_sick_cilium.MAIN):
        state = snapshot.load(str(path))
        assert state.resources["ciliumpodippools"] == ()
        assert (state.absent == {"ciliumpodippools"}) is (path == make_sick_cilium.MAIN)
        assert "ciliumpodippools" not in state.unknown


def test_kubectl_gives_what_the_api_gives() -> None:
    """All of it: lists of one kind and of several, with and without kinds of items, documents one after another."""
    state = snapshot.load(str(make_sick_cilium.KUBECTL))
    for resource, objects in live_like().items():
        assert by_name(state.of(resource)) == by_name(objects), resource
    assert state.resources["ciliumpodippools"] == ()
    assert state.server_version == VERSION
    # the newest renewal of a Lease
    assert state.taken_at == START + datetime.timedelta(seconds=4)
    assert state.origin == "files of kubectl of 2026-11-01T06:00:04+00:00"
    assert state.unknown["ippools"] == "no file of the snapshot holds objects of kind IPPool"
    assert {*state.resources, *state.unknown} - set(EXTRAS) == set(RESOURCES)


def test_the_answers_of_a_sysdump() -> None:
    """Log lines that matter, metrics of the operator, the answers of one agent; the same in both layouts."""
    states = [snapshot.load(str(path)) for path in (make_sick_cilium.V1_15, make_sick_cilium.MAIN)]
    for state in states:
        lines = {(one["container"], one["time"]): one for one in state.of("logs")}
        assert len(lines) == 3
        full = lines["cilium-agent", "2026-11-01T05:58:01.123456789Z"]
        assert full["node"] == "worker-1" and full["namespace"] == "kube-system"
        assert full["pod"] == sick_cilium.AGENTS["worker-1"] and "no more available IDs" in full["text"]
        assert not full["text"].startswith("2026")
        assert lines["cilium-agent", "2026-11-01T04:00:00.5Z"]["text"].endswith('CIDR"')
        (metrics,) = state.of("metrics")
        assert metrics["component"] == "operator" and metrics["pod"] == sick_cilium.OPERATOR_POD
        assert metrics["samples"]['cilium_operator_identity_gc_entries{identity_type="crd",status="alive"}'] == 6
        assert "process_open_fds" not in metrics["samples"]
        (agent,) = state.of("agents")
        assert (agent["node"], agent["version"], agent["error"]) == ("worker-1", "1.18.4", "")
        assert agent["status"]["controllers"][0]["name"] == "resolve-identity-11"
        assert agent["endpoints"] == [{"id": 10, "state": "ready", "identity": 10001, "pod": "shop/cart-0"}]
    assert states[0].of("logs") == states[1].of("logs")


def test_where_it_is_from() -> None:
    """Kind, time and version, also of a quick one, whose missing parts are unknown."""
    origin = "cilium sysdump of 2026-11-01T06:00:00+00:00"
    assert snapshot.load(str(make_sick_cilium.V1_15)).origin == f"{origin} (by cilium-cli v0.15.20)"
    assert snapshot.load(str(make_sick_cilium.MAIN)).origin == f"{origin} (by cilium-cli v0.19.7)"


def test_a_quick_sysdump_of_any_name_in_any_place(tmp_path: Path) -> None:
    """Zip, folder, folder in a folder, tar, names with backslashes: the same state."""
    stamp = "20261101-060000"
    archive = tmp_path / "ticket 4711"
    archive.write_bytes(sysdump_layout.write("main", stamp, TAKEN_AT, quick=True, folder="renamed"))
    state = snapshot.load(str(archive))
    assert state.origin == "cilium sysdump of 2026-11-01T06:00:00+00:00 (quick, by cilium-cli v0.19.7)"
    assert state.unknown["logs"] == "the sysdump has no file logs-*"
    assert state.unknown["metrics"] == "the sysdump has no file metrics-*"
    assert state.unknown["agents"] == "the sysdump has no folder cilium-bugtool-*"
    folder = tmp_path / "folder"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    assert snapshot.load(str(folder)) == state
    assert snapshot.load(str(folder / "renamed")) == state
    for mode, name in (("w", "dump.tar"), ("w:gz", "dump.tgz"), ("w:gz", "dump.tar.gz")):
        with tarfile.open(tmp_path / name, mode) as packed:
            packed.add(folder, arcname="./deep")
        assert snapshot.load(str(tmp_path / name)) == state
    with zipfile.ZipFile(tmp_path / "windows.zip", "w") as packed_zip:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed_zip.writestr(str(path.relative_to(folder)).replace("/", "\\"), path.read_bytes())
    assert snapshot.load(str(tmp_path / "windows.zip")).resources == state.resources


def test_a_file_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    """Absence is not zero."""
    with zipfile.ZipFile(make_sick_cilium.V1_15) as opened:
        opened.extractall(tmp_path)
    for stem in ("k8s-events", "ciliumendpoints", "k8s-leases"):
        next(tmp_path.rglob(f"{stem}-*.yaml")).unlink()
    next(tmp_path.rglob("cilium-sysdump.log")).write_text(
        "[7] Collecting Cilium endpoints: failed to collect Cilium endpoints: ciliumendpoints.cilium.io is forbidden: "
        'User "audit" cannot list resource "ciliumendpoints"\n'
    )
    state = snapshot.load(str(tmp_path))
    assert not {"events", "ciliumendpoints", "leases", "nodeleases"} & set(state.resources)
    assert state.unknown["events"] == "the sysdump has no file k8s-events-*"
    assert state.unknown["nodeleases"] == "the sysdump has no file k8s-leases-*"
    assert state.unknown["ciliumendpoints"].startswith("cilium sysdump was not allowed to read them (User")
    # without Leases the heartbeats of Nodes tell the time
    assert state.taken_at == START


def test_what_lies_beside_a_sysdump_is_read(tmp_path: Path) -> None:
    """kubectl fills the gaps; secrets are never opened."""
    with zipfile.ZipFile(make_sick_cilium.MAIN) as opened:
        opened.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    shutil.copy(make_sick_cilium.KUBECTL / "others.yaml", folder)
    (folder / "secrets.json").write_text('{"kind": "List", broken')
    state = snapshot.load(str(tmp_path))
    assert by_name(state.of("csinodes")) == by_name(live_like()["csinodes"])
    assert "csinodes" not in state.unknown and "ippools" in state.unknown


def test_two_sysdumps_are_one_too_many(tmp_path: Path) -> None:
    """Nobody can say which was meant."""
    for name in ("a", "b"):
        with zipfile.ZipFile(make_sick_cilium.MAIN) as opened:
            opened.extractall(tmp_path / name)
    with pytest.raises(InputError, match=r"holds 2 sysdumps \(a/cilium-sysdump-20261101-113000 of 20261101-113000, b/"):
        snapshot.load(str(tmp_path))
    shutil.copy(make_sick_cilium.MAIN, tmp_path / "c.zip")
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "b")
    with pytest.raises(InputError, match=r"none of its 1 files .* it holds the archive c\.zip, which may be one"):
        snapshot.load(str(tmp_path))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """With its name within, and what is wrong."""
    with zipfile.ZipFile(make_sick_cilium.MAIN) as opened:
        opened.extractall(tmp_path)
    path = next(tmp_path.rglob("k8s-pods-*.yaml"))
    whole = path.read_text()
    for change, words in (
        (whole[: len(whole) // 2] + '\n    "', "is no YAML"),
        (whole.replace("podIPs:", "podIPs: 7\n    x:", 1), "holds a Pod "),
        (whole.replace("  metadata:\n", "  metadata: &a\n", 1).replace("status:", "status: *a\n  x:", 1), "alias"),
        (whole.replace("nodeName: ", "nodeName: !!python/object:os.system ", 1), "tag"),
    ):
        path.write_text(change)
        with pytest.raises(InputError) as caught:
            snapshot.load(str(tmp_path))
        assert f"its file {path.relative_to(tmp_path)} " in str(caught.value) and words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_many_log_lines_are_cut_with_their_count(tmp_path: Path) -> None:
    """The newest are kept."""
    with zipfile.ZipFile(make_sick_cilium.MAIN) as opened:
        opened.extractall(tmp_path)
    path = next(tmp_path.rglob("logs-cilium-w*-cilium-agent-*[0-9].log"))
    line = 'level=warning msg="Key allocation attempt failed" number='
    path.write_text("".join(f"2026-11-01T05:00:00Z {line}{number}\n" for number in range(LINES_KEPT + 17)))
    lines = [one for one in snapshot.load(str(tmp_path)).of("logs") if one["time"] in ("", "2026-11-01T05:00:00Z")]
    assert lines[0]["text"] == "17 older lines of this log that matter are left out"
    assert len(lines) == LINES_KEPT + 1
    assert lines[-1]["text"].endswith(f"={LINES_KEPT + 16}") and lines[1]["text"].endswith("=17")


def test_a_saved_state_of_each_layout_is_equal(tmp_path: Path) -> None:
    """What was read once is read again without loss."""
    for path in (make_sick_cilium.V1_15, make_sick_cilium.MAIN, make_sick_cilium.KUBECTL):
        state = snapshot.load(str(path))
        snapshot.save(state, str(tmp_path / "state.json.gz"))
        again = snapshot.load(str(tmp_path / "state.json.gz"))
        assert again == state
        assert document(Context(again)) == document(Context(state))
