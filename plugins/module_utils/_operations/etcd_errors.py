# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What goes wrong between us and an etcd, in one sentence each."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError

# codes of gRPC that the gateway puts into its answers
_UNAUTHENTICATED, _PERMISSION = 16, 7


class EtcdError(UpkeepError):
    """An endpoint of etcd did not answer (``status`` 0) or refused; ``words`` are etcd's own."""

    def __init__(self, message: str, *, status: int = 0, words: str = "", path: str = "", code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.words = words
        self.path = path
        self.code = code

    @property
    def stale_token(self) -> bool:
        """A new login helps."""
        return "invalid auth token" in self.words or "revision of auth store is old" in self.words

    @property
    def compacted(self) -> bool:
        """The revision that was asked for is forgotten."""
        return "has been compacted" in self.words

    @property
    def full(self) -> bool:
        """The write was refused because the database has reached its quota."""
        return "database space exceeded" in self.words

    @property
    def lost(self) -> bool:
        """Nobody knows whether what was asked for has happened, or goes on happening."""
        return self.status == 0 or "request timed out" in self.words or "context deadline exceeded" in self.words

    def details(self) -> dict[str, t.Any]:
        return {"etcd_error": {"status": self.status, "words": self.words, "path": self.path}}


def refusal(endpoint: str, path: str, status: int, data: bytes, with_user: bool) -> EtcdError:
    """The error for an answer that is no success."""
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    # the gate before the gateway answers in plain text
    words, code = ("" if status == 404 else data[:300].decode(errors="replace").strip()), 0
    if isinstance(body, dict):
        words = str(body.get("message") or body.get("error") or words)
        code = body["code"] if isinstance(body.get("code"), int) else 0
    return EtcdError(
        _sentence(endpoint, path, status, words, code, with_user), status=status, words=words, path=path, code=code
    )


def _sentence(endpoint: str, path: str, status: int, words: str, code: int, with_user: bool) -> str:
    if status == 404 and not words:
        return (
            f"{endpoint} does not serve {path}: its JSON gateway is switched off (--enable-grpc-gateway=false), or it is not "
            "an etcd. Switch it on, or use etcdctl on the hosts (audit_kvstore_hosts, maintain_kvstore_hosts)."
        )
    if "CommonName of client sending a request against gateway" in words:
        return (
            f"{endpoint} has authentication switched on, and its gateway lets in no client certificate that has a common name: "
            "give one without, with etcd_user and etcd_password, or ask by etcdctl on the hosts."
        )
    if "user name is empty" in words or ("invalid auth token" in words and not with_user):
        return f"{endpoint} has authentication switched on: give etcd_user and etcd_password."
    if "authentication failed" in words:
        return f"{endpoint} does not accept etcd_user and etcd_password: the name or the password is wrong."
    if "authentication is not enabled" in words:
        return f"{endpoint} has no authentication switched on: leave out etcd_user and etcd_password."
    if code in (_PERMISSION, _UNAUTHENTICATED) or "permission denied" in words:
        return f"{endpoint} does not allow this user {path}: it needs the role root ({words})."
    if "no leader" in words or "request timed out" in words or "context deadline exceeded" in words:
        return (
            f"{endpoint} answers, but its etcd cannot agree on anything: it has no quorum or no leader ({words}). Bring its "
            "members back first."
        )
    if "database space exceeded" in words:
        return f"{endpoint} refuses to write: its database has reached its quota (alarm NOSPACE)."
    said = words or f"HTTP status {status}"
    return f"{endpoint} refused {path}: {said.rstrip('.')}."


def no_answer(endpoint: str, path: str, error: Exception, client_cert: str) -> EtcdError:
    """The error for a request that got no answer."""
    return EtcdError(f"Cannot ask the etcd at {endpoint}: {_cause(error, endpoint, client_cert)}.", path=path)


def was_cut(error: BaseException) -> bool:
    """Whether the other side, or the way to it, ended a connection that had been there."""
    import ssl

    import urllib3

    kinds = (
        ssl.SSLEOFError,
        ssl.SSLZeroReturnError,
        ConnectionResetError,
        ConnectionAbortedError,
        BrokenPipeError,
        urllib3.exceptions.ProtocolError,
    )
    return any(isinstance(link, kinds) for link in _chain(error))


def _cause(error: Exception, endpoint: str, client_cert: str) -> str:
    import socket

    import urllib3

    links = _chain(error)
    about_tls = _tls_cause(links, client_cert) if endpoint.startswith("https") else ""
    if about_tls:
        return about_tls
    for kind, text in (
        (ConnectionRefusedError, "connection refused"),
        (socket.gaierror, "the host name cannot be resolved"),
        (urllib3.exceptions.ReadTimeoutError, "no answer in the time allowed (etcd_timeout)"),
        ((urllib3.exceptions.ConnectTimeoutError, TimeoutError), "no connection in the time allowed"),
    ):
        if any(isinstance(link, kind) for link in links):
            return text
    if was_cut(error):
        return "the connection was lost" + (
            "" if endpoint.startswith("https") else "; if it speaks TLS, write https://"
        )
    return str(links[-1]).replace("\n", " ").strip().rstrip(".")


def _tls_cause(links: list[BaseException], client_cert: str) -> str:
    """What is wrong with a certificate; empty when nothing is."""
    import ssl

    for link in links:
        if isinstance(link, ssl.SSLCertVerificationError):
            why = link.verify_message.rstrip(".")
            if "mismatch" in why or "not valid for" in why:
                return f"its certificate is not for this address ({why}); set etcd_server_name to a name in it"
            if "expired" in why:
                return f"its certificate has expired ({why})"
            return f"its certificate is of no authority in etcd_ca_cert, so it may be somebody else ({why})"
    words = " ".join(str(link) for link in links).upper().replace(" ", "_")
    if "CERTIFICATE_EXPIRED" in words:
        return f"it does not accept the client certificate {client_cert}, which has expired"
    alert = any(
        word in words for word in ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_REQUIRED", "CERTIFICATE_UNKNOWN")
    )
    if alert and client_cert:
        return (
            f"it does not accept the client certificate {client_cert}: it is not signed by the authority that it trusts"
        )
    if alert or (not client_cert and any(isinstance(link, ssl.SSLEOFError) for link in links)):
        return "it wants a client certificate; give etcd_client_cert and etcd_client_key"
    if "WRONG_VERSION_NUMBER" in words or "RECORD_LAYER_FAILURE" in words:
        return "it does not speak TLS; write the endpoint as http://"
    if any(isinstance(link, ssl.SSLError) for link in links) and ("PEM" in words or "KEY_VALUES_MISMATCH" in words):
        return f"etcd_ca_cert, etcd_client_cert and etcd_client_key are not PEM files that fit together ({links[-1]})"
    return ""


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what caused it, without turning in a circle."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        following = getattr(current, "reason", None)
        if not isinstance(following, BaseException):
            following = next((one for one in current.args if isinstance(one, BaseException)), None)
        current = following or current.__cause__ or current.__context__
    return found
