# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The errors this collection raises: each one carries a single sentence for the person who runs the playbook."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence


class UpkeepError(Exception):
    """Base of every expected failure; ``str(error)`` is one sentence for the user."""

    def details(self) -> dict[str, t.Any]:
        """Further result keys for ``fail_json`` (JSON values only)."""
        return {}


class InputError(UpkeepError):
    """An option has a value that cannot be used; the sentence names option, value and remedy."""


class ApiError(UpkeepError):
    """The Kubernetes API refused a request (``status`` > 0) or did not answer (``status`` == 0).

    ``reason`` is the API's machine-readable reason (``Conflict``, ``NotFound``...), ``causes`` the list of
    ``details.causes`` objects, ``body`` the decoded ``Status`` object, ``retry_after`` seconds the server asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        method: str = "",
        path: str = "",
        causes: Sequence[Mapping[str, t.Any]] = (),
        body: Mapping[str, t.Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.method = method
        self.path = path
        self.causes: list[dict[str, t.Any]] = [dict(cause) for cause in causes]
        self.body: dict[str, t.Any] | None = dict(body) if body is not None else None
        self.retry_after = retry_after

    @property
    def server_message(self) -> str:
        """The API server's own words, or an empty string."""
        return str((self.body or {}).get("message") or "")

    @property
    def transient(self) -> bool:
        """True where waiting can help: no answer, throttling, or a server that is starting or overloaded."""
        return self.status in (0, 429, 502, 503, 504)

    def details(self) -> dict[str, t.Any]:
        return {
            "api_error": {
                "status": self.status,
                "reason": self.reason,
                "method": self.method,
                "path": self.path,
                "causes": self.causes,
            }
        }


class RefusedError(UpkeepError):
    """A safety rule says no; ``reasons`` holds one sentence per rule."""

    def __init__(self, message: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reasons: list[str] = list(reasons) or [message]

    def details(self) -> dict[str, t.Any]:
        return {"refusals": self.reasons}


class WaitTimeoutError(UpkeepError):
    """Something did not happen in the time that was given for it."""

    def __init__(self, message: str, *, waited_for: str = "", seconds: float = 0.0) -> None:
        super().__init__(message)
        self.waited_for = waited_for
        self.seconds = seconds

    def details(self) -> dict[str, t.Any]:
        return {"waited_for": self.waited_for, "waited_seconds": round(self.seconds, 1)}
