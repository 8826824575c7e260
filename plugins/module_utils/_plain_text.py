# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads what an API server passes on as plain text: logs of containers, and pages of pods through pods/proxy."""

from __future__ import annotations

import random
import time
import urllib.parse
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

_CHUNK = 64 * 1024


def read_text(
    client: KubeClient, path: str, params: Mapping[str, object], *, timeout: float, limit_bytes: int, attempts: int = 3
) -> tuple[str, bool]:
    """(text, whether it was cut) of ``path``; at most ``limit_bytes`` of it are read.

    Asked up to ``attempts`` times, again after 429 and 503 only. ``timeout``: seconds for each.
    Raises ApiError (status 0: no answer, or not all of it in time).
    """
    for attempt in range(1, attempts + 1):
        try:
            return _read(client, path, params, timeout, limit_bytes)
        except ApiError as error:
            if attempt == attempts or error.status not in (429, 503):
                raise
            time.sleep(min(error.retry_after or 0.2 * 2**attempt, 5.0) * (0.75 + random.random() / 4))
    raise AssertionError("unreachable")


def _read(
    client: KubeClient, path: str, params: Mapping[str, object], timeout: float, limit_bytes: int
) -> tuple[str, bool]:
    import urllib3

    deadline = time.monotonic() + timeout
    headers = client._headers("", False)
    headers["Accept"] = "text/plain, */*"
    url = client.host + path + (f"?{urllib.parse.urlencode(params)}" if params else "")
    data = bytearray()
    try:
        response = client._pool.request(
            "GET",
            url,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(timeout, 10.0), read=timeout),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            if not 200 <= response.status < 300:
                raise client._refusal("GET", path, response)
            for chunk in response.stream(_CHUNK):
                data += chunk
                if len(data) > limit_bytes:
                    break
                if time.monotonic() > deadline:
                    raise ApiError(
                        f"{client.host} did not send all of {path} in {timeout:g} s.", method="GET", path=path
                    )
            else:
                response.release_conn()
        finally:
            response.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise client._no_answer("GET", path, error) from error
    cut = len(data) > limit_bytes
    return bytes(data[:limit_bytes]).decode(errors="replace"), cut
