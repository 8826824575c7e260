# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What cilium-config had before we changed it, and which keys were put back when: annotations of the ConfigMap itself.

They are written by the same request as the data, so there is no moment at which one is there without the other; and whoever
replaces the ConfigMap as a whole takes all of it away. A key that was put back is in no data and in no memory any more where it
had not been there before, and yet programs may still run with it: so it is noted until all of them have started since.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError

ANNOTATION, RESTORED = "podnet.upkeep/values-before", "podnet.upkeep/values-restored"
#: An annotation of an object may have 256 KiB in all.
MOST_BYTES = 128 * 1024


@dataclass(frozen=True)
class Remembered:
    """One key: ``before`` and ``set_to`` are its texts, None where it was not there, or was taken out by us.

    ``reason`` is what it was changed for first: a profile, a procedure, or nothing.
    """

    before: str | None
    set_to: str | None
    reason: str = ""


@dataclass(frozen=True)
class Memory:
    """``keys`` that were changed, and ``since`` when. ``restored`` is {key: when it was put back}."""

    keys: Mapping[str, Remembered] = field(default_factory=dict)
    since: str = ""
    restored: Mapping[str, str] = field(default_factory=dict)

    def with_change(self, before: Mapping[str, str], change: Mapping[str, str | None], now: str, reason: str) -> Memory:
        """The memory after a further change. What a key had before the first one stays; one that is back is forgotten."""
        keys = dict(self.keys)
        for key, value in change.items():
            known = keys.get(key, Remembered(before.get(key), None, reason))
            keys[key] = Remembered(known.before, value, known.reason)
            if value == known.before:
                del keys[key]
        restored = {key: time for key, time in self.restored.items() if key not in change}
        return Memory(keys, self.since or now, restored)

    def of_others(self, reason: str) -> list[str]:
        """Keys that were changed for another reason; none without a reason, which means whatever it was."""
        return sorted(key for key, one in self.keys.items() if reason and one.reason != reason)

    def without(self, gone: t.Collection[str], restored_at: str = "") -> Memory:
        """The memory without these keys: restored at that time, or forgotten as they are."""
        restored = {key: time for key, time in self.restored.items() if key not in gone}
        if restored_at:
            restored.update(dict.fromkeys(gone, restored_at))
        return Memory({key: one for key, one in self.keys.items() if key not in gone}, self.since, restored)

    def still_pending(self, keys: t.Collection[str]) -> Memory:
        """The memory in which of the restored keys only these are noted: programs may still run without the others' values."""
        return Memory(self.keys, self.since, {key: time for key, time in self.restored.items() if key in keys})

    def annotations(self) -> dict[str, str | None]:
        """Both annotations; None where one is to go. Raises RefusedError when a text is too long."""
        noted = json.dumps(dict(sorted(self.restored.items())), separators=(",", ":")) if self.restored else None
        return {ANNOTATION: self.text(), RESTORED: noted}

    def text(self) -> str | None:
        """The annotation's value; None when there is nothing to remember. Raises RefusedError when it is too long."""
        if not self.keys:
            return None
        made = json.dumps({"since": self.since, "keys": self._entries()}, separators=(",", ":"))
        if len(made.encode()) > MOST_BYTES:
            raise RefusedError(
                f"The values that would be remembered have {len(made.encode())} bytes, more than the {MOST_BYTES} that fit; "
                "change fewer keys at once."
            )
        return made

    def to_dict(self) -> dict[str, t.Any]:
        """What a module returns of it."""
        return {"since": self.since, "changes": self._entries()}

    def _entries(self) -> dict[str, dict[str, str | None]]:
        return {
            key: {"before": one.before, "set_to": one.set_to, "reason": one.reason}
            for key, one in sorted(self.keys.items())
        }


def memory_of(metadata: Mapping[str, t.Any]) -> Memory:
    """What the ConfigMap remembers; empty without annotations. Raises RefusedError when a person has damaged one."""
    annotations = metadata.get("annotations") or {}
    try:
        name = ANNOTATION
        content = json.loads(annotations.get(name) or '{"keys": {}}')
        keys = {
            str(key): Remembered(one["before"], one["set_to"], str(one.get("reason") or ""))
            for key, one in content["keys"].items()
        }
        name = RESTORED
        restored = {str(key): str(time) for key, time in json.loads(annotations.get(name) or "{}").items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RefusedError(
            f"The annotation {name} of cilium-config is not what this collection writes; correct or remove it."
        ) from error
    return Memory(keys, str(content.get("since") or ""), restored)
