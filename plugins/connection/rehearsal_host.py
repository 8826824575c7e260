# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: rehearsal_host
short_description: Run host steps of a rehearsal in a stand-in for the host
version_added: 0.1.0
description:
  - Runs every command on the controller, in a mount namespace with C(/etc), C(/var) and C(/run) of its own and without any
    network. There C(systemctl), C(crictl) and C(ip) are small programs that play a host with one kubelet.
  - So the scripts of a role run as they are, and can neither reach a real host nor change the controller.
  - Used by the inventory that M(podnet.upkeep.rehearsal_run) writes. Of no use otherwise.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - ansible.builtin.connection_pipelining
options:
  folder:
    description: Folder for what stand-ins write.
    type: path
    required: true
    vars:
      - name: rehearsal_host_folder
        version_added: 0.1.0
  remote_addr:
    description: Name of the host.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
        version_added: 0.1.0
  machine_id:
    description: Content of C(/etc/machine-id).
    type: str
    default: ""
    vars:
      - name: rehearsal_host_machine_id
        version_added: 0.1.0
  boot_id:
    description: Content of C(/proc/sys/kernel/random/boot_id).
    type: str
    default: ""
    vars:
      - name: rehearsal_host_boot_id
        version_added: 0.1.0
  unit:
    description: The systemd unit of the kubelet.
    type: str
    default: kubelet
    vars:
      - name: rehearsal_host_unit
        version_added: 0.1.0
  reachable:
    description: Whether the host answers.
    type: bool
    default: true
    vars:
      - name: rehearsal_host_reachable
        version_added: 0.1.0
"""

import os
import shutil
import subprocess
import sys
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection import ConnectionBase

# What a host has is put in the place of what the controller has; what is needed to run Python stays where it is.
# /mnt becomes a memory file system of this namespace only, which keeps the controller's own folders reachable.
_ENTER: t.Final = """
set -eu
host=$1 name=$2; shift 2
mount --make-rprivate /
mount -t tmpfs rehearsal /mnt
mkdir /mnt/host
mount --bind "$host" /mnt/host
for top in etc var run; do
  mkdir "/mnt/$top"
  mount --rbind "/$top" "/mnt/$top"
done
for top in etc var run; do mount --bind "/mnt/host/$top" "/$top"; done
while [ "$1" != -- ]; do
  mkdir -p "$1"
  mount --rbind "/mnt/$1" "$1"
  shift
done
shift
[ ! -s /mnt/host/boot_id ] || mount --bind /mnt/host/boot_id /proc/sys/kernel/random/boot_id
mount --bind /mnt/host/net /sys/class/net
hostname "$name" 2>/dev/null || true
PATH=/mnt/host/bin:$PATH
export PATH
exec /bin/sh -c "$1"
"""
# of /etc what programs of the controller need
_OF_CONTROLLER: t.Final = (
    *("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "passwd", "group", "nsswitch.conf", "localtime"),
    *("ssl", "pki", "crypto-policies", "python3", "hosts"),
)
_SYSTEMCTL: t.Final = """#!/bin/sh
# one unit is loaded; its states are files
state=/var/lib/rehearsal verb='' units='' now='' code=0 first=yes
for word; do
  case $word in
    --now) now=yes ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else units="$units ${word%.service}"; fi ;;
  esac
done
[ "$verb" != daemon-reload ] || exit 0
ours=$(cat "$state/unit")
for unit in $units; do
  [ "$verb" != show ] || [ -n "$first" ] || echo
  first=
  if [ "$unit" != "$ours" ]; then
    case $verb in
      show) echo LoadState=not-found; echo ActiveState=inactive; echo UnitFileState=; echo MainPID=0 ;;
      is-active) echo inactive; code=3 ;;
      *) echo "Unit $unit.service could not be found." >&2; code=4 ;;
    esac
    continue
  fi
  active=$(cat "$state/active") enabled=$(cat "$state/enabled")
  case $verb in
    show) echo LoadState=loaded; echo "ActiveState=$active"; echo "UnitFileState=$enabled"; echo MainPID=0 ;;
    is-active) echo "$active"; [ "$active" = active ] || code=3 ;;
    is-enabled) echo "$enabled"; [ "$enabled" = enabled ] || code=1 ;;
    stop) echo inactive >"$state/active" ;;
    start | restart) echo active >"$state/active" ;;
    disable) echo disabled >"$state/enabled"; [ -z "$now" ] || echo inactive >"$state/active" ;;
    enable) echo enabled >"$state/enabled"; [ -z "$now" ] || echo active >"$state/active" ;;
    *) echo "a rehearsal has no systemctl $verb" >&2; code=1 ;;
  esac
done
exit $code
"""
_CRICTL: t.Final = """#!/bin/sh
case "$*" in
  *version*) echo 'Version:  0.1.0'; echo 'RuntimeName:  containerd' ;;
  *pods*) echo '{"items": []}' ;;
  *images*) echo '{"images": []}' ;;
  *) ;;
esac
"""
_IP: t.Final = """#!/bin/sh
case "$*" in
  *json*) echo '[]' ;;
  *) ;;
esac
"""


class Connection(ConnectionBase):  # type: ignore[misc]  # ansible-core has no types
    """A host that is not there."""

    transport = "podnet.upkeep.rehearsal_host"
    has_pipelining = True

    def _connect(self) -> Connection:
        if not self.get_option("reachable"):
            raise AnsibleConnectionFailure(
                "the Node was not Ready in the snapshot, so its host is played as switched off:\n"
                f"ssh: connect to host {self.get_option('remote_addr')} port 22: Connection timed out"
            )
        self._make()
        self._connected = True
        return self

    @property
    def _host(self) -> str:
        return os.path.join(os.path.realpath(str(self.get_option("folder"))), str(self.get_option("remote_addr")))

    def _make(self) -> None:
        """The folder of this host, as a host is that nobody has worked on yet."""
        host = self._host
        if os.path.isdir(host):
            return
        partial = f"{host}.partial"
        if os.path.isdir(partial):
            shutil.rmtree(partial)
        for folder in (
            "bin",
            "etc/cni/net.d",
            "var/lib/rehearsal",
            "var/lib/kubelet",
            "var/lib/cni",
            "var/tmp",
            "run",
            "net",
        ):
            os.makedirs(os.path.join(partial, folder))
        for name in _OF_CONTROLLER:
            os.symlink(f"/mnt/etc/{name}", os.path.join(partial, "etc", name))
        texts = {
            "etc/machine-id": self.get_option("machine_id"),
            "boot_id": self.get_option("boot_id"),
            "var/lib/rehearsal/unit": self.get_option("unit"),
            "var/lib/rehearsal/active": "active",
            "var/lib/rehearsal/enabled": "enabled",
        }
        for name, text in texts.items():
            _write(os.path.join(partial, name), f"{text}\n" if text else "")
        for name, text in {"systemctl": _SYSTEMCTL, "crictl": _CRICTL, "ip": _IP}.items():
            _write(os.path.join(partial, "bin", name), text)
            os.chmod(os.path.join(partial, "bin", name), 0o755)
        os.rename(partial, host)

    def _needed(self) -> list[str]:
        """Folders below those that a host has of its own, without which no module runs."""
        python = os.path.realpath(sys.executable)
        places = [sys.prefix, sys.base_prefix, os.path.dirname(python), os.path.dirname(self._host), *sys.path]
        found = [os.path.realpath(place) for place in places if place and os.path.isdir(place)]
        return sorted({place for place in found if place.startswith(("/etc/", "/var/", "/run/"))})

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command in the stand-in: (exit code, standard output, standard error)."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        if self.become is not None:
            raise AnsibleError("A stand-in for a host has no become: it is root there already.")
        self._connect()
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        enter = ["unshare", "--mount", "--uts", "--net", *user, "/bin/sh", "-c", _ENTER, "sh"]
        words = [*enter, self._host, self.get_option("remote_addr"), *self._needed(), "--", cmd]
        done = subprocess.run(words, input=in_data or b"", capture_output=True, check=False)
        if b"unshare failed" in done.stderr or b"mount: " in done.stderr:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise AnsibleConnectionFailure(
                f"this machine does not allow stand-ins for hosts ({said}); run the rehearsal as root, or allow user namespaces"
            )
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file to where temporary files of both are."""
        self._copy(in_path, out_path)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file from there."""
        self._copy(in_path, out_path)

    def _copy(self, source: str, target: str) -> None:
        folder = os.path.dirname(self._host)
        if not any(os.path.realpath(one).startswith(f"{folder}/") for one in (source, target)):
            raise AnsibleError(f"A stand-in for a host gives and takes files in {folder} only, not {target}.")
        shutil.copyfile(source, target)

    def close(self) -> None:
        """Nothing is open."""
        self._connected = False


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
