"""The inventory of a saved cluster: hosts, groups, variables, cache, and one sentence for what cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments import constructed, inventory_cache

from ansible_collections.podnet.upkeep.plugins.doc_fragments import allocator, auth_of_inventory
from ansible_collections.podnet.upkeep.plugins.inventory import cluster
from ansible_collections.podnet.upkeep.plugins.plugin_utils.node_inventory import address_of, groups_of

SNAPSHOTS = Path(__file__).parents[3] / "snapshots"
SICK = SNAPSHOTS / "sick-small.state.json.gz"
Make = Callable[..., InventoryData]


def plugin() -> Any:
    """A fresh one with the options that its documentation describes.

    ansible-core's own loader cannot load a collection that is imported already, as that under test is.
    """
    options: dict[str, Any] = {}
    for one in (constructed, inventory_cache, allocator, auth_of_inventory):
        options |= yaml.safe_load(one.ModuleDocFragment.DOCUMENTATION)["options"]
    options |= yaml.safe_load(cluster.DOCUMENTATION)["options"]
    C.config.initialize_plugin_configuration_definitions("inventory", cluster.InventoryModule.NAME, options)
    made = cluster.InventoryModule()
    made._load_name = made.ansible_name = made.NAME
    made._redirected_names = made.ansible_aliases = [made.NAME]
    return made


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write an inventory file with these options and parse it."""

    def parse(name: str = "x.podnet.yml", *, flushed: bool = False, **options: Any) -> InventoryData:
        path = tmp_path / name
        given = {"plugin": "podnet.upkeep.cluster", "source": "snapshot", "snapshot": str(SICK), **options}
        path.write_text(yaml.safe_dump({key: one for key, one in given.items() if one is not None}), encoding="utf-8")
        data = InventoryData()
        made = plugin()
        made.parse(data, DataLoader(), str(path), cache=not flushed)
        made.update_cache_if_changed()
        return data

    return parse


def members(data: InventoryData, group: str) -> list[str]:
    """Names of the hosts of a group."""
    return sorted(host.name for host in data.groups[group].get_hosts())


def test_nodes_are_hosts_in_the_groups_of_what_is_found(make: Make) -> None:
    """The sick cluster has five Nodes that a re-registration mends, of 12."""
    data = make()
    assert len(data.hosts) == 12
    assert members(data, "drifted") == [f"worker-{number}" for number in (2, 3, 4, 5, 6)]
    assert members(data, "finding_node_cidr_overlap") == ["worker-4", "worker-5"]
    assert members(data, "role_control_plane") == ["control-1", "control-2"]
    assert "worker-3" not in members(data, "pool_10_244_0_0_20")
    assert members(data, "severity_critical") == members(data, "drifted")
    assert len(members(data, "ipam_node_spec")) == 12
    assert all(name.replace("_", "").isalnum() for name in data.groups)
    host = data.hosts["worker-4"].vars
    assert host["ansible_host"] == "192.0.2.16" and host["podnet_node_name"] == "worker-4"
    assert host["podnet_pod_cidrs"] == ["10.244.8.0/21"] and host["podnet_drifted"] is True
    assert host["podnet_finding_ids"][0] == "node-cidr-mask-mismatch"
    assert host["podnet_cluster"]["taken_at"].startswith("2026-11-01")


def test_composed(make: Make) -> None:
    """Variables and groups of one's own, with the names that ansible-core gives them."""
    data = make(
        compose={"ansible_user": "'core'", "rack": "podnet_node_name[-1]"},
        groups={"more-than-one": "podnet_findings | length > 1"},
        keyed_groups=[{"key": "podnet_ready", "prefix": "ready"}],
        strict=True,
    )
    assert data.hosts["worker-4"].vars["rack"] == "4" and data.hosts["worker-4"].vars["ansible_user"] == "core"
    assert members(data, "more_than_one") == ["worker-4"] and members(data, "ready_False") == ["worker-6"]
    with pytest.raises(AnsibleParserError, match="no_such"):
        make(groups={"wrong": "no_such.thing"}, strict=True)


def test_the_address_that_is_wanted(make: Make) -> None:
    """The type in the order of the option, the family, and none where there is none."""
    row = {
        "addresses": [
            {"type": "Hostname", "address": "w1"},
            {"type": "InternalIP", "address": "10.0.0.1"},
            {"type": "InternalIP", "address": "fd00::1"},
        ]
    }
    assert address_of(row, ["ExternalIP", "InternalIP"], "any") == "10.0.0.1"
    assert address_of(row, ["InternalIP"], "ipv6") == "fd00::1"
    assert address_of(row, ["Hostname", "InternalIP"], "ipv6") == "w1"
    assert address_of(row, ["ExternalIP"], "any") == ""
    assert "ansible_host" not in make(address_types=["ExternalIP"]).hosts["worker-1"].vars


def test_what_cannot_be_judged_is_not_called_well(make: Make, tmp_path: Path) -> None:
    """Without DaemonSets nobody knows the IPAM model: no Node is ok, and none is drifted."""
    nodes = {"apiVersion": "v1", "kind": "NodeList", "items": [{"metadata": {"name": "a"}}]}
    folder = tmp_path / "dump"
    folder.mkdir()
    (folder / "nodes.json").write_text(json.dumps(nodes), encoding="utf-8")
    data = make(snapshot="dump")
    assert members(data, "severity_unknown") == ["a"] and members(data, "drifted") == []
    assert "daemonsets" in data.hosts["a"].vars["podnet_cluster"]["unknown"]


def test_a_node_in_several_pools_and_with_a_pool_of_machines() -> None:
    """Names as they are before they are made fit."""
    row = {
        "roles": ["worker"],
        "node_pool": "big-1",
        "pools": ["10.0.0.0/16", "fd00::/48"],
        "ipam_model": "node-spec",
        "severity": "ok",
        "findings": [],
        "drifted": False,
    }
    assert groups_of(row) == [
        *("role_worker", "node_pool_big-1", "pool_10.0.0.0/16", "pool_fd00::/48", "ipam_node-spec", "severity_ok")
    ]


def test_the_cache_answers_while_it_is_fresh(make: Make, tmp_path: Path) -> None:
    """Also when the cluster cannot be read any more; --flush-cache reads it again."""
    copy = tmp_path / "state.json.gz"
    copy.write_bytes(SICK.read_bytes())
    options = {
        "snapshot": "state.json.gz",
        "cache": True,
        "cache_plugin": "jsonfile",
        "cache_connection": str(tmp_path / "cache"),
    }
    first = make(**options)
    copy.unlink()
    second = make(**options)
    assert {name: host.vars for name, host in first.hosts.items()} == {
        name: host.vars for name, host in second.hosts.items()
    }
    with pytest.raises(AnsibleParserError, match="cannot be read"):
        make(**options, flushed=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"snapshot": None}, "source: snapshot needs the option snapshot"),
        ({"snapshot": "no-such-file"}, "no-such-file cannot be read"),
        ({"address_types": ["Inside"]}, "address_types: 'Inside' is no type"),
        ({"address_types": []}, "address_types: the list is empty"),
        ({"allocator": {"node_mask_size_ipv4": 24}}, "allocator: .*cluster_cidrs"),
        ({"allocator": {"cluster_cidrs": ["10.0.0.0.0/8"]}}, "allocator: .*is not a CIDR"),
        ({"source": "live", "kubeconfig": "nowhere.conf"}, "nowhere.conf"),
    ],
)
def test_one_sentence_for_what_cannot_be_used(make: Make, options: dict[str, Any], sentence: str) -> None:
    """It names the option."""
    with pytest.raises(AnsibleParserError, match=sentence):
        make(**options)


def test_names_of_files(tmp_path: Path) -> None:
    """Ours end in podnet.yml or podnet.yaml, and are there."""
    for name, ours in (
        *(("podnet.yml", True), ("prod.podnet.yaml", True)),
        *(("prod.yml", False), ("notpodnet.yml", False)),
    ):
        (tmp_path / name).write_text("plugin: podnet.upkeep.cluster\n", encoding="utf-8")
        assert plugin().verify_file(str(tmp_path / name)) is ours, name
    assert not plugin().verify_file(str(tmp_path / "absent.podnet.yml"))
