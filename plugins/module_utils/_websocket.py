# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Opens a WebSocket to an API server, with the credentials, TLS and proxy of a KubeClient.

``websocket-client`` comes with the Python library ``kubernetes``.
"""

from __future__ import annotations

import ssl
import typing as t
import urllib.parse
from collections.abc import Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient, _bypasses_proxy
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError


def connect(client: KubeClient, path: str, query: str, subprotocols: Sequence[str], timeout: float) -> t.Any:
    """The connection to ``path`` after its handshake (a ``websocket.WebSocket``).

    Raises ApiError (the server refused, or cannot be reached), InputError (settings that cannot be used) and TimeoutError: for exec the API server answers the
    handshake only when it has reached the kubelet.
    """
    try:
        import websocket
    except ImportError as error:
        raise InputError(
            f"The Python library websocket-client cannot be imported ({error}); install it for the interpreter that runs "
            "this module, or ask no agents."
        ) from error

    headers = client._headers("", False)
    url = f"ws{client.host.removeprefix('http')}{path}?{query}"
    options: dict[str, t.Any] = {
        "header": [f"{key}: {value}" for key, value in headers.items() if key.lower() != "accept"],
        "subprotocols": list(subprotocols),
        "suppress_origin": True,
        "redirect_limit": 0,
        "enable_multithread": False,
        "skip_utf8_validation": True,
        **_proxy(client._configuration, client.host),
    }
    if client.host.startswith("https"):
        options["sslopt"] = _tls(client._configuration, client.host)
    try:
        return websocket.create_connection(url, timeout=timeout, **options)
    except websocket.WebSocketBadStatusException as error:
        raise client._refusal("GET", path, _Refusal(error)) from error
    except (websocket.WebSocketTimeoutException, TimeoutError) as error:
        raise TimeoutError(f"no answer within {timeout:g} s") from error
    except (websocket.WebSocketException, OSError) as error:
        raise client._no_answer("GET", path, error) from error


class _Refusal:
    """The refused handshake, as ``KubeClient`` reads answers."""

    def __init__(self, error: t.Any) -> None:
        self.status = int(error.status_code)
        self.data: bytes = getattr(error, "resp_body", None) or b""
        self.headers: dict[str, str] = {}
        for key, value in (getattr(error, "resp_headers", None) or {}).items():
            self.headers[key.title()] = value


def _tls(configuration: t.Any, host: str) -> dict[str, t.Any]:
    """TLS as the connection pool of the client does it."""
    from urllib3.util.ssl_ import create_urllib3_context

    required = ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
    context = create_urllib3_context(cert_reqs=required)
    authority = configuration.ssl_ca_cert
    data = getattr(configuration, "ca_cert_data", None)
    if authority or data:
        context.load_verify_locations(cafile=authority or None, cadata=data or None)
    elif configuration.verify_ssl:
        context.load_default_certs()
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    name = getattr(configuration, "tls_server_name", None) or urllib.parse.urlsplit(host).hostname
    if configuration.assert_hostname is False:
        context.check_hostname = False
    elif configuration.assert_hostname:
        name = configuration.assert_hostname
    return {"context": context, "server_hostname": name}


def _proxy(configuration: t.Any, host: str) -> dict[str, t.Any]:
    """The proxy of the client's settings, and never one that the environment names besides."""
    proxy = getattr(configuration, "proxy", None)
    if not proxy or _bypasses_proxy(host, getattr(configuration, "no_proxy", None)):
        return {"http_no_proxy": ["*"]}
    parts = urllib.parse.urlsplit(str(proxy))
    if parts.scheme != "http":
        raise InputError(f"proxy: '{proxy}' cannot carry exec; give an http:// proxy, or ask no agents.")
    login = (parts.username, parts.password or "") if parts.username else None
    return {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or 80,
        "http_proxy_auth": login,
        "http_no_proxy": ["none.invalid"],
        "proxy_type": "http",
    }
