"""Answers of Cilium agents, written in the shapes of real ones, for `exec` in simulated agent pods.

Source of the shapes: cilium api/v1/models (StatusResponse, Identity, Endpoint) as `cilium-dbg ... -o json` prints them;
of `config -a` pkg/option/config.go (fields by their Go names, durations in nanoseconds) and cilium-dbg/cmd/config.go.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "recordings"

COMMANDS = {
    "cilium-dbg status -o json": "status",
    "cilium-dbg identity list -o json": "identity-list",
    "cilium-dbg identity list --endpoints -o json": "identity-list-endpoints",
    "cilium-dbg endpoint list -o json": "endpoint-list",
    "cilium-dbg config -a -o json": "config",
}


def agent_answers(agent: str = "healthy", *, program: str = "cilium-dbg") -> dict[str, str]:
    """{command line: recorded text} of one recorded agent (a folder of `recordings`), for KwokSpec.exec_answers.

    What a folder does not have is as in `healthy`. `program` is the name under which the agent has its program: before
    1.15 `cilium`. Raises FileNotFoundError when there is no such recording.
    """
    return {
        command.replace("cilium-dbg", program, 1): recorded(agent, name).read_text(encoding="utf-8")
        for command, name in COMMANDS.items()
    }


def recorded(agent: str, name: str) -> Path:
    """The file of one answer of a recorded agent. Raises FileNotFoundError when there is no such recording."""
    folder = _FOLDER / agent
    if not folder.is_dir():
        raise FileNotFoundError(f"no recording '{agent}'; there are {', '.join(recordings())}")
    own = folder / f"{name}.json"
    return own if own.exists() else _FOLDER / "healthy" / f"{name}.json"


def recordings() -> list[str]:
    """Names of all recorded agents."""
    return sorted(path.name for path in _FOLDER.iterdir() if path.is_dir())
