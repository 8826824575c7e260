"""Runs the stages of `make test` and `make lint` one after the other and says at the end what passed.

A stage that fails does not stop the later ones. Counts come from pytest's JUnit files; a stage without one counts as a
single check. Interrupted or terminated, a stage gets the time to take its testbed down; the stages after it do not run.
A stage that cannot run here is skipped with its reason; where CI is set, a skipped stage is a failure,
and so is a skipped test.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

TEARDOWN_SECONDS = 120


class Terminated(KeyboardInterrupt):
    """SIGTERM came: unlike Ctrl-C of a terminal, it did not reach the stage's process."""


def terminated(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM. Raises Terminated."""
    raise Terminated


@dataclass
class Counts:
    """Numbers of checks."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        """Add the numbers of another."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


@dataclass
class Outcome:
    """What became of one stage."""

    name: str
    seconds: float = 0.0
    counts: Counts = field(default_factory=Counts)
    note: str = ""
    interrupted: bool = False


def counts_of_junit(path: Path) -> Counts:
    """Counts of a JUnit file that pytest wrote. Raises ET.ParseError or FileNotFoundError when there is none."""
    counts = Counts()
    for suite in ET.parse(path).getroot().iter("testsuite"):
        total, failures, errors, skipped = (
            int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")
        )
        counts.add(Counts(total - failures - errors - skipped, failures + errors, skipped))
    return counts


def reason_to_skip(words: list[str]) -> str:
    """Why a stage cannot run here: its needs are `root` and paths of programs; empty when it can."""
    for need in words:
        if need == "root" and os.geteuid() != 0:
            return "needs root"
        if need != "root" and shutil.which(need) is None:
            return f"needs {need}"
    return ""


def run_to_its_end(words: list[str]) -> int:
    """Run a command and return its exit code.

    Raises KeyboardInterrupt after the command ended: pytest takes its testbed down when it is interrupted, and
    subprocess.run would kill it a quarter of a second later.
    """
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    try:
        return process.wait()
    except KeyboardInterrupt as interruption:
        if isinstance(interruption, Terminated):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=TEARDOWN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def run_stage(line: str, reports: Path) -> Outcome:
    """Run one stage, written as `NAME|NEEDS|COMMAND`; `{junit}` in the command is the file pytest is to write."""
    name, needs, command = line.split("|", 2)
    outcome = Outcome(name)
    outcome.note = reason_to_skip(needs.split())
    if outcome.note:
        outcome.counts.skipped = 1
        print(f"\n==> {name}: skipped, {outcome.note}", flush=True)
        return outcome
    junit = reports / f"{name}.xml"
    junit.unlink(missing_ok=True)
    print(f"\n==> {name}", flush=True)
    started = time.monotonic()
    words = [word.replace("{junit}", str(junit)) for word in shlex.split(command)]
    try:
        exit_code = run_to_its_end(words)
    except KeyboardInterrupt:
        outcome.seconds, outcome.counts.failed = time.monotonic() - started, 1
        outcome.note, outcome.interrupted = "interrupted", True
        return outcome
    outcome.seconds = time.monotonic() - started
    if "{junit}" in command and junit.exists():
        outcome.counts = counts_of_junit(junit)
        if exit_code != 0 and not outcome.counts.failed:
            outcome.counts.failed += 1
            outcome.note = f"exit code {exit_code}"
    elif exit_code == 0 and "{junit}" not in command:
        outcome.counts.passed = 1
    else:
        outcome.counts.failed = 1
        outcome.note = f"exit code {exit_code}"
    return outcome


def main() -> int:
    """Run the stages of a file; 0 when nothing failed (and, where CI is set, nothing was skipped)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("stages", nargs="+", help="NAME|NEEDS|COMMAND")
    options = parser.parse_args()
    options.reports.mkdir(parents=True, exist_ok=True)
    # in a background job SIGINT is ignored from the start; the stages are to heed it all the same
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminated)
    outcomes: list[Outcome] = []
    for line in options.stages:
        outcomes.append(run_stage(line, options.reports))
        if outcomes[-1].interrupted:
            break
    total = Counts()
    print(f"\n{'stage':24} {'seconds':>8} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for outcome in outcomes:
        counts = outcome.counts
        total.add(counts)
        numbers = f"{outcome.seconds:8.0f} {counts.passed:7} {counts.failed:7} {counts.skipped:8}"
        print(f"{outcome.name:24} {numbers}  {outcome.note}".rstrip())
    in_ci = bool(os.environ.get("CI"))
    if in_ci and total.skipped:
        print("\nCI is set: what was skipped counts as failed")
        total = Counts(total.passed, total.failed + total.skipped, 0)
    print(f"\n{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
