"""One cluster for each finding about agents and the kvstore: arguments of `small_clusters.audited`, by finding."""

from __future__ import annotations

from typing import Any

from .agent_entries import agent, controller, metrics, policy_endpoint, silent
from .small_clusters import config_map, pod

CILIUM = {
    "metadata": {"name": "cilium", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
    "spec": {"images": ["quay.io/cilium/cilium:v1.18.4@sha256:abc"]},
}
# the owners of addresses that the recorded agents hold
PODS = [
    pod(name, "a", metadata={"namespace": namespace})
    for namespace, name in (
        ("shop", "cart-6c9d7f8b5-abcde"),
        ("shop", "web-7d4b9c6f5-fghij"),
        ("kube-system", "coredns-5d78c9869d-klmno"),
    )
]
GIBIBYTE = 1024**3


def cilium(*agents: Any, **more: Any) -> dict[str, Any]:
    """A cluster with Cilium 1.18.4, these agents, and keys of cilium-config in `config`."""
    config = {"ipam": "cluster-pool", **more.pop("config", {})}
    base: dict[str, Any] = {"allocator": None, "daemonsets": [CILIUM], "pods": PODS, "agents": list(agents)}
    return {**base, "configmaps": [config_map("cilium-config", **config)], **more}


def kvstore(*agents: Any, **more: Any) -> dict[str, Any]:
    """The same with identities in etcd."""
    config = {"kvstore": "etcd", "identity-allocation-mode": "kvstore", **more.pop("config", {})}
    return cilium(*agents, config=config, **more)


def _ciliumnode(cidr: str) -> Any:
    return {"metadata": {"name": "a"}, "spec": {"ipam": {"podCIDRs": [cidr]}}}


def _counts(**counts: int) -> Any:
    return [{"kind": kind.replace("_", "-"), "count": number} for kind, number in counts.items()]


_LEAKY = {
    "status": "IPv4: 9/254 allocated from 10.0.5.0/24, ",
    "allocations": {f"10.0.5.{n}": f"batch/{n}" for n in range(9)},
}

PROVOKED: dict[str, dict[str, Any]] = {
    "agent-silent": cilium(agent("a"), silent("b")),
    "agent-unwell": cilium(agent("a", cilium={"state": "Failure", "msg": "1.18.4 Cilium agent is not ready"})),
    "agent-kubernetes-unreachable": cilium(agent("a", kubernetes={"state": "Failure", "msg": "connection refused"})),
    "agent-identity-unresolved": cilium(
        agent(
            controllers=[
                controller(
                    "resolve-identity-9",
                    "unable to resolve identity: timed out waiting for cilium-operator to allocate CiliumIdentity for key",
                )
            ]
        )
    ),
    "agent-controller-failing": cilium(agent(controllers=[controller("sync-to-k8s-ciliumendpoint (9)", "conflict")])),
    "agent-endpoint-stuck": cilium(agent("a", "identities-exhausted")),
    "agent-identities-exhausted": cilium(agent("a", "identities-exhausted")),
    "agent-local-identities-exhausted": cilium(
        agent(controllers=[controller("ipcache-inject-labels", "out of local identity space", 1)])
    ),
    "agent-node-ids-exhausted": cilium(
        agent(controllers=[controller("node-neighbor-link-updater", "No more IDs available for nodes", 1)])
    ),
    "agent-policy-map-full": cilium(
        agent(
            controllers=[
                controller(
                    "endpoint-9-regeneration-recovery",
                    "Unable to update element for cilium_policy_00009 map with file descriptor 73: the map is full, please "
                    "consider resizing it. argument list too long",
                )
            ]
        )
    ),
    "agent-policy-map-pressure": cilium(agent(endpoints=[policy_endpoint(14000)])),
    "agent-map-pressure": cilium(
        metrics=[metrics({'cilium_bpf_map_pressure{map_name="cilium_lb4_services_v2"}': 0.93})]
    ),
    "agent-addresses-exhausted": cilium(agent("a", "range-full")),
    "agent-addresses-leaked": cilium(agent(ipam=_LEAKY)),
    "agent-version-differs": cilium(agent("a", "version-1.14")),
    "agent-configuration-differs": cilium(agent("a"), config={"identity-change-grace-period": "1m"}),
    "agent-identity-range-differs": cilium(agent("a"), config={"cluster-id": "3"}),
    "agent-cidr-differs": cilium(agent("a"), ciliumnodes=[_ciliumnode("10.0.9.0/24")]),
    "kvstore-quorum-lost": kvstore(agent("a", "kvstore-quorum-lost")),
    "kvstore-member-down": kvstore(agent("a", "kvstore-degraded")),
    "kvstore-space-exceeded": kvstore(agent("a", "kvstore-quorum-lost")),
    "kvstore-database-large": kvstore(metrics=[metrics({"etcd_mvcc_db_total_size_in_bytes": 1.9 * GIBIBYTE}, "etcd")]),
    "kvstore-heartbeat-late": kvstore(agent("a", "kvstore-quorum-lost")),
    "kvstore-identities-many": kvstore(kvstore=_counts(identity_masters=60000)),
    "kvstore-identities-orphaned": kvstore(kvstore=_counts(identity_masters=5000, identity_orphans=900)),
    "kvstore-identities-inconsistent": kvstore(
        config={"identity-allocation-mode": "doublewrite-readkvstore"},
        metrics=[metrics({"cilium_operator_doublewrite_identity_crd_only_count": 4.0}, "operator")],
    ),
    "kvstore-locks-held": kvstore(kvstore=_counts(identity_masters=5000, identity_locks=40)),
    "kvstore-unobserved": kvstore(),
    "remote-cluster-not-ready": kvstore(agent("a", "kvstore-degraded")),
}
HEALTHY = cilium(agent("a"), config={"labels": "", "enable-ipv4": "true", "kvstore-lease-ttl": "15m"})
