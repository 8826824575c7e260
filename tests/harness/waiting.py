"""Waiting for what a testbed is to become."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(what: str, condition: Callable[[], Any], seconds: float = 180, pause: float = 0.1) -> Any:
    """The first answer that is true. Raises AssertionError naming `what` when there is none within `seconds`.

    The limit is there to end a test that waits in vain: it is far above what a busy machine needs.
    """
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
