# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What objects of a saved state look like: checked once when a file is read, so that no check meets a surprise.

An API server validates its objects; a file may have been cut, edited or made by something else.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# A shape is a type; a list with the shape of its items; or a dict of shapes by key. A key that ends in "*" must be
# there, the key "" stands for any. null under a named key is taken for absent; keys that are not named are not looked at.
Shape: t.TypeAlias = "type | list[t.Any] | dict[str, t.Any]"

_TEXTS: Shape = {"": str}
_METADATA: Shape = {
    "name*": str,
    "namespace": str,
    "uid": str,
    "resourceVersion": str,
    "creationTimestamp": str,
    "deletionTimestamp": str,
    "labels": _TEXTS,
    "annotations": _TEXTS,
    "finalizers": [str],
}
_CONTAINER: Shape = {"name": str, "command": [str], "args": [str]}
SHAPES: Mapping[str, Shape] = {
    "nodes": {
        "metadata*": _METADATA,
        "spec": {
            "podCIDR": str,
            "podCIDRs": [str],
            "unschedulable": bool,
            "providerID": str,
            "taints": [{"key": str, "value": str, "effect": str}],
        },
        "status": {
            "addresses": [{"type": str, "address*": str}],
            "conditions": [{"type": str, "status": str}],
            "nodeInfo": _TEXTS,
            "capacity": _TEXTS,
        },
    },
    "pods": {
        "metadata*": _METADATA,
        "spec": {"nodeName": str, "hostNetwork": bool, "containers": [_CONTAINER]},
        "status": {"phase": str, "podIPs": [{"ip*": str}]},
    },
    "daemonsets": {"metadata*": _METADATA},
    "configmaps": {"metadata*": _METADATA, "data": _TEXTS},
    "leases": {"metadata*": _METADATA, "spec": {"holderIdentity": str, "leaseTransitions": int}},
}
_WORDS: Mapping[type, str] = {str: "a text", bool: "true or false", int: "a number", list: "a list"}


def fault(value: t.Any, shape: Shape, where: str) -> str:
    """The first place where ``value`` has not this shape, in words; empty when it has."""
    if isinstance(shape, dict):
        return _fault_of_mapping(value, shape, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is not a list"
        found = (fault(item, shape[0], f"{where}[{index}]") for index, item in enumerate(value))
        return next((text for text in found if text), "")
    # in Python, True is an int
    if not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        return f"{where} is not {_WORDS[shape]}"
    return ""


def _fault_of_mapping(value: t.Any, shape: dict[str, t.Any], where: str) -> str:
    if not isinstance(value, dict):
        return f"{where} is not an object"
    if "" in shape:
        found = (fault(item, shape[""], f"{where}.{key}") for key, item in value.items())
        return next((text for text in found if text), "")
    for key, inner in shape.items():
        name = key.rstrip("*")
        item = value.get(name)
        if item is None:
            if key.endswith("*"):
                return f"{where}.{name} is missing"
            continue
        text = fault(item, inner, f"{where}.{name}")
        if text:
            return text
    return ""
