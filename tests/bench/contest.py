"""Runs contenders in processes of their own, one after the other, several times, and puts them into one table."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
# so often is looked at memory, in a run of its own: to look takes time
_LOOKS_PER_SECOND = 20
_PROGRAM = """
import resource
text = {call}
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(f"{{sum(one.ru_utime + one.ru_stime for one in used):.2f}}\\t{{text}}")
"""


@dataclass(frozen=True)
class Contender:
    """``call`` is an expression, ``imports`` what it needs; its text is printed."""

    name: str
    imports: str
    call: str

    def command(self) -> list[str]:
        """The program that does it once."""
        return [sys.executable, "-c", f"{self.imports}\n{_PROGRAM.format(call=self.call)}"]


def _start(one: Contender, environment: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(one.command(), stdout=pipe, stderr=pipe, text=True, env=environment, cwd=TESTS)


def _result(one: Contender, process: subprocess.Popen[str]) -> tuple[float, str]:
    output, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"{one.name} failed:\n{errors}")
    cpu, _tab, text = output.strip().rpartition("\n")[2].partition("\t")
    return float(cpu), text


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _memory(pid: int) -> float:
    """Memory of these processes in MiB, what they share counted once (PSS)."""
    total = 0
    for one in _family(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def peak(one: Contender, environment: dict[str, str]) -> float:
    """Most memory that the contender and its children have together at any time, in MiB."""
    process, most = _start(one, environment), 0.0
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        time.sleep(1 / _LOOKS_PER_SECOND)
    _result(one, process)
    return most


def compare(contenders: Sequence[Contender], rounds: int, environment: dict[str, str] | None = None) -> None:
    """Print medians; ratios are to the first contender, of each round by itself."""
    whole = {**os.environ, **(environment or {})}
    walls: dict[str, list[float]] = {one.name: [] for one in contenders}
    cpus: dict[str, list[float]] = {one.name: [] for one in contenders}
    texts: dict[str, str] = {}
    for _round in range(rounds):
        for one in contenders:
            started = time.monotonic()
            cpu, texts[one.name] = _result(one, _start(one, whole))
            walls[one.name].append(time.monotonic() - started)
            cpus[one.name].append(cpu)
    least = walls[contenders[0].name], cpus[contenders[0].name]
    print(f"{'':20}{'seconds':>9}{'ratio':>7}{'CPU s':>8}{'ratio':>7}{'peak MiB':>10}")
    for one in contenders:
        line = f"{one.name:20}"
        for taken, base in zip((walls[one.name], cpus[one.name]), least, strict=True):
            ratio = statistics.median(mine / his for mine, his in zip(taken, base, strict=True))
            line += f"{statistics.median(taken):{9 if base is least[0] else 8}.1f}{ratio:7.2f}"
        print(f"{line}{peak(one, whole):10.0f}  {texts[one.name]}", flush=True)
