"""`/healthz`, `/readyz` and `/metrics` of a sink, served by a thread of its own.

healthz: the process works (its loop came round lately); readyz: it does what it is for, otherwise 503 and the
reasons, one a line; metrics: Prometheus text. The handlers only read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest

from schemas.settings import no_place

REQUEST_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Checks:
    """Each answers with the reasons why not; empty: all is well."""

    unhealthy: Callable[[], Sequence[str]]
    unready: Callable[[], Sequence[str]]


class HealthServer:
    """Listens until `stop`, answers from `start`. Port 0 takes a free one. Raises SettingsError, which names
    `port_setting`, where it cannot listen.
    """

    def __init__(self, host: str, port: int, port_setting: str, checks: Checks, registry: CollectorRegistry) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(checks, registry))
        except OSError as error:
            raise no_place("TOUCHLINE_HEALTH_HOST", port_setting, host, port, error) from error
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def answer(path: str, checks: Checks, registry: CollectorRegistry) -> tuple[int, bytes]:
    """Status and body of a GET."""
    if path == "/metrics":
        return 200, generate_latest(registry)
    check = {"/healthz": checks.unhealthy, "/readyz": checks.unready}.get(path)
    if check is None:
        return 404, b"use /healthz, /readyz or /metrics\n"
    reasons = check()
    return (503, "".join(f"{reason}\n" for reason in reasons).encode()) if reasons else (200, b"ok\n")


def _handler(checks: Checks, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS

        def do_GET(self) -> None:
            status, body = answer(self.path.partition("?")[0], checks, registry)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes come every few seconds; they are not news."""

    return Handler
