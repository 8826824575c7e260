# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Options that the modules which judge a cluster share."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.settings import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    settings_from_options,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._label_filter_options import question


def allocator_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The option ``allocator`` (a fresh dict at every call)."""
    return {
        "allocator": {
            "type": "dict",
            "options": {
                "allocate_node_cidrs": {"type": "bool", "default": True},
                "cluster_cidrs": {"type": "list", "elements": "str", "required": True},
                "node_mask_size_ipv4": {"type": "int", "default": 24},
                "node_mask_size_ipv6": {"type": "int", "default": 64},
                "service_ranges": {"type": "list", "elements": "str", "default": []},
            },
        },
    }


def label_filter_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The option ``label_filter`` (a fresh dict at every call)."""
    return {
        "label_filter": {
            "type": "dict",
            "options": {
                "labels": {"type": "str"},
                "target_version": {"type": "str"},
                "version": {"type": "str"},
                "target_identities": {"type": "int"},
            },
        },
    }


def audit_settings(options: Mapping[str, t.Any]) -> AuditSettings:
    """AuditSettings of module options. Raises InputError naming the option whose value cannot be used."""
    stated = options.get("allocator")
    try:
        allocator = settings_from_options(stated) if stated else None
    except CidrError as error:
        raise InputError(f"allocator: {error}.") from error
    factor = options.get("headroom_factor")
    if factor is None:
        return AuditSettings(allocator=allocator)
    asked = options.get("label_filter")
    label_filter = question(asked, "label_filter: ") if asked else None
    if not factor >= 0:
        raise InputError(f"headroom_factor: {factor} is not a factor; give a number that is not negative, such as 2.0.")
    return AuditSettings(allocator=allocator, headroom_factor=float(factor), label_filter=label_filter)


def allocator_in_force(options: Mapping[str, t.Any], client: KubeClient) -> AllocatorSettings:
    """The allocator's settings as stated, else as the cluster shows them, which takes a picture of all of it.

    What reads the cluster is imported only then: to compile it takes longer than most of a Node's steps. Raises InputError,
    ApiError.
    """
    settings = audit_settings(options)
    if settings.allocator is not None:
        return settings.allocator

    from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
    from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live

    return Context(live.collect(client), settings).allocator
