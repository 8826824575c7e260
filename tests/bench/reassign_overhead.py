"""Measures what our own work adds to the re-registration of a Node: everything but waiting.

    python -m bench.reassign_overhead [RUNS]     two real hosts for each run; exit code 1 above the limit

How work and waiting are told apart: from a Node's first task to its last, the wall clock runs, and from that is taken
away the time in which the main thread of one of our modules sleeps between two looks at the cluster (pods that go away
or become Ready, a kubelet that takes its Node over, an allocator that has to answer). Those sleeps, and nothing else,
are waiting. `wait_accounting/sitecustomize.py`, which each Python of the run loads, writes them down. Everything else
is work: ansible-core between two tasks, each task's worker, every look at the cluster (also the tenth of one wait),
answers of the API server, evictions under way, SSH, and commands on the host, even while a unit there takes its time to
stop or sandboxes to go. Not counted is what is there once for each run and not for each Node: the plan, taking and
giving back the lock, and the last audit. Beside the wall clock, which a busy machine makes longer, the CPU seconds (user
and system) are told: of the worker of each task in which a module runs, and of the whole controller for each Node
(ansible-core, its workers and SSH; a run that finds nothing to do is taken away).
"""

from __future__ import annotations

import argparse
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
class Account:
    """What the modules of a run wrote down: when they slept, and (start, end, CPU seconds, name) of each process."""

    waits: tuple[tuple[float, float], ...]
    processes: tuple[tuple[float, float, float, str], ...]

    @classmethod
    def read(cls, path: Path) -> Account:
        """Of the file WAIT_ACCOUNT; see `wait_accounting/sitecustomize.py`."""
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        processes = [(float(one[1]), float(one[2]), float(one[3]), one[4]) for one in lines if one[0] == "module"]
        # without them all waiting would be taken for work, and nobody would see it
        if not processes:
            raise RuntimeError(f"no module has written into {path}: the accounting does not work")
        return cls(tuple((float(one[1]), float(one[2])) for one in lines if one[0] == "wait"), tuple(processes))

    def waited(self, began: float, ended: float) -> float:
        """Seconds between two moments that are covered by at least one wait."""
        total, covered = 0.0, began
        for start, end in sorted(self.waits):
            start, end = max(start, covered), min(end, ended)
            if end > start:
                total += end - start
                covered = end
        return total

    def cpu(self, began: float, ended: float) -> float:
        """CPU seconds of the modules that started between two moments."""
        return sum(cpu for start, _end, cpu, _name in self.processes if began <= start <= ended)


@dataclass(frozen=True)
class Task:
    """One task of a Node, in seconds: `own` is all but waiting, `cpu` that of its module."""

    own: float
    waiting: float
    cpu: float


@dataclass(frozen=True)
class Turn:
    """One Node's part of a run, in seconds; what lies between its tasks is a task as well."""

    host: str
    total: float
    waiting: float
    tasks: Mapping[str, Task]

    @property
    def own(self) -> float:
        """Everything but waiting."""
        return self.total - self.waiting


def measured_run(scene: Scene, folder: Path) -> tuple[list[Turn], float, PlaybookRun]:
    """One run of the playbook: the turns of its Nodes, and the CPU seconds of the whole controller."""
    path = folder / "waits"
    path.write_text("", encoding="utf-8")
    paths = [str(_ACCOUNTING), *filter(None, [os.environ.get("PYTHONPATH")])]
    before = _cpu_seconds()
    env = {"PYTHONPATH": os.pathsep.join(paths), "WAIT_ACCOUNT": str(path)}
    run = scene.start(env=env)
    done = run.finish()
    cpu = _cpu_seconds() - before
    assert_succeeded(done)
    return turns(run, Account.read(path), list(scene.testbed.hosts)), cpu, done


def turns(run: SteppedRun, account: Account, hosts: Sequence[str]) -> list[Turn]:
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
        waiting = account.waited(began, ended)
        tasks = _by_task(pairs, account)
        between = ended - began - sum(task.own + task.waiting for task in tasks.values())
        tasks["(between tasks)"] = Task(between, 0.0, 0.0)
        found.append(Turn(host, ended - began, waiting, tasks))
    return found


def _by_task(pairs: Sequence[tuple[StepEvent, StepEvent]], account: Account) -> dict[str, Task]:
    tasks: dict[str, Task] = defaultdict(lambda: Task(0.0, 0.0, 0.0))
    for start, end in pairs:
        waiting, sofar = account.waited(start.at, end.at), tasks[str(start.step)]
        own = sofar.own + end.at - start.at - waiting
        tasks[str(start.step)] = Task(own, sofar.waiting + waiting, sofar.cpu + account.cpu(start.at, end.at))
    return dict(tasks)


def _cpu_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(measured: Sequence[Turn], cpu_for_each_node: float) -> str:
    """The table of the median Node, dearest tasks first."""
    names = {name for turn in measured for name in turn.tasks}
    none = Task(0.0, 0.0, 0.0)
    medians = {}
    for name in names:
        tasks = [turn.tasks.get(name, none) for turn in measured]
        medians[name] = Task(
            *(statistics.median(getattr(one, part) for one in tasks) for part in ("own", "waiting", "cpu"))
        )
    lines = [
        f"{task.own:8.2f} {task.waiting:8.2f} {task.cpu:8.2f}  {name}"
        for name, task in sorted(medians.items(), key=lambda item: -item[1].own)
        if task.own >= 0.02 or task.waiting
    ]
    totals = [f"{turn.total:.1f} s, of them {turn.waiting:.1f} waiting and {turn.own:.1f} own" for turn in measured]
    own = statistics.median(turn.own for turn in measured)
    return "\n".join(
        [
            "   own s   wait s    CPU s  task",
            *lines,
            *totals,
            f"own work for each Node: {own:.2f} s (median of {len(measured)}), limit {LIMIT:.0f} s;"
            f" CPU of the controller for each Node: {cpu_for_each_node:.2f} s; load {os.getloadavg()[0]:.1f}",
        ]
    )


def main() -> None:
    """Measure, print, and exit with 1 above the limit."""
    parser = argparse.ArgumentParser(prog="bench.reassign_overhead", description="Measures our own work for each Node.")
    parser.add_argument("runs", nargs="?", type=int, default=2)
    options = parser.parse_args()
    measured: list[Turn] = []
    cpu: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Scene.up("overhead") as scene:
        _none, idle, _done = measured_run(scene, Path(folder))
        for _number in range(options.runs):
            scene.drift(*scene.testbed.hosts)
            found, seconds, _done = measured_run(scene, Path(folder))
            measured += found
            cpu.append((seconds - idle) / len(found))
            scene.wait_healthy()
    print(report(measured, statistics.median(cpu)))
    sys.exit(statistics.median(turn.own for turn in measured) > LIMIT)


if __name__ == "__main__":
    main()
