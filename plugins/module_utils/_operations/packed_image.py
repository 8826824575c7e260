# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A before-image as text for a Secret: JSON, gzip, base64."""

from __future__ import annotations

import base64
import gzip
import json
import zlib

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage

#: A Node has at most 1.5 MiB (etcd); whatever unpacks to more than this is none.
MOST_UNPACKED_BYTES = 16 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def pack(image: BeforeImage) -> str:
    """The text of an image; equal images have equal texts."""
    return base64.b64encode(gzip.compress(json.dumps(image.to_dict(), sort_keys=True).encode(), mtime=0)).decode()


def unpack(text: str, node: str) -> BeforeImage:
    """The image of this Node in a text. Raises ValueError when it is none."""
    try:
        inflater = zlib.decompressobj(_GZIP)
        data = inflater.decompress(base64.b64decode(text, validate=True), MOST_UNPACKED_BYTES)
        if not inflater.eof:
            raise ValueError("cut, or too long")
        return BeforeImage.from_dict(json.loads(data), node)
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:  # ValueError: also base64 and JSON
        raise ValueError(f"no before-image of {node}: {error}") from error
