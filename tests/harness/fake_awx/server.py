"""The HTTP side of the stand-in: addresses, pages, filters, related links, and the log of requests."""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from . import rules
from .schema import Refused, schema
from .store import Store

JsonObject = dict[str, Any]
TOKEN = "token-of-the-stand-in"
#: Of a user who administers the organization, and not the system.
TOKEN_OF_ORGANIZATION = "token-of-an-organization"
USER = ("admin", "password-of-the-stand-in")
_PREFIX = re.compile(r"^/api(?:/controller)?/v2/")
_JOBS = {"job": "jobs", "workflow_job": "workflow_jobs", "project_update": "project_updates"}


class FakeAwx:
    """A controller at `url`. `requests` has (method, path, body) of everything that was asked."""

    def __init__(self, project_folder: Path | None = None, page_size: int = 3) -> None:
        self.store = Store(project_folder)
        self.page_size = page_size
        self.requests: list[tuple[str, str, Any]] = []
        self.lock = threading.RLock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: Any) -> None:
                return

            def _any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                body = json.loads(raw) if raw else None
                with outer.lock:
                    try:
                        status, answer = outer.answer(
                            self.command, self.path, body, self.headers.get("Authorization", "")
                        )
                    except Refused as refused:
                        status, answer = refused.status, refused.body
                data = json.dumps(answer).encode() if answer is not None else b""
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header(
                    "X-API-Product-Name",
                    "AWX" if "/controller/" not in self.path else "Red Hat Ansible Automation Platform",
                )
                self.send_header("X-API-Product-Version", "24.6.1")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeAwx:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        """Requests that change something; tokens are not counted."""
        return [each for each in self.requests if each[0] != "GET" and "/tokens/" not in each[1]]

    # -- one request -------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: Any, authorization: str) -> tuple[int, Any]:
        """Status and body. Raises Refused."""
        address = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(address.query, keep_blank_values=True))
        self.requests.append((method, path, body))
        prefix = _PREFIX.match(address.path)
        if prefix is None or not address.path.endswith("/"):
            raise Refused(404, {"detail": "The requested resource could not be found."})
        parts = address.path[prefix.end() :].strip("/").split("/")
        basic = "Basic " + base64.b64encode(":".join(USER).encode()).decode()
        if parts[0] == "tokens" and authorization == basic:
            return (201, {"id": 1, "token": TOKEN}) if method == "POST" else (204, None)
        if authorization not in (f"Bearer {TOKEN}", f"Bearer {TOKEN_OF_ORGANIZATION}", basic):
            raise Refused(401, {"detail": "Authentication credentials were not provided."})
        resource = schema().resources.get(parts[0])
        reserved = resource is not None and len(parts) < 3 and method in resource.administrators
        if reserved and authorization == f"Bearer {TOKEN_OF_ORGANIZATION}":
            raise Refused(403, {"detail": "You do not have permission to perform this action."})
        if method in ("POST", "PATCH") and body is not None and not isinstance(body, dict):
            raise Refused(400, {"detail": "JSON parse error - not a JSON object"})
        return self._route(method, prefix[0], parts, query, body or {})

    def _route(
        self, method: str, prefix: str, parts: list[str], query: dict[str, str], body: JsonObject
    ) -> tuple[int, Any]:
        name = parts[0]
        if name in ("config", "ping"):
            return 200, {"version": "24.6.1"}
        if name in _JOBS.values():
            jobs = [self._job(prefix, job) for job in self.store.jobs.values() if _JOBS[job["type"]] == name]
            if len(parts) == 1:
                return 200, self._page(prefix, name, jobs, query)
            return 200, next(job for job in jobs if str(job["id"]) == parts[1])
        if name == "unified_jobs":
            return 200, self._page(prefix, name, [self._job(prefix, job) for job in self.store.jobs.values()], query)
        if name == "unified_job_templates":
            templates = [
                self._show(prefix, kind, thing)
                for kind, resource in schema().resources.items()
                if resource.unified and kind != "workflow_approval_templates"
                for thing in self.store.objects[kind].values()
            ]
            return 200, self._page(prefix, name, templates, query)
        if name not in schema().resources:
            raise Refused(404, {"detail": f"No {name}."})
        if len(parts) == 1:
            if method == "POST":
                return 201, self._show(prefix, name, self.store.create(name, body))
            things = [self._show(prefix, name, thing) for thing in self.store.objects[name].values()]
            return 200, self._page(prefix, name, things, query)
        thing = self.store.objects[name].get(int(parts[1])) if parts[1].isdigit() else None
        if thing is None:
            raise Refused(404, {"detail": "Not found."})
        if len(parts) == 3:
            return self._sub(method, prefix, name, thing, parts[2], query, body)
        if method == "DELETE":
            self.store.delete(name, thing)
            return 202 if name == "inventories" else 204, None
        if method == "PATCH":
            self.store.change(name, thing, body)
        return 200, self._show(prefix, name, thing)

    def _sub(
        self, method: str, prefix: str, name: str, thing: JsonObject, sub: str, query: dict[str, str], body: JsonObject
    ) -> tuple[int, Any]:
        resource = schema().resources[name]
        if sub in resource.lists:
            if method == "POST":
                self.store.associate((name, thing["id"], sub), body)
                return 204, None
            members = [self._show(prefix, resource.lists[sub], each) for each in self.store.related(name, thing, sub)]
            return 200, self._page(prefix, f"{name}/{thing['id']}/{sub}", members, query)
        if sub not in resource.links:
            raise Refused(404, {"detail": f"{name} have no {sub}."})
        if sub == "survey_spec":
            if method == "POST":
                rules.survey(body)
                thing["survey"] = body
                return 200, {}
            if method == "DELETE":
                thing["survey"] = {}
            return 200, thing.get("survey") or {}
        if method != "POST":
            raise Refused(405, {"detail": f'Method "{method}" not allowed.'})
        if sub == "update":
            return 202, self._job(prefix, self.store.update_project(thing))
        if sub == "launch":
            return 201, self._job(prefix, self.store.launch(name, thing, body))
        approval = self.store.create("workflow_approval_templates", body)
        thing["unified_job_template"] = approval["id"]
        return 201, self._show(prefix, "workflow_approval_templates", approval)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _job(self, prefix: str, job: JsonObject) -> JsonObject:
        return {**job, "url": f"{prefix}{_JOBS[job['type']]}/{job['id']}/"}

    def _show(self, prefix: str, name: str, thing: JsonObject) -> JsonObject:
        resource = schema().resources[name]
        url = f"{prefix}{name}/{thing['id']}/"
        shown = {key: value for key, value in thing.items() if key not in ("survey", "playbook_files")}
        related = {each: f"{url}{each}/" for each in (*resource.lists, *resource.links)}
        summary: JsonObject = {}
        for field, spec in resource.fields.items():
            if not spec.of:
                continue
            target = self.store.objects.get(spec.of, {}).get(thing.get(field) or 0)
            kind = spec.of
            if spec.of == "unified_job_templates":
                found = self.store.unified(thing.get(field))
                kind, target = found or ("", None)
            if target is not None:
                related[field] = f"{prefix}{kind}/{target['id']}/"
                summary[field] = {"id": target["id"], "name": target["name"]}
        if name == "credentials":
            fields = self.store.objects["credential_types"][thing["credential_type"]]["inputs"].get("fields", [])
            secret = {field["id"] for field in fields if field.get("secret")}
            shown["inputs"] = {
                key: rules.ENCRYPTED if key in secret else value for key, value in thing["inputs"].items()
            }
        if name == "notification_templates":
            secret = set(schema().notifications.get(thing["notification_type"], {}).get("secret", ()))
            shown["notification_configuration"] = {
                key: rules.ENCRYPTED if key in secret and value else value
                for key, value in thing["notification_configuration"].items()
            }
        return {**shown, "type": resource.type, "url": url, "related": related, "summary_fields": summary}

    def _page(self, prefix: str, address: str, things: list[JsonObject], query: dict[str, str]) -> JsonObject:
        page, size = int(query.pop("page", 1)), int(query.pop("page_size", self.page_size))
        query.pop("order_by", None)
        alternatives = {key[4:]: query.pop(key) for key in list(query) if key.startswith("or__")}
        found = [
            thing
            for thing in things
            if all(self._matches(thing, key, value) for key, value in query.items())
            and (not alternatives or any(self._matches(thing, key, value) for key, value in alternatives.items()))
        ]
        more = page * size < len(found)
        again = urllib.parse.urlencode(
            {**query, **{f"or__{k}": v for k, v in alternatives.items()}, "page": page + 1, "page_size": size}
        )
        return {
            "count": len(found),
            "next": f"{prefix}{address}/?{again}" if more else None,
            "previous": None,
            "results": found[(page - 1) * size : page * size],
        }

    def _matches(self, thing: JsonObject, key: str, value: str) -> bool:
        name, _separator, how = key.partition("__")
        if how not in ("", "in"):
            raise Refused(400, {"detail": f"{key} is no recorded filter."})
        if name not in thing:
            if (
                thing["type"] in ("project", "inventory_source", "job_template", "workflow_job_template")
                and name == "organization"
            ):
                return False
            raise Refused(400, {"detail": f"{thing['type']} has no field named '{name}'."})
        wanted = value.split(",") if how == "in" else [value]
        return str(thing[name]) in wanted
