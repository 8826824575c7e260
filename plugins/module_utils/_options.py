# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Options shared by all modules of this collection, and the one place where errors become ``fail_json``."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError


def auth_argument_spec() -> dict[str, dict[str, t.Any]]:
    """Options that say how to reach the Kubernetes API (a fresh dict at every call).

    Names, aliases and environment fall-backs are those of ``kubernetes.core``, so that existing credentials work.
    """
    return {
        "kubeconfig": {"type": "raw", "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG"])},
        "context": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_CONTEXT"])},
        "host": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_HOST"])},
        "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["K8S_AUTH_API_KEY"])},
        "ca_cert": {
            "type": "path",
            "aliases": ["ssl_ca_cert"],
            "fallback": (env_fallback, ["K8S_AUTH_SSL_CA_CERT"]),
        },
        "client_cert": {
            "type": "path",
            "aliases": ["cert_file"],
            "fallback": (env_fallback, ["K8S_AUTH_CERT_FILE"]),
        },
        "client_key": {
            "type": "path",
            "no_log": False,  # a path; the key itself never enters the options
            "aliases": ["key_file"],
            "fallback": (env_fallback, ["K8S_AUTH_KEY_FILE"]),
        },
        "validate_certs": {
            "type": "bool",
            "aliases": ["verify_ssl"],
            "fallback": (env_fallback, ["K8S_AUTH_VERIFY_SSL"]),
        },
        "proxy": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_PROXY"])},
        "tls_server_name": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_TLS_SERVER_NAME"])},
        "impersonate_user": {"type": "str", "fallback": (env_fallback, ["K8S_AUTH_IMPERSONATE_USER"])},
        "impersonate_groups": {
            "type": "list",
            "elements": "str",
            "fallback": (env_fallback, ["K8S_AUTH_IMPERSONATE_GROUPS"]),
        },
        "request_timeout": {"type": "int", "default": 30},
    }


_SECRET_KUBECONFIG_KEYS = frozenset({"token", "password", "client-key-data", "client-certificate-data", "id-token"})


def _secrets_of(kubeconfig: object) -> list[str]:
    """The strings of an inline kubeconfig that must never be printed."""
    if isinstance(kubeconfig, Mapping):
        found: list[str] = []
        for key, value in kubeconfig.items():
            if key in _SECRET_KUBECONFIG_KEYS and isinstance(value, str) and value:
                found.append(value)
            else:
                found.extend(_secrets_of(value))
        return found
    if isinstance(kubeconfig, list):
        return [secret for item in kubeconfig for secret in _secrets_of(item)]
    return []


def run_module(module: AnsibleModule, function: Callable[[AnsibleModule], Mapping[str, t.Any]]) -> t.NoReturn:
    """Run ``function(module)`` and end the module: its mapping goes to ``exit_json``.

    An :class:`UpkeepError` ends it with ``fail_json(msg=<its sentence>, **details)`` instead; anything else is a
    defect of this collection and keeps its traceback.
    """
    module.no_log_values.update(_secrets_of(module.params.get("kubeconfig")))
    try:
        result = dict(function(module))
    except UpkeepError as error:
        module.fail_json(msg=str(error), **error.details())
    result.setdefault("changed", False)
    module.exit_json(**result)
    raise AssertionError("exit_json ends the process")
