# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Asks the agents of Cilium, one by one in their pods, what no object of the API says.

Permission: ``create`` and ``get`` of ``pods/exec`` in the namespace of the agents. (The WebSocket of exec is a GET; API
servers from 1.35 on ask for ``create`` besides.) The commands only read, but the permission allows any command.
"""

from __future__ import annotations

import json
import threading
import time
import typing as t
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_answers import agent_entry
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, UpkeepError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._exec import ExecResult, run_in_pod

Object = dict[str, t.Any]
_CONTAINER = "cilium-agent"
# the agent's program is cilium-dbg from 1.15 on, cilium before
_PROGRAMS = ("cilium-dbg", "cilium")
_QUESTIONS: t.Final[Mapping[str, tuple[str, ...]]] = {
    "status": ("status", "-o", "json"),
    "endpoints": ("endpoint", "list", "-o", "json"),
    "config": ("config", "-a", "-o", "json"),
}
_STDERR_SHOWN = 200
# When that many did not answer in time and none did at all, the way to the kubelets is broken: no use in asking thousands.
_PATIENCE = 20


class _Patience:
    """Counts who answered. ``lost`` once enough agents were asked in vain; ``refused`` is the first missing permission."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.refused: ApiError | None = None
        self._lock = threading.Lock()
        self._answered = self._silent = 0

    def note(self, *, answered: bool) -> None:
        with self._lock:
            self._answered += answered
            self._silent += not answered

    @property
    def lost(self) -> bool:
        with self._lock:
            return not self._answered and self._silent >= self.limit


def collect_agents(
    client: KubeClient,
    pods: Iterable[Mapping[str, t.Any]],
    *,
    concurrency: int = 10,
    timeout: float = 20.0,
    namespace: str = "kube-system",
) -> list[Object]:
    """The entries of the resource ``agents``, in the order of their Nodes: one for each of ``pods``.

    ``pods`` are the pods of the agents (pruned ones do). At most ``concurrency`` are asked at once; ``timeout`` seconds
    are for one agent and all that it is asked. An agent that fails in any way is an entry with ``error``; what it had
    answered before is kept.
    Raises ApiError 403 when the permission is missing: then nothing is known about any agent.
    """
    asked = sorted(_agents(pods), key=lambda one: (one[0], one[1]))
    if not asked:
        return []
    patience = _Patience(max(_PATIENCE, 2 * concurrency))
    with ThreadPoolExecutor(max(1, min(concurrency, len(asked)))) as pool:
        futures = [pool.submit(_ask, client, namespace, agent, timeout, patience) for agent in asked]
        try:
            return [future.result() for future in futures]
        except ApiError:
            for future in futures:
                future.cancel()
            raise


def _agents(pods: Iterable[Mapping[str, t.Any]]) -> Iterable[tuple[str, str, str]]:
    """(Node, pod, phase) of every agent that was given a Node."""
    for pod in pods:
        node = (pod.get("spec") or {}).get("nodeName")
        if node:
            yield str(node), str(pod["metadata"]["name"]), str((pod.get("status") or {}).get("phase") or "")


def _ask(
    client: KubeClient, namespace: str, agent: tuple[str, str, str], timeout: float, patience: _Patience
) -> Object:
    node, pod, phase = agent
    if phase not in ("", "Running"):
        return agent_entry(node, pod, error=f"the pod is {phase}, not Running")
    if patience.refused is not None:
        raise patience.refused
    if patience.lost:
        error = f"it was not asked, because none of the first {patience.limit} agents answered within {timeout:g} s"
        return agent_entry(node, pod, error=error)
    deadline = time.monotonic() + timeout
    answers: dict[str, t.Any] = {}
    programs: tuple[str, ...] = _PROGRAMS
    try:
        for name, words in _QUESTIONS.items():
            result, programs = _run(client, namespace, pod, programs, words, deadline)
            # Go prints a list that was never made as null
            answers[name] = _decoded(result, programs[0], words) or ([] if name == "endpoints" else {})
            patience.note(answered=True)
    except WaitTimeoutError:
        patience.note(answered=False)
        missing = [" ".join(words) for name, words in _QUESTIONS.items() if name not in answers]
        return agent_entry(node, pod, **answers, error=f"no answer to {missing[0]} within {timeout:g} s")
    except ApiError as error:
        if error.status == 403:
            patience.refused = error
            raise
        return agent_entry(node, pod, **answers, error=error.server_message or str(error))
    except UpkeepError as error:
        return agent_entry(node, pod, **answers, error=str(error))
    return agent_entry(node, pod, **answers)


class _AnswerError(UpkeepError):
    """An agent answered with something else than what it was asked for."""


def _run(
    client: KubeClient, namespace: str, pod: str, programs: tuple[str, ...], words: tuple[str, ...], deadline: float
) -> tuple[ExecResult, tuple[str, ...]]:
    """The result, and the programs that are left to try: only the one that exists, once it is known."""
    for program in programs:
        left = max(deadline - time.monotonic(), 0.01)
        result = run_in_pod(client, namespace, pod, _CONTAINER, (program, *words), timeout=left)
        if not result.no_such_program:
            return result, (program,)
    raise _AnswerError(f"its container has none of the programs {', '.join(programs)}")


def _decoded(result: ExecResult, program: str, words: tuple[str, ...]) -> t.Any:
    command = " ".join((program, *words))
    if result.exit_code != 0:
        said = (result.stderr or result.reason).strip().splitlines()
        shown = f": {said[-1][:_STDERR_SHOWN]}" if said else ""
        ended = f"exit {result.exit_code}" if result.exit_code > 0 else "it could not be started"
        raise _AnswerError(f"{command} failed ({ended}){shown}")
    try:
        return json.loads(result.stdout)
    except (ValueError, RecursionError) as error:
        raise _AnswerError(f"{command} printed no JSON") from error
