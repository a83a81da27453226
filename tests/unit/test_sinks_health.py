"""Health answers over HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
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
    server = HealthServer(
        "127.0.0.1", 0, "TOUCHLINE_LOADER_HEALTH_PORT", Checks(list, lambda: ["one reason", "another"]), registry
    )
    server.start()
    try:
        assert get(server.port, "/healthz") == (200, "ok\n")
        assert get(server.port, "/readyz") == (503, "one reason\nanother\n")
        assert "touchline_example 3.0" in get(server.port, "/metrics?x=1")[1]
        assert get(server.port, "/other")[0] == 404
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (("sinks.clickhouse", "load"), "TOUCHLINE_LOADER_HEALTH_PORT"),
        (("sinks.notify",), "TOUCHLINE_NOTIFIER_HEALTH_PORT"),
        (("streams.main",), "TOUCHLINE_HEALTH_PORT"),
    ],
)
def test_a_taken_port_is_named_in_one_line(command: tuple[str, ...], setting: str, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TOUCHLINE_", "KAFKA_"))}
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        env |= {setting: port, "TOUCHLINE_DATA_DIR": str(tmp_path), "TOUCHLINE_INSTANCE": "one"}
        env |= {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "TOUCHLINE_CONTROL_SECRET": "0123456789abcdef"}
        env |= {"TOUCHLINE_PERSONAL_KEY": "0123456789abcdef"}
        done = subprocess.run([sys.executable, "-m", *command], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert f"{setting}: port {port} on 127.0.0.1 is taken" in done.stderr.splitlines()[-1]
