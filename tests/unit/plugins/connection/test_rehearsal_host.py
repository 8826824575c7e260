"""A stand-in for a host: scripts run as they are, and neither change this machine nor reach another one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.podnet.upkeep.plugins.connection import rehearsal_host


def _namespaces() -> bool:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    words = ["unshare", "--mount", "--uts", "--net", *user, "mount", "-t", "tmpfs", "x", "/mnt"]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


needs_namespaces = pytest.mark.skipif(not _namespaces(), reason="this machine allows no namespaces")


class Played(rehearsal_host.Connection):
    """With options, and without the loader of plugins, which takes the imports of a whole process over."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.become = None
        self._connected = False

    def get_option(self, option: str, hostvars: Any = None) -> Any:
        """One of the given ones."""
        return self.options[option]


def connection(folder: Path, **options: Any) -> rehearsal_host.Connection:
    """A connection to the host w1."""
    given = {"folder": str(folder), "remote_addr": "w1", "machine_id": "0123", "boot_id": "abcd"}
    return Played({**given, "unit": "kubelet", "reachable": True, **options})


def said(made: rehearsal_host.Connection, command: str) -> str:
    """What a command prints."""
    code, out, err = made.exec_command(command)
    assert code == 0, err
    return out.decode().strip()


@needs_namespaces
def test_it_is_another_host(tmp_path: Path) -> None:
    """Its identity is that of the Node, its folders are its own, and there is no network."""
    made = connection(tmp_path)
    assert said(made, "cat /etc/machine-id /proc/sys/kernel/random/boot_id; hostname") == "0123\nabcd\nw1"
    real = Path("/var/lib/podnet-upkeep-test-of-a-stand-in")
    said(made, f"mkdir {real} /etc/cni/net.d/x; touch /run/y")
    assert not real.exists() and not Path("/etc/cni/net.d/x").exists() and not Path("/run/y").exists()
    assert said(made, f"ls -d {real} /etc/cni/net.d/x /run/y").count("\n") == 2
    assert said(made, "ls /sys/class/net; cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '") == "lo"
    assert said(made, "echo a b | awk '{print $2}'; python3 -c 'print(1)' || true").startswith("b")


@needs_namespaces
def test_its_kubelet(tmp_path: Path) -> None:
    """It remembers what was done to the unit, from one connection to the next."""
    made = connection(tmp_path)
    show = "systemctl show k3s-agent kubelet --property=LoadState --property=ActiveState --property=UnitFileState"
    assert "LoadState=not-found" in said(made, show) and said(made, show).endswith("MainPID=0")
    assert "LoadState=loaded\nActiveState=active\nUnitFileState=enabled" in said(made, show).split("\n\n")[1]
    said(made, "systemctl disable --quiet kubelet && systemctl stop kubelet.service")
    again = connection(tmp_path)
    assert said(again, "systemctl is-active kubelet; systemctl is-enabled kubelet || true") == "inactive\ndisabled"
    said(again, "systemctl enable --now --quiet kubelet")
    assert said(again, "systemctl is-active kubelet") == "active"
    assert said(again, "crictl pods --output json") == '{"items": []}' and "Version" in said(again, "crictl version")


@needs_namespaces
def test_exit_codes_and_input(tmp_path: Path) -> None:
    """As of any command."""
    code, out, err = connection(tmp_path).exec_command("cat; echo no >&2; exit 7", in_data=b"words")
    assert (code, out, err) == (7, b"words", b"no\n")


def test_a_host_that_is_switched_off(tmp_path: Path) -> None:
    """Nothing runs there."""
    with pytest.raises(AnsibleConnectionFailure, match="not Ready in the snapshot"):
        connection(tmp_path, reachable=False).exec_command("true")
    assert not list(tmp_path.iterdir())


def test_files_stay_in_its_folder(tmp_path: Path) -> None:
    """A module of the controller is not copied over a file of the controller."""
    made = connection(tmp_path / "hosts")
    (tmp_path / "source").write_text("x", encoding="utf-8")
    with pytest.raises(AnsibleError, match="gives and takes files in"):
        made.put_file(str(tmp_path / "source"), str(tmp_path / "target"))
