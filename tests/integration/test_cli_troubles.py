"""What a person reads when something is in the way: one sentence that says what to do, and never a trace."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.test_cli import TOUCHLINE, Deployment, eventually


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path / "data")
    yield made
    subprocess.run([TOUCHLINE, "down"], env=made.env, capture_output=True, timeout=150)


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("TOUCHLINE_TOPIC_PREFX", "x", "TOUCHLINE_TOPIC_PREFX is not a setting. Did you mean TOUCHLINE_TOPIC_PREFIX?"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1", "does not answer (connection refused): start it, or correct"),
        ("CLICKHOUSE_URL", "http://u:secret-word@127.0.0.1:1", "does not answer (connection refused): start it, or"),
        ("TOUCHLINE_DATA_DIR", "/proc/none", "give another data directory (TOUCHLINE_DATA_DIR)"),
    ],
)
def test_up_says_what_is_wrong_and_starts_nothing(
    deployment: Deployment, setting: str, value: str, sentence: str
) -> None:
    deployment.env[setting] = value
    output = deployment.run("up", code=2)
    (line,) = output.splitlines()
    assert line.startswith("touchline: ")
    assert sentence in line
    assert "secret-word" not in line
    assert not deployment.home.exists()
    if setting.startswith(("KAFKA", "CLICK")):
        assert sentence in deployment.run("status", code=1)


def test_two_ups_at_once_make_one_deployment_and_what_falls_is_told(deployment: Deployment) -> None:
    ups = [
        subprocess.Popen([TOUCHLINE, "up"], env=deployment.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    outputs = [up.communicate(timeout=200)[0].decode() for up in ups]
    assert [up.returncode for up in ups] == [0, 0], outputs
    assert sorted(output.count("runs already") for output in outputs) in ([0, 4], [1, 3], [2, 2])
    assert outputs[0].splitlines()[-5:] == outputs[1].splitlines()[-5:]
    started = [json.loads(file.read_text())["pid"] for file in (deployment.home / "run").glob("*.json")]
    assert len(started) == 4
    mine = [found for found in psutil.process_iter() if _belongs(found, deployment.home)]
    assert sorted(found.pid for found in mine) == sorted(started)

    notifier = json.loads((deployment.home / "run" / "notifier.json").read_text())
    os.kill(notifier["pid"], signal.SIGKILL)
    assert eventually(lambda: not psutil.pid_exists(notifier["pid"]))
    assert "notifier ended by itself; its last words: " in deployment.run("status", code=1)
    with socket.create_server(("127.0.0.1", notifier["ports"]["health"])):
        deployment.env["TOUCHLINE_NOTIFIER_HEALTH_PORT"] = str(notifier["ports"]["health"])
        output = deployment.run("up", code=2).splitlines()[-1]
        assert "is taken by another program: end that program, or set another port" in output
        assert "`touchline down` stops it" in output
    deployment.run("up")
    deployment.run("down")
    assert "ended by itself" not in deployment.run("status", code=1)
    assert "nothing runs here" in deployment.run("down")


def _belongs(found: psutil.Process, home: Path) -> bool:
    try:
        command = found.cmdline()
        part = command[1:2] == ["-m"] and command[2].startswith(("sources.", "streams.", "sinks."))
        return bool(part and found.environ().get("TOUCHLINE_DATA_DIR") == str(home))
    except psutil.Error:
        return False
