# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Alerts about the audit itself, and one for each finding that it may report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    catalogue_agents,
    catalogue_cilium_config,
    catalogue_cilium_ipam,
    catalogue_endpoints,
    catalogue_identities,
    catalogue_kvstore,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import FindingKind
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import PREFIX, Alert, camel_case
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import AUDIT, CILIUM

ALERTS: tuple[Alert, ...] = (
    Alert(
        "PodnetAuditMissing",
        "audit",
        "data-missing",
        "absent(podnet_upkeep_audit_timestamp_seconds)",
        "30m",
        (AUDIT,),
        "There are no metrics of an audit",
        "The audit has never run with audit_report_prometheus, or nobody reads its file. All alerts of findings are silent.",
        "warning",
    ),
    Alert(
        "PodnetAuditOld",
        "audit",
        "data-missing",
        # of each source: findings of one that is stale stay, whatever another has found since
        "time() - max by (job, instance) (podnet_upkeep_audit_timestamp_seconds) > <audit_age_seconds>",
        "5m",
        (AUDIT,),
        "The last audit from {{ $labels.job }} {{ $labels.instance }} was {{ $value | humanizeDuration }} ago",
        "Alerts of its findings tell what was true then. Where it is not to run any more, remove its file, or its group at the Pushgateway.",
        "warning",
    ),
    Alert(
        "PodnetAuditIncomplete",
        "audit",
        "data-missing",
        "max by (resource) (podnet_upkeep_unknown_resource) > 0",
        "5m",
        (AUDIT,),
        "The audit could not read {{ $labels.resource }}",
        "What depends on it was not judged. The report names the permission or the file that is missing.",
        "warning",
    ),
)
_OF_CILIUM = (
    catalogue_agents,
    catalogue_cilium_config,
    catalogue_cilium_ipam,
    catalogue_endpoints,
    catalogue_identities,
    catalogue_kvstore,
)
# what the alerts above say of each resource
_SAID_ABOVE = frozenset({"data-missing"})
FINDINGS_GROUP = "findings"


def alerts_of_findings(
    severities: tuple[str, ...], catalogue: Mapping[str, FindingKind] = CATALOGUE
) -> Iterator[Alert]:
    """One alert for each finding of the catalogue whose usual severity is one of these. Its severity is that of the finding
    that the audit reports, which may be another than the usual one."""
    of_cilium = {kind.id for subject in _OF_CILIUM for kind in subject.KINDS}
    for kind in catalogue.values():
        if kind.severity in severities and kind.id not in _SAID_ABOVE:
            needs = (AUDIT, CILIUM) if kind.id in of_cilium else (AUDIT,)
            yield Alert(
                f"{PREFIX}Finding{camel_case(kind.id)}",
                FINDINGS_GROUP,
                kind.id,
                f'max by (severity) (podnet_upkeep_findings{{id="{kind.id}"}}) > 0',
                "0s",
                needs,
                f"{kind.title} (findings of the last audit: {{{{ $value }}}})",
                f"{kind.meaning} {kind.why} {kind.remedy}",
                "{{ $labels.severity }}",
            )
