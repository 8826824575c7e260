# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Plain kubeconfigs, read without the library ``kubernetes``, whose import alone takes longer than most requests.

Plain is what needs no program and no other server: a client certificate, a token, a token file, or no credential at all.
Everything else (``exec``, ``auth-provider``, a password, a proxy of the environment), and everything that is not quite
right, is left to the library, which also finds the words for it. The answer is what the library answers, which tests
compare over generated files; ``proxy-url`` is honoured as kubectl does, also where an old library (31) ignores it.
"""

from __future__ import annotations

import atexit
import base64
import os
import sys
import tempfile
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LISTS = ("clusters", "contexts", "users")
_NOT_PLAIN = frozenset({"exec", "auth-provider", "username", "password"})


class NotPlainError(Exception):
    """Somebody else has to read this kubeconfig."""


@dataclass
class PlainConfiguration:
    """What ``kubernetes.client.Configuration`` says about a server, under the same names; files are paths."""

    host: str = "http://localhost"
    ssl_ca_cert: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify_ssl: bool = True
    tls_server_name: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    assert_hostname: str | bool | None = None
    api_key: dict[str, str] = field(default_factory=dict)
    refresh_api_key_hook: None = None

    def auth_settings(self) -> dict[str, dict[str, str]]:
        """The header that goes with every request, as the library describes it."""
        token = self.api_key.get("BearerToken") or self.api_key.get("authorization")
        return {"BearerToken": {"in": "header", "key": "authorization", "value": token}} if token else {}


def empty_configuration() -> PlainConfiguration | None:
    """One without server and credential; None where the environment names a proxy, which the library understands."""
    asks_system = sys.platform in ("darwin", "win32")
    if asks_system or any(name.lower().endswith("_proxy") and value for name, value in os.environ.items()):
        return None
    return PlainConfiguration()


def read_plain(kubeconfig: Mapping[str, t.Any] | str, context: str | None) -> PlainConfiguration | None:
    """The server and credential of a context (None: the current one), or None: ask the library.

    ``kubeconfig`` is its content, or the paths of files with the separator of the system between them.
    """
    configuration = empty_configuration()
    if configuration is None:
        return None
    try:
        merged = _inline(kubeconfig) if isinstance(kubeconfig, Mapping) else _merged(kubeconfig)
        chosen = _text(merged.current if context is None else context)
        described = _mapping(_named(merged.entries["contexts"], chosen).content.get("context"))
        cluster = _named(merged.entries["clusters"], _text(described.get("cluster"))).part("cluster")
        user = _user(merged.entries["users"], described.get("user"))
        _fill(configuration, cluster, user)
    except (NotPlainError, OSError, ValueError):
        return None
    return configuration


# -- files ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """A named entry of one of the lists, or a part of it, and the folder that its paths start at."""

    content: Mapping[str, t.Any]
    folder: str

    def part(self, key: str) -> _Entry:
        return _Entry(_mapping(self.content.get(key)), self.folder)

    def has(self, key: str) -> bool:
        if key in self.content and self.content[key] is None:
            raise NotPlainError(key)
        return key in self.content


@dataclass(frozen=True)
class _Merged:
    entries: Mapping[str, Sequence[_Entry]]
    current: t.Any


def _inline(content: Mapping[str, t.Any]) -> _Merged:
    entries = {name: [_Entry(_mapping(one), "") for one in _list(content.get(name))] for name in _LISTS}
    for listed in entries.values():
        names = [_text(entry.content.get("name")) for entry in listed]
        if len(set(names)) != len(names):
            raise NotPlainError("two of one name")
    return _Merged(entries, content.get("current-context"))


def _merged(paths: str) -> _Merged:
    """Of several files the first entry of a name counts, and the last current context."""
    entries: dict[str, dict[str, _Entry]] = {name: {} for name in _LISTS}
    current: t.Any = None
    for path in paths.split(os.pathsep):
        expanded = os.path.expanduser(path)
        if not path or not os.path.exists(expanded):
            continue
        content = _content(expanded)
        folder = os.path.abspath(os.path.dirname(expanded))
        for name in _LISTS:
            for one in _list(content.get(name)):
                entry = _Entry(_mapping(one), folder)
                entries[name].setdefault(_text(entry.content.get("name")), entry)
        current = content.get("current-context", current)
    return _Merged({name: list(found.values()) for name, found in entries.items()}, current)


def _content(path: str) -> Mapping[str, t.Any]:
    import yaml

    with open(path, encoding="utf-8") as file:
        try:
            return _mapping(yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except yaml.YAMLError as error:
            raise NotPlainError(path) from error


# -- entries -------------------------------------------------------------------------------------------------------


def _user(users: Sequence[_Entry], name: t.Any) -> _Entry:
    """The user of a context; without one, and of a user that is not there, there is no credential."""
    found = [entry for entry in users if entry.content.get("name") == name] if name else []
    if name and not isinstance(name, str):
        raise NotPlainError("user")
    user = found[0].part("user") if found else _Entry({}, "")
    if _NOT_PLAIN & set(user.content):
        raise NotPlainError("user")
    return user


def _fill(configuration: PlainConfiguration, cluster: _Entry, user: _Entry) -> None:
    token = _token(user)
    if token:
        configuration.api_key["BearerToken"] = f"Bearer {token}"
    configuration.host = _text(cluster.content.get("server")).rstrip("/")
    if configuration.host.startswith("https"):
        configuration.ssl_ca_cert = _file(cluster, "certificate-authority", cluster.folder)
        # the library starts at the folder of the cluster's file for these, too
        configuration.cert_file = _file(user, "client-certificate", cluster.folder)
        configuration.key_file = _file(user, "client-key", cluster.folder)
    if cluster.has("insecure-skip-tls-verify"):
        configuration.verify_ssl = not cluster.content["insecure-skip-tls-verify"]
    if cluster.has("tls-server-name"):
        configuration.tls_server_name = _text(cluster.content["tls-server-name"])
    if cluster.has("proxy-url"):
        configuration.proxy = _text(cluster.content["proxy-url"])


def _token(user: _Entry) -> str:
    if user.has("token"):
        return _text(user.content["token"])
    if not user.has("tokenFile"):
        return ""
    with open(os.path.normpath(os.path.join(user.folder, _text(user.content["tokenFile"]))), encoding="utf-8") as file:
        return file.read().strip()  # as kubectl does; the library keeps the end of the line


def _file(entry: _Entry, key: str, folder: str) -> str | None:
    """Path of a file that is named, or whose content is given, which comes first."""
    if entry.has(f"{key}-data"):
        data = _text(entry.content[f"{key}-data"])
        return _temporary(base64.standard_b64decode(data.encode())) if data else None
    if not entry.has(key):
        return None
    path = os.path.normpath(os.path.join(folder, _text(entry.content[key])))
    if not os.path.isfile(path):
        raise NotPlainError(key)
    return path


def _mapping(value: t.Any) -> Mapping[str, t.Any]:
    if not isinstance(value, Mapping):
        raise NotPlainError("not a mapping")
    return value


def _list(value: t.Any) -> Sequence[t.Any]:
    if value is not None and not isinstance(value, list):
        raise NotPlainError("not a list")
    return value or []


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise NotPlainError("not a text")
    return value


def _named(entries: Sequence[_Entry], name: str) -> _Entry:
    for entry in entries:
        if entry.content.get("name") == name:
            return entry
    raise NotPlainError(name)


# -- temporary files -----------------------------------------------------------------------------------------------

_written: dict[bytes, str] = {}


def _temporary(content: bytes) -> str:
    """A file with this content that only we can read; it is removed when the process ends."""
    if not _written:
        atexit.register(_remove_written)
    if content not in _written or not os.path.isfile(_written[content]):
        handle, path = tempfile.mkstemp(prefix="podnet-upkeep-")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        _written[content] = path
    return _written[content]


def _remove_written() -> None:
    for path in _written.values():
        try:
            os.remove(path)
        except OSError:
            continue  # somebody was faster
    _written.clear()
