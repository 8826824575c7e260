# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What the modules about cilium-config have in common: options, where Cilium is, and of which release."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import AGENT, OPERATOR, owners
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_profiles import PROFILES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release, parse_release
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_RESOURCES = ("daemonsets", "deployments", "configmaps", "ciliumnodeconfigs", "nodes")
#: How a program of Cilium is called in options and results, and its workload (kind, name).
COMPONENTS: Mapping[str, str] = {OPERATOR: "operator", AGENT: "agents"}


def cilium_argument_spec() -> dict[str, dict[str, t.Any]]:
    """Options that say where Cilium is (a fresh dict at every call); documented in the fragment ``podnet.upkeep.cilium``."""
    return {
        "cilium_namespace": {"type": "str", "default": ""},
        "cilium_version": {"type": "str", "default": ""},
    }


def cilium_context(params: Mapping[str, t.Any], client: KubeClient, more: Collection[str] = ()) -> Context:
    """What is asked of the cluster about Cilium's configuration, and ``more`` resources. Raises ApiError."""
    wanted = live.LiveOptions(resources=(*_RESOURCES, *more), cilium_namespace=params["cilium_namespace"])
    return Context(live.collect(client, wanted))


def namespace_of(params: Mapping[str, t.Any], context: Context) -> str:
    """Cilium's namespace: the option, else where its DaemonSet or ConfigMap is."""
    return str(params["cilium_namespace"] or context.cilium.namespace)


def release_of(params: Mapping[str, t.Any], context: Context) -> Release | None:
    """The release by the option, else by the images; None when neither tells. Raises InputError."""
    text = params["cilium_version"].strip()
    if not text:
        return context.cilium.version
    try:
        return parse_release(text)
    except ValueError as error:
        raise InputError(f"cilium_version: {error}; write it as 1.18.") from error


def texts_of(values: Mapping[str, t.Any]) -> dict[str, str]:
    """Values of a playbook as cilium-config has them: true, 5000, '15m0s'. Raises InputError for what is no such value."""
    return {str(key): _text(str(key), value) for key, value in values.items()}


def _text(key: str, value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    raise InputError(
        f"values: {key} is neither a text nor a number nor true or false; write it as cilium-config has it."
    )


def values_of_profile(name: str, release: Release | None) -> dict[str, str]:
    """The keys of a profile that the release has."""
    return {key: value for key, value in PROFILES[name].values.items() if owners(key, release)}


def components_of(by_key: Mapping[str, t.Iterable[str]]) -> list[str]:
    """The components that read any of the keys: operator before agents."""
    readers = {one for names in by_key.values() for one in names}
    return [word for program, word in COMPONENTS.items() if program in readers]
