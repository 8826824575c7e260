# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The journal of deletions: a file on this machine with every object that was to be deleted, written before its request.

JSON lines. The first says what the file is; one line for each object has the whole object and the outcome ``planned``; a
later line of the same uid says what became of it; the last says that the run ended. A batch is on the disk before its
first request is sent. Where a run was killed there are planned objects without an outcome, and the next run looks at them.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import re
import secrets
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    OUTCOMES,
    PLANNED,
    UNKNOWN,
    Candidate,
    Outcome,
)

FORMAT = "podnet.upkeep.deletions/1"
SUFFIX = ".deletions.jsonl"
_SUBJECT = re.compile(r"^[a-z0-9-]{1,60}$")
_OPTION = "journal_path"


class DeletionJournalError(UpkeepError):
    """The journal cannot be written or read; without it nothing is deleted."""


@dataclass
class Entry:
    """What the journal says of one object. ``outcome`` is the last word, ``planned`` where there is none."""

    kind: str
    path: str
    uid: str
    evidence: str
    object: JsonObject
    outcome: str = PLANNED
    note: str = ""
    time: str = ""

    @property
    def open(self) -> bool:
        """Whether nobody knows what became of it."""
        return self.outcome in (PLANNED, UNKNOWN)


@dataclass
class JournalContent:
    """A journal as it was read. ``cluster`` is the uid of the namespace kube-system, empty where it was not known."""

    path: str
    run: str
    subject: str
    cluster: str
    started: str
    entries: dict[str, Entry] = field(default_factory=dict)
    ended: bool = False


class DeletionJournal:
    """One file for one run, readable by this user only."""

    def __init__(self, path: str, run: str, handle: int) -> None:
        """Use ``create`` or ``reopen``."""
        self.path = path
        self.run = run
        self._handle = handle

    @classmethod
    def create(cls, folder: str, subject: str, cluster: str = "", run: str = "") -> DeletionJournal:
        """A new file in ``folder`` (made when it is missing) for deletions of ``subject``, such as ``identities``.

        ``run`` is the holder of the maintenance run, where there is one. Raises DeletionJournalError.
        """
        if not _SUBJECT.match(subject):
            raise DeletionJournalError(f"The journal of '{subject}' cannot be named; use letters, digits and hyphens.")
        started = _now()
        name = f"{subject}-{started.replace(':', '').replace('-', '')}-{secrets.token_hex(4)}{SUFFIX}"
        path = os.path.join(os.path.abspath(os.path.expanduser(folder)), name)
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputError(
                f"{_OPTION}: {path} cannot be written: {error.strerror or error}; name a folder that this user may write to."
            ) from error
        fcntl.flock(handle, fcntl.LOCK_EX)  # as long as this process lives
        journal = cls(path, run, handle)
        head = {"format": FORMAT, "run": run, "subject": subject, "cluster": cluster, "started": started}
        journal._append([head], durable=True)
        _sync_folder(os.path.dirname(path))
        return journal

    @classmethod
    def reopen(cls, content: JournalContent) -> DeletionJournal | None:
        """Append to a journal that was read; None while the process that writes it is alive.

        Raises DeletionJournalError.
        """
        try:
            with open(content.path, "rb") as file:
                file.seek(0, os.SEEK_END)
                torn = file.tell() > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
            handle = os.open(content.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return None
            journal = cls(content.path, content.run, handle)
            if torn:  # the writer was killed within its last line
                os.write(handle, b"\n")
        except OSError as error:
            raise DeletionJournalError(
                f"{_OPTION}: {content.path} cannot be written: {error.strerror or error}."
            ) from error
        return journal

    def plan(self, batch: Sequence[Candidate]) -> None:
        """Write the objects of a batch, durably. Raises DeletionJournalError; nothing may be deleted then."""
        now = _now()
        self._append(
            [
                {
                    "time": now,
                    "run": self.run,
                    "kind": one.kind,
                    "path": one.path,
                    "uid": one.uid,
                    "evidence": one.evidence,
                    "outcome": PLANNED,
                    "object": one.data,
                }
                for one in batch
            ],
            durable=True,
        )

    def complete(self, outcomes: Sequence[Outcome]) -> None:
        """Write what became of planned objects. It is on the disk with the next batch, or when the journal is closed."""
        self.note([(one.candidate.uid, one.outcome, one.note) for one in outcomes])

    def note(self, outcomes: Sequence[tuple[str, str, str]]) -> None:
        """Write (uid, outcome, sentence) of planned objects. Raises DeletionJournalError."""
        now = _now()
        lines: list[JsonObject] = []
        for uid, outcome, words in outcomes:
            line: JsonObject = {"time": now, "uid": uid, "outcome": outcome}
            lines.append({**line, "note": words} if words else line)
        self._append(lines, durable=False)

    def close(self, summary: Mapping[str, t.Any] | None = None) -> None:
        """Write that the run ended and close the file; a second call does nothing. Raises DeletionJournalError."""
        if self._handle < 0:
            return
        self._append([{"time": _now(), "ended": dict(summary or {})}], durable=True)
        os.close(self._handle)
        self._handle = -1

    def _append(self, lines: Sequence[JsonObject], *, durable: bool) -> None:
        data = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        try:
            while data:
                data = data[os.write(self._handle, data) :]
            if durable:
                os.fdatasync(self._handle)
        except OSError as error:
            raise DeletionJournalError(
                f"The journal {self.path} cannot be written: {error.strerror or error}; make room, and start again."
            ) from error


def read_journal(path: str) -> JournalContent:
    """The journal of a file. A last line that was cut off is left out: its batch was never begun.

    Raises InputError when it cannot be read or is none.
    """
    lines = _lines_of(path)
    head = next(lines, (0, {}))[1]
    if head.get("format") != FORMAT:
        raise InputError(f"{_OPTION}: {path} is no journal of deletions; give a file that ends with {SUFFIX}.")
    content = JournalContent(
        path=path,
        run=str(head.get("run") or ""),
        subject=str(head.get("subject") or ""),
        cluster=str(head.get("cluster") or ""),
        started=str(head.get("started") or ""),
    )
    for number, line in lines:
        try:
            _take(content, line)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{_OPTION}: line {number} of {path} is not what a run writes; mend or remove it."
            ) from error
    return content


def unfinished_journals(folder: str, subject: str) -> list[str]:
    """Paths of journals of this subject whose run did not end, oldest first; only the end of each file is read."""
    folder = os.path.abspath(os.path.expanduser(folder))
    try:
        names = sorted(one for one in os.listdir(folder) if one.startswith(f"{subject}-") and one.endswith(SUFFIX))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{_OPTION}: {folder} cannot be read: {error.strerror or error}.") from error
    paths = [os.path.join(folder, name) for name in names]
    return [path for path in paths if not _has_ended(path)]


def _take(content: JournalContent, line: JsonObject) -> None:
    if "ended" in line:
        content.ended = True
        return
    uid, outcome = str(line["uid"]), str(line["outcome"])
    if outcome == PLANNED:
        content.entries[uid] = Entry(
            kind=str(line["kind"]),
            path=str(line["path"]),
            uid=uid,
            evidence=str(line["evidence"]),
            object=dict(line["object"]),
            time=str(line["time"]),
        )
        return
    if outcome not in OUTCOMES:
        raise ValueError(outcome)
    entry = content.entries[uid]
    entry.outcome, entry.note, entry.time = outcome, str(line.get("note") or ""), str(line["time"])


def _lines_of(path: str) -> Iterator[tuple[int, JsonObject]]:
    try:
        with open(path, "rb") as file:
            torn = 0
            for number, text in enumerate(file, start=1):
                try:
                    value = json.loads(text)
                except ValueError:
                    value = None
                if not isinstance(value, dict):
                    if torn:
                        raise InputError(
                            f"{_OPTION}: line {torn} of {path} is not what a run writes; mend or remove it."
                        )
                    torn = number  # fine where it is where a writer was killed
                    continue
                yield number, value
    except OSError as error:
        raise InputError(f"{_OPTION}: {path} cannot be read: {error.strerror or error}.") from error


def _has_ended(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 4096))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    except OSError as error:
        raise InputError(f"{_OPTION}: {path} cannot be read: {error.strerror or error}.") from error
    return last.startswith(b'{"time":') and b'"ended":' in last


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
