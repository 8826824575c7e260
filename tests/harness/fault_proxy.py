"""A proxy in front of the real API server that misbehaves when told to.

It takes faults as the fake API does (`unit.fake_api.Fault`): queued for requests that match a method and a path, answered
instead of the server, or after it has done its work. The client under test speaks plain HTTP to the proxy, which has the
admin's credentials. Watches do not pass.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlencode

from unit.fake_api import FakeApi, Request
from unit.fake_api.store import Answer

from testbed.client import Client


class FaultProxy(FakeApi):
    """Use it as a context manager; `faults`, `requests`, `before_request` and `options` are those of FakeApi."""

    def __init__(self, kubeconfig: Path) -> None:
        """Forward to the API server of this kubeconfig, as `pki.Authority.kubeconfig` writes it."""
        super().__init__()
        self._client = Client(kubeconfig)

    def answer(self, request: Request) -> Answer:
        """What the real server says."""
        self.before_request(request)
        url = self._client.server + request.path + (f"?{urlencode(request.params)}" if request.params else "")
        data = None if request.body is None else json.dumps(request.body).encode()
        headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
        answer = self._client._pool.request(
            request.method, url, body=data, headers=headers, retries=False, redirect=False, timeout=30.0
        )
        text = answer.data.decode(errors="replace")
        return Answer(answer.status, json.loads(text) if text[:1] == "{" else text)
