# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The before-image: what a Node was before its re-registration, and how far that has got.

One JSON file for each node in a folder on the controller, written atomically and readable by its owner only. It is
written before anything is changed, and every later step reads it, so that the same command can go on after any crash.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically

FORMAT = "podnet.upkeep/before-image/1"
#: The steps in their order. A file says which one was reached last.
STEPS: tuple[str, ...] = ("captured", "deleting", "deleted", "precreating", "precreated", "registered", "restored")


@dataclass(frozen=True)
class BeforeImage:
    """``node`` is the whole Node object; ``dependents`` maps lease, csinode and ciliumnode to their uid.

    ``ready_daemonsets`` are the DaemonSets (``namespace/name``) that had a Ready pod on the node.
    ``cluster_uid`` is the uid of namespace kube-system, which no other cluster has. ``was_unschedulable`` is what the
    operator had chosen before we cordoned. ``new_uid`` is empty until a new Node was seen.
    """

    node: dict[str, t.Any]
    cluster_uid: str
    was_unschedulable: bool
    daemonset_pods: list[str]
    ready_daemonsets: list[str]
    dependents: dict[str, str]
    csi_drivers: list[str]
    captured_at: str
    step: str = "captured"
    new_uid: str = ""
    history: list[dict[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the Node."""
        return str(self.node["metadata"]["name"])

    @property
    def uid(self) -> str:
        """Uid of the Node as it was."""
        return str(self.node["metadata"]["uid"])

    @property
    def pod_cidrs(self) -> list[str]:
        """podCIDRs as they were."""
        return pod_cidrs_of(self.node)

    def reached(self, step: str) -> bool:
        """Whether this step, or a later one, has been reached."""
        return STEPS.index(self.step) >= STEPS.index(step)

    def at(self, step: str, *, new_uid: str | None = None) -> BeforeImage:
        """The image after a step; a step already passed is not taken back."""
        changes: dict[str, t.Any] = {} if new_uid is None else {"new_uid": new_uid}
        if not self.reached(step):
            changes["step"] = step
            changes["history"] = [*self.history, {"step": step, "time": timestamp()}]
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form of the file."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, t.Any], node_name: str) -> BeforeImage:
        """The image of a JSON form; KeyError, TypeError, ValueError or AttributeError when it is none of this Node."""
        values = dict(content)
        if values.pop("format") != FORMAT:
            raise KeyError("format")
        image = cls(**values)
        if image.name != node_name or image.step not in STEPS:
            raise KeyError("name")
        return image


def timestamp() -> str:
    """Now, as the API writes times."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_cidrs_of(node: Mapping[str, t.Any]) -> list[str]:
    """``spec.podCIDRs`` of a Node, or its single ``spec.podCIDR``, as texts."""
    spec = node.get("spec") or {}
    return [str(cidr) for cidr in spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])]


def path_of(folder: str, node_name: str) -> str:
    """Path of a node's file."""
    return os.path.join(os.path.abspath(os.path.expanduser(folder)), f"{node_name}.json")


def load(folder: str, node_name: str) -> BeforeImage | None:
    """The before-image of a node, or None; InputError when the file is there but not usable."""
    path = path_of(folder, node_name)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"state_dir: {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise InputError(_not_ours(path)) from error
    try:
        return BeforeImage.from_dict(content, node_name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(_not_ours(path)) from error


def _not_ours(path: str) -> str:
    return (
        f"state_dir: {path} is not a before-image of this node; "
        "name another folder, or move the file away if you know what it is."
    )


def save(folder: str, image: BeforeImage) -> str:
    """Write the image (folder 0700, file 0600, atomically) and return its path. Raises InputError when it cannot."""
    path = path_of(folder, image.name)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    except OSError as error:
        raise InputError(f"state_dir: {folder} cannot be created: {error.strerror or error}.") from error
    data = json.dumps(image.to_dict(), indent=2, sort_keys=True).encode() + b"\n"
    return write_atomically(path, data, "state_dir", 0o600)


def archive(folder: str, image: BeforeImage) -> str:
    """Put the image of a finished re-registration aside: ``completed/<node>-<uid>.json``; its path."""
    source = path_of(folder, image.name)
    target = os.path.join(os.path.dirname(source), "completed", f"{image.name}-{image.uid}.json")
    try:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        os.replace(source, target)
    except OSError as error:
        raise InputError(f"state_dir: {source} cannot be moved to {target}: {error.strerror or error}.") from error
    return target
