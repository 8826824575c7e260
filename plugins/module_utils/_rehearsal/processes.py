# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Processes of a rehearsal, recorded so that anybody can end them later, also after a kill -9.

A record is believed only while the pid has the recorded time of start: pids are used again. Each process is started in a
session of its own and ended with all that it has started: workers of ansible-playbook have sessions of their own as well,
and are known by the name of the log in their environment.
"""

from __future__ import annotations

import os
import signal
import time
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError

Run = Callable[..., tuple[int, str, str]]
KEEPER: t.Final = "keeper"
# The shell writes its own record (pid, and field 22 of its /proc stat) and becomes the program: exec changes neither, so
# that there is no moment at which the program runs unrecorded.
_BECOME: t.Final = """
record=$0
IFS= read -r stat <"/proc/$$/stat" || exit 1
write() { printf '%s %s\\n' "$$" "${20}" >"$record.partial" && mv "$record.partial" "$record"; }
write ${stat##*) } || exit 1
exec "$@"
"""
_START: t.Final = 'setsid /bin/sh -c "$REHEARSAL_BECOME" "$@" </dev/null >>"$REHEARSAL_LOG" 2>&1 &'
# Ends everything, and deletes the folder, as soon as the process that the rehearsal is for has ended.
_KEEP: t.Final = """
folder=$1 owner=$2 started=$3
started_of() {
  [ -r "/proc/$1/stat" ] || return 1
  IFS= read -r stat <"/proc/$1/stat" || return 1
  field() { found=${20}; state=$1; }
  field ${stat##*) }
  [ "$state" != Z ] && [ "$state" != X ]
}
known=
look() {
  for record in "$folder"/processes/*; do
    case $record in */keeper | *.partial) continue ;; esac
    [ -r "$record" ] && read -r pid began <"$record" && echo "$pid $began"
  done
}
# what is known is kept: the folder may be deleted by somebody else
while [ -d "$folder" ] && started_of "$owner" && [ "$found" = "$started" ]; do
  seen=$(look)
  [ -z "$seen" ] || known=$seen
  sleep 1
done
seen=$(look)
printf '%s\\n%s\\n' "$known" "$seen" | while read -r pid began; do
  [ -n "$pid" ] && started_of "$pid" && [ "$found" = "$began" ] && kill -s KILL -- "-$pid"
done
# what has left the session of its parent
grep -slF -e "REHEARSAL_LOG=$folder/log/" /proc/[0-9]*/environ | while IFS= read -r found; do
  grep -sqF -e "REHEARSAL_LOG=$folder/log/keeper.log" "$found" && continue
  found=${found%/environ}
  kill -s KILL "${found#/proc/}"
done
sleep 1
[ ! -d "$folder/processes" ] || rm -rf -- "$folder"
"""


class ProcessError(UpkeepError):
    """A process of the rehearsal did not start, or does not end."""


def started_at(pid: int) -> str | None:
    """Clock ticks since boot when ``pid`` was started, as text; None when there is no such process or it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


class Processes:
    """The processes of the rehearsal in ``folder``. ``run`` is ``AnsibleModule.run_command``."""

    def __init__(self, folder: str, run: Run) -> None:
        self._records = os.path.join(folder, "processes")
        self._logs = os.path.join(folder, "log")
        self._folder = folder
        self._run = run

    def start(
        self, name: str, argv: Sequence[str], *, environment: Mapping[str, str] | None = None, wait: float = 5.0
    ) -> int:
        """Start a process with both streams in its log; its pid. Raises ProcessError when it has no record at once."""
        for folder in (self._records, self._logs):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        record = os.path.join(self._records, name)
        if os.path.exists(record):
            os.unlink(record)
        shown = {"REHEARSAL_LOG": self.log_of(name), "REHEARSAL_BECOME": _BECOME, **(environment or {})}
        code, _out, err = self._run(["/bin/sh", "-c", _START, "sh", record, *argv], environ_update=shown)
        end = time.monotonic() + wait
        while code == 0 and time.monotonic() < end:
            found = self._read(name)
            if found is not None:
                return found[0]
            time.sleep(0.005)
        raise ProcessError(f"{argv[0]} cannot be started: {err.strip() or self.tail(name) or 'it left no record'}.")

    def keep(self, pid: int, started: str) -> None:
        """Start what ends the rehearsal when the process ``pid`` has ended, however it does."""
        self.start(KEEPER, ["/bin/sh", "-c", _KEEP, "sh", self._folder, str(pid), started])

    def alive(self, name: str) -> bool:
        """Whether exactly the recorded process runs."""
        found = self._read(name)
        return found is not None and started_at(found[0]) == found[1]

    def names(self) -> list[str]:
        """Names of all that were recorded."""
        try:
            return sorted(name for name in os.listdir(self._records) if not name.endswith(".partial"))
        except FileNotFoundError:
            return []

    def stop(self, name: str, *, number: int = signal.SIGKILL, seconds: float = 10.0) -> None:
        """End a process and what it started: ``number``, and SIGKILL after ``seconds``. None there is fine.

        Raises ProcessError when it does not end.
        """
        self._end(name, number, seconds)
        self._forget([name])

    def _end(self, name: str, number: int, seconds: float) -> None:
        """End a process and what is in its session. Raises ProcessError."""
        found = self._read(name)
        for one in dict.fromkeys((number, signal.SIGKILL)):
            if found is None or started_at(found[0]) != found[1]:
                break
            try:
                os.killpg(found[0], one)
            except ProcessLookupError:
                break
            end = time.monotonic() + seconds
            while started_at(found[0]) == found[1] and time.monotonic() < end:
                time.sleep(0.02)
        if found is not None and started_at(found[0]) == found[1]:
            raise ProcessError(
                f"{name} (pid {found[0]}) of the rehearsal in {self._folder} does not end; end it by hand."
            )

    def _forget(self, names: Sequence[str]) -> None:
        """Their processes have ended: what has left their sessions is killed, and then nothing is known of them any more."""
        self._stop_those_who_left(names)
        for name in names:
            path = os.path.join(self._records, name)
            if os.path.exists(path):
                os.unlink(path)

    def _stop_those_who_left(self, names: Sequence[str]) -> None:
        """Kill what the processes have started and what has a session of its own since; looks at every process once."""
        marks = {f"REHEARSAL_LOG={self.log_of(name)}".encode() for name in names}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    ours = not marks.isdisjoint(file.read().split(b"\0"))
                if ours and int(pid) != os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass  # it has ended, or belongs to somebody else

    def stop_all(self) -> list[str]:
        """End all, the keeper first; names of those that ran. Raises ProcessError."""
        names = sorted(self.names(), key=lambda name: name != KEEPER)
        running = [name for name in names if self.alive(name)]
        ended: list[str] = []
        try:
            for name in names:
                self._end(name, signal.SIGKILL, 10.0)
                ended.append(name)
        finally:
            self._forget(ended)
        return running

    def log_of(self, name: str) -> str:
        """The file with both streams of a process."""
        return os.path.join(self._logs, f"{name}.log")

    def tail(self, name: str, lines: int = 3) -> str:
        """The last lines of the log of a process in one line, for messages."""
        try:
            with open(self.log_of(name), encoding="utf-8", errors="replace") as file:
                found = file.read()[-20000:].splitlines()
        except OSError:
            return ""
        return " | ".join(line.strip() for line in found[-lines:])[-1500:]

    def says(self, name: str, words: str) -> bool:
        """Whether the log of a process has these words."""
        try:
            with open(self.log_of(name), encoding="utf-8", errors="replace") as file:
                return words in file.read()
        except OSError:
            return False

    def _read(self, name: str) -> tuple[int, str] | None:
        try:
            with open(os.path.join(self._records, name), encoding="utf-8") as file:
                pid, started = file.read().split()
        except (OSError, ValueError):
            return None
        return int(pid), started
