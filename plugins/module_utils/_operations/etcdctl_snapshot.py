# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A snapshot by etcdctl on a member's host, checked there, and kept there or fetched to this machine.

etcdctl writes the database with its SHA-256 behind it, as the gateway sends it. In a container it can write only to a folder
that the host has as well, such as that of etcd's data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import in_words
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Member
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcdctl_output import Mount, mounts_of, reason_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import etcd_snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_snapshot import Snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_program import (
    CONTAINER,
    LOOK_SECONDS,
    EtcdctlProgram,
    Ran,
)

CONTROLLER, HOST = "controller", "host"
_SPARE = 64 * 1024**2
_MAGIC = "edda0ced"  # of bbolt's first page, 16 bytes behind its start
_PREFIX = ".podnet-upkeep-"
_STAGING, _KEPT = "/var/tmp", "/var/lib/podnet-upkeep/kvstore"
_DIGESTS = 'head -c -32 "$1" | sha256sum | cut -c1-64; tail -c 32 "$1" | od -An -v -tx1; od -An -v -tx1 -j 16 -N 4 "$1"; wc -c <"$1"'


@dataclass(frozen=True)
class Keeping:
    """Where a snapshot is kept: ``controller`` in ``folder`` of this machine, or ``host`` in ``host_folder`` there.

    On its way it is in ``host_folder`` as well (empty: /var/tmp, and /var/lib/podnet-upkeep/kvstore to keep it).
    """

    on: str = CONTROLLER
    folder: str = ""
    host_folder: str = ""
    timeout: float = 600


def take(
    program: EtcdctlProgram, member: Member, keeping: Keeping, name: str, heartbeat: Callable[[], None]
) -> Snapshot:
    """The database of the member that ``program`` asks, whole and sound, mode 0600; nothing else is left of it.

    ``path`` is ``HOST:PATH`` for one that is kept on the host. Raises EtcdError, InputError, RefusedError.
    """
    return _Taking(program, member, keeping, heartbeat).take(name)


class _Taking:
    def __init__(
        self, program: EtcdctlProgram, member: Member, keeping: Keeping, heartbeat: Callable[[], None]
    ) -> None:
        self._program = program
        self._commands = program.commands
        self._member = member
        self._keeping = keeping
        self._beat = heartbeat
        self._needed = (member.status.size if member.status else 0) + _SPARE

    def take(self, name: str) -> Snapshot:
        folder = self._folder()
        prefix = f"{_PREFIX}{'-'.join(name.split('-')[:2])}-"  # of this etcd, as the name is
        self._remove_leftovers(folder, prefix)
        self._require_room(folder)
        staging = self._done(["mktemp", "-d", f"{folder}/{prefix}XXXXXXXX"]).out.strip()
        if not re.fullmatch(re.escape(f"{folder}/{prefix}") + "[0-9A-Za-z]{8}", staging):
            raise EtcdError(f"Host {self._commands.host} made no folder for the snapshot in {folder}.", status=1)
        path = f"{staging}/{name}"
        try:
            self._save(path, prefix)
            size, digest = self._checked(path)
            if self._keeping.on == HOST:
                self._done(["chmod", "0600", path])
                self._done(["mv", "--", path, f"{folder}/{name}"])
                return Snapshot(f"{self._commands.host}:{folder}/{name}", size, digest, self._member.title)
            return self._fetched(staging, path, name, size, digest)
        finally:
            self._commands.run(["rm", "-rf", "--", staging], LOOK_SECONDS)

    def _folder(self) -> str:
        if self._keeping.on != HOST:
            return self._keeping.host_folder.rstrip("/") or _STAGING
        folder = self._keeping.host_folder.rstrip("/") or _KEPT
        if self._ran(["test", "-d", folder]).code:
            self._done(["mkdir", "-p", "-m", "0700", "--", folder])
        return folder

    def _remove_leftovers(self, folder: str, prefix: str) -> None:
        """Of a run that was killed: it had the lock that we hold."""
        self._ran(["find", folder, "-maxdepth", "1", "-name", f"{prefix}*", "-exec", "rm", "-rf", "--", "{}", "+"])

    def _save(self, path: str, prefix: str) -> None:
        """In a container: by way of a folder that both see."""
        mount = self._mount() if self._program.place == CONTAINER else None
        if mount is None:
            self._etcdctl(path)
            return
        self._remove_leftovers(mount.outside, prefix)
        self._require_room(mount.outside)
        name = f"{_PREFIX}{os.path.basename(path)}"
        try:
            self._etcdctl(f"{mount.inside}/{name}")
            self._done(["mv", "--", f"{mount.outside}/{name}", path], self._keeping.timeout)
        finally:
            self._ran(["rm", "-f", "--", f"{mount.outside}/{name}", f"{mount.outside}/{name}.part"])

    def _etcdctl(self, path: str) -> None:
        self._program.run("snapshot", "save", path, timeout=self._keeping.timeout)

    def _mount(self) -> Mount:
        mounts = self._program.parsed(mounts_of, self._program.inspected(), "inspect")
        # that of etcd's data rather than that of its certificates, which kubeadm lets it write to as well
        folders = [one for one in mounts if self._ran(["test", "-d", f"{one.outside}/member"]).code == 0]
        if not folders:
            folders = [one for one in mounts if self._ran(["test", "-d", one.outside]).code == 0]
            folders.sort(key=lambda one: any(word in one.inside for word in ("pki", "ssl", "cert")))
        if not folders:
            raise InputError(
                f"snapshot: the container of etcd on host {self._commands.host} has no folder of the host that it can write to; "
                "install etcdctl on the host, or set snapshot to false when another one is there."
            )
        return folders[0]

    def _require_room(self, folder: str) -> None:
        lines = self._done(["df", "-Pk", "--", folder]).out.strip().splitlines()
        fields = lines[-1].split() if lines else []
        if len(fields) < 4 or not fields[3].isdecimal():
            raise EtcdError(f"Host {self._commands.host} does not tell how much room {folder} has.", status=1)
        free = int(fields[3]) * 1024
        if free < self._needed:
            raise InputError(
                f"host_snapshot_dir: {folder} on host {self._commands.host} has {in_words(free)} left, and {in_words(self._needed)} "
                "are needed; name a folder with more room there."
            )

    def _checked(self, path: str) -> tuple[int, str]:
        """(bytes, SHA-256 of the database), when they are what is written behind it. Raises RefusedError."""
        ran = self._done(["sh", "-c", _DIGESTS, "sh", path], self._keeping.timeout)
        lines = ["".join(line.split()) for line in ran.out.strip().splitlines()]
        # od writes 16 bytes a line
        digest, told = (lines[0], "".join(lines[1:3])) if len(lines) == 5 else ("", "")
        if not digest or digest != told:
            raise RefusedError(
                f"The snapshot of member {self._member.title} is not sound: the SHA-256 at its end is not that of what is before "
                "it. Nothing was changed; try again."
            )
        if lines[3] != _MAGIC or not lines[4].isdecimal():
            raise RefusedError(
                f"The snapshot of member {self._member.title} is not a database of etcd; nothing was changed."
            )
        return int(lines[4]), digest

    def _fetched(self, staging: str, path: str, name: str, size: int, digest: str) -> Snapshot:
        self._done(["chown", "-R", self._commands.login_id(), staging])
        target = os.path.abspath(os.path.expanduser(self._keeping.folder))
        handle, partial = etcd_snapshot.begin(target, name, size)
        os.close(handle)
        try:
            self._commands.fetch(path, partial, self._beat)
            os.chmod(partial, 0o600)
            came = etcd_snapshot.digest_of(partial)
            etcd_snapshot.check(partial, size, came if came.hex() == digest else b"", self._member)
            os.replace(partial, os.path.join(target, name))
        except OSError as error:
            raise InputError(
                f"snapshot_dir: {target} cannot be written to: {error.strerror or error}; name a folder with room on this machine."
            ) from error
        finally:
            if os.path.exists(partial):
                os.unlink(partial)
        return Snapshot(os.path.join(target, name), size, digest, self._member.title)

    def _ran(self, argv: list[str], timeout: float = LOOK_SECONDS) -> Ran:
        return self._commands.run(argv, timeout, self._beat)

    def _done(self, argv: list[str], timeout: float = LOOK_SECONDS) -> Ran:
        ran = self._ran(argv, timeout)
        if ran.code:
            said = reason_of(ran.errors, ran.out)[1]
            raise EtcdError(f"'{argv[0]}' on host {self._commands.host} failed: {said}.", status=1, path=argv[0])
        return replace(ran, errors="")
