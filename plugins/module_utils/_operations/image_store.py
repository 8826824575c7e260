# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Before-images in both of their places: a folder on the controller, and the journal of the run in the cluster.

Whoever goes on with a Node gets the image that has got farthest. That of the folder is behind when another machine has
gone on meanwhile, that of the cluster when we were killed between the two writes or the API did not answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import STEPS, BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import (
    COMPLETED,
    Journal,
    JournalState,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, wait_for

#: How long a write into the journal waits for an API server that restarts, in seconds.
_PATIENCE = 90.0


class ImageStore:
    """Before-images of one folder and, where a journal is given, of the cluster."""

    def __init__(self, state_dir: str, journal: Journal | None = None, *, clock: Clock | None = None) -> None:
        self._state_dir = state_dir
        self._journal = journal
        self._clock = clock or Clock()

    def load(self, node_name: str) -> BeforeImage | None:
        """The image of a Node that was begun and is not back in service; None when there is none.

        Reads only. Raises InputError or JournalError when one of the two cannot be read, ApiError.
        """
        return self._chosen(node_name, self._journal.load() if self._journal is not None else None)

    def unfinished(self) -> dict[str, BeforeImage]:
        """All Nodes that were begun and are not back in service. Reads only; raises as :meth:`load` does."""
        known = self._journal.load() if self._journal is not None else None
        names = set(self._names_of_files()) | set(known.unfinished() if known is not None else ())
        if self._journal is not None:  # also of those that a lost or damaged ConfigMap does not name any more
            names |= set(self._journal.nodes_with_image())
        chosen = {name: self._chosen(name, known) for name in sorted(names)}
        return {name: image for name, image in chosen.items() if image is not None}

    def is_current(self, node_name: str) -> bool:
        """Whether the journal knows that this Node was begun; without a journal there is nothing that could know better.

        Every step is recorded, so a file alone is what another machine has finished long ago. Where its entry is lost, the
        image in the cluster knows: that is dropped when its Node is back in service. Raises as :meth:`load` does.
        """
        if self._journal is None:
            return True
        known = self._journal.load()
        if known is not None and (node_name in known.nodes or node_name in known.earlier):
            return node_name in known.unfinished()
        return self._journal.load_image(node_name) is not None

    def save(self, image: BeforeImage) -> None:
        """Write an image, first into the folder, then into the cluster, where the journal also gets its step.

        Raises InputError when the file, RefusedError when the journal has no room; ApiError, after some patience.
        """
        before_image.save(self._state_dir, image)
        journal = self._journal
        if journal is not None:
            self._patiently(lambda: journal.save_image(image))
            self._record(image, image.step)

    def put_aside_finished(self) -> list[str]:
        """Move files of Nodes that are back in service, as the journal knows, to the others that are completed.

        Another machine has finished them, or we were killed before the last step. Returns a sentence for each. Raises
        InputError, ApiError.
        """
        known = self._journal.load() if self._journal is not None else None
        if known is None:
            return []
        done = {**known.earlier, **{name: str(entry.get("old_uid")) for name, entry in known.nodes.items()}}
        found = []
        for name in sorted(set(self._names_of_files()) & set(done) - set(known.unfinished())):
            here = before_image.load(self._state_dir, name)
            if here is not None and here.uid == done[name]:
                target = before_image.archive(self._state_dir, here)
                found.append(
                    f"The before-image of Node {name} that this machine still had is of a re-registration that was finished from "
                    f"another one; it is kept as {target}."
                )
        return found

    def complete(self, image: BeforeImage) -> None:
        """Put an image aside: its Node is back in service. Raises InputError, ApiError."""
        journal = self._journal
        if journal is not None:  # first, so that nobody begins it again with a file that was left
            self._record(image, COMPLETED)
            self._patiently(lambda: journal.drop_image(image.name))
        if not os.path.exists(before_image.path_of(self._state_dir, image.name)):
            before_image.save(self._state_dir, image)
        before_image.archive(self._state_dir, image)

    # -- internals -----------------------------------------------------------------------------------------------

    def _chosen(self, node_name: str, known: JournalState | None) -> BeforeImage | None:
        here = before_image.load(self._state_dir, node_name)
        if self._journal is None:
            return here
        entry = known.nodes.get(node_name) if known is not None else None
        if entry is None:
            # of a Node that an earlier run has brought back, a machine that was not part of it may still have the file
            past = known.earlier.get(node_name) if known is not None else None
            there = self._journal.load_image(node_name)
            return _farther(*(one if one is not None and one.uid != past else None for one in (here, there)))
        if entry.get("step") == COMPLETED:
            # another machine has brought this Node back, or we were killed before the file was put aside
            return None if here is None or entry.get("old_uid") == here.uid else here
        return _farther(here, self._journal.load_image(node_name))

    def _names_of_files(self) -> list[str]:
        folder = os.path.abspath(os.path.expanduser(self._state_dir))
        if not os.path.isdir(folder):
            return []
        return [name for name, extension in map(os.path.splitext, os.listdir(folder)) if extension == ".json"]

    def _record(self, image: BeforeImage, step: str) -> None:
        journal = self._journal
        if journal is None:
            return
        entry = {
            "step": step,
            "at": before_image.timestamp(),
            "old_uid": image.uid,
            "new_uid": image.new_uid,
            "history": image.history,
        }
        self._patiently(lambda: journal.record(image.name, entry))

    def _patiently(self, write: Callable[[], None]) -> None:
        """A merge patch may be sent again, so an API server that restarts is waited for."""

        def probe() -> bool:
            write()
            return True

        wait_for("the journal of the run is written", probe, timeout=_PATIENCE, clock=self._clock)


def _farther(here: BeforeImage | None, there: BeforeImage | None) -> BeforeImage | None:
    """Of two images of one Node the one that has got farther; of two different Nodes of a name the later one."""
    if here is None or there is None:
        return here or there
    if here.uid != there.uid:
        return max(here, there, key=lambda image: image.captured_at)
    return max(here, there, key=lambda image: (STEPS.index(image.step), bool(image.new_uid)))
