"""Asking agents: what one of them, or the way to all of them, can do to the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import agents
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._exec import ExecResult, OutputLimitError

Answer = Callable[[str, tuple[str, ...]], ExecResult]
HEALTHY = {
    "status": {"cilium": {"state": "Ok", "msg": "1.18.4"}},
    "endpoint": [{"id": 1, "status": {"state": "ready"}}],
    "config": {"IPAM": "eni"},
}


def printed(content: Any) -> ExecResult:
    """A command that printed this as JSON."""
    return ExecResult(0, json.dumps(content).encode(), "")


def healthy(_pod: str, command: tuple[str, ...]) -> ExecResult:
    """What a healthy agent answers."""
    return printed(HEALTHY[command[1]])


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that asks so many agents, of which `answer` says what they do."""

    def asked(answer: Answer, count: int = 1, concurrency: int = 4) -> list[dict[str, Any]]:
        def run(_client: Any, _namespace: str, pod: str, _container: str, command: Any, **_more: Any) -> ExecResult:
            return answer(pod, tuple(command))

        monkeypatch.setattr(agents, "run_in_pod", run)
        pods = [{"metadata": {"name": f"p{n:03}"}, "spec": {"nodeName": f"n{n:03}"}} for n in range(count)]
        client: Any = None
        return agents.collect_agents(client, pods, concurrency=concurrency, timeout=20)

    return asked


def test_nobody_to_ask(ask: Any) -> None:
    """Pods without a Node are no agents yet."""
    assert ask(healthy, 0) == []
    client: Any = None
    assert agents.collect_agents(client, [{"metadata": {"name": "p"}, "spec": {}}]) == []


def test_nothing_is_taken_for_an_empty_list(ask: Any) -> None:
    """Go prints a list that was never made as null."""
    (one,) = ask(lambda pod, command: printed(None if command[1] == "endpoint" else HEALTHY[command[1]]))
    assert one["endpoints"] == [] and one["error"] == ""


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (
            ExecResult(1, b"", "Error: Cannot get status: connection refused\n"),
            "failed (exit 1): Error: Cannot get status",
        ),
        (ExecResult(-1, b"", "", "error dialing backend"), "failed (it could not be started): error dialing backend"),
        (ExecResult(0, b"KVStore: Ok", ""), "cilium-dbg status -o json printed no JSON"),
        (ExecResult(0, b"[" * 100_000, ""), "cilium-dbg status -o json printed no JSON"),
        (ExecResult(127, b"", ""), "its container has none of the programs cilium-dbg, cilium"),
    ],
)
def test_what_can_go_wrong_with_one(ask: Any, result: ExecResult, error: str) -> None:
    """It is said, and the others are asked."""
    first, second = ask(lambda pod, command: result if pod == "p000" else healthy(pod, command), 2)
    assert error in first["error"] and "status" not in first
    assert second["error"] == "" and second["version"] == "1.18.4"


def test_answers_before_a_failure_are_kept(ask: Any) -> None:
    """A status is worth something without the endpoints."""

    def answer(pod: str, command: tuple[str, ...]) -> ExecResult:
        if command[1] == "endpoint":
            raise OutputLimitError("it printed more than 64 MiB")
        return healthy(pod, command)

    (one,) = ask(answer)
    assert one["error"] == "it printed more than 64 MiB"
    assert one["status"]["cilium"]["state"] == "Ok" and "endpoints" not in one and "config" not in one


def test_the_name_of_the_program_is_found_out_once(ask: Any) -> None:
    """Before 1.15 it is cilium."""
    tried = []

    def answer(pod: str, command: tuple[str, ...]) -> ExecResult:
        tried.append(command[0])
        return healthy(pod, command) if command[0] == "cilium" else ExecResult(126, b"", "")

    (one,) = ask(answer)
    assert one["error"] == "" and tried == ["cilium-dbg", "cilium", "cilium", "cilium"]


def test_a_missing_permission_ends_it(ask: Any) -> None:
    """Nothing is known about any agent then, and thousands more refusals would tell nothing."""
    tried = []

    def answer(pod: str, _command: tuple[str, ...]) -> ExecResult:
        tried.append(pod)
        raise ApiError("No permission", status=403)

    with pytest.raises(ApiError):
        ask(answer, 500)
    assert len(tried) <= 10  # no more than are asked at once


def test_a_broken_way_to_all_kubelets(ask: Any) -> None:
    """Five thousand time limits would take hours: after enough of them without one answer the rest is not asked."""

    def answer(_pod: str, _command: tuple[str, ...]) -> ExecResult:
        raise WaitTimeoutError("no answer")

    entries = ask(answer, 300)
    errors = [one["error"] for one in entries]
    assert errors.count("no answer to status -o json within 20 s") < 30
    assert errors[-1] == "it was not asked, because none of the first 20 agents answered within 20 s"
    entries = ask(lambda pod, command: healthy(pod, command) if pod == "p000" else answer(pod, command), 300, 1)
    assert sum("not asked" in one["error"] for one in entries) == 0
