# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What each playbook must be allowed to do, one rule for each verb of each kind of object, and why.

The one table from which Roles, manifests, the guide and the question at the start of a playbook are drawn. That a playbook
uses all of it and nothing else is shown on a real API server by its audit log (tests/integration/test_playbook_access.py).
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity import RESOURCES_OF_A_FORECAST
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_simulation import (
    RESOURCES as OF_A_SIMULATION,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import (
    FEATURE_PERMISSIONS,
    PERMISSIONS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import (
    NODE_CIDR_RESOURCES,
    NODE_LEASES_NAMESPACE,
    POLICIES,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import (
    CILIUM_RUN,
    KVSTORE_RUN,
    PREFIX,
    STRESS_RUN,
    UNDO_RUN,
    not_beside,
    waits_for_dead,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permissions import run_permissions

#: Where a rule holds. CLUSTER: everywhere, by a ClusterRole. The others are namespaces, and a Role in each is enough.
CLUSTER: t.Final = ""
SYSTEM: t.Final = "kube-system"
CNI: t.Final = "<cni>"  # kube-system, and where else Cilium or flannel have their objects
RUN: t.Final = "<run>"  # where lock and journal are
PROBE: t.Final = "<probe>"  # where a probe pod is made
INSTALL: t.Final = "<install>"  # where objects are installed
_RBAC: t.Final = "rbac.authorization.k8s.io"
_CILIUM: t.Final = "cilium.io"
_READING: t.Final = frozenset({"get", "list", "watch"})
Triple = tuple[str, str, str]


@dataclass(frozen=True)
class Rule:
    """One verb for one kind of object. ``resource`` may be ``pods/eviction``.

    ``names``: the only objects it is needed for. ``where``: see above. ``when``: the only case in which it is used, in words;
    empty: in every run that has something to do. ``planned``: also a plan (check mode) needs it. ``feature``: only with it.
    ``asked``: False where something else is as good, so that the run itself has to try it before it writes.
    """

    verb: str
    resource: str
    group: str = ""
    names: tuple[str, ...] = ()
    where: str = CLUSTER
    why: str = ""
    when: str = ""
    planned: bool = False
    feature: str = ""
    asked: bool = True

    @property
    def triple(self) -> Triple:
        """(group, resource, verb): what the audit log of an API server tells apart."""
        return self.group, self.resource, self.verb

    @property
    def for_planning(self) -> bool:
        """Whether a plan needs it."""
        return self.planned or self.verb in _READING

    @property
    def words(self) -> str:
        """For a sentence: ``patch leases.coordination.k8s.io``."""
        kind, _slash, part = self.resource.partition("/")
        return f"{self.verb} {kind}{f'.{self.group}' if self.group else ''}{f'/{part}' if part else ''}"

    def rule(self) -> dict[str, t.Any]:
        """As RBAC writes it."""
        named = {"resourceNames": list(self.names)} if self.names else {}
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb], **named}


def _reads(*kinds: str) -> tuple[Rule, ...]:
    """Objects that are read for a picture of the cluster."""
    found = []
    for kind in kinds:
        one = PERMISSIONS[kind]
        where = CNI if one.also_in else one.namespace or CLUSTER
        found.append(Rule(one.verb, one.resource, one.group, one.names, where, f"Unknown without it: {one.without}."))
    return tuple(found)


def _features(*names: str) -> tuple[Rule, ...]:
    """What these features of an audit need besides."""
    return tuple(
        Rule(verb, one.resource, one.group, (), CNI, f"Unknown without it: {one.without}.", feature=feature)
        for feature, one in FEATURE_PERMISSIONS.items()
        if feature in names
        for verb in (one.verb, *one.more_verbs)
    )


_WHY_OF_LOCK: t.Final = {
    "leases": "The lock: two runs never meet. It is also how the API server is asked for its time.",
    "configmaps": "The journal of the run, and its switch stop.",
    "secrets": "Before-images of Nodes.",
}


def _lock(name: str, *, images: bool = False, clock: bool = True) -> tuple[Rule, ...]:
    """Lock and journal of the run ``name``, and a look at those of the runs that it does not run beside."""
    others = sorted(not_beside(name))
    looked_at = {"leases": others, "configmaps": [one for one in others if waits_for_dead(name, one)]}
    found = []
    for one in run_permissions(name):
        if one.resource == "secrets" and not images:
            continue
        names: tuple[str, ...] = (one.name,) if one.name else ()
        if one.verb == "get":
            names += tuple(f"{PREFIX}{other}" for other in looked_at.get(one.resource, ()))
        planned = clock and (one.resource, one.verb) == ("leases", "create")
        why = _WHY_OF_LOCK[one.resource]
        found.append(Rule(one.verb, one.resource, one.group, names, RUN, why, planned=planned))
    return tuple(found)


def _earlier_images(name: str) -> tuple[Rule, ...]:
    """For a run that writes entries of Nodes into its journal, and keeps no before-images there itself."""
    why = "Before-images that an earlier run of this name may have kept are dropped."
    images = (f"{PREFIX}{name}-images",)
    return (Rule("patch", "secrets", names=images, where=RUN, why=why, when="an earlier run has ended"),)


_CLUSTER_CIDRS: t.Final = ("clustercidrs", "clustercidrs-in-tree")
_WITH_VOLUMES: t.Final = "volumes are attached to the machine, and pods that stay have claims"
_OF_DAEMON_SETS: t.Final = "pods of DaemonSets"
_CLUSTER_UID = Rule(
    "get", "namespaces", names=(SYSTEM,), why="The uid of kube-system names the cluster in the journal."
)
_DISRUPTION = (
    Rule("list", "poddisruptionbudgets", "policy", why="What may be evicted at once."),
    Rule("list", "persistentvolumeclaims", why="Where the volumes of pods tie them to."),
    Rule("list", "persistentvolumes", why="Where the volumes of pods tie them to."),
)
_CLOCK = Rule(
    "create",
    "leases",
    "coordination.k8s.io",
    where=SYSTEM,
    why="How the API server is asked for its time.",
    planned=True,
)
_CLOCK_OF_CILIUM = dataclasses.replace(_CLOCK, where=CNI, planned=False)
_RESTART_OPERATOR = (
    _CLOCK_OF_CILIUM,
    Rule(
        "patch", "deployments", "apps", ("cilium-operator",), CNI, "To restart the operator, and to give it replicas."
    ),
    *_reads("pods"),
)
_RESTART_AGENTS = (
    Rule("get", "daemonsets", "apps", ("cilium",), CNI, "How far the agents are."),
    Rule("delete", "pods", where=CNI, why="An agent is restarted by deleting its pod."),
    Rule(
        "get",
        "ciliumendpoints",
        _CILIUM,
        why="Whether pods beside an agent have their endpoints again.",
        when="an agent is restarted beside pods of the pod network",
    ),
)
_BUDGETS = (
    Rule("list", "poddisruptionbudgets", "policy", why="What may be evicted at once."),
    Rule("list", "deployments", "apps", why="Whose pods a budget counts."),
    Rule("list", "statefulsets", "apps", why="Whose pods a budget counts."),
)
_CHANGE_SETTINGS = Rule("patch", "configmaps", names=("cilium-config",), where=CNI, why="To change settings of Cilium.")
_SETTINGS = _reads("nodes", "daemonsets", "configmaps", "leases", "deployments", "ciliumnodeconfigs")
_ENLARGE_POOLS = (
    *_reads("ciliumnodes", "ciliumpodippools", "ippools"),
    *(
        Rule("list", resource, group, why="What a new range must not overlap.")
        for resource, group in (
            ("services", ""),
            ("servicecidrs", "networking.k8s.io"),
            ("endpointslices", "discovery.k8s.io"),
            ("ciliumloadbalancerippools", _CILIUM),
        )
    ),
    *(
        Rule(verb, "ciliumpodippools", _CILIUM, why="To append CIDRs to a CiliumPodIPPool.")
        for verb in ("get", "patch")
    ),
)
_IDENTITIES = _reads(
    *("nodes", "daemonsets", "configmaps", "leases", "deployments", "clusterroles", "ciliumnodeconfigs", "namespaces"),
    *("ciliumidentities", "ciliumendpoints", "ciliumendpointslices", "pods"),
)

_DRAIN = (
    Rule("create", "pods/eviction", why="To drain, by the disruption budgets."),
    Rule("get", "persistentvolumeclaims", why="Whether a volume ties a pod to the machine.", when=_WITH_VOLUMES),
    Rule("get", "daemonsets", "apps", why="Whose pods a drain leaves.", when=_OF_DAEMON_SETS),
    Rule(
        "get",
        "poddisruptionbudgets",
        "policy",
        why="How many pods a budget still lacks.",
        when="an eviction is refused, and the API server does not say how many",
    ),
)
_OF_A_NODE = (
    Rule("get", "leases", "coordination.k8s.io", where=NODE_LEASES_NAMESPACE, why="Whether it is gone with its Node."),
    Rule("get", "csinodes", "storage.k8s.io", why="Whether it is gone with its Node."),
    Rule("get", "ciliumnodes", _CILIUM, why="Whether it is gone with its Node, or agrees with it."),
    Rule("list", "volumeattachments", "storage.k8s.io", why="Whether volumes are still attached to the machine."),
)
_WITH_MACHINES: t.Final = "a Node says which machine it is, and this API serves machines and their health checks"
# Most clusters serve neither group. Where one does, a plan that may not read them says so for the Nodes that it concerns.
_MACHINE_HEALTH_CHECKS = tuple(
    Rule(
        verb,
        resource,
        group,
        why="Whether a MachineHealthCheck would replace the machine of a deleted Node.",
        when=_WITH_MACHINES,
        asked=False,
    )
    for group, kinds in (
        ("cluster.x-k8s.io", (("get", "machines"), ("get", "clusters"), ("list", "machinehealthchecks"))),
        ("machine.openshift.io", (("get", "machines"), ("list", "machinehealthchecks"))),
    )
    for verb, resource in kinds
)
_RETIRE = (
    *_reads(*NODE_CIDR_RESOURCES, *_CLUSTER_CIDRS, "apiservices"),
    *(
        Rule(verb, "nodes", why="Nodes are cordoned, drained and deleted, and their uid is compared.")
        for verb in ("get", "patch", "delete")
    ),
    *_DRAIN,
    *_OF_A_NODE,
    Rule("delete", "pods", why="What is still bound to the Node when it is gone.", when=_OF_DAEMON_SETS),
)
_REASSIGN = (
    *_reads(*NODE_CIDR_RESOURCES, *_CLUSTER_CIDRS),
    *(
        Rule(verb, "nodes", why="Nodes are planned, cordoned, deleted and made anew.")
        for verb in ("get", "create", "patch", "delete")
    ),
    *_DRAIN,
    *_OF_A_NODE,
    Rule("delete", "pods", why="Agents of the network are replaced, and probes are removed."),
    *(Rule(verb, "pods", where=PROBE, why="Pods that show that the network works.") for verb in ("get", "create")),
    Rule("list", "events", why="Why a pod could not start."),
    Rule(
        "get",
        "configmaps",
        names=("cluster-autoscaler-status",),
        where=SYSTEM,
        why="Whether a Cluster Autoscaler may take Nodes away.",
    ),
    Rule(
        "list",
        "deployments",
        "apps",
        why="Whether pods come back elsewhere, and whether a Cluster Autoscaler may take Nodes away.",
    ),
    Rule("list", "statefulsets", "apps", why="Whether pods come back elsewhere."),
    Rule("list", "poddisruptionbudgets", "policy", why="What may be evicted at once."),
    Rule("get", "leases", "coordination.k8s.io", why="Who leads the controllers, in whatever namespace they run."),
    Rule("list", "leases", "coordination.k8s.io", where=RUN, why="Which other runs are under way."),
    Rule(
        "list", "endpointslices", "discovery.k8s.io", why="Whether there is DNS to try, and who answers for webhooks."
    ),
    *(
        Rule("list", f"{kind}webhookconfigurations", "admissionregistration.k8s.io", why=why)
        for kind, why in (
            ("validating", "Webhooks that could refuse a Node or a pod."),
            ("mutating", "Webhooks that could change a Node or a pod."),
        )
    ),
    *_reads("apiservices"),
    *_MACHINE_HEALTH_CHECKS,
    *(
        Rule("get", kind, why="Whether a volume ties a pod to the machine.", when="pods of the Node have claims")
        for kind in ("persistentvolumeclaims", "persistentvolumes")
    ),
    _CLUSTER_UID,
    # the audit at its end goes on without what it may not read, and says what is unknown
    *(dataclasses.replace(one, asked=False) for one in _reads(*PERMISSIONS)),
)
_REMOVE = (
    *_reads(*NODE_CIDR_RESOURCES, *_CLUSTER_CIDRS, "apiservices"),
    *(
        Rule(verb, "nodes", why="Nodes are judged, cordoned and deleted, and their uid is compared.")
        for verb in ("get", "patch", "delete")
    ),
    *_OF_A_NODE,
    Rule("get", "persistentvolumeclaims", why="Whether a volume ties a pod to the machine.", when=_WITH_VOLUMES),
)

_CLEAN_STALE_PODS = (
    *_reads("nodes", "daemonsets", "configmaps", "pods", "ciliumendpoints"),
    Rule("get", "pods", why="Each pod is looked at again before it is deleted."),
    Rule("delete", "pods", why="The act."),
    _CLUSTER_UID,
    _CLOCK,
    *_lock("clean-stale-pods"),
)
_CLEAN_ENDPOINTS = (
    *_reads("nodes", "daemonsets", "configmaps", "leases", "deployments", "clusterroles", "pods"),
    *_reads("ciliumnodes", "ciliumendpoints", "ciliumendpointslices"),
    Rule("get", "pods", why="Whether the pod of an endpoint is really gone."),
    Rule("delete", "ciliumendpoints", _CILIUM, why="The act."),
    _CLUSTER_UID,
    _CLOCK,
    *_lock("clean-endpoints"),
)
_CLEAN_CILIUM_NODES = (
    *_reads("nodes", "daemonsets", "configmaps", "leases", "deployments", "apiservices", "pods"),
    *_reads("ciliumnodes", "ciliumendpoints", "ciliumpodippools"),
    Rule("delete", "ciliumnodes", _CILIUM, why="The act."),
    _CLUSTER_UID,
    _CLOCK,
    *_lock("clean-cilium-nodes"),
)
_CLEAN_IDENTITIES = (
    *_IDENTITIES,
    Rule("patch", "ciliumidentities", _CILIUM, why="To mark identities, as the operator does before it deletes them."),
    Rule("delete", "ciliumidentities", _CILIUM, why="The act."),
    _CLUSTER_UID,
    _CLOCK,
    *_lock("clean-identities"),
)

_PROBE = (
    Rule("create", "pods", where=PROBE, why="The pod that proves that new pods get an identity."),
    Rule("delete", "pods", where=PROBE, why="It is removed again."),
    Rule("get", "pods", where=PROBE, why="How it is.", when="no CiliumEndpoint within the time of the probe"),
    Rule("get", "ciliumendpoints", _CILIUM, where=PROBE, why="Whether it has an identity."),
)
_MEND_OPERATOR = (
    Rule("patch", "clusterroles", _RBAC, ("cilium-operator",), why="To give the operator its permissions back."),
    Rule(
        "escalate",
        "clusterroles",
        _RBAC,
        ("cilium-operator",),
        why="Nobody may give a permission that he lacks; this one allows it for this ClusterRole.",
        when="the operator may not delete identities",
    ),
)


_STORE = (
    *_reads("daemonsets"),
    Rule("get", "configmaps", names=("cilium-config",), where=CNI, why="Whether Cilium has a kvstore, and where."),
    Rule(
        "list",
        "pods",
        where=SYSTEM,
        why="Where the etcd of the API server is.",
        when="the store is that of the API server, and no endpoints are given",
    ),
)
_ETCD_SECRET = Rule(
    "get",
    "secrets",
    names=("cilium-etcd-secrets",),
    where=CNI,
    why="Certificates of the etcd, where they are to be taken from this Secret.",
    feature="etcd_secret",
)


def _only(rules: Iterable[Rule], when: str) -> tuple[Rule, ...]:
    """The rules of a step that not every run takes."""
    return tuple(dataclasses.replace(one, when=one.when or when) for one in rules)


def _installs(
    *kinds: tuple[str, str], where: str = CLUSTER, reading: Iterable[str] = ("get", "list"), why: str
) -> tuple[Rule, ...]:
    """Objects (resource, group) that are created, corrected and removed."""
    absent = "state: absent, or what is not wanted any more"
    found = []
    for resource, group in kinds:
        for verb in (*reading, "create", "patch"):
            when = "they differ" if verb == "patch" else ""
            found.append(Rule(verb, resource, group, where=where, why=why, when=when))
        found.append(Rule("delete", resource, group, where=where, why=why, when=absent))
    return tuple(found)


_PROMETHEUS_OPERATOR: t.Final = "monitoring.coreos.com"
_MONITORING = (
    *_reads("daemonsets", "deployments", "configmaps"),
    Rule("list", "pods", where=CNI, why="Who serves metrics, and at which port."),
    Rule("list", "servicemonitors", _PROMETHEUS_OPERATOR, why="Who scrapes them already, and what is ours."),
    Rule("list", "podmonitors", _PROMETHEUS_OPERATOR, why="Who scrapes them already."),
    Rule("get", "namespaces", why="Whether the namespaces are there."),
    *(
        Rule("list", resource, group, why="What of it is ours, in any namespace; by Services also who scrapes already.")
        for resource, group in (("prometheusrules", _PROMETHEUS_OPERATOR), ("services", ""), ("configmaps", ""))
    ),
    # a plan asks the API server what would come of it
    *(
        dataclasses.replace(one, planned=one.verb in ("create", "patch"))
        for one in (
            *_installs(("services", ""), where=CNI, reading=("get",), why="What is installed."),
            *_installs(
                ("prometheusrules", _PROMETHEUS_OPERATOR),
                ("servicemonitors", _PROMETHEUS_OPERATOR),
                ("configmaps", ""),
                where=INSTALL,
                reading=("get",),
                why="What is installed.",
            ),
        )
    ),
)
_ACCESS = (
    Rule("get", "namespaces", why="Whether the namespaces are there."),
    *_installs(
        ("serviceaccounts", ""),
        ("clusterroles", _RBAC),
        ("clusterrolebindings", _RBAC),
        ("roles", _RBAC),
        ("rolebindings", _RBAC),
        why="What is installed.",
    ),
    *(
        Rule(
            verb,
            resource,
            _RBAC,
            why="To give permissions that the one who installs does not have himself. Who has all of them does not need it.",
            asked=False,  # the API server judges: everything is tried as a dry run before anything is written
        )
        for verb in ("escalate", "bind")
        for resource in ("clusterroles", "roles")
    ),
)

_STRESS = (
    *_reads(*PERMISSIONS),  # the cluster is judged by the picture that an audit has
    Rule("get", "namespaces", why="Whether the namespace of the test is there, or gone."),
    *(Rule(verb, "namespaces", why="The namespace of the test is made and deleted.") for verb in ("create", "delete")),
    Rule("get", "serviceaccounts", why="Whether pods can be made in the namespace of the test."),
    Rule("create", "pods", why="Pods that need an identity each."),
    Rule("delete", "pods", why="They are deleted when the test ends, and those of a test that was killed."),
    Rule("watch", "ciliumidentities", _CILIUM, why="When identities come and go."),
    *_lock(STRESS_RUN, clock=False),
)
_REHEARSE = (
    *_reads(*PERMISSIONS),
    *(
        Rule("list", resource, group, why=f"Unknown without it: {what}.")
        for resource, group, what in (
            ("poddisruptionbudgets", "policy", "what may be evicted at once"),
            ("deployments", "apps", "which pods come back"),
            ("replicasets", "apps", "which pods come back"),
            ("statefulsets", "apps", "which pods come back"),
            ("daemonsets", "apps", "which pods come back"),
            ("pods", "", "where pods may be"),
            ("nodes", "", "what fits on Nodes"),
        )
    ),
)

PLAYBOOKS: t.Final[Mapping[str, tuple[Rule, ...]]] = {
    "audit": (*_reads(*PERMISSIONS), *_features(*FEATURE_PERMISSIONS)),
    "forecast": _reads(*RESOURCES_OF_A_FORECAST),
    "simulate_label_filter": (*_reads(*OF_A_SIMULATION), *_features("agents")),
    "audit_kvstore": (*_STORE, _ETCD_SECRET),
    "plan_pod_cidr_relief": (
        *_reads(*NODE_CIDR_RESOURCES, *_CLUSTER_CIDRS, "ippools", "apiservices"),
        *_DISRUPTION,
    ),
    "reassign_pod_cidrs": (
        *_REASSIGN,
        *_lock("reassign-pod-cidrs", images=True),
    ),
    "retire_nodes": (
        *_RETIRE,
        *_DISRUPTION,
        _CLUSTER_UID,
        *_lock("retire-nodes", clock=False),
        *_earlier_images("retire-nodes"),
    ),
    "remove_unreachable_nodes": (
        *_REMOVE,
        *_lock("remove-unreachable-nodes"),
        Rule(
            "get",
            "configmaps",
            names=(f"{PREFIX}reassign-pod-cidrs",),
            where=RUN,
            why="Whether a Node is in the middle of being registered anew.",
        ),
        *_earlier_images("remove-unreachable-nodes"),
    ),
    "clean_stale_pods": (*_CLEAN_STALE_PODS, *_features("agents")),
    "clean_endpoints": (*_CLEAN_ENDPOINTS, *_features("agents")),
    "clean_cilium_nodes": _CLEAN_CILIUM_NODES,
    "clean_identities": _CLEAN_IDENTITIES,
    "undo_deletions": (
        *_reads("ciliumidentities"),
        Rule("create", "ciliumidentities", _CILIUM, why="To bring identities back."),
        Rule("get", "ciliumidentities", _CILIUM, why="What became of one.", when="an answer is lost"),
        *_only(
            (
                *_reads("nodes", "ciliumnodes"),
                Rule("create", "ciliumnodes", _CILIUM, why="To bring CiliumNodes back."),
                Rule("get", "ciliumnodes", _CILIUM, why="What became of one."),
            ),
            "the journal is one of clean_cilium_nodes",
        ),
        _CLUSTER_UID,
        *_lock(UNDO_RUN, clock=False),
    ),
    "restart_cilium": (
        *_SETTINGS,
        *_RESTART_OPERATOR,
        *_BUDGETS,
        *_RESTART_AGENTS,
        *_lock(CILIUM_RUN),
    ),
    "tune_cilium": (
        *_SETTINGS,
        *_RESTART_OPERATOR,
        *_BUDGETS,
        _CHANGE_SETTINGS,
        Rule("get", "pods/log", where=CNI, why="Which settings the operator has started with."),
        *_only(_RESTART_AGENTS, "a setting that agents read is changed"),
        *_only(_ENLARGE_POOLS, "a pool is enlarged, or given back"),
        *_only(
            _reads("namespaces", "ciliumidentities", *POLICIES),
            "the label filter is changed",
        ),
        *_lock(CILIUM_RUN),
    ),
    "recover_identities": (
        *_IDENTITIES,
        *_RESTART_OPERATOR,
        _CHANGE_SETTINGS,
        *_MEND_OPERATOR,
        *_PROBE,
        *_lock(CILIUM_RUN),
        *_only(_CLEAN_ENDPOINTS, "dead endpoints are left"),
        *(dataclasses.replace(one, feature="direct") for one in _only(_CLEAN_IDENTITIES, "waiting was not enough")),
    ),
    "maintain_kvstore": (
        *_STORE,
        _ETCD_SECRET,
        Rule("list", "leases", "coordination.k8s.io", where=RUN, why="Which other runs are under way."),
        *_lock(KVSTORE_RUN, clock=False),
    ),
    "scheduled_run": tuple(
        Rule(verb, "configmaps", names=("<name>-summary",), where=INSTALL, why="To leave the summary of the last run.")
        for verb in ("get", "patch")
    ),
    "install_schedule": (
        *_ACCESS,
        *_installs(
            ("cronjobs", "batch"),
            ("configmaps", ""),
            where=INSTALL,
            reading=("get",),
            why="The CronJob, its settings, and the place of its summary.",
        ),
    ),
    "stress_identities": _STRESS,
    "rehearse": _REHEARSE,
    "install_monitoring": _MONITORING,
    "install_audit_access": _ACCESS,
    "install_access": _ACCESS,
}


def rules_of(playbook: str, features: Iterable[str] = ()) -> tuple[Rule, ...]:
    """What ``playbook`` (without its namespace) needs, each rule once. KeyError for one that is not in the table."""
    wanted = frozenset(features)
    found: dict[tuple[str, str, str, str], Rule] = {}
    for one in PLAYBOOKS[playbook]:
        if one.feature and one.feature not in wanted:
            continue
        key = (*one.triple, one.where)
        if key in found:
            found[key] = _joined(found[key], one)
        else:
            found[key] = one
    return tuple(found.values())


def _joined(first: Rule, second: Rule) -> Rule:
    """Two rules for one verb in one place: for all objects where one of them is."""
    names = tuple(dict.fromkeys((*first.names, *second.names))) if first.names and second.names else ()
    why = " ".join(dict.fromkeys(filter(None, (first.why, second.why))))
    when, asked = first.when and second.when, first.asked or second.asked
    planned = first.planned or second.planned
    return dataclasses.replace(first, names=names, why=why, planned=planned, when=when, asked=asked)


def features_of(playbook: str) -> tuple[str, ...]:
    """Names of what may be asked for besides."""
    return tuple(dict.fromkeys(one.feature for one in PLAYBOOKS[playbook] if one.feature))
