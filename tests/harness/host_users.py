"""Users of hosts who are not root, with sudo or without it, and inventories that log in as them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testbed import Testbed

NOPASSWD = "ALL=(ALL) NOPASSWD: ALL"
PASSWORD = "ALL=(ALL) ALL"


@dataclass(frozen=True)
class HostUser:
    """`rights` is what sudoers says behind the name (empty: nothing), `defaults` are sudo's settings for this user."""

    name: str
    rights: str = ""
    password: str = ""
    defaults: str = ""


def create(testbed: Testbed, *users: HostUser) -> None:
    """Make the users on every host; each logs in with the SSH key of the testbed."""
    for host in testbed.hosts.values():
        host.run("\n".join(["set -eu", *(_commands(user) for user in users), "visudo -cq"]))


def _commands(user: HostUser) -> str:
    home = f"/home/{user.name}"
    lines = [
        f"useradd --create-home --shell /bin/bash {user.name}",
        f"install -d -m 0700 -o {user.name} -g {user.name} {home}/.ssh",
        f"install -m 0600 -o {user.name} -g {user.name} /root/.ssh/authorized_keys {home}/.ssh/authorized_keys",
    ]
    if user.password:
        lines.append(f"echo {user.name}:{user.password} | chpasswd")
    rules = [f"{user.name} {user.rights}"] if user.rights else []
    rules += [f"Defaults:{user.name} {user.defaults}"] if user.defaults else []
    file = f"/etc/sudoers.d/{user.name}"
    lines += [f"echo '{rule}' >> {file} && chmod 0440 {file}" for rule in rules]
    return "\n".join(lines)


def inventory(testbed: Testbed, folder: Path, user: HostUser, **variables: Any) -> Path:
    """The testbed's inventory in a file of its own in `folder`, whose hosts are logged in to as `user`."""
    source = yaml.safe_load(Path(testbed.inventory).read_text(encoding="utf-8"))
    for host in source["all"]["hosts"].values():
        host.update({"ansible_user": user.name, **variables})
    target = folder / f"inventory-{user.name}.yml"
    target.write_text(yaml.safe_dump(source), encoding="utf-8")
    return target


def became_root(testbed: Testbed, user: HostUser, host: str) -> int:
    """How many commands sudo has let the user run as root on a host, by its own log."""
    log = testbed.hosts[host].run("journalctl --no-pager -o cat SYSLOG_IDENTIFIER=sudo").stdout
    return sum(
        1
        for line in log.splitlines()
        if line.split()[:2] == [user.name, ":"] and "USER=root" in line and "BECOME-SUCCESS" in line
    )
