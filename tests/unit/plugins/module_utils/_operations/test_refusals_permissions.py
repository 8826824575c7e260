"""What credentials lack of what a playbook needs is one objection, in the namespaces that were chosen."""

from __future__ import annotations

from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import Places
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_permissions import missing


def test_missing_permissions_are_listed(api: FakeApi, client: KubeClient) -> None:
    """All of them in one sentence, and what is not asked for at the start is none of them."""
    assert missing(client, "reassign_pod_cidrs") == []
    api.store.denied = {("delete", "nodes"), ("create", "pods"), ("patch", "secrets"), ("list", "networkpolicies")}
    (objection,) = missing(client, "reassign_pod_cidrs", Places(run="ops", probe="trial"))
    assert objection.sentence == (
        "The credentials may not: delete nodes, create pods/eviction, create pods in namespace trial, "
        "patch secrets podnet-upkeep-reassign-pod-cidrs-images in namespace ops."
    )
