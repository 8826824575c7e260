"""A web server that keeps what it is sent, and that can keep its senders waiting."""

from __future__ import annotations

import http.server
import threading
from types import TracebackType
from typing import Any


class Receiver:
    """While its `with` block lasts, a server on `address`; `requests` has (method, path, body) of each request.

    Between `hold` and `let_go` nobody is answered.
    """

    def __init__(self, address: str = "127.0.0.1") -> None:
        """It listens from here on, on a port that is free."""
        self.requests: list[tuple[str, str, bytes]] = []
        self._answering = threading.Event()
        self._answering.set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Keeps what it is sent."""

            def _keep(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.requests.append((self.command, self.path, body))
                receiver._answering.wait()
                try:
                    self.send_response(200)
                    self.end_headers()
                except OSError:
                    self.close_connection = True  # who has waited is gone

            do_POST = do_PUT = _keep

            def log_message(self, *_arguments: Any) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{address}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold(self) -> None:
        """Answer nobody from now on."""
        self._answering.clear()

    def let_go(self) -> None:
        """Answer all who wait, and all who come."""
        self._answering.set()
