# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether Cilium makes CiliumEndpoints at all: the key disable-endpoint-crd, and when it is obeyed.

Without a kvstore, policies need CiliumEndpoints: Cilium takes the key for false then, unless no kind of policy is enforced
(pkg/option/config.go of 1.18.4; tried on the real operator by tests/integration/test_clean_races.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_values import boolean

DISABLED = "disable-endpoint-crd"
_POLICIES = ("enable-k8s-networkpolicy", "enable-cilium-network-policy", "enable-cilium-clusterwide-network-policy")


def asked_for(config: Mapping[str, str]) -> bool:
    """Whether the key is set, obeyed or not."""
    return boolean(str(config.get(DISABLED, "false"))) is True


def enforces_policies(config: Mapping[str, str]) -> bool:
    """Whether any policy is enforced."""
    never = str(config.get("enable-policy", "default")).strip().lower() == "never"
    return not never or any(boolean(str(config.get(kind, "true"))) is not False for kind in _POLICIES)


def in_force(config: Mapping[str, str]) -> bool:
    """Whether the key is set and obeyed."""
    return asked_for(config) and (bool(str(config.get("kvstore", "")).strip()) or not enforces_policies(config))
