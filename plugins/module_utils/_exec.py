# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Runs a command in a container of a pod, over the connection settings and credentials of a KubeClient.

The protocol is the WebSocket one of kubectl (``v5.channel.k8s.io``, and ``v4`` for servers before 1.30): each message
starts with the number of a channel. ``websocket-client`` comes with the Python library ``kubernetes``, whose own stream
client joins texts in quadratic time and has no limit for them; so only the frames are taken from a library.
"""

from __future__ import annotations

import json
import re
import time
import typing as t
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    UpkeepError,
    WaitTimeoutError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._websocket import connect

_STDOUT, _STDERR, _STATUS = 1, 2, 3
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_MEBIBYTE = 1024 * 1024
_FAREWELL_SECONDS = 1.0
_STDERR_LIMIT = 64 * 1024
# kubelets name the exit code as a cause; what stands between may give it in words only
_ENDED = re.compile(r"(?:exit status|exit code) (\d+)\b")


@dataclass(frozen=True)
class ExecResult:
    """How a command ended. ``exit_code`` is -1 when it could not be started; ``reason`` says why it failed."""

    exit_code: int
    stdout: bytes
    stderr: str
    reason: str = ""

    @property
    def no_such_program(self) -> bool:
        """Whether the container has no program of that name (exit 126 or 127, or the runtime says so)."""
        if self.exit_code in (126, 127):
            return True
        words = f"{self.reason} {self.stderr}".lower()
        return self.exit_code == -1 and ("not found" in words or "no such file" in words)


class OutputLimitError(UpkeepError):
    """A command printed more than was asked for."""


def run_in_pod(
    client: KubeClient,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    *,
    timeout: float,
    output_limit: int = 64 * _MEBIBYTE,
) -> ExecResult:
    """Run ``command`` without a terminal and without input, and wait for its end.

    ``timeout``: seconds for everything, ``output_limit``: bytes of its standard output. The command is not killed when
    we give up on it: that is not in the power of this API.
    Raises ApiError (403: the permission to create and get pods/exec is missing; 0: no answer), WaitTimeoutError after
    ``timeout``, OutputLimitError.
    """
    deadline = time.monotonic() + timeout
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    query = [("command", word) for word in command]
    query += [("container", container), ("stdout", "true"), ("stderr", "true")]
    what = f"{' '.join(command)} in pod {namespace}/{pod}"
    output, errors, status = bytearray(), bytearray(), bytearray()
    try:
        connection = connect(client, path, urllib.parse.urlencode(query), _PROTOCOLS, timeout)
    except TimeoutError as error:
        raise _too_slow(what, timeout) from error
    try:
        while True:
            message = _next_message(connection, deadline, what, timeout, ended=_decoded(status) is not None)
            if message is None:
                break
            channel, data = message
            if channel == _STDOUT:
                output += data
                if len(output) > output_limit:
                    raise _too_long(what, output_limit)
            elif channel == _STDERR and len(errors) < _STDERR_LIMIT:
                errors += data
            elif channel == _STATUS:
                status += data
    finally:
        connection.shutdown()
    return _result(bytes(output), errors.decode(errors="replace").strip(), bytes(status), what, path)


def _next_message(
    connection: t.Any, deadline: float, what: str, timeout: float, *, ended: bool
) -> tuple[int, bytes] | None:
    """(channel, data), or None at the end: the server closed the connection, or nothing more came after the status.

    ``ended``: the status was received. It is the last message, so whatever happens to the connection then is no loss.
    """
    import websocket

    while True:
        left = min(deadline - time.monotonic(), _FAREWELL_SECONDS if ended else timeout)
        if left <= 0:
            if ended:
                return None
            raise _too_slow(what, timeout)
        connection.settimeout(left)
        try:
            opcode, data = connection.recv_data()
        except websocket.WebSocketTimeoutException as error:
            if ended:
                return None
            raise _too_slow(what, timeout) from error
        except websocket.WebSocketConnectionClosedException:
            return None
        except (websocket.WebSocketException, OSError) as error:
            if ended:
                return None
            raise ApiError(f"The connection was lost while waiting for {what} ({error}).", reason="NoAnswer") from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return None
        if data:
            message = data.encode() if isinstance(data, str) else bytes(data)
            return message[0], message[1:]


def _too_long(what: str, limit: int) -> OutputLimitError:
    shown = f"{limit / _MEBIBYTE:.0f} MiB" if limit >= _MEBIBYTE else f"{limit} bytes"
    return OutputLimitError(f"{what} printed more than {shown}; its answer was not read.")


def _too_slow(what: str, timeout: float) -> WaitTimeoutError:
    return WaitTimeoutError(f"{what} gave no answer in {timeout:g} s.", waited_for=what, seconds=timeout)


def _result(output: bytes, errors: str, status: bytes, what: str, path: str) -> ExecResult:
    """Reads the object of kind Status with which the server ends every exec (channel 3)."""
    ended = _decoded(status)
    if ended is None:
        raise ApiError(
            f"The connection ended before {what} did; the answer is not complete.",
            reason="NoAnswer",
            method="GET",
            path=path,
        )
    if ended.get("status") == "Success":
        return ExecResult(0, output, errors)
    reason = str(ended.get("message") or ended.get("reason") or "")
    for cause in (ended.get("details") or {}).get("causes") or ():
        text = str(cause.get("message") or "")
        if cause.get("reason") == "ExitCode" and text.isdecimal():
            return ExecResult(int(text), output, errors, reason)
    in_words = _ENDED.search(reason)
    return ExecResult(int(in_words[1]) if in_words else -1, output, errors, reason)


def _decoded(status: bytes | bytearray) -> dict[str, t.Any] | None:
    """The object of kind Status, once it is complete."""
    try:
        found = json.loads(status) if status else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
