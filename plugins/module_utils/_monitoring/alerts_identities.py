# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Alerts about security identities of Cilium and their collection."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import Alert
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    API_SERVER,
    AUDIT,
    CILIUM,
    CILIUM_OPERATOR,
    CRD_IDENTITIES,
    OPERATOR_IDENTITIES,
)

_GROUP = "identities"
ALERTS: tuple[Alert, ...] = (
    Alert(
        "PodnetIdentitiesExhausted",
        _GROUP,
        "identity-range-exhausted",
        "max(<objects:ciliumidentities>) >= <capacity>",
        "1m",
        (API_SERVER, CRD_IDENTITIES),
        "All numbers of security identities are taken",
        "There are {{ $value }} CiliumIdentities, and the cluster can have <capacity>. Pods with new labels do not start.",
    ),
    Alert(
        "PodnetIdentitiesNearlyExhausted",
        _GROUP,
        "identity-range-nearly-exhausted",
        "max(<objects:ciliumidentities>) / <capacity> > <identities_used_ratio>",
        "15m",
        (API_SERVER, CRD_IDENTITIES),
        "{{ $value | humanizePercentage }} of all numbers of security identities are taken",
        "The cluster can have <capacity> CiliumIdentities. Find out whether they are in use or only not collected.",
    ),
    Alert(
        "PodnetIdentitiesInUse",
        _GROUP,
        "identity-range-nearly-exhausted",
        'max(cilium_operator_identity_gc_entries{status="alive"}) / <capacity> > <identities_used_ratio>',
        "15m",
        (CILIUM_OPERATOR,),
        "{{ $value | humanizePercentage }} of all numbers of security identities are in use",
        "That many were in use when the operator last collected identities: a collection cannot help, fewer labels can.",
    ),
    Alert(
        "PodnetIdentitiesRunOut",
        _GROUP,
        "identity-churn-unsustainable",
        "max(predict_linear(<objects:ciliumidentities>[<identity_trend_window>], <identities_exhausted_within_seconds>)) > <capacity> "
        # one step, as a change of labels makes it, is in the trend for hours: what the last hour has brought must lead there too
        "and on() max(<objects:ciliumidentities> + "
        "delta(<objects:ciliumidentities>[1h]) * <identities_exhausted_within_seconds> / 3600) > <capacity>",
        "1h",
        (API_SERVER, CRD_IDENTITIES),
        "At this pace no security identity is left within <identities_exhausted_within>",
        "The pace of the last <identity_trend_window> leads to {{ $value | humanize }} CiliumIdentities of <capacity>, "
        "and that of the last hour to more than <capacity> too.",
        "critical",
    ),
    Alert(
        "PodnetIdentitiesRunOutByAudit",
        _GROUP,
        "identity-churn-unsustainable",
        "min(podnet_upkeep_identities_exhausted_timestamp_seconds) - time() < <identities_exhausted_within_seconds>",
        "5m",
        (AUDIT, CILIUM),
        "The last audit expects that no security identity is left in {{ $value | humanizeDuration }}",
        "The audit counts identities by when they were created, and so knows their pace without a history in Prometheus.",
        "critical",
    ),
    Alert(
        "PodnetIdentityLabelValues",
        _GROUP,
        "identity-label-explosion",
        "max by (key) (podnet_upkeep_identity_label_values) > <label_values>",
        "5m",
        (AUDIT, CILIUM),
        "The label {{ $labels.key }} has {{ $value }} values among security identities",
        "Each value of an identity-relevant label makes identities of its own. Leave the label out with a label filter.",
    ),
    Alert(
        "PodnetIdentityGcAbsent",
        _GROUP,
        "identity-gc-off",
        "absent(cilium_operator_identity_gc_runs)",
        "30m",
        (CILIUM_OPERATOR,),
        "No cilium-operator says that it collects security identities",
        "The operator does not run, is not scraped, or its collection of identities is turned off: unused identities stay.",
    ),
    Alert(
        "PodnetIdentityGcStopped",
        _GROUP,
        "identity-gc-broken",
        # where no operator is there any more, PodnetIdentityGcAbsent says so
        'max(increase(cilium_operator_identity_gc_runs{outcome="success"}[<identity_gc_window>]) and '
        'cilium_operator_identity_gc_runs{outcome="success"}) == 0 '
        # the first collection of an operator that has started has no sample before it, nor has what is scraped only since then
        'unless on() (cilium_operator_identity_gc_runs{outcome="success"} unless '
        'cilium_operator_identity_gc_runs{outcome="success"} offset <identity_gc_window>)',
        "5m",
        (CILIUM_OPERATOR,),
        "No collection of security identities has succeeded for <identity_gc_window>",
        "The operator runs, but its collection does not: it hangs, or waits for something. Its log says more.",
    ),
    Alert(
        "PodnetIdentityGcFailing",
        _GROUP,
        "identity-gc-broken",
        'sum(increase(cilium_operator_identity_gc_runs{outcome="fail"}[<identity_gc_window>])) > 0 or '
        'sum(cilium_operator_identity_gc_runs{outcome="fail"} unless '
        'cilium_operator_identity_gc_runs{outcome="fail"} offset <identity_gc_window>) > 0 '
        # not when Prometheus has only begun to look: who knows when it was
        "and on() count(cilium_operator_identity_gc_runs offset <identity_gc_window>) > 0",
        "0s",
        (CILIUM_OPERATOR,),
        "A collection of security identities has failed",
        "In <identity_gc_window> at least one collection has failed. Mostly the operator may not delete, or the API server refuses.",
    ),
    Alert(
        "PodnetIdentityGcSlow",
        _GROUP,
        "identity-gc-slow",
        'max(cilium_operator_identity_gc_latency{outcome="success"}) > <identity_gc_seconds>',
        "15m",
        (CILIUM_OPERATOR,),
        "A collection of security identities takes {{ $value | humanizeDuration }}",
        "The operator deletes at a limited rate. Where more identities come than go in a round, they pile up.",
    ),
    Alert(
        "PodnetIdentityCreationFailing",
        _GROUP,
        "identity-creation-forbidden",
        'sum(increase(cilium_operator_cid_controller_work_queue_event_count{resource="cid",outcome="fail"}[15m])) > <identity_failures>',
        "5m",
        (CILIUM_OPERATOR, OPERATOR_IDENTITIES),
        "The operator fails to write security identities",
        "{{ $value | humanize }} attempts in a quarter of an hour have failed. Pods with new labels wait for the operator.",
    ),
)
