"""Lines of logs and messages of events: which matter, what they mean, and which Node they are about."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain import log_pattern
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_patterns import PATTERNS, matching, node_named

# as the programs write them
LINES = (
    (
        "allocator-exhausted",
        "w1",
        """E1101 12:00:00.1 1 range_allocator.go:324] "Unhandled Error" err="error syncing 'w1': failed to allocate cidr from cluster cidr at idx:0: """
        'CIDR allocation failed; there are no remaining CIDRs left to allocate in the accepted range, requeuing"',
    ),
    (
        "allocator-exits-out-of-range",
        "w7",
        "failed to mark cidr[10.0.0.0/24] at idx [0] as occupied for node: w7: cidr 10.0.0.0/24 is out the range of cluster cidr 10.244.0.0/16",
    ),
    (
        "allocator-exits-family",
        "w8.example",
        "node:w8.example has an allocated cidr: fd00::/64 at index:1 that does not exist in cluster cidrs configuration",
    ),
    (
        "allocator-patch-failed",
        "w2",
        'E1101 1 range_allocator.go:400] "Failed to update node PodCIDR after multiple attempts" err="x" node="w2" podCIDRs=["10.0.0.0/24"]',
    ),
    (
        "allocator-patch-failed",
        "w2",
        '{"ts":1,"msg":"Failed to update node PodCIDR after multiple attempts","node":{"name":"w2"},"podCIDRs":[]}',
    ),
    ("cilium-pool-full", "w4", 'level=warn msg="Unable to allocate node CIDR" nodeName=w4 error="allocator full"'),
    (
        "cilium-pool-empty",
        "w5",
        'failed to allocate ipv4 address for node "w5" from pool "default": pool empty',
    ),
    (
        "identity-range-exhausted",
        "",
        'level=warning msg="Key allocation attempt failed" attempt=3 error="no more available IDs in configured space" subsys=allocator',
    ),
    (
        "identity-allocation-failed",
        "",
        'level=warning msg="Key allocation attempt failed" attempt=3 error="timeout" subsys=allocator',
    ),
    (
        "flannel-network-mismatch",
        "w3",
        'subnet "10.0.0.0/16" specified in the flannel net config doesn\'t contain "10.1.0.0/24" PodCIDR of the "w3" node',
    ),
    ("flannel-no-pod-cidr", "x", 'E1 main.go:332] Error registering network: node "x" pod cidr not assigned'),
    (
        "bridge-has-other-address",
        "",
        'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "4f": plugin type="bridge" '
        'failed (add): failed to set bridge addr: "cni0" already has an IP address different from 10.244.3.1/24',
    ),
    (
        "host-local-full",
        "",
        "failed to allocate for range 0: no IP addresses available in range set: 10.244.3.1-10.244.3.254",
    ),
    (
        "cilium-range-full",
        "",
        'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: [POST /ipam][502] postIpamFailure range is full',
    ),
    (
        "cilium-agent-down",
        "",
        "unable to connect to Cilium agent: failed to create cilium agent client after 30.000000 seconds timeout",
    ),
    (
        "endpoint-create-timeout",
        "",
        "Unable to create endpoint: Cilium API client timeout exceeded",
    ),
    (
        "cni-uninitialized",
        "",
        "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:Network plugin returns error: cni plugin not initialized",
    ),
    (
        "flannel-state-missing",
        "",
        "loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file or directory",
    ),
    (
        "calico-agent-down",
        "",
        "stat /var/lib/calico/nodename: no such file or directory: check that the calico/node container is running",
    ),
    ("sandbox-image", "", 'failed to get sandbox image "registry.k8s.io/pause:3.8": failed to pull image'),
)


@pytest.mark.parametrize(("identifier", "node", "line"), LINES, ids=[line[0] for line in LINES])
def test_a_line_that_matters(identifier: str, node: str, line: str) -> None:
    """It is known, and so is the Node it is about."""
    found = matching(line)
    assert found is not None and (found.id, node_named(line)) == (identifier, node)


@pytest.mark.parametrize(
    "line",
    [
        'I1101 12:00:00 range_allocator.go:400] "Set node PodCIDR" node="w1" podCIDRs=["10.0.1.0/24"]',
        'level=info msg="Regenerating endpoint" subsys=endpoint reason="policy rules added"',
        "open /run/flannel/subnet.env: permission denied",
        "dial tcp 127.0.0.1:50051: connected",
        "",
    ],
)
def test_a_line_that_does_not_matter(line: str) -> None:
    """Success, and what only looks alike."""
    assert matching(line) is None


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_every_pattern_can_be_found(pattern: log_pattern.LogPattern) -> None:
    """None is hidden by a more general one above it; each says something, and has a cause that is declared."""
    assert matching(" ".join(("x", *pattern.also, pattern.text, "y"))) is pattern
    assert pattern.meaning.endswith(".")
    assert pattern.cause in {value for name, value in vars(log_pattern).items() if name.isupper()}


def test_ids_are_unique() -> None:
    """An id names one text."""
    assert len({pattern.id for pattern in PATTERNS}) == len(PATTERNS)


@given(st.text(max_size=300))
def test_any_text_is_fine(text: str) -> None:
    """Whatever a log holds: an answer and no error; a name is one that a Node can have."""
    matching(text)
    assert set(node_named(text)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


@given(st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?", fullmatch=True))
def test_names_in_every_form(name: str) -> None:
    """As texts, as logfmt, as JSON, and JSON within JSON."""
    for line in (f'node="{name}" x', f"for node: {name}: cidr", f"error syncing '{name}': x", f'of the "{name}" node'):
        assert node_named(line) == name
        assert node_named(json.dumps({"msg": line})) == name
