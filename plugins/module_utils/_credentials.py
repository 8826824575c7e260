# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Server and credential that the options name: from a kubeconfig, single options, or the pod that we run in.

Plain kubeconfigs are read without the library ``kubernetes`` (see ``_plain_kubeconfig``); the library reads all others,
and those that are wrong.
"""

from __future__ import annotations

import logging
import os
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._plain_kubeconfig import (
    empty_configuration,
    read_plain,
)

_SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class _LoggedErrors(logging.Handler):
    """Collects what the ``kubernetes`` library only logs: it hides the failure of an exec plugin this way."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def configuration_of(options: Mapping[str, t.Any]) -> tuple[t.Any, str]:
    """A ``kubernetes.client.Configuration``, or what has its attributes, and words for where it came from.

    Raises InputError when a file, context or option is unusable, or no credentials are found.
    """
    host = options.get("host")
    kubeconfig = options.get("kubeconfig")
    has_credential = options.get("api_key") or (options.get("client_cert") and options.get("client_key"))
    if host and has_credential and not kubeconfig:
        configuration = empty_configuration() or _library()[0].Configuration()
        source = "the options host, api_key, client_cert and client_key"
    else:
        configuration, source = _load_credentials(kubeconfig, options.get("context"))
    _apply_single_options(configuration, options)
    if not str(configuration.host).startswith(("http://", "https://")):
        raise InputError(f"host: '{configuration.host}' is not a URL; write it as https://ADDRESS:PORT.")
    return configuration, source


def last_words(text: str) -> str:
    """An error's text for the end of a sentence."""
    return text.replace("\n", " ").strip().rstrip(".")


def _library() -> tuple[t.Any, t.Any]:
    """Modules ``client`` and ``config`` of ``kubernetes``."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise InputError(
            f"The Python library kubernetes cannot be imported ({error}); install kubernetes>=31,!=36.0.0,!=36.0.1,<38 "
            "for the interpreter that runs this module."
        ) from error
    return client, config


def _apply_single_options(configuration: t.Any, options: Mapping[str, t.Any]) -> None:
    for option, attribute in (
        ("host", "host"),
        ("ca_cert", "ssl_ca_cert"),
        ("client_cert", "cert_file"),
        ("client_key", "key_file"),
        ("proxy", "proxy"),
        ("tls_server_name", "tls_server_name"),
    ):
        if options.get(option):
            setattr(configuration, attribute, options[option])
    if options.get("validate_certs") is not None:
        configuration.verify_ssl = options["validate_certs"]
    if options.get("api_key"):
        # Both keys: 36.0.1 reads only BearerToken, 31 to 35 read only authorization.
        for key in ("authorization", "BearerToken"):
            configuration.api_key[key] = f"Bearer {options['api_key']}"
        configuration.refresh_api_key_hook = None


def _load_credentials(kubeconfig: t.Any, context: str | None) -> tuple[t.Any, str]:
    if isinstance(kubeconfig, Mapping):
        return _read(kubeconfig, context, "the inline kubeconfig", {"config_dict": dict(kubeconfig)})
    if kubeconfig:
        path = os.path.expanduser(str(kubeconfig))
        for part in path.split(os.pathsep):
            if not os.path.isfile(part):
                raise InputError(f"kubeconfig: the file {part} does not exist; give the path of a kubeconfig file.")
        return _read(path, context, f"kubeconfig {path}", {"config_file": path})
    default = os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")
    if any(os.path.isfile(part) for part in default.split(os.pathsep)):
        return _read(default, context, f"kubeconfig {default}", {"config_file": default})
    if os.path.isfile(_SERVICE_ACCOUNT_TOKEN):
        client, config = _library()
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException as error:
            raise InputError(f"The service account of this pod cannot be used: {last_words(str(error))}.") from error
        return configuration, "the service account of this pod"
    raise InputError(
        f"No credentials for the Kubernetes API: there is no kubeconfig at {default} and this is not a pod; "
        "set the option kubeconfig (or the variable K8S_AUTH_KUBECONFIG), or host with api_key."
    )


def _read(
    kubeconfig: Mapping[str, t.Any] | str, context: str | None, source: str, where: Mapping[str, t.Any]
) -> tuple[t.Any, str]:
    configuration: t.Any = read_plain(kubeconfig, context)
    if configuration is None:
        configuration = read_with_library(where, context, source)
    return configuration, source + (f" (context {context})" if context else "")


def read_with_library(where: Mapping[str, t.Any], context: str | None, source: str) -> t.Any:
    """The ``kubernetes.client.Configuration`` of ``config_dict`` or ``config_file``. Raises InputError."""
    import yaml

    client, config = _library()
    configuration = client.Configuration()
    load = config.load_kube_config_from_dict if "config_dict" in where else config.load_kube_config
    logged = _LoggedErrors()
    root = logging.getLogger()
    root.addHandler(logged)
    try:
        load(context=context, client_configuration=configuration, persist_config=False, **where)
    except OSError as error:
        raise InputError(f"kubeconfig: {source} cannot be read: {error.strerror or error}.") from error
    except (config.ConfigException, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(_kubeconfig_sentence(where, source, context, error)) from error
    finally:
        root.removeHandler(logged)
    authenticated = configuration.api_key or configuration.cert_file
    if logged.messages and not authenticated:
        raise InputError(
            f"kubeconfig: the credential plugin that {source} names failed: {last_words(logged.messages[-1])}."
        )
    return configuration


def _kubeconfig_sentence(where: Mapping[str, t.Any], source: str, context: str | None, error: Exception) -> str:
    if context:
        contexts = _context_names(where)
        if contexts is not None and context not in contexts:
            known = ", ".join(contexts) or "none"
            return f"context: {source} has no context '{context}'; it has: {known}."
    return f"kubeconfig: {source} is not usable: {last_words(str(error))}."


def _context_names(where: Mapping[str, t.Any]) -> list[str] | None:
    import yaml

    try:
        if "config_dict" in where:
            listed = where["config_dict"].get("contexts") or []
        else:
            listed = []
            for part in str(where["config_file"]).split(os.pathsep):
                with open(part, encoding="utf-8") as file:
                    listed += (yaml.safe_load(file) or {}).get("contexts") or []
        return [str(entry["name"]) for entry in listed]
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return None  # the sentence then quotes the library's own words about the broken file
