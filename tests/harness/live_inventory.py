"""A testbed's hosts through the inventory plugin: the file that names the cluster, and what it is shown as."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from testbed import Testbed

from .playbook import environment


def write(testbed: Testbed, folder: Path, **options: Any) -> Path:
    """An inventory file for this cluster; how to reach hosts over SSH is that of the testbed's own inventory."""
    known = yaml.safe_load(testbed.inventory.read_text(encoding="utf-8"))["all"]["hosts"] if testbed.hosts else {}
    # the same for all hosts, but for the address, which the Node has
    connection = {key: value for host in known.values() for key, value in host.items() if key != "ansible_host"}
    content = {
        "plugin": "podnet.upkeep.cluster",
        "kubeconfig": str(testbed.kubeconfig),
        "compose": {key: json.dumps(value) for key, value in connection.items()},
        **options,
    }
    path = folder / "cluster.podnet.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def shown(path: Path, *arguments: str) -> dict[str, Any]:
    """What `ansible-inventory --list` says: groups, and the variables of hosts as `_meta.hostvars`."""
    program = Path(sys.executable).parent / "ansible-inventory"
    env = environment({"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"})
    command = [str(program), "-i", str(path), "--list", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=True)
    listed: dict[str, Any] = json.loads(done.stdout)
    return listed


def members(listed: dict[str, Any], group: str) -> list[str]:
    """Names of the hosts of a group, sorted; none for a group that is empty or not there."""
    return sorted(listed.get(group, {}).get("hosts", []))
