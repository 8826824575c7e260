"""One host as tests see it: commands over SSH, and what its kubelet and CNI left on it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from .network import host_address


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

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until SSH answers; TimeoutError after `seconds`."""
        end = time.monotonic() + seconds
        while self.run("true", check=False).returncode != 0:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name} ({self.address}) does not answer over SSH")
            time.sleep(0.3)

    def disconnect(self) -> None:
        """End the shared SSH connection."""
        if self.control_path.exists():
            command = [*self.ssh_command()[:-1], "-O", "exit", f"root@{self.address}"]
            subprocess.run(command, capture_output=True, check=False)
