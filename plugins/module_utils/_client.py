# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The one HTTP door to the Kubernetes API.

``kubernetes`` is used only to understand kubeconfig files, exec plugins and token refresh (see ``_credentials``); the
requests go through an own ``urllib3`` pool. That is the part of the client that stays the same from 31.x over 36.x to 37.x, where generated
models, call signatures and even the sending of the Authorization header changed, and it gives control over retries:
``urllib3`` repeats a DELETE by itself after a 429 or 503 with Retry-After, which a guarded write must not do.
"""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
import typing as t
import urllib.parse
from collections.abc import Generator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._credentials import configuration_of, last_words
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError

JsonObject = dict[str, t.Any]
JsonObjects = list[JsonObject]
Params = Mapping[str, t.Any]

_READ_ATTEMPTS = 5
_LONGEST_PAUSE = 10.0
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete all"}
_OBJECT_VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


class KubeClient:
    """Raw JSON requests to one API server; safe to be used by several threads."""

    def __init__(
        self,
        configuration: t.Any,
        *,
        impersonate_user: str | None = None,
        impersonate_groups: t.Sequence[str] = (),
        request_timeout: float = 30.0,
        source: str = "",
    ) -> None:
        """Build the connection pool of a configuration (see ``_credentials``); nothing is sent yet.

        ``source`` says where the credentials came from and is only used in error sentences.
        """
        self._configuration = configuration
        self._impersonate_user = impersonate_user
        self._impersonate_groups = list(impersonate_groups)
        self._request_timeout = request_timeout
        self._source = source
        self._auth_lock = threading.Lock()
        self.host: str = str(configuration.host).rstrip("/")
        self._pool = _pool_manager(configuration, self.host)

    @classmethod
    def from_options(cls, options: Mapping[str, t.Any]) -> KubeClient:
        """Connect as the module options say (see ``_options.auth_argument_spec``).

        Order: ``host`` with a credential, then ``kubeconfig``, then the default kubeconfig, then the service account of
        the pod we run in. Single options override what a kubeconfig says.
        Raises InputError when a file, context or option is unusable, or no credentials are found.
        """
        configuration, source = configuration_of(options)
        return cls(
            configuration,
            impersonate_user=options.get("impersonate_user"),
            impersonate_groups=options.get("impersonate_groups") or (),
            request_timeout=float(options.get("request_timeout") or 30),
            source=source,
        )

    # -- requests ------------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: t.Any = None,
        content_type: str = "application/json",
        timeout: float | None = None,
        repeat: bool = True,
    ) -> JsonObject:
        """One request; the decoded JSON object of a 2xx answer.

        Reads are repeated a few times after a lost connection, 429, 502, 503 and 504. A write is repeated only after a
        429 of API priority and fairness (the server says that it did nothing); never after a lost connection, where
        nobody knows. Evictions are never repeated here: their 429 is an answer about a disruption budget. Without
        ``repeat`` nothing is: the caller has its own rules.
        Raises ApiError (status 0: no answer).
        """
        data = None if body is None else json.dumps(body).encode()
        seconds = timeout or self._request_timeout
        answer = self._answer(method, path, params, data, content_type, seconds, repeat=repeat)
        return _decode(answer, method, path, self.host)

    def get_text(self, path: str, params: Params | None = None) -> bytes:
        """What is at ``path`` as the server writes it, for who decodes it elsewhere (see ``decode``)."""
        return self._answer("GET", path, params, None, "", self._request_timeout)

    def decode(self, data: bytes, path: str) -> JsonObject:
        """The object of a ``get_text``; ApiError when it is no JSON."""
        return _decode(data, "GET", path, self.host)

    def reconnected(self) -> KubeClient:
        """The same with connections of its own, for a process that was forked: no two may share a connection."""
        return KubeClient(
            self._configuration,
            impersonate_user=self._impersonate_user,
            impersonate_groups=self._impersonate_groups,
            request_timeout=self._request_timeout,
            source=self._source,
        )

    def _answer(
        self,
        method: str,
        path: str,
        params: Params | None,
        data: bytes | None,
        content_type: str,
        seconds: float,
        *,
        repeat: bool = True,
    ) -> bytes:
        url = self.host + path + ("?" + _query(params) if params else "")
        for attempt in range(1, _READ_ATTEMPTS + 1):
            try:
                return self._send(method, path, url, data, content_type, seconds)
            except ApiError as error:
                if not repeat or attempt == _READ_ATTEMPTS or not _may_repeat(method, path, error):
                    raise
                pause = error.retry_after if error.retry_after is not None else 0.2 * 2**attempt
                time.sleep(min(pause, _LONGEST_PAUSE) * (0.75 + random.random() / 4))
        raise AssertionError("unreachable")

    def get(self, path: str, params: Params | None = None) -> JsonObject:
        """The object at ``path``; ApiError with status 404 when there is none."""
        return self.request("GET", path, params=params)

    def find(self, path: str) -> JsonObject | None:
        """The object at ``path``, or None when there is none (404)."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, path: str, *, params: Params | None = None, page_size: int = 500) -> JsonObjects:
        """All items of a collection, page by page, as one consistent picture.

        When the continue token expires half way (410) the list starts over once; then ApiError.
        """
        try:
            return self._all_pages(path, params, page_size)
        except ApiError as error:
            if error.status != 410:
                raise
        return self._all_pages(path, params, page_size)

    def create(self, path: str, body: Mapping[str, t.Any], *, dry_run: bool = False) -> JsonObject:
        """POST ``body`` to the collection ``path``; the created object."""
        return self.request("POST", path, params=_dry_run(dry_run), body=body)

    def patch(
        self,
        path: str,
        body: t.Any,
        *,
        content_type: str = "application/merge-patch+json",
        dry_run: bool = False,
    ) -> JsonObject:
        """PATCH the object at ``path``; put ``metadata.uid`` and ``metadata.resourceVersion`` in to guard it."""
        return self.request("PATCH", path, params=_dry_run(dry_run), body=body, content_type=content_type)

    def delete(
        self,
        path: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: str = "Background",
        dry_run: bool = False,
        repeat: bool = True,
    ) -> JsonObject:
        """DELETE the object at ``path``, only while it has this uid and resourceVersion (409 otherwise)."""
        options: JsonObject = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation_policy,
        }
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if any(preconditions.values()):
            options["preconditions"] = {key: value for key, value in preconditions.items() if value}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        return self.request("DELETE", path, params=_dry_run(dry_run), body=options, repeat=repeat)

    def evict(
        self,
        namespace: str,
        name: str,
        *,
        uid: str,
        grace_period_seconds: int | None = None,
        dry_run: bool = False,
    ) -> JsonObject:
        """Ask for the eviction of exactly this pod (policy/v1); ApiError 429 while a disruption budget forbids it."""
        delete_options: JsonObject = {"preconditions": {"uid": uid}}
        if grace_period_seconds is not None:
            delete_options["gracePeriodSeconds"] = grace_period_seconds
        if dry_run:
            delete_options["dryRun"] = ["All"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": delete_options,
        }
        return self.request("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body=body)

    def allowed(
        self,
        verb: str,
        resource: str,
        *,
        group: str = "",
        subresource: str = "",
        namespace: str = "",
        name: str = "",
    ) -> bool:
        """Whether our credentials may do this (SelfSubjectAccessReview).

        An empty namespace means all of them, and an empty name every object.
        """
        attributes = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        review = self.request(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
            },
        )
        return bool((review.get("status") or {}).get("allowed"))

    def stream(self, path: str, params: Params, *, timeout: float) -> Generator[JsonObject, None, None]:
        """The JSON objects of an answer that comes line by line, as that of a watch; nothing is repeated.

        ``timeout``: seconds without a line. Who stops early closes the generator, which ends the connection. Raises
        ApiError for a refusal (before the first object) and for a connection that is lost (status 0).
        """
        import urllib3

        response = self._open(path, params, timeout)
        try:
            if response.status != 200:
                raise self._refusal("GET", path, response)
            rest = b""
            for part in response.stream(1 << 16, decode_content=True):
                *lines, rest = (rest + part).split(b"\n")
                for line in filter(None, lines):
                    yield _decode(line, "GET", path, self.host)
            if rest:
                raise self._no_answer("GET", path, ConnectionResetError("the answer ends within a line"))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._no_answer("GET", path, error) from error
        finally:
            response.close()

    def server_version(self) -> str:
        """``gitVersion`` of the API server, for example ``v1.36.1``."""
        return str(self.get("/version").get("gitVersion") or "")

    # -- internals -----------------------------------------------------------------------------------------------

    def _all_pages(self, path: str, params: Params | None, page_size: int) -> JsonObjects:
        items: list[JsonObject] = []
        token = ""
        while True:
            query = {**(params or {}), "limit": page_size}
            if token:
                query["continue"] = token
            page = self.get(path, query)
            kind = str(page.get("kind") or "").removesuffix("List")
            for item in page.get("items") or []:
                # Items of a typed list carry neither kind nor apiVersion; saved state must stay readable without them.
                if kind:
                    item.setdefault("kind", kind)
                    item.setdefault("apiVersion", page.get("apiVersion"))
                items.append(item)
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return items

    def _headers(self, content_type: str, has_body: bool) -> t.Any:
        import urllib3

        headers = urllib3.HTTPHeaderDict()
        headers["Accept"] = "application/json"
        headers["User-Agent"] = "podnet.upkeep"
        if has_body:
            headers["Content-Type"] = content_type
        with self._auth_lock:  # the refresh hook of the configuration may run an exec plugin: once is enough
            settings = self._configuration.auth_settings()
        for setting in settings.values():
            if setting.get("in") == "header" and setting.get("value"):
                headers[setting["key"]] = setting["value"]
        if self._impersonate_user:
            headers["Impersonate-User"] = self._impersonate_user
        for group in self._impersonate_groups:
            headers.add("Impersonate-Group", group)
        return headers

    def _send(self, method: str, path: str, url: str, data: bytes | None, content_type: str, timeout: float) -> bytes:
        import urllib3

        try:
            response = self._pool.request(
                method,
                url,
                body=data,
                headers=self._headers(content_type, data is not None),
                timeout=urllib3.Timeout(connect=min(timeout, 10.0), read=timeout),
                retries=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._no_answer(method, path, error) from error
        if 200 <= response.status < 300:
            return bytes(response.data)
        raise self._refusal(method, path, response)

    def _open(self, path: str, params: Params, timeout: float) -> t.Any:
        import urllib3

        try:
            return self._pool.request(
                "GET",
                f"{self.host}{path}?{_query(params)}",
                headers=self._headers("", has_body=False),
                timeout=urllib3.Timeout(connect=min(timeout, 10.0), read=timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._no_answer("GET", path, error) from error

    def _no_answer(self, method: str, path: str, error: Exception) -> ApiError:
        return ApiError(
            f"Cannot reach the Kubernetes API at {self.host}: {_cause_of(error)}; "
            f"check {self._source or 'the host and kubeconfig options'}, the network and the proxy.",
            reason="NoAnswer",
            method=method,
            path=path,
        )

    def _refusal(self, method: str, path: str, response: t.Any) -> ApiError:
        status = int(response.status)
        body = _status_object(response.data)
        words = str(body.get("message") or "").strip() or f"HTTP status {status}"
        act = describe_request(method, path)
        details = body.get("details") or {}
        if status == 401:
            message = (
                f"The Kubernetes API at {self.host} does not accept the credentials of "
                f"{self._source or 'the given options'} (401, tried to {act}): they are missing, wrong or expired."
            )
        elif status == 403:
            message = f"No permission to {act} at {self.host}: {words}."
        else:
            message = f"The Kubernetes API at {self.host} refused to {act}: {words} (HTTP {status})."
        return ApiError(
            message.replace("..", "."),
            status=status,
            reason=str(body.get("reason") or ""),
            method=method,
            path=path,
            causes=details.get("causes") or (),
            body=body,
            retry_after=_retry_after(response.headers.get("Retry-After"), details.get("retryAfterSeconds")),
        )


def describe_request(method: str, path: str) -> str:
    """What a request does, in words: ``("DELETE", "/api/v1/nodes/w1")`` -> ``delete nodes "w1"``."""
    parts = [urllib.parse.unquote(part) for part in path.split("?", maxsplit=1)[0].strip("/").split("/")]
    group = ""
    if parts[:1] == ["api"] and len(parts) > 2:
        rest = parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return f"{method} {path}"
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource = rest[0] + (f".{group}" if group else "")
    name = rest[1] if len(rest) > 1 else ""
    if len(rest) > 2:
        resource = f"{rest[0]}/{rest[2]}" + (f".{group}" if group else "")
    verb = (_OBJECT_VERBS if name else _COLLECTION_VERBS).get(method, method)
    where = f' in namespace "{namespace}"' if namespace else ""
    return f"{verb} {resource}" + (f' "{name}"' if name else "") + where


def _may_repeat(method: str, path: str, error: ApiError) -> bool:
    if method == "GET":
        # A refused connection or an unknown host is not a hiccup: say so at once. A lost one is worth a second try.
        return error.status in (429, 502, 503, 504) or (error.status == 0 and "connection was lost" in str(error))
    return error.status == 429 and not path.endswith("/eviction")


def _query(params: Params) -> str:
    pairs = []
    for key, value in params.items():
        if value is None:
            continue
        pairs.append((key, str(value).lower() if isinstance(value, bool) else str(value)))
    return urllib.parse.urlencode(pairs)


def _dry_run(dry_run: bool) -> Params | None:
    return {"dryRun": "All"} if dry_run else None


def _decode(data: bytes, method: str, path: str, host: str) -> JsonObject:
    try:
        decoded = json.loads(data) if data else {}
    except ValueError as error:
        raise ApiError(
            f"{host} answered {method} {path} with something that is not JSON; is it really a Kubernetes API server?",
            method=method,
            path=path,
            reason="NotJson",
        ) from error
    return decoded if isinstance(decoded, dict) else {"value": decoded}


def _status_object(data: bytes) -> JsonObject:
    try:
        decoded = json.loads(data)
    except ValueError:
        return {"message": data[:300].decode(errors="replace").strip()}
    return decoded if isinstance(decoded, dict) else {"message": str(decoded)[:300]}


def _retry_after(header: str | None, seconds: object) -> float | None:
    for value in (header, seconds):
        if value is None:
            continue
        try:
            return max(0.0, float(str(value)))
        except ValueError:
            continue
    return None


def _cause_of(error: Exception) -> str:
    """A few plain words for a urllib3 or socket error."""
    import urllib3

    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        following = getattr(current, "reason", None)
        current = following if isinstance(following, BaseException) else (current.__cause__ or current.__context__)
    for link in chain:
        if isinstance(link, ConnectionRefusedError):
            return "connection refused"
        if isinstance(link, socket.gaierror):
            return "the host name cannot be resolved"
    for link in chain:
        if isinstance(link, urllib3.exceptions.ConnectTimeoutError):
            return "no connection in the time allowed"
        if isinstance(link, (urllib3.exceptions.ReadTimeoutError, TimeoutError)):
            return "no answer in the time allowed (request_timeout)"
        if isinstance(link, urllib3.exceptions.SSLError):
            return f"TLS: {last_words(str(link))}"
        if isinstance(link, urllib3.exceptions.ProxyError):
            return f"proxy: {last_words(str(link))}"
    for link in chain:
        if isinstance(link, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
            return "the connection was lost"
        if isinstance(link, (urllib3.exceptions.ProtocolError, urllib3.exceptions.IncompleteRead)):
            return "the connection was lost"
    for link in chain:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror.lower()
    return last_words(str(error))


def _pool_manager(configuration: t.Any, host: str) -> t.Any:
    import urllib3

    arguments: dict[str, t.Any] = {"maxsize": 32, "num_pools": 4, "block": False}
    if host.startswith("https"):
        arguments["cert_reqs"] = "CERT_REQUIRED" if configuration.verify_ssl else "CERT_NONE"
        if not configuration.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        for ours, theirs in (
            ("ca_certs", "ssl_ca_cert"),
            ("cert_file", "cert_file"),
            ("key_file", "key_file"),
            ("server_hostname", "tls_server_name"),
        ):
            value = getattr(configuration, theirs, None)
            if value:
                arguments[ours] = value
        if getattr(configuration, "ca_cert_data", None):
            arguments["ca_cert_data"] = configuration.ca_cert_data
        if configuration.assert_hostname is not None:
            arguments["assert_hostname"] = configuration.assert_hostname
    for ours in ("ca_certs", "cert_file", "key_file"):
        name = arguments.get(ours)
        if name and not os.path.isfile(name):
            option = {"ca_certs": "ca_cert", "cert_file": "client_cert", "key_file": "client_key"}[ours]
            raise InputError(f"{option}: the file {name} does not exist; give the path of a PEM file.")
    proxy = getattr(configuration, "proxy", None)
    if proxy and not _bypasses_proxy(host, getattr(configuration, "no_proxy", None)):
        return urllib3.ProxyManager(
            proxy_url=proxy, proxy_headers=getattr(configuration, "proxy_headers", None), **arguments
        )
    return urllib3.PoolManager(**arguments)


def _bypasses_proxy(host: str, no_proxy: str | None) -> bool:
    """Whether ``no_proxy`` (comma separated names and domain suffixes, or ``*``) covers the API server's host."""
    name = (urllib.parse.urlsplit(host).hostname or "").lower()
    patterns = [pattern.strip().lower().lstrip("*").lstrip(".") for pattern in (no_proxy or "").split(",")]
    return (no_proxy or "").strip() == "*" or any(
        pattern and (name == pattern or name.endswith("." + pattern)) for pattern in patterns
    )
