"""Health answers over HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request

from prometheus_client import CollectorRegistry, Gauge

from sinks.health import Checks, HealthServer


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_healthy_unready_metrics_and_unknown() -> None:
    registry = CollectorRegistry()
    Gauge("touchline_example", "An example.", registry=registry).set(3)
    server = HealthServer("127.0.0.1", 0, Checks(list, lambda: ["one reason", "another"]), registry)
    server.start()
    try:
        assert get(server.port, "/healthz") == (200, "ok\n")
        assert get(server.port, "/readyz") == (503, "one reason\nanother\n")
        assert "touchline_example 3.0" in get(server.port, "/metrics?x=1")[1]
        assert get(server.port, "/other")[0] == 404
    finally:
        server.stop()
