"""Answers of Cilium agents, written in the shapes of real ones, for `exec` in simulated agent pods.

Source of the shapes: cilium api/v1/models (StatusResponse, Identity, Endpoint) as `cilium-dbg ... -o json` prints them.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "recordings"

COMMANDS = {
    "cilium-dbg status -o json": "status",
    "cilium-dbg identity list -o json": "identity-list",
    "cilium-dbg identity list --endpoints -o json": "identity-list-endpoints",
    "cilium-dbg endpoint list -o json": "endpoint-list",
}


def agent_answers(agent: str = "healthy") -> dict[str, str]:
    """{command line: recorded text} of one recorded agent (a folder of `recordings`), for KwokSpec.exec_answers.

    Raises FileNotFoundError when there is no such recording.
    """
    return {
        command: (_FOLDER / agent / f"{name}.json").read_text(encoding="utf-8") for command, name in COMMANDS.items()
    }
