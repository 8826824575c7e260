# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Events and log lines that count: no older than an hour, and about the Node that is there now."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment

# an API server keeps events for an hour (--event-ttl)
WINDOW = datetime.timedelta(hours=1)


def node_births(context: Context) -> dict[str, datetime.datetime | None]:
    """{Node: when the present one was created}."""
    return {name_of(node): moment(node["metadata"].get("creationTimestamp")) for node in context.state.nodes}


def is_recent(context: Context, time: datetime.datetime | None) -> bool:
    """Whether this is within the last hour; a time that is not known is not recent."""
    return time is not None and context.state.taken_at - time <= WINDOW + context.state.skew


def last_seen(event: Object) -> datetime.datetime | None:
    """When the event happened for the last time."""
    return moment(
        event.get("lastTimestamp") or event.get("firstTimestamp") or event["metadata"].get("creationTimestamp")
    )


def events(context: Context, *reasons: str) -> Iterator[Object]:
    """Events of these reasons of the last hour."""
    for event in context.state.of("events"):
        if event.get("reason") in reasons and is_recent(context, last_seen(event)):
            yield event
