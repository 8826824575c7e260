"""The tasks of a role in the order in which they run, read from its files: what a test can interrupt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import ansible_collections.podnet.upkeep

from .stepped_run import Step

#: Modules that decide, show or include, and reach neither the cluster nor a host.
QUIET = frozenset(
    f"ansible.builtin.{name}"
    for name in (
        "add_host",
        "assert",
        "debug",
        "fail",
        "import_tasks",
        "include_tasks",
        "include_role",
        "set_fact",
        "meta",
        "set_stats",
    )
)


def collection_folder() -> Path:
    """Where the collection is installed."""
    return Path(next(iter(ansible_collections.podnet.upkeep.__path__)))


def steps_of(role: str, entry: str) -> list[Step]:
    """Tasks of `entry` (a file of the role's tasks) and of the files that it includes, in the order of the text.

    Tasks of rescue sections are left out: `rescue_steps_of` has them.
    """
    return list(_walk(collection_folder() / "roles" / role / "tasks", entry, rescue=False))


def rescue_steps_of(role: str, entry: str) -> list[Step]:
    """Tasks that run only after a failure, in the order of the text."""
    return list(_walk(collection_folder() / "roles" / role / "tasks", entry, rescue=True))


def _walk(folder: Path, name: str, *, rescue: bool) -> Iterator[Step]:
    tasks = yaml.safe_load((folder / name).read_text(encoding="utf-8")) or []
    yield from _tasks(folder, name, tasks, rescue=rescue, wanted=not rescue)


def _tasks(folder: Path, name: str, tasks: list[dict[str, Any]], *, rescue: bool, wanted: bool) -> Iterator[Step]:
    for task in tasks:
        if "block" in task:
            yield from _tasks(folder, name, task["block"], rescue=rescue, wanted=wanted)
            if rescue:
                yield from _tasks(folder, name, task.get("rescue") or [], rescue=rescue, wanted=True)
            yield from _tasks(folder, name, task.get("always") or [], rescue=rescue, wanted=wanted)
            continue
        action = next(key for key in task if "." in key)  # modules are named in full
        if wanted and action != "ansible.builtin.import_tasks":  # that is read before the run and no task of it
            yield Step(name, str(task["name"]), action)
        if action in ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks"):
            options = task[action]
            included = str(options if isinstance(options, str) else options["file"])
            if "{" not in included:
                inner = yaml.safe_load((folder / included).read_text(encoding="utf-8")) or []
                yield from _tasks(folder, included, inner, rescue=rescue, wanted=wanted)
