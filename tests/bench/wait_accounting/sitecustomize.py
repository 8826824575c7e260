"""Loaded by every Python that a measured run starts: notes what a module of ours does with its time.

Lines of the file WAIT_ACCOUNT, times in seconds of CLOCK_MONOTONIC, which is the same for all processes:

    wait START END                  the main thread of a module slept between two looks at the cluster
    module START END CPU NAME       a module's whole process and the CPU seconds (user and system) that it took

A module runs in a process of its own, or in the worker that ansible-playbook has forked for its task. Of a worker only
sleeps that code of ours asked for are counted; ansible-playbook itself polls its workers by sleeping. A process of its own
is known by its original arguments: ansible-core runs a module through `runpy`, which puts another name into sys.argv.
"""

import atexit
import os
import re
import sys
import threading
import time

_PATH = os.environ.get("WAIT_ACCOUNT", "")
_SHORTEST = 0.005  # seconds
_NAME = re.compile(r"AnsiballZ_(\w+)\.py$")
_OURS = "ansible_collections.podnet.upkeep."
_MAIN = os.getpid()


def _module():
    """Name of the module that this process runs, empty for everything else."""
    if len(sys.orig_argv) == 1 and not sys.stdin.isatty():
        return "pipelined"  # its source comes by standard input
    found = [_NAME.search(argument) for argument in sys.orig_argv[1:3]]
    return next((match[1] for match in found if match), "")


def _is_playbook():
    return any(os.path.basename(argument) == "ansible-playbook" for argument in sys.orig_argv[1:3])  # noqa: PTH119


def _write(line):
    with open(_PATH, "a", encoding="utf-8") as file:  # noqa: PTH123 - as little as possible is imported here
        file.write(f"{line}\n")


def _counted(function, counts):
    def waits(seconds):
        began = time.monotonic()
        try:
            return function(seconds)
        finally:
            ended = time.monotonic()
            if ended - began >= _SHORTEST and threading.current_thread() is threading.main_thread() and counts():
                _write(f"wait {began} {ended}")

    return waits


def _in_worker():
    """Whether code of ours sleeps in a fork of ansible-playbook: this is called by what it called."""
    return os.getpid() != _MAIN and sys._getframe(2).f_globals.get("__name__", "").startswith(_OURS)


def _account(name):
    began = time.monotonic() - time.process_time()  # what the interpreter took before it came here is CPU time
    time.sleep = _counted(time.sleep, lambda: True)
    atexit.register(lambda: _write(f"module {began} {time.monotonic()} {time.process_time()} {name}"))


def _account_workers():
    from multiprocessing import util

    def begin(_marker):
        began = time.monotonic()
        # at the very end of a worker; its CPU time begins with its fork
        util.Finalize(
            None, lambda: _write(f"module {began} {time.monotonic()} {time.process_time()} worker"), exitpriority=0
        )

    time.sleep = _counted(time.sleep, _in_worker)
    util.register_after_fork(_account_workers, begin)


if _PATH and _module():
    _account(_module())
elif _PATH and _is_playbook():
    _account_workers()
