"""Runs the stages of `make test` and `make lint` and says at the end what passed.

The stages of one lane run one after the other, several lanes side by side; the output of a stage is then shown as a whole
when it ends. A stage that fails does not stop the later ones. Counts come from pytest's JUnit files; a stage without one
counts as a single check. Tests that failed are named again before the last line, which gives the counts.
Interrupted or terminated, the stages get the time to take their testbeds down; those after them do not run.
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
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

TEARDOWN_SECONDS = 120
FAILURE_WIDTH = 240
FAILURES_SHOWN = 20


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
    failures: list[str] = field(default_factory=list)


def read_junit(path: Path) -> tuple[Counts, list[str]]:
    """Counts of a JUnit file that pytest wrote, and its failed tests, each with the beginning of its message.

    Raises ET.ParseError or FileNotFoundError when there is none.
    """
    root = ET.parse(path).getroot()
    counts = Counts()
    for suite in root.iter("testsuite"):
        total, failures, errors, skipped = (
            int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")
        )
        counts.add(Counts(total - failures - errors - skipped, failures + errors, skipped))
    names = [
        f"{case.get('classname', '')}::{case.get('name', '')}: {' '.join(problem.get('message', '').split())}"[
            :FAILURE_WIDTH
        ]
        for case in root.iter("testcase")
        for problem in (*case.findall("failure"), *case.findall("error"))
    ]
    return counts, names


def reason_to_skip(words: list[str]) -> str:
    """Why a stage cannot run here: its needs are `root` and paths of programs; empty when it can."""
    for need in words:
        if need == "root" and os.geteuid() != 0:
            return "needs root"
        if need != "root" and shutil.which(need) is None:
            return f"needs {need}"
    return ""


class Lane(threading.Thread):
    """Stages that run one after the other. `shared` says that other lanes run beside it, which must not mix their output."""

    printing = threading.Lock()

    def __init__(self, stages: list[str], reports: Path, *, shared: bool) -> None:
        super().__init__(daemon=True)
        self.outcomes: list[Outcome] = []
        self._stages = stages
        self._reports = reports
        self._shared = shared
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Run the stages until one was interrupted."""
        for line in self._stages:
            if self._ending.is_set():
                return
            self.outcomes.append(self._run_stage(line))

    def end(self, *, signalled: bool) -> None:
        """Begin no more stages, and let the running one take its testbed down; `signalled` when SIGINT came to it already."""
        self._ending.set()
        if self._process is not None and not signalled:
            self._process.send_signal(signal.SIGINT)
        self.join(TEARDOWN_SECONDS)
        if self._process is not None and self.is_alive():
            self._process.kill()
            self.join()

    def _say(self, text: str) -> None:
        with self.printing:
            print(text, flush=True)

    def _run_stage(self, line: str) -> Outcome:
        """Run one stage, written as `NAME|NEEDS|COMMAND`; `{junit}` in the command is the file pytest is to write."""
        name, needs, command = line.split("|", 2)
        outcome = Outcome(name)
        outcome.note = reason_to_skip(needs.split())
        if outcome.note:
            outcome.counts.skipped = 1
            self._say(f"\n==> {name}: skipped, {outcome.note}")
            return outcome
        junit = self._reports / f"{name}.xml"
        junit.unlink(missing_ok=True)
        self._say(f"\n==> {name}" + (" begins" if self._shared else ""))
        started = time.monotonic()
        exit_code = self._run_command([word.replace("{junit}", str(junit)) for word in shlex.split(command)], name)
        outcome.seconds = time.monotonic() - started
        if self._ending.is_set():
            outcome.counts.failed, outcome.note = 1, "interrupted"
        elif "{junit}" in command and junit.exists():
            try:
                outcome.counts, outcome.failures = read_junit(junit)
            except ET.ParseError as error:
                # the runner died while it wrote
                outcome.counts.failed, outcome.note = 1, f"{junit.name} is not whole: {error}"
            if exit_code != 0 and not outcome.counts.failed:
                outcome.counts.failed += 1
                outcome.note = f"exit code {exit_code}"
        elif exit_code == 0 and "{junit}" not in command:
            outcome.counts.passed = 1
        else:
            outcome.counts.failed = 1
            outcome.note = f"exit code {exit_code}"
        return outcome

    def _run_command(self, words: list[str], name: str) -> int:
        """Exit code of a command; beside other lanes its output goes to a file first."""
        if not self._shared:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
            return self._process.wait()
        path = self._reports / f"{name}.log"
        with path.open("wb") as output:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
            exit_code = self._process.wait()
        self._say(f"\n==> {name}\n{path.read_text(encoding='utf-8', errors='replace').rstrip()}")
        return exit_code


def run_lanes(lanes: list[Lane]) -> None:
    """Run all to their end, or, when this process is interrupted or terminated, until their testbeds are down."""
    for lane in lanes:
        lane.start()
    try:
        # not join(): interrupted in it, Python 3.12 takes a running thread for ended
        while any(lane.is_alive() for lane in lanes):
            time.sleep(0.1)
    except KeyboardInterrupt as interruption:
        # Ctrl-C of a terminal reached the stages as well
        for lane in lanes:
            lane.end(signalled=not isinstance(interruption, Terminated))


def main() -> int:
    """Run the stages of all lanes; 0 when nothing failed (and, where CI is set, nothing was skipped)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--lane", nargs="+", action="append", required=True, metavar="NAME|NEEDS|COMMAND")
    options = parser.parse_args()
    options.reports.mkdir(parents=True, exist_ok=True)
    # in a background job SIGINT is ignored from the start; the stages are to heed it all the same
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminated)
    lanes = [Lane(stages, options.reports, shared=len(options.lane) > 1) for stages in options.lane]
    run_lanes(lanes)
    outcomes = [outcome for lane in lanes for outcome in lane.outcomes]
    total = Counts()
    print(f"\n{'stage':24} {'seconds':>8} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for outcome in outcomes:
        counts = outcome.counts
        total.add(counts)
        numbers = f"{outcome.seconds:8.0f} {counts.passed:7} {counts.failed:7} {counts.skipped:8}"
        print(f"{outcome.name:24} {numbers}  {outcome.note}".rstrip())
    failures = [f"{outcome.name}: {failure}" for outcome in outcomes for failure in outcome.failures]
    if failures:
        print("\nfailed:")
        for failure in failures[:FAILURES_SHOWN]:
            print(f"  {failure}")
        if len(failures) > FAILURES_SHOWN:
            print(f"  and {len(failures) - FAILURES_SHOWN} more")
    in_ci = bool(os.environ.get("CI"))
    if in_ci and total.skipped:
        print("\nCI is set: what was skipped counts as failed")
        total = Counts(total.passed, total.failed + total.skipped, 0)
    print(f"\n{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
