# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Every finding there is: stable id, severity, meaning, why it matters, how to verify by hand, what mends it."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    catalogue_agents,
    catalogue_cilium_config,
    catalogue_cilium_ipam,
    catalogue_control_plane,
    catalogue_endpoints,
    catalogue_events,
    catalogue_host_network,
    catalogue_identities,
    catalogue_ipam_models,
    catalogue_kvstore,
    catalogue_pod_cidrs,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    INFO,
    REASSIGN,
    SEVERITIES,
    WARNING,
    FindingKind,
)

__all__ = ["CATALOGUE", "CRITICAL", "INFO", "REASSIGN", "SEVERITIES", "WARNING", "FindingKind"]

# in the order in which the page of all findings lists them
_SUBJECTS = (
    catalogue_pod_cidrs,
    catalogue_cilium_config,
    catalogue_identities,
    catalogue_cilium_ipam,
    catalogue_endpoints,
    catalogue_events,
    catalogue_control_plane,
    catalogue_ipam_models,
    catalogue_agents,
    catalogue_kvstore,
    catalogue_host_network,
)

CATALOGUE: t.Mapping[str, FindingKind] = {kind.id: kind for subject in _SUBJECTS for kind in subject.KINDS}
