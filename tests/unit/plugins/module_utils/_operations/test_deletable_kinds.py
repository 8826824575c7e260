"""The kinds that clean-up deletes, and what can be undone."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._operations import deletion_undo_plan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletable_kinds import KINDS, restorable


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "path"),
    [
        ("CiliumIdentity", "48213", "", "/apis/cilium.io/v2/ciliumidentities/48213"),
        ("CiliumNode", "w1", "", "/apis/cilium.io/v2/ciliumnodes/w1"),
        ("CiliumEndpoint", "cart-1", "shop", "/apis/cilium.io/v2/namespaces/shop/ciliumendpoints/cart-1"),
        ("Pod", "cart-1", "shop", "/api/v1/namespaces/shop/pods/cart-1"),
        ("Pod", "../nodes/w1", "shop", "/api/v1/namespaces/shop/pods/..%2Fnodes%2Fw1"),
    ],
)
def test_paths_name_one_object(kind: str, name: str, namespace: str, path: str) -> None:
    assert KINDS[kind].path(name, namespace) == path


def test_each_kind_says_what_undo_can_do() -> None:
    for kind, known in KINDS.items():
        assert restorable(kind) == (known.restorable, known.why)
        assert known.why.endswith(".")
        assert (kind in deletion_undo_plan._RULES) == known.restorable
    assert restorable("Secret") == (False, "Nothing is known about bringing back a Secret.")
