"""Output of kubectl: which resources files tell of, what they prove absent, and when they were made."""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from snapshots import make_sick_cilium, sick_cilium

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError


def load_kubectl(folder: Path, **files: Any) -> ClusterState:
    """The state of a folder with these files of JSON; a text is written as it is."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name.replace("__", ".")).write_text(text)
    return snapshot.load(str(folder))


def test_a_list_of_one_namespace_says_nothing_of_others(tmp_path: Path) -> None:
    """Leases of kube-system are not those of Nodes; a ConfigMap of another namespace is not the cluster's."""
    found = sick_cilium.objects()
    leases = {"kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1", "items": found["leases"]}
    state = load_kubectl(tmp_path / "a", leases__json=leases)
    assert "leases" in state.resources and "nodeleases" in state.unknown
    others = [{**found["events"][2]}, {**found["configmaps"][0], "metadata": {"name": "x", "namespace": "kube-system"}}]
    state = load_kubectl(tmp_path / "b", all__json={"kind": "List", "apiVersion": "v1", "items": others})
    assert state.resources["events"] == () and state.resources["configmaps"] == ()
    foreign = {**found["configmaps"][0], "metadata": {"name": "cilium-config", "namespace": "tests"}}
    items = [foreign, *found["daemonsets"], *found["configmaps"]]
    state = load_kubectl(tmp_path / "c", all__json={"kind": "List", "apiVersion": "v1", "items": items})
    assert [one["metadata"]["namespace"] for one in state.of("configmaps")] == ["kube-system"] * 2


def test_definitions_prove_what_is_absent(tmp_path: Path) -> None:
    """A list of CustomResourceDefinitions tells which kinds there cannot be."""
    definitions = [{"metadata": {"name": f"{name}.cilium.io"}} for name in ("ciliumnodes", "ciliumidentities")]
    content = {"kind": "CustomResourceDefinitionList", "apiVersion": "apiextensions.k8s.io/v1", "items": definitions}
    state = load_kubectl(
        tmp_path, crd__json=content, nodes__json={"kind": "List", "items": sick_cilium.objects()["nodes"]}
    )
    assert {"ippools", "ciliumpodippools", "ciliumendpoints", "cninodes", "clustercidrs"} <= state.absent
    assert not {"ciliumnodes", "ciliumidentities", "clustercidrs-in-tree", "csinodes"} & state.absent
    assert {"ciliumnodes", "ciliumidentities", "csinodes"} <= set(state.unknown)


def test_an_object_in_two_files_is_one(tmp_path: Path) -> None:
    """Of a list of all and a list of one namespace."""
    nodes = {"kind": "List", "items": sick_cilium.objects()["nodes"]}
    assert len(load_kubectl(tmp_path, a__json=nodes, b__json=nodes).nodes) == 4


def test_groups_tell_kinds_of_one_name_apart(tmp_path: Path) -> None:
    """Pools of whereabouts are no pools of Calico; ClusterCIDRs of two groups are two resources."""
    named = {"metadata": {"name": "a"}, "spec": {}}
    items = [
        {"kind": "IPPool", "apiVersion": "whereabouts.cni.cncf.io/v1alpha1", **named},
        {"kind": "IPPool", "apiVersion": "projectcalico.org/v3", **named},
        {"kind": "ClusterCIDR", "apiVersion": "networking.k8s.io/v1alpha1", **named},
    ]
    state = load_kubectl(tmp_path, x={"kind": "List", "items": items})
    assert len(state.of("ippools")) == 1
    assert len(state.of("clustercidrs-in-tree")) == 1 and "clustercidrs" in state.unknown


def test_output_of_powershell(tmp_path: Path) -> None:
    """UTF-16 with a byte order mark."""
    for name in ("nodes.json", "all of the cluster.yaml"):
        (tmp_path / name).write_bytes((make_sick_cilium.KUBECTL / name).read_text().encode("utf-16"))
    state = snapshot.load(str(tmp_path))
    whole = snapshot.load(str(make_sick_cilium.KUBECTL))
    assert state.of("nodes") == whole.of("nodes") and state.of("pods") == whole.of("pods")


def test_without_times_in_the_data_files_tell_the_time(tmp_path: Path) -> None:
    """Never the clock of the reader."""
    content = {"kind": "List", "items": [{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "a"}}]}
    (tmp_path / "b.json").write_text(json.dumps({**content, "kind": "NamespaceList"}))
    (tmp_path / "a.json").write_text(json.dumps(content))
    (tmp_path / "z.txt").write_text("nothing")
    os.utime(tmp_path / "a.json", (1_700_000_000, 1_700_000_000))
    os.utime(tmp_path / "b.json", (1_700_000_060, 1_700_000_060))
    state = snapshot.load(str(tmp_path))
    assert state.taken_at.timestamp() == 1_700_000_060
    assert state.skew == datetime.timedelta(seconds=60)


def test_without_pyyaml_yaml_is_refused_and_json_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence that names the library."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InputError, match=r".*\.yaml is YAML, and the Python library PyYAML is not installed"):
        snapshot.load(str(make_sick_cilium.MAIN))
    snapshot.load(str(make_sick_cilium.KUBECTL / "nodes.json"))
