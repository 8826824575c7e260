# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Objects as they are this moment: one consistent read for each, several at a time, and linear in their number."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient


def fresh_objects(client: KubeClient, paths: Iterable[str], concurrency: int) -> dict[str, JsonObject | None]:
    """{path: the object, or None when there is none}. A GET without resourceVersion is answered by etcd's majority.

    Raises ApiError of the first that cannot be read: then nothing is known about it.
    """
    wanted = list(dict.fromkeys(paths))
    if not wanted:
        return {}
    with ThreadPoolExecutor(max(1, min(concurrency, len(wanted)))) as pool:
        return dict(zip(wanted, pool.map(client.find, wanted), strict=True))
