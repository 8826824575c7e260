"""Measures what our own work adds to the re-registration of a Node: everything but waiting.

    python -m bench.reassign_overhead [RUNS]       two real hosts for each run; exit code 1 above the limit

How work and waiting are told apart: from a Node's first task to its last, the wall clock runs (ansible-core between two
tasks, the start of modules, SSH, requests to the API and commands on the host are all ours), and from that is taken
away the time in which the main thread of one of our modules sleeps between two looks at the cluster, or waits for
evictions that it has sent. `wait_accounting/sitecustomize.py`, which each Python of the run loads, writes those times
down. Looking again is work, and so is a host that takes its time to stop the kubelet: what is left out is waiting only.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.playbook import PlaybookRun
from harness.rolling_scene import Scene, assert_succeeded
from harness.stepped_run import StepEvent, SteppedRun

LIMIT = 5.0  # seconds of our own work for each Node
_ACCOUNTING = Path(__file__).with_name("wait_accounting")


@dataclass(frozen=True)
class Turn:
    """One Node's part of a run, in seconds; `work` by task, and what lies between the tasks."""

    host: str
    total: float
    waiting: float
    work: Mapping[str, float]

    @property
    def own(self) -> float:
        """Everything but waiting."""
        return self.total - self.waiting


def measured_run(scene: Scene, folder: Path) -> tuple[list[Turn], float, PlaybookRun]:
    """One run of the playbook: the turns of its Nodes, and the CPU seconds of the whole controller."""
    account = folder / "waits"
    account.write_text("", encoding="utf-8")
    paths = [str(_ACCOUNTING), *filter(None, [os.environ.get("PYTHONPATH")])]
    before = _cpu_seconds()
    run = scene.start(env={"PYTHONPATH": os.pathsep.join(paths), "WAIT_ACCOUNT": str(account)})
    done = run.finish()
    cpu = _cpu_seconds() - before
    assert_succeeded(done)
    waits = [tuple(map(float, line.split())) for line in account.read_text(encoding="utf-8").splitlines()]
    return turns(run, [(start, end) for start, end in waits], list(scene.testbed.hosts)), cpu, done


def turns(run: SteppedRun, waits: Sequence[tuple[float, float]], hosts: Sequence[str]) -> list[Turn]:
    """Split a run by host: a Node's turn is from the start of its first task to its last result."""
    found = []
    for host in hosts:
        pairs = [
            (start, end)
            for start, end in zip(run.events, run.events[1:], strict=False)
            if start.kind == "start" and end.kind == "end" and end.host == host
        ]
        if not pairs:
            continue
        began, ended = pairs[0][0].at, pairs[-1][1].at
        work = _work_by_task(pairs, waits)
        waiting = waited(waits, began, ended)
        work["(between tasks)"] = ended - began - waiting - sum(work.values())
        found.append(Turn(host, ended - began, waiting, work))
    return found


def _work_by_task(
    pairs: Sequence[tuple[StepEvent, StepEvent]], waits: Sequence[tuple[float, float]]
) -> dict[str, float]:
    work: dict[str, float] = defaultdict(float)
    for start, end in pairs:
        work[str(start.step)] += end.at - start.at - waited(waits, start.at, end.at)
    return work


def waited(waits: Sequence[tuple[float, float]], began: float, ended: float) -> float:
    """Seconds between two moments that are covered by at least one wait."""
    total, covered = 0.0, began
    for start, end in sorted(waits):
        start, end = max(start, covered), min(end, ended)
        if end > start:
            total += end - start
            covered = end
    return total


def _cpu_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(measured: Sequence[Turn], cpu_for_each_node: float) -> str:
    """The table of the median Node, dearest tasks first."""
    tasks = {task for turn in measured for task in turn.work}
    medians = {task: statistics.median(turn.work.get(task, 0.0) for turn in measured) for task in tasks}
    lines = [f"{seconds:8.2f} s  {task}" for task, seconds in sorted(medians.items(), key=lambda item: -item[1])]
    lines = [line for line in lines if not line.lstrip().startswith("0.0")]
    totals = [f"{turn.total:.1f} s, of them {turn.waiting:.1f} waiting and {turn.own:.1f} own" for turn in measured]
    own = statistics.median(turn.own for turn in measured)
    return "\n".join(
        [
            *lines,
            *totals,
            f"own work for each Node: {own:.2f} s (median of {len(measured)}), limit {LIMIT:.0f} s;"
            f" CPU of the controller for each Node: {cpu_for_each_node:.2f} s; load {os.getloadavg()[0]:.1f}",
        ]
    )


def main() -> None:
    """Measure, print, and exit with 1 above the limit."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    measured: list[Turn] = []
    cpu: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Scene.up("overhead") as scene:
        _none, idle, _done = measured_run(scene, Path(folder))
        for _number in range(runs):
            scene.drift(*scene.testbed.hosts)
            found, seconds, _done = measured_run(scene, Path(folder))
            measured += found
            cpu.append((seconds - idle) / len(found))
            scene.wait_healthy()
    print(report(measured, statistics.median(cpu)))
    sys.exit(statistics.median(turn.own for turn in measured) > LIMIT)


if __name__ == "__main__":
    main()
