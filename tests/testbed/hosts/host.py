"""One host as tests see it: commands over SSH, and what its kubelet and CNI left on it."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .. import processes
from .base import HostError
from .network import host_address


@dataclass(frozen=True)
class HostFacts:
    """What kubelet and CNI left on a host.

    `bridge_addresses`: of cni0, with prefix length (empty: no pod has run yet). `subnets`: ranges of the CNI
    configuration that containerd rendered. `leases`: addresses that host-local holds. `sandboxes`: ids of pod
    sandboxes in any state.
    """

    bridge_addresses: tuple[str, ...]
    subnets: tuple[str, ...]
    leases: tuple[str, ...]
    sandboxes: tuple[str, ...]


_FACTS = r"""
import glob, json, os, subprocess
def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""
links = json.loads(output("ip", "-json", "address", "show", "dev", "cni0") or "[]")
entries = [entry for link in links for entry in link.get("addr_info", ()) if entry.get("scope") == "global"]
subnets = []
for path in sorted(glob.glob("/etc/cni/net.d/*.conflist")):
    for plugin in json.load(open(path))["plugins"]:
        for ranges in plugin.get("ipam", {}).get("ranges", ()):
            subnets += [one["subnet"] for one in ranges]
leases = [os.path.basename(path) for path in sorted(glob.glob("/var/lib/cni/networks/*/*"))]
print(json.dumps({
    "bridge_addresses": ["%s/%d" % (entry["local"], entry["prefixlen"]) for entry in entries],
    "subnets": subnets,
    "leases": [name for name in leases if name != "lock" and not name.startswith("last_reserved_ip")],
    "sandboxes": sorted(output("crictl", "--timeout", "60s", "pods", "-q", "--no-trunc").split()),
}))
"""


class Host:
    """A guest of a running testbed."""

    def __init__(self, run_dir: Path, index: int, number: int, name: str) -> None:
        self.name = name
        self.number = number
        self.address = host_address(index, number)
        self._run_dir = run_dir

    @property
    def key(self) -> Path:
        """The private SSH key."""
        return self._run_dir / "ssh-key"

    @property
    def control_path(self) -> Path:
        """Socket of the shared SSH connection."""
        return self._run_dir / f"ssh{self.number}"

    def ssh_command(self, *words: str) -> list[str]:
        """The ssh command line for `words` (none: a shell)."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "ConnectTimeout": "3",
            "BatchMode": "yes",
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "2",
            "ControlMaster": "auto",
            "ControlPath": str(self.control_path),
            "ControlPersist": "60",
        }
        flags = [flag for key, value in options.items() for flag in ("-o", f"{key}={value}")]
        return ["ssh", "-i", str(self.key), *flags, f"root@{self.address}", *words]

    def run(self, command: str, *, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root on the host.

        Raises RuntimeError with its output when it fails and `check` is true.
        """
        done = subprocess.run(
            self.ssh_command("bash", "-s"),
            input=command,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {command!r} failed ({done.returncode}): {done.stdout}{done.stderr}")
        return done

    def facts(self) -> HostFacts:
        """What kubelet and CNI left on it, now; RuntimeError when it cannot be read."""
        done = self.run(f"python3 - <<'SCRIPT'\n{_FACTS}\nSCRIPT\n")
        values = {key: tuple(value) for key, value in json.loads(done.stdout).items()}
        return HostFacts(**values)

    def wait_ready(self, seconds: float = 180) -> None:
        """Wait until SSH answers.

        Raises TimeoutError after `seconds`, and HostError as soon as the guest has ended, each with its last words.
        """
        end = time.monotonic() + seconds
        record = f"guest-{self.name}"
        while (done := self.run("true", check=False)).returncode != 0:
            known = processes.read(self._run_dir, record)
            if known is not None and not processes.alive(known):
                raise HostError(f"{self.name} ended while it started: {processes.tail(self._run_dir, record)}")
            if time.monotonic() > end:
                raise TimeoutError(
                    f"{self.name} ({self.address}) does not answer over SSH: {done.stderr.strip()}; "
                    f"its console: {processes.tail(self._run_dir, record, 15)}"
                )
            time.sleep(0.3)

    def disconnect(self) -> None:
        """End the shared SSH connection."""
        if self.control_path.exists():
            command = [*self.ssh_command()[:-1], "-O", "exit", f"root@{self.address}"]
            subprocess.run(command, capture_output=True, check=False)
