"""A webhook receiver for the demo: keeps each notification once, by its idempotency key."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEPT_MAX = 200_000
BODY_BYTES_MAX = 1 << 20


class Receiver:
    """Serves on a free loopback port, in threads, until `close`."""

    def __init__(self) -> None:
        self.notifications: dict[str, Any] = {}
        self.repeated = 0
        kept = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # Or each notification would need a connection of its own.

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                if not 0 < length <= BODY_BYTES_MAX:
                    self.send_error(413)
                    return
                kept.keep(self.headers.get("Idempotency-Key", ""), json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Silent: the demo shows the count."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 64
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    def keep(self, key: str, notification: Any) -> None:
        if key in self.notifications:
            self.repeated += 1
        elif len(self.notifications) < KEPT_MAX:
            self.notifications[key] = notification

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
