"""Runs `ansible-playbook FQCN` with the ansible-core of the running Python and reads its recap.

The collection is found through ANSIBLE_COLLECTIONS_PATH, so that the tests exercise the built and installed tarball
and not the work tree.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RECAP = re.compile(r"^(?P<host>\S+)\s+:\s+(?P<counts>(?:\w+=\d+\s*)+)$", re.MULTILINE)


@dataclass(frozen=True)
class PlaybookRun:
    """What one run left behind: exit code, both streams, and the recap as {host: {counter: number}}."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Counters of the PLAY RECAP by host; empty when the run died before one was printed."""
        _before, separator, text = self.stdout.rpartition("PLAY RECAP")
        if not separator:
            return {}
        return {
            match["host"]: {key: int(value) for key, value in (pair.split("=") for pair in match["counts"].split())}
            for match in _RECAP.finditer(text)
        }

    @property
    def changed(self) -> int:
        """Sum of the recap's `changed` over all hosts.

        Raises AssertionError when there is no recap: a run without one proves nothing about changes.
        """
        recap = self.recap
        assert recap, f"no PLAY RECAP in the output:\n{self.output}"
        return sum(counts["changed"] for counts in recap.values())

    @property
    def output(self) -> str:
        """Both streams, for messages and for searching."""
        return f"{self.stdout}\n{self.stderr}"

    @property
    def failure(self) -> str:
        """What the last task that has failed says; empty when none has."""
        found: list[str] = re.findall(r'"msg": "((?:[^"\\]|\\.)*)"', self.stdout.rpartition("fatal: [")[2])
        return found[-1] if "fatal: [" in self.stdout and found else ""

    @property
    def flat_output(self) -> str:
        """The output with all white space folded: ansible-core wraps and indents long messages by version."""
        return re.sub(r"\s+", " ", self.output)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a playbook run: no configuration of the caller's, strict facts, plain output."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG")) or key == "ANSIBLE_COLLECTIONS_PATH"
    }
    kept.update(
        ANSIBLE_CONFIG=str(Path(__file__).with_name("ansible.cfg")),
        ANSIBLE_INJECT_FACT_VARS="false",
        ANSIBLE_NOCOLOR="true",
        ANSIBLE_RETRY_FILES_ENABLED="false",
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_DEPRECATION_WARNINGS="true",
        PYTHONUNBUFFERED="1",
    )
    kept.update(extra or {})
    return kept


def command(playbook: str, *arguments: str, variables: Mapping[str, Any] | None = None) -> list[str]:
    """The ansible-playbook command line beside the running Python for one playbook and its extra variables."""
    program = Path(sys.executable).parent / "ansible-playbook"
    extra = ["-e", json.dumps(dict(variables))] if variables else []
    return [str(program), playbook, *arguments, *extra]


def run_playbook(
    playbook: str,
    arguments: Sequence[str] = (),
    *,
    variables: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 900,
) -> PlaybookRun:
    """Run `playbook` (a FQCN or a path) and return its result; never raises for a failed play.

    Raises subprocess.TimeoutExpired when it runs for more than `timeout` seconds.
    """
    done = subprocess.run(
        command(playbook, *arguments, variables=variables),
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return PlaybookRun(done.returncode, done.stdout, done.stderr)
