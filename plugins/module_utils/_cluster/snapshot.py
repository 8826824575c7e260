# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Saved states: the audit writes one, and reads it again offline."""

from __future__ import annotations

import gzip
import json
import os
import zlib

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically


def load(path: str) -> ClusterState:
    """The state in a file that ``save`` wrote (``.json`` or ``.json.gz``). Raises InputError in one sentence."""
    name = os.path.expanduser(path)
    try:
        with open(name, "rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        content = json.loads(data)
        return ClusterState.from_json(content)
    except OSError as error:
        raise InputError(
            f"snapshot: {name} cannot be read: {error.strerror or error}; give the path of a saved state."
        ) from error
    except (ValueError, RecursionError, EOFError, zlib.error) as error:
        raise InputError(
            f"snapshot: {name} is not a state that podnet.upkeep.audit_info saved ({error}); "
            "make one with the option save_state."
        ) from error


def save(state: ClusterState, path: str) -> str:
    """Write the state (gzip when the name ends in ``.gz``) and return the path. Raises InputError when it cannot."""
    data = json.dumps(state.to_json(), sort_keys=True, separators=(",", ":")).encode()
    if path.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    return write_atomically(path, data, "save_state")
