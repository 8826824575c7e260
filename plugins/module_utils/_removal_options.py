# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The options of the modules that judge whether a Node is really gone."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.removal_plan import RemovalOptions


def removal_argument_spec() -> dict[str, dict[str, t.Any]]:
    """A fresh dict at every call; its documentation is the fragment ``podnet.upkeep.removal``."""
    return {
        "quarantine": {"type": "int", "default": 1800},
        "settle_seconds": {"type": "int", "default": 40},
        "controller_settle_seconds": {"type": "int", "default": 30},
        "max_share": {"type": "float", "default": 0.2},
        "powered_off": {"type": "list", "elements": "str", "default": []},
        "accepted_risks": {"type": "list", "elements": "str", "default": []},
        "namespace": {"type": "str", "default": "kube-system"},
    }


def removal_options(params: Mapping[str, t.Any], nodes: tuple[str, ...], max_nodes: int) -> RemovalOptions:
    """Module options as the operation wants them. Raises InputError for a number that makes no sense."""
    for name in ("quarantine", "settle_seconds", "controller_settle_seconds"):
        if params[name] < 0:
            raise InputError(f"{name}: {params[name]} is no time; give seconds, 0 or more.")
    if not 0 <= params["max_share"] <= 0.5:
        raise InputError(
            f"max_share: {params['max_share']:g} is not usable; give a share of the cluster's Nodes from 0 to 0.5. When more "
            "of them are gone at once, find out why before anything is deleted."
        )
    if max_nodes < 1:
        raise InputError(f"max_nodes: {max_nodes} is not usable; give 1 or more.")
    return RemovalOptions(
        nodes=nodes,
        quarantine=params["quarantine"],
        settle_seconds=params["settle_seconds"],
        controller_settle_seconds=params["controller_settle_seconds"],
        max_nodes=max_nodes,
        max_share=params["max_share"],
        accepted_risks=tuple(params["accepted_risks"]),
        powered_off=tuple(params["powered_off"]),
        namespace=params["namespace"],
    )
