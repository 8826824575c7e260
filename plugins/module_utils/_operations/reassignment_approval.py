# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A plan that people agreed to, as a file or as the journal of a run keeps it, and whether it still holds."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_basis import (
    Basis,
    differences,
    digest_of,
    same_digest,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import JournalState

FORMAT = "podnet.upkeep/reassignment-plan/1"


@dataclass(frozen=True)
class Approved:
    """A plan by its basis. ``source`` says where it is from, for sentences."""

    basis: Basis
    source: str

    @property
    def digest(self) -> str:
        """Digest of its basis."""
        return digest_of(self.basis)

    def record(self) -> dict[str, t.Any]:
        """What the journal of a run keeps of it."""
        return {"nodes": [one["name"] for one in self.basis["nodes"]], "digest": self.digest, "basis": self.basis}


def write_plan(path: str, content: Mapping[str, t.Any]) -> tuple[str, list[str] | None]:
    """Write a plan (mode 0640, whole or not at all); its full path, and the lines of the plan that was there.

    One with the same digest and the same lines is left as it is. Raises InputError naming ``plan_path``.
    """
    name = os.path.abspath(os.path.expanduser(path))
    before: Mapping[str, t.Any] = {}
    if os.path.exists(name):
        before = _content(name, "plan_path")
        if all(before.get(key) == content[key] for key in ("digest", "lines")):
            return name, list(before["lines"])
    whole = {"format": FORMAT, **content}
    data = json.dumps({**whole, "checksum": digest_of(whole)}, indent=2, sort_keys=True).encode() + b"\n"
    return write_atomically(name, data, "plan_path", 0o640), list(before.get("lines") or ()) if before else None


def read_plan(path: str) -> Approved:
    """The plan of a file. Raises InputError naming ``plan_file`` when there is none, or it was edited."""
    name = os.path.abspath(os.path.expanduser(path))
    content = _content(name, "plan_file")
    approved = _approved(content, name)
    whole = {key: value for key, value in content.items() if key != "checksum"}
    if approved is None or digest_of(whole) != content.get("checksum"):
        raise InputError(f"plan_file: {name} was changed after it was written; make the plan again with plan_path.")
    return approved


def given_plan(record: Mapping[str, t.Any], option: str) -> Approved:
    """The plan of a record (see ``Approved.record``). Raises InputError when it is none."""
    approved = _approved(record, option)
    if approved is None or not same_digest(approved.digest, str(record.get("digest"))):
        raise InputError(f"{option}: it is not a plan as plan_record of this module returns it.")
    return approved


def has_begun(known: JournalState | None, digest: str) -> bool:
    """Whether the run in the journal is of this plan."""
    return known is not None and same_digest(str(known.run.get("plan_digest") or ""), digest)


def begun_plan(known: JournalState | None, digest: str) -> Approved | None:
    """The plan with this digest that the run in the journal is of; None when it is of another one or did not keep it."""
    if known is None or not has_begun(known, digest):
        return None
    approved = _approved(known.run.get("plan") or {}, "the journal of the run")
    return approved if approved is not None and same_digest(approved.digest, digest) else None


def refusals_against(approved: Approved, now: Basis, *, rest: bool) -> list[str]:
    """Why the plan that was agreed to does not hold any more; one sentence each."""
    return [
        f"The plan of {approved.source} does not hold any more: {one}. Make a new one and look at it."
        for one in differences(approved.basis, now, rest=rest)
    ]


def _approved(content: Mapping[str, t.Any], source: str) -> Approved | None:
    basis = content.get("basis")
    parts = {
        "cluster": str,
        "allocator": dict,
        "ipam_model": str,
        "cluster_cidrs": dict,
        "options": dict,
        "nodes": list,
    }
    if not isinstance(basis, dict) or not all(isinstance(basis.get(key), kind) for key, kind in parts.items()):
        return None
    if not all(isinstance(one, dict) and "name" in one for one in basis["nodes"]):
        return None
    return Approved(basis, source)


def _content(path: str, option: str) -> Mapping[str, t.Any]:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except OSError as error:
        raise InputError(f"{option}: {path} cannot be read: {error.strerror or error}; name another file.") from error
    except ValueError as error:
        raise InputError(f"{option}: {path} is not a plan; name another file.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{option}: {path} is not a plan ({FORMAT}); name another file.")
    return content
