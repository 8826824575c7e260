# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""etcdctl on one host: where it is, and how it is asked.

It is the one on the host, or the one in the running container of etcd, where the certificates of etcd are as well. Everything
that is given to it is an argument of its own, and no argument is a secret.
"""

from __future__ import annotations

import math
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcdctl_output import (
    OLDEST,
    OutputError,
    containers_of,
    reason_of,
    version_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError

AUTO, HOST, CONTAINER = "auto", "host", "container"
Value = t.TypeVar("Value")
#: How long a command that only looks for something may take, in seconds.
LOOK_SECONDS = 60.0
_SPARE = 30.0
_NOT_THERE = 127  # as shells say it
_KILLED = (124, 137)  # by timeout, which ends what does not end by itself
# with these nobody knows whether what was asked for has happened
_LOST = ("EOF", "connection reset", "connection refused", "transport is closing", "broken pipe", "unavailable")
# what a shell of the host may have set must not decide who is asked, and by which version of the API
_UNSET = tuple(
    word
    for name in (
        "API",
        "ENDPOINTS",
        "USER",
        "PASSWORD",
        "CACERT",
        "CERT",
        "KEY",
        "INSECURE_SKIP_TLS_VERIFY",
        "WRITE_OUT",
    )
    for word in ("-u", f"ETCDCTL_{name}")
)


@dataclass(frozen=True)
class Ran:
    """What a command on a host left behind."""

    code: int
    out: str
    errors: str


class Commands(t.Protocol):
    """Commands on one host, which is called ``host`` in sentences."""

    host: str

    def run(self, argv: Sequence[str], timeout: float, beat: Callable[[], None] | None = None) -> Ran:
        """Run a command with the rights that etcd's files need; ``beat`` is called meanwhile.

        Raises EtcdError without a status when the host cannot be reached or is silent for ``timeout`` seconds.
        """
        raise NotImplementedError

    def login_id(self) -> str:
        """The number of the user who fetches files. Raises EtcdError."""
        raise NotImplementedError

    def fetch(self, path: str, target: str, beat: Callable[[], None]) -> None:
        """Copy a file of the host, which that user may read, to this machine. Raises EtcdError."""
        raise NotImplementedError


@dataclass(frozen=True)
class Whereabouts:
    """Where etcdctl is (``auto``: on the host, else in the container), which member it asks, and with which files there."""

    place: str = AUTO
    etcdctl: str = "etcdctl"
    crictl: str = "crictl"
    endpoint: str = "https://127.0.0.1:2379"
    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""

    def flags(self) -> list[str]:
        """Arguments that let etcdctl in."""
        named = (("cacert", self.ca_cert), ("cert", self.client_cert), ("key", self.client_key))
        return [f"--{name}={path}" for name, path in named if path]


class EtcdctlProgram:
    """The etcdctl of one host; it is looked for at the first question."""

    def __init__(self, commands: Commands, where: Whereabouts, timeout: float = 10.0) -> None:
        """Nothing is run yet; ``timeout`` in seconds is for one answer of etcd."""
        self.commands = commands
        self.where = where
        self.timeout = timeout
        self._begin: list[str] | None = None
        self.container = ""

    @property
    def place(self) -> str:
        """``host`` or ``container``. Raises InputError when there is no etcdctl, EtcdError."""
        self._found()
        return CONTAINER if self.container else HOST

    def ask(
        self,
        parse: Callable[[str], Value],
        *words: str,
        endpoints: Sequence[str] = (),
        timeout: float = 0,
    ) -> Value:
        """The parsed answer to a question that changes nothing. Raises EtcdError, InputError."""
        return self.parsed(parse, self.run(*words, endpoints=endpoints, timeout=timeout), *words)

    def run(self, *words: str, endpoints: Sequence[str] = (), timeout: float = 0, failing: bool = False) -> Ran:
        """What etcdctl printed. Raises EtcdError when it failed, unless that is told otherwise (``failing``); InputError."""
        seconds = timeout or self.timeout
        addressed = list(endpoints) or [self.where.endpoint]
        argv = [
            *self._found(),
            f"--endpoints={','.join(addressed)}",
            *self.where.flags(),
            f"--command-timeout={math.ceil(seconds)}s",
            "--write-out=json",
            *words,
        ]
        # etcdctl asks one endpoint after the other, each for so long
        ran = self._limited(argv, math.ceil(seconds) * len(addressed) + _SPARE)
        if ran.code and not failing:
            raise self.error(ran, words, addressed)
        return ran

    def parsed(self, parse: Callable[[str], Value], ran: Ran, *words: str) -> Value:
        """What was printed, understood. Raises EtcdError for what is not what etcdctl prints."""
        try:
            return parse(ran.out)
        except OutputError as error:
            raise EtcdError(
                f"etcdctl on host {self.commands.host} answered '{' '.join(words)}' with something else: {error}. Is "
                f"{self.where.etcdctl} there really etcdctl of 3.4 or newer?",
                status=1,
                path=" ".join(words),
            ) from error

    def error(self, ran: Ran, words: Sequence[str], endpoints: Sequence[str]) -> EtcdError:
        """The error for a command that failed."""
        if ran.code in _KILLED:
            return EtcdError(
                f"etcdctl {' '.join(words)} on host {self.commands.host} did not end in time and was ended.",
                path=" ".join(words),
            )
        own, said = reason_of(ran.errors, ran.out)
        return EtcdError(
            f"etcdctl on host {self.commands.host}, asking {' and '.join(endpoints)}: {said}.{_remedy(said)}",
            status=0 if any(word in said for word in _LOST) else 1,
            words=own,
            path=" ".join(words),
        )

    # -- where it is ---------------------------------------------------------------------------------------------

    def _found(self) -> list[str]:
        if self._begin is None:
            self._begin = self._find()
        return self._begin

    def _find(self) -> list[str]:
        reasons = []
        if self.where.place in (AUTO, HOST):
            path, why = self._on_host(self.where.etcdctl)
            if path:
                begin = ["env", *_UNSET, path]
                version = self._version(begin)
                if version is not None and version >= OLDEST:
                    return begin
                told = ".".join(map(str, version)) if version else "unknown"
                why = f"{path} on it is of version {told}"
            reasons.append(why)
        if self.where.place in (AUTO, CONTAINER):
            container, why = self._running()
            if container:
                begin = [*self._crictl(), "exec", container, self.where.etcdctl]
                if self._version(begin) is not None:
                    self.container = container
                    return begin
                why = f"etcdctl cannot be run in its container of etcd ({container[:13]})"
            reasons.append(why)
        raise InputError(
            f"Host {self.commands.host} has no etcdctl that can be used, and nothing was done there: "
            f"{' and '.join(reasons)}. Install etcdctl of 3.4 or newer on it, or name where it is (etcdctl, etcdctl_in)."
        )

    def _on_host(self, program: str) -> tuple[str, str]:
        ran = self._limited(["sh", "-c", f'command -v -- "$1" || exit {_NOT_THERE}', "sh", program], LOOK_SECONDS)
        if ran.code not in (0, _NOT_THERE):  # it was not even looked for: sudo refuses, for one
            raise EtcdError(
                f"Nothing can be run on host {self.commands.host}: {reason_of(ran.errors, ran.out)[1]}. The user who logs in has to "
                "become root there.",
                status=1,
                path=program,
            )
        path = ran.out.strip().splitlines()[-1] if ran.code == 0 and ran.out.strip() else ""
        return path, "" if path else f"it has no program {program}"

    def _version(self, begin: Sequence[str]) -> tuple[int, int, int] | None:
        ran = self._limited([*begin, "version"], LOOK_SECONDS)
        return version_of(ran.out) if ran.code == 0 else None

    def _crictl(self) -> list[str]:
        return [self.where.crictl, "--timeout=60s"]  # its own is two seconds

    def _running(self) -> tuple[str, str]:
        """(ID of the container of etcd, why there is none)."""
        path, why = self._on_host(self.where.crictl)
        if not path:
            return "", why
        ran = self._limited([*self._crictl(), "ps", "--name=^etcd$", "--state=Running", "--output=json"], LOOK_SECONDS)
        if ran.code:
            return "", f"crictl on it fails ({reason_of(ran.errors, ran.out)[1]})"
        try:
            running = containers_of(ran.out)
        except OutputError as error:
            return "", f"crictl on it does not list containers ({error})"
        ours = [one for one in running if one[1] == "kube-system"] or running
        if len(ours) == 1:
            return ours[0][0], ""
        return "", f"crictl on it shows {len(ours) or 'no'} running containers with the name etcd"

    def inspected(self) -> Ran:
        """What crictl tells about the container of etcd. Raises EtcdError."""
        ran = self._limited([*self._crictl(), "inspect", "--output=json", self.container], LOOK_SECONDS)
        if ran.code:
            raise self.error(ran, ["inspect"], [self.container[:13]])
        return ran

    def _limited(self, argv: Sequence[str], seconds: float) -> Ran:
        whole = math.ceil(seconds)
        return self.commands.run(["timeout", "-k", "5", str(whole), *argv], whole + _SPARE)


def _remedy(said: str) -> str:
    """What helps, where that is known."""
    if "no such file or directory" in said or "permission denied" in said:
        return " Name files that are there, for the user that asks: etcdctl_ca_cert, etcdctl_client_cert and etcdctl_client_key."
    if "x509" in said or "tls" in said:
        return " The files etcdctl_ca_cert, etcdctl_client_cert and etcdctl_client_key there are not those that etcd trusts."
    if "connection refused" in said or "no such host" in said:
        return " Nothing listens there: etcd does not run on it, or etcdctl_endpoint is another one."
    if "no leader" in said or "request timed out" in said:
        return " It has no quorum or no leader: bring its members back first."
    return ""
