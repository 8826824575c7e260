"""Agents take up identities while clean_identities deletes: nothing that is in use may go.

The judge knows nothing of the product. It compares the API server's own events of deleted identities with what the agents
(identity_agent) wrote down before.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from harness.identity_cluster import (
    HEARTBEAT,
    IDENTITIES,
    SYNC,
    TIMEOUT,
    create_all,
    identity,
    security_labels,
)
from harness.playbook import run_playbook
from testbed import Testbed

#: The product waits for 1.2 times the interval in which agents un-mark what they hold; seconds.
GRACE = 1.2 * SYNC
#: How late the caches of the agents are, in seconds.
LAGS = (0.05, 0.2, 0.5)
#: A pod that is so old (seconds) must have been seen before its identity was deleted.
SEEN = 4.0


@dataclass
class Deletion:
    """What the API server said about one identity that was deleted."""

    name: str
    uid: str
    at: float
    marked_at: float | None


@dataclass
class Judge:
    """Follows the events of identities."""

    testbed: Testbed
    deleted: dict[str, Deletion] = field(default_factory=dict)
    failed: str = ""
    _marked: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """From now on."""
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        try:
            for event in self.testbed.client.follow(IDENTITIES):
                self._take(event["type"], event["object"]["metadata"])
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self.failed = str(error)

    def _take(self, kind: str, metadata: dict[str, Any]) -> None:
        uid, now = metadata["uid"], time.monotonic()
        if kind == "DELETED":
            self.deleted[uid] = Deletion(metadata["name"], uid, now, self._marked.get(uid))
        elif HEARTBEAT in (metadata.get("annotations") or {}):
            self._marked.setdefault(uid, now)
        else:
            self._marked.pop(uid, None)

    def verdict(self, notes: list[dict[str, Any]]) -> list[str]:
        """What went wrong, one sentence each."""
        by_us = {note["uid"] for note in notes if note["act"] == "deleted-by-us"}
        gone = {uid: one for uid, one in self.deleted.items() if uid not in by_us}
        wrong = [f"an agent failed: {note}" for note in notes if note["act"] == "failed"]
        released: dict[tuple[str, int], float] = {
            (note["uid"], note["agent"]): note["at"] for note in notes if note["act"] == "release"
        }
        for note in notes:
            one = gone.get(note.get("uid", ""))
            if one is None:
                continue
            if note["act"] in ("use", "held-was-deleted"):
                end = released.get((one.uid, note["agent"]))
                if end is None or one.at < end:
                    wrong.append(f"{one} was deleted although it is in use: {note}")
            if note["act"] == "pod" and one.at - note["at"] > SEEN:
                wrong.append(
                    f"{one} was deleted {one.at - note['at']:.1f} s after the pod came that waits for it: {note}"
                )
        for one in gone.values():
            if one.marked_at is None:
                wrong.append(f"{one} was deleted without a mark")
            elif one.at - one.marked_at < GRACE - 0.5:
                wrong.append(f"{one} was deleted {one.at - one.marked_at:.1f} s after its mark")
        return wrong


@contextmanager
def agents(testbed: Testbed, folder: Path, seed: int, rate: float) -> Iterator[list[Path]]:
    """Agents that race at this rate (a second) in all; the files in which they write what they do."""
    folder.mkdir()
    stop = folder / "stop"
    logs = [folder / f"agent-{number}.jsonl" for number in range(len(LAGS))]
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parents[1]}"}
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "integration.identity_agent", str(testbed.kubeconfig), str(log), str(stop)),
                *(str(100 * seed + number), str(rate / len(LAGS)), str(LAGS[number]), str(SYNC)),
            ],
            env=environment,
        )
        for number, log in enumerate(logs)
    ]
    try:
        yield logs
    finally:
        stop.touch()
        for process in started:
            try:
                process.wait(30)
            finally:
                process.kill()
    assert [process.returncode for process in started] == [0] * len(started)


def notes_of(logs: list[Path]) -> list[dict[str, Any]]:
    """All that the agents wrote."""
    return [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]


def race(testbed: Testbed, tmp_path: Path, seed: int, count: int, rate: float) -> Counter[str]:
    """Leak identities, race for them while the playbook works, and judge. What happened, in numbers."""
    numbers = random.Random(seed).sample(range(256, 65536), count)
    taken = {one["metadata"]["name"] for one in testbed.client.list(IDENTITIES)}
    bodies = [identity(one, security_labels(app=f"race-{seed}-{one}")) for one in numbers if str(one) not in taken]
    create_all(testbed.client, [(IDENTITIES, body) for body in bodies])
    time.sleep(2 * TIMEOUT + 1)
    judge = Judge(testbed)
    judge.start()
    with agents(testbed, tmp_path / f"agents-{seed}", seed, rate) as logs:
        begun = time.monotonic()
        done = run_playbook(
            "podnet.upkeep.clean_identities",
            variables={
                "clean_identities_kubeconfig": str(testbed.kubeconfig),
                "clean_identities_journal_path": str(tmp_path / "journals"),
                "clean_identities_rate": 0,
            },
        )
        ended = time.monotonic()
        time.sleep(2)
    assert done.returncode == 0, done.output
    assert not judge.failed
    notes = notes_of(logs)
    wrong = judge.verdict(notes)
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"
    counts = Counter(note["act"] + (f" ({note['how']})" if "how" in note else "") for note in notes)
    counts["races"] = sum(
        note["act"] in ("use", "lost", "pod", "unmark-only") and begun <= note["at"] <= ended for note in notes
    )
    by_agents = {note["uid"] for note in notes if note["act"] == "deleted-by-us"}
    counts["deleted"] = len(set(judge.deleted) - by_agents)
    counts["identities"] = len(bodies)
    counts["seconds"] = round(ended - begun)
    assert counts["deleted"] and counts["races"], counts
    return counts
