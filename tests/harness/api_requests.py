"""What one user asked of the API server, followed in its audit log while it happens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


def is_write(event: dict[str, Any]) -> bool:
    """Whether a request could change the cluster; a question about one's own rights and a dry run cannot."""
    uri = event["requestURI"]
    return event["verb"] in WRITES and "selfsubject" not in uri and "dryRun=All" not in uri


class RequestFollower:
    """Calls `action` once, as soon as the `count`-th write of `user` since now is answered."""

    def __init__(self, audit_log: Path, user: str, count: int, action: Callable[[], None]) -> None:
        self._path = audit_log
        self._offset = audit_log.stat().st_size
        self._user = user
        self._left = count
        self._action = action
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Follow no longer."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        with self._path.open("rb") as log:
            log.seek(self._offset)
            rest = b""
            while not self._stop.is_set():
                data = log.read()
                if not data:
                    time.sleep(0.002)
                    continue
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    if self._counts(line):
                        self._left -= 1
                        if self._left == 0:
                            self._action()
                            return

    def _counts(self, line: bytes) -> bool:
        if self._user.encode() not in line:
            return False
        event = json.loads(line)
        return bool(event.get("user", {}).get("username") == self._user and is_write(event))
