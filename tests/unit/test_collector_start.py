"""A collector that cannot start says which setting is wrong, in one line. No Kafka is needed for that."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def refused(tmp_path: Path, **settings: str) -> str:
    keys = tmp_path / "keys.yaml"
    keys.write_text("write_keys: {some-key-1: {source: web, trust: browser}}\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TOUCHLINE_", "KAFKA_"))}
    env |= {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "TOUCHLINE_CONTROL_SECRET": "0123456789abcdef"}
    env |= {"TOUCHLINE_PERSONAL_KEY": "0123456789abcdef"}
    done = subprocess.run(
        [sys.executable, "-m", "sources.collector"],
        env=env | {"TOUCHLINE_WRITE_KEYS_FILE": str(keys)} | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        line = refused(tmp_path, TOUCHLINE_COLLECTOR_PORT=port)
    assert line == (
        f"collector: TOUCHLINE_COLLECTOR_PORT: port {port} on 127.0.0.1 is taken:"
        " end the program that holds it, or set another"
    )


@pytest.mark.parametrize(("host", "why"), [("no-such-host.invalid", "unknown host"), ("203.0.113.1", "Cannot assign")])
def test_an_address_that_is_not_ours_is_named(tmp_path: Path, host: str, why: str) -> None:
    line = refused(tmp_path, TOUCHLINE_COLLECTOR_HOST=host)
    assert line.startswith(f"collector: TOUCHLINE_COLLECTOR_HOST: cannot listen on {host} port 8080 ({why}")


def test_without_a_personal_key_nothing_personal_could_be_hashed(tmp_path: Path) -> None:
    line = refused(tmp_path, TOUCHLINE_PERSONAL_KEY="")
    assert line.startswith("collector: TOUCHLINE_PERSONAL_KEY is missing. Set the same key for collectors, workers")


def test_identity_rules_that_cannot_be_used_are_named_by_line(tmp_path: Path) -> None:
    rules = tmp_path / "identity.yaml"
    rules.write_text("identifiers:\n  emial: {most: 3}\n")
    line = refused(tmp_path, TOUCHLINE_IDENTITY_FILE=str(rules))
    assert line == f"collector: {rules}:2:3: identifiers.emial: unknown field. Did you mean 'email'?"
