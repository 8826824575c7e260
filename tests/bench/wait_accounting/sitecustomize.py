"""Loaded by every Python that a measured run starts: notes when the main thread of a module only waits.

One line for each wait in the file WAIT_ACCOUNT: start and end (CLOCK_MONOTONIC, the same for all processes). Only
processes that run a module of ours are counted; ansible-playbook itself polls its workers by sleeping.
"""

import os
import sys
import threading
import time

_PATH = os.environ.get("WAIT_ACCOUNT", "")
_SHORTEST = 0.005  # seconds


def _counted(function):
    def waits(*arguments, **keywords):
        began = time.monotonic()
        try:
            return function(*arguments, **keywords)
        finally:
            ended = time.monotonic()
            if ended - began >= _SHORTEST and threading.current_thread() is threading.main_thread() and _is_module():
                with open(_PATH, "a", encoding="utf-8") as file:  # noqa: PTH123 - as little as possible is imported here
                    file.write(f"{began} {ended}\n")

    return waits


def _is_module():
    return "AnsiballZ_" in (sys.argv[0] if sys.argv else "")


if _PATH:
    time.sleep = _counted(time.sleep)
    threading.Event.wait = _counted(threading.Event.wait)
