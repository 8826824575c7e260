"""The module as Ansible runs it: histories of all kinds, reports, one sentence for what is wrong."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from snapshots.make_sick_small import TARGET
from snapshots.small_cilium import cilium_context, cilium_node, machine
from snapshots.small_clusters import content, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity import present_of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity_of_result import present_of_result
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._report.prometheus import prometheus
from ansible_collections.podnet.upkeep.plugins.modules import capacity_forecast_info

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
ALLOCATOR = {"cluster_cidrs": ["10.0.0.0/18"], "node_mask_size_ipv4": 24, "service_ranges": ["10.96.0.0/16"]}
UID = "0a1b"


def run(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """Run the module; what it prints."""
    with patch_module_args(options), pytest.raises(SystemExit) as ended:
        capacity_forecast_info.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert bool(ended.value.code) is bool(printed.get("failed", False))
    return printed


def nodes_at(count: int, day: int, uid: str = UID) -> ClusterState:
    """The cluster so many days ago, with so many Nodes."""
    made = content(
        nodes=[node(f"w{number}", f"10.0.{number}.0/24") for number in range(count)],
        namespaces=[{"metadata": {"name": "kube-system", "uid": uid}}],
        daemonsets=[{"metadata": {"name": "kube-flannel-ds", "namespace": "kube-flannel"}}],
    )
    made["taken_at"] = (NOW - datetime.timedelta(days=day)).isoformat()
    return ClusterState.from_json(made)


def save(folder: Path, state: ClusterState, kind: str, name: str) -> Path:
    """A file of the history."""
    folder.mkdir(exist_ok=True)
    if kind == "state":
        return Path(capacity_forecast_info.snapshot.save(state, str(folder / f"{name}.json.gz")))
    settings = capacity_forecast_info.audit_settings({"allocator": ALLOCATOR})
    result = document(Context(state, settings))
    path = folder / (f"{name}.json" if kind == "audit" else f"{name}.prom")
    path.write_text(json.dumps(result) if kind == "audit" else prometheus(result), encoding="utf-8")
    return path


@pytest.fixture
def present(tmp_path: Path) -> dict[str, Any]:
    """Options for a cluster with 24 Nodes now."""
    path = capacity_forecast_info.snapshot.save(nodes_at(24, 0), str(tmp_path / "now.json"))
    return {"source": "snapshot", "snapshot": path, "allocator": ALLOCATOR}


@pytest.mark.parametrize("kinds", [("state",), ("audit",), ("metrics",), ("state", "audit", "metrics")])
def test_histories_of_all_kinds_say_the_same(
    kinds: tuple[str, ...], present: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two more Nodes a day, 40 blocks left of 64: 20 days, whatever the history is kept in; and its folder may hold more."""
    folder = tmp_path / "history"
    for number, day in enumerate(range(1, 11)):
        save(folder, nodes_at(24 - 2 * day, day), kinds[number % len(kinds)], f"day-{day}")
    (folder / "report.html").write_text("<html>", encoding="utf-8")
    (folder / "notes.txt").write_text("not a metric", encoding="utf-8")
    files = {"output_path": "f.json", "report_markdown": "f.md", "report_html": "f.html"}
    paths = {option: str(tmp_path / name) for option, name in files.items()}
    result = run(capsys, **present, **paths, history=[str(folder)], select="resources[?days!=null].[resource,days]")
    (blocks,) = [one for one in result["resources"] if one["resource"] == "node-blocks/IPv4"]
    assert blocks["free"] == 40 and blocks["days"] == 20 and blocks["growth"]["per_day"] == 2
    assert blocks["exhausted_at"] == "2026-11-21T00:00:00+00:00"
    assert result["selected"] == [["node-blocks/IPv4", 20]] and result["changed"] is False
    assert list(result["history"]["skipped"]) == [str(folder / "notes.txt")]
    assert len(result["history"]["sources"]) == 10 and result["report_paths"] == paths
    assert result["lines"][0].startswith(
        "   20.0 days  IPv4 blocks of 10.0.0.0/18 (/24) for Nodes: 40 of 64 free; 20 days"
    )
    assert json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))["resources"] == result["resources"]
    assert "| 20 |" in (tmp_path / "f.md").read_text(encoding="utf-8").replace("20.0 |", "20 |")
    assert "What runs out when" in (tmp_path / "f.html").read_text(encoding="utf-8")
    (further,) = result["what_if"]
    assert further["further_nodes"] == 40 and further["first_node_without"] == 41 and further["possible"] is None


def test_without_history_nothing_is_foretold(present: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """How many more Nodes fit is known all the same."""
    result = run(capsys, **present, what_if={"nodes": 41, "node_mask_size_ipv4": 25, "added_cidrs": ["10.0.0.0/16"]})
    assert {one["verdict"] for one in result["resources"]} == {"too-short"}
    assert all(one["days"] is None for one in result["resources"])
    answers = [(one["possible"], one["further_nodes"]) for one in result["what_if"]]
    assert answers == [(False, 40), (True, 80), (True, 232)]
    assert result["churn"] is None and result["unknown"]["identities"] == "there is no Cilium here"


def test_a_new_pool_is_thought_through(present: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Here without Cilium, so the answer is why not."""
    what_if = {"added_cidrs": ["10.3.0.0/24"], "pool": "mars", "new_pool_mask_size": 28}
    (_nodes, answer) = run(capsys, **present, what_if=what_if)["what_if"]
    assert answer["question"] == "What if there were a pool mars of 10.3.0.0/24 in blocks of /28?"
    assert answer["possible"] is False and "kube-controller-manager has no pools" in answer["sentences"][0]


def test_a_result_is_as_good_as_a_state_for_node_blocks(
    present: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same answers about blocks from the JSON result of an audit."""
    path = save(tmp_path, nodes_at(24, 0), "audit", "result")
    questions = {"what_if": {"nodes": 7, "node_mask_size_ipv4": 23}}
    by_state = run(capsys, **present, **questions)
    by_result = run(capsys, source="result", result=str(path), **questions)
    assert by_result["what_if"] == by_state["what_if"]
    assert by_state["what_if"][1]["possible"] is False and by_state["what_if"][1]["nodes_sharing_a_block"] == 24
    assert [one["free"] for one in by_result["resources"]] == [one["free"] for one in by_state["resources"]]


def test_results_of_every_bundled_state_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Sick clusters are no reason to fail."""
    result = run(capsys, source="snapshot", snapshot=str(TARGET), what_if={"nodes": 1})
    assert result["resources"][0]["verdict"] == "exhausted" and result["what_if"][0]["possible"] is False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"what_if": {"nodes": -1}}, "what_if.nodes: -1 is not usable"),
        ({"what_if": {"node_mask_size_ipv4": 33}}, "what_if.node_mask_size_ipv4: 33 is no mask size; give 1 to 32."),
        ({"what_if": {"added_cidrs": ["ten"]}}, "what_if.added_cidrs: 'ten' is not a CIDR"),
        ({"what_if": {"new_pool_mask_size": 28}}, "what_if.new_pool_mask_size: a new pool needs its CIDRs"),
        (
            {"what_if": {"new_pool_mask_size": 33, "added_cidrs": ["10.0.0.0/8"]}},
            "what_if.new_pool_mask_size: 33 is no mask size; give 1 to 32.",
        ),
        ({"what_if": {"identities_per_hour": -2}}, "what_if.identities_per_hour: -2.0 is not usable"),
        ({"what_if": {"identity_gc_interval": "600"}}, "what_if.identity_gc_interval: "),
        ({"min_history_days": 0}, "min_history_days: 0.0 is no number of days"),
        ({"select": "a["}, "select: 'a[' is not a JMESPath expression"),
        ({"history": ["/nowhere/at/all"]}, "history: /nowhere/at/all cannot be read: No such file or directory"),
        ({"source": "result", "result": "/nowhere"}, "result: /nowhere cannot be read"),
    ],
)
def test_bad_options(
    options: dict[str, Any], words: str, present: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence that names option and value."""
    result = run(capsys, **{**present, **options})
    assert result["failed"] and words in result["msg"] and result["msg"].endswith(".")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{}", "it is not the result of an audit (it has no taken_at)"),
        ("a.json", "{", "cannot be used: Expecting property name"),
        ("a.json", "", "is empty"),
        ("a.json", '{"status": "error", "data": {}}', "it is no successful answer of Prometheus"),
        ("a.prom", "podnet_upkeep_identities_used 1\n", "its samples have no times"),
        ("a.prom", "up 1 1762000000000\n", "it has nothing that a forecast is made of"),
        ("a.json.gz", "\x1f\x8b", "history: "),
    ],
)
def test_files_that_cannot_be_used(
    name: str, text: str, words: str, present: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is named is an error, and so is a folder with nothing else."""
    path = tmp_path / "given" / name
    path.parent.mkdir()
    path.write_bytes(text.encode("latin-1"))
    for given in (path, path.parent):
        result = run(capsys, **present, history=[str(given)])
        assert result["failed"] and words in result["msg"] and "Traceback" not in result["msg"]


def test_other_clusters_are_refused(
    present: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the uid of kube-system of a state, by the Nodes of a result."""
    state = save(tmp_path, nodes_at(3, 1, "ffff"), "state", "other")
    assert f"{state} is of another cluster" in run(capsys, **present, history=[str(state)])["msg"]
    renamed = json.loads(save(tmp_path, nodes_at(3, 1), "audit", "result").read_text(encoding="utf-8"))
    for number, one in enumerate(renamed["nodes"]):
        one["name"] = f"other-{number}"
    (tmp_path / "result.json").write_text(json.dumps(renamed), encoding="utf-8")
    answer = run(capsys, **present, history=[str(tmp_path / "result.json")])
    assert "has no Node in common with the present state" in answer["msg"]


def test_pools_of_cilium() -> None:
    """Nodes that wait are served before new ones; dual-stack needs both families; a result has no books."""
    held = [cilium_node(f"n{number}", f"10.0.{number}.0/24", f"fd00::{number}:0/112") for number in range(2)]
    nodes = [machine(f"n{number}") for number in range(3)]
    config = {
        "enable-ipv6": "true",
        "cluster-pool-ipv4-cidr": "10.0.0.0/22 10.9.0.0/24",
        "cluster-pool-ipv6-cidr": "fd00::/108",
        "cluster-pool-ipv6-mask-size": "112",
    }
    context = cilium_context(config, nodes=nodes, ciliumnodes=[*held, cilium_node("n2")])
    present = present_of(context)
    assert present.cilium is not None and present.nodes is None
    assert [(row.family, row.capacity, row.free) for row in present.cilium.rows()] == [("IPv4", 5, 3), ("IPv6", 16, 14)]
    assert present.cilium.further_nodes() == 2
    by_result = present_of_result(document(context))
    assert by_result.cilium is None and "saved state" in (by_result.why or {})["cilium-pools-what-if"]
    assert by_result.times == present.times
    # kube-controller-manager may cut blocks too, which nobody uses here
    assert by_result.nodes is None and by_result.document["pools"] == []
    assert "cilium-cluster-pool" in (by_result.why or {})["node-blocks"]
