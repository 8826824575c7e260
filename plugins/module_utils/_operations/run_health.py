# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What was healthy before a run, as text in its journal.

A run that is gone on with is held to what was healthy before it was interrupted, and not to what its interruption left.
"""

from __future__ import annotations

import base64
import gzip
import json
import typing as t
import zlib
from collections.abc import Mapping

#: What is longer (some 8,000 workloads) is not kept; a run that is gone on with then notes anew what is healthy.
MOST_BYTES = 384 * 1024
_MOST_UNPACKED_BYTES = 16 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def pack(healthy: Mapping[str, t.Any]) -> str:
    """The text of a baseline; empty for none, and for one that is too long."""
    if not healthy:
        return ""
    text = base64.b64encode(gzip.compress(json.dumps(healthy, sort_keys=True).encode(), mtime=0)).decode()
    return text if len(text) <= MOST_BYTES else ""


def unpack(text: str) -> dict[str, t.Any]:
    """The baseline in a text; empty when it is none."""
    try:
        inflater = zlib.decompressobj(_GZIP)
        data = inflater.decompress(base64.b64decode(text, validate=True), _MOST_UNPACKED_BYTES)
        content = json.loads(data) if inflater.eof else {}
    except (zlib.error, ValueError):  # also of base64 and JSON
        return {}
    return content if isinstance(content, dict) else {}
