"""Waiting for what a testbed is to become."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait(condition: Callable[[], Any], what: str, seconds: float = 60, pause: float = 0.1) -> Any:
    """The first answer that is true. Raises AssertionError naming `what` when there is none within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
