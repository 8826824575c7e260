# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The one HTTP door to an etcd: its JSON gateway, which is on where nobody switched it off.

One door is one endpoint. Only questions are repeated: whether a lost defragmentation has happened is seen by looking.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import typing as t
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import (
    EtcdError,
    no_answer,
    refusal,
    was_cut,
)

JsonObject = dict[str, t.Any]
_LONGEST_LINE = 4 * 1024**2
_CONNECT_SECONDS = 5.0
# may be asked again when the connection was lost, because they change nothing
_QUESTIONS = (
    "/v3/maintenance/status",
    "/v3/cluster/member/list",
    "/v3/kv/range",
    "/v3/lease/leases",
    "/v3/lease/timetolive",
    "/v3/auth/authenticate",
    "/metrics",
)


@dataclass(frozen=True)
class EtcdCredentials:
    """Paths of PEM files, and user with password where etcd's own authentication is on; empty: not used."""

    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""
    user: str = ""
    password: str = ""
    server_name: str = ""

    def check(self) -> None:
        """Raises InputError naming the option whose file is not there or cannot be read, or that lacks its other half."""
        for option, path in (
            ("etcd_ca_cert", self.ca_cert),
            ("etcd_client_cert", self.client_cert),
            ("etcd_client_key", self.client_key),
        ):
            if path and not os.path.isfile(path):
                raise InputError(f"{option}: the file {path} does not exist; give the path of a PEM file.")
            if path and not os.access(path, os.R_OK):
                raise InputError(f"{option}: the file {path} cannot be read by this user.")
        if bool(self.client_cert) != bool(self.client_key):
            raise InputError(
                "etcd_client_key: a client certificate needs its key; give etcd_client_cert and etcd_client_key."
            )
        if self.password and not self.user:
            raise InputError("etcd_password: a password needs a user; give etcd_user as well.")


class EtcdDoor:
    """Requests to one endpoint; safe to be used by several threads."""

    def __init__(self, endpoint: str, credentials: EtcdCredentials, timeout: float = 10.0) -> None:
        """Nothing is sent yet. Raises InputError for an endpoint that is none."""
        self.endpoint = checked_endpoint(endpoint)
        self._credentials = credentials
        self._timeout = timeout
        self._token = ""
        self._pool = _pool(self.endpoint, credentials)

    def ask(self, path: str, body: Mapping[str, t.Any] | None = None, *, timeout: float | None = None) -> JsonObject:
        """The answer to one request. Raises EtcdError, whose text is one sentence about this endpoint."""
        response = self._send(path, body, timeout or self._timeout)
        return _decoded(response.data, self.endpoint, path)

    def stream(
        self, path: str, body: Mapping[str, t.Any] | None = None, *, timeout: float = 60.0
    ) -> Iterator[JsonObject]:
        """The answers of a stream one after the other; ``timeout`` is the longest silence in seconds. Raises EtcdError."""
        import urllib3

        response = self._send(path, body, timeout, preload=False)
        try:
            rest = b""
            for chunk in response.stream(64 * 1024):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield _result(_decoded(line, self.endpoint, path), self.endpoint, path)
                if len(rest) > _LONGEST_LINE:
                    raise EtcdError(f"The answer of {self.endpoint} to {path} is no stream of JSON lines.", path=path)
            if rest.strip():
                yield _result(_decoded(rest, self.endpoint, path), self.endpoint, path)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise no_answer(self.endpoint, path, error, self._credentials.client_cert) from error
        finally:
            response.release_conn()
            response.close()

    def text(self, path: str) -> str:
        """What a plain GET gives, such as ``/metrics``; empty when it is not served here. Raises EtcdError."""
        response = self._request("GET", path, None, self._timeout, {})
        return response.data.decode(errors="replace") if response.status == 200 else ""

    # -- internals -----------------------------------------------------------------------------------------------

    def _send(self, path: str, body: Mapping[str, t.Any] | None, timeout: float, *, preload: bool = True) -> t.Any:
        for again in (False, True):
            headers = {"Authorization": self._authorization()} if self._credentials.user else {}
            response = self._request("POST", path, body or {}, timeout, headers, preload=preload)
            if response.status == 200:
                return response
            data = response.data if preload else response.read(64 * 1024)
            error = refusal(self.endpoint, path, response.status, data, bool(self._credentials.user))
            if again or not (error.stale_token and self._credentials.user):
                raise error
            self._token = ""  # tokens end after five minutes without use
        raise AssertionError("unreachable")

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, t.Any] | None,
        timeout: float,
        headers: Mapping[str, str],
        *,
        preload: bool = True,
    ) -> t.Any:
        import urllib3

        for again in (False, True):
            try:
                return self._pool.request(
                    method,
                    self.endpoint + path,
                    body=None if body is None else json.dumps(body).encode(),
                    headers={"Content-Type": "application/json", "User-Agent": "podnet.upkeep", **headers},
                    timeout=urllib3.Timeout(connect=min(timeout, _CONNECT_SECONDS), read=timeout),
                    retries=False,
                    redirect=False,
                    preload_content=preload,
                )
            except (urllib3.exceptions.HTTPError, OSError) as error:
                # a connection of an earlier request, or one of TLS whose end told the reason to nobody
                if again or not was_cut(error) or path not in _QUESTIONS:
                    raise no_answer(self.endpoint, path, self._refused(error), self._credentials.client_cert) from error
        raise AssertionError("unreachable")

    def _refused(self, error: Exception) -> Exception:
        """The reason for which the other side ended a connection of TLS. It says so after its side of the handshake, when
        we have begun to send, and then the reason may be lost: ask for it without sending anything."""
        if not self.endpoint.startswith("https") or not was_cut(error):
            return error
        parts = urllib.parse.urlsplit(self.endpoint)
        try:
            context = ssl.create_default_context(cafile=self._credentials.ca_cert or None)
            if self._credentials.client_cert:
                context.load_cert_chain(self._credentials.client_cert, self._credentials.client_key)
            name = self._credentials.server_name or parts.hostname or ""
            with (
                socket.create_connection((parts.hostname or "", parts.port or 443), timeout=1.0) as plain,
                context.wrap_socket(plain, server_hostname=name) as secured,
            ):
                secured.recv(1)
        except TimeoutError:
            return error  # nothing is said, so the certificate was accepted
        except OSError as reason:
            return reason
        return error

    def _authorization(self) -> str:
        if not self._token:
            path = "/v3/auth/authenticate"
            login = {"name": self._credentials.user, "password": self._credentials.password}
            response = self._request("POST", path, login, self._timeout, {})
            if response.status != 200:
                raise refusal(self.endpoint, path, response.status, response.data, True)
            self._token = str(_decoded(response.data, self.endpoint, path).get("token") or "")
        return self._token


def checked_endpoint(text: str) -> str:
    """``https://10.0.0.1:2379`` without a path. Raises InputError."""
    try:
        parts = urllib.parse.urlsplit(text.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        usable = False
    if not usable or parts.path.strip("/") or parts.query or parts.username:
        raise InputError(f"endpoints: '{text}' is no endpoint of etcd; write it as https://ADDRESS:PORT.")
    return f"{parts.scheme}://{parts.netloc}"


def encoded(data: bytes) -> str:
    """Bytes as the gateway takes them."""
    return base64.b64encode(data).decode()


def decoded(text: t.Any) -> bytes:
    """Bytes as the gateway gives them; what is left out is empty."""
    return base64.b64decode(str(text or ""))


def _result(line: JsonObject, endpoint: str, path: str) -> JsonObject:
    """The message of one line of a stream; an error may also come after the first ones."""
    if "error" in line:
        raise refusal(endpoint, path, 200, json.dumps(line["error"]).encode(), False)
    found = line.get("result")
    return found if isinstance(found, dict) else {}


def _decoded(data: bytes, endpoint: str, path: str) -> JsonObject:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise EtcdError(
            f"{endpoint} answered {path} with something that is not JSON; is it really the client port of an etcd?",
            path=path,
        ) from error
    return found if isinstance(found, dict) else {}


def _pool(endpoint: str, credentials: EtcdCredentials) -> t.Any:
    try:
        import urllib3
    except ImportError as error:
        raise InputError(
            f"The Python library urllib3 cannot be imported ({error}); install urllib3 for the interpreter that runs this "
            "module (kubernetes brings it)."
        ) from error
    arguments: dict[str, t.Any] = {"maxsize": 4, "num_pools": 2, "block": False}
    if endpoint.startswith("https"):
        arguments["cert_reqs"] = "CERT_REQUIRED"
        for ours, value in (
            ("ca_certs", credentials.ca_cert),
            ("cert_file", credentials.client_cert),
            ("key_file", credentials.client_key),
            ("server_hostname", credentials.server_name),
            ("assert_hostname", credentials.server_name),
        ):
            if value:
                arguments[ours] = value
    return urllib3.PoolManager(**arguments)
