# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether one identity is dead: rules 2 to 5 of the eight; the others hold for a whole cluster or for the request.

1. The mode is known, and identities are CiliumIdentities (identity_cleanup_refusals).
2. The number is one that this cluster gives out.
3. No CiliumEndpoint and no CiliumEndpointSlice names it.
4. No pod that may run has its labels (identity_users).
5. It is older than two heartbeat timeouts, and was marked for longer than agents take to remove the mark (identity_marks,
   identity_cleanup).
6. It is deleted with the uid and the resourceVersion of its mark; 409 means that it is in use (object_deletion).
7. It is proved again before its batch (identity_cleanup, guarded_deletion).
8. In operator-managed mode a pod with an endpoint counts as well, and the operator must lead (identity_users,
   identity_cleanup_refusals).
"""

from __future__ import annotations

import datetime

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import number_of, view_of
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment, words
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup_refusals import (
    is_operator_managed,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_users import IdentityUsers


class IdentityRules:
    """The rules at the time ``now`` (of the API server's clock) over one picture."""

    def __init__(self, context: Context, now: datetime.datetime) -> None:
        self._now = now
        self._view = view_of(context)
        self._users = IdentityUsers(context, endpoints_suffice=not is_operator_managed(context))

    @property
    def min_age(self) -> float:
        """How old an identity must be, in seconds."""
        return 2 * self._view.times.timeout.total_seconds()

    def is_named(self, identity: Object) -> bool:
        """Whether an endpoint names it."""
        return self._users.is_named(identity)

    def why_spared(self, identity: Object) -> str:
        """Why this one must not be deleted; empty when it is dead."""
        allowed = self._view.range
        if allowed is None or number_of(identity) not in allowed:
            return (
                "it is not within the range of this cluster"
                + (f" ({allowed.minimum} to {allowed.maximum})" if allowed else "")
                + ", so it may be of another cluster or of other settings"
            )
        if not identity.get("security-labels"):
            return "it has no security-labels, so nobody can tell which pods may use it"
        user = self._users.of(identity)
        if user:
            return user
        age = self.age(identity)
        if age is None:
            return "when it was created is not known"
        if age <= self.min_age:
            return f"it is {words(age)} old, and must be older than two heartbeat timeouts ({words(self.min_age)})"
        return ""

    def age(self, identity: Object) -> float | None:
        """Seconds since it was created; None when it does not say."""
        created = moment(identity["metadata"].get("creationTimestamp"))
        return None if created is None else (self._now - created).total_seconds()

    def evidence(self, identity: Object) -> str:
        """Why a dead one is dead, for people."""
        age = self.age(identity)
        old = "" if age is None else f", and it is {words(age)} old"
        return f"no CiliumEndpoint and no CiliumEndpointSlice names it, no pod that may run has its labels{old}"
