"""Runs the stages of `make test` and `make lint` one after the other and says at the end what passed.

A stage that fails does not stop the later ones. Counts come from pytest's JUnit files; a stage without one counts as a
single check. A stage that cannot run here is skipped with its reason; where CI is set, a skipped stage is a failure,
and so is a skipped test.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path


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
    done = subprocess.run(words, stdin=subprocess.DEVNULL, check=False)
    outcome.seconds = time.monotonic() - started
    if "{junit}" in command and junit.exists():
        outcome.counts = counts_of_junit(junit)
        if done.returncode != 0 and not outcome.counts.failed:
            outcome.counts.failed += 1
            outcome.note = f"exit code {done.returncode}"
    elif done.returncode == 0 and "{junit}" not in command:
        outcome.counts.passed = 1
    else:
        outcome.counts.failed = 1
        outcome.note = f"exit code {done.returncode}"
    return outcome


def main() -> int:
    """Run the stages of a file; 0 when nothing failed (and, where CI is set, nothing was skipped)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("stages", nargs="+", help="NAME|NEEDS|COMMAND")
    options = parser.parse_args()
    options.reports.mkdir(parents=True, exist_ok=True)
    outcomes = [run_stage(line, options.reports) for line in options.stages]
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
