"""Whole runs on real Kafka and ClickHouse: from the script to a verdict and past the oracle; and time that stops."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.results import read_topic
from deploy.stack import Stack
from schemas.settings import read_settings
from tests.integration.test_cli import TOUCHLINE, Deployment, eventually

TOUCHPOINTS = 3_000


@pytest.mark.parametrize("kill", [None, "worker", "loader"])
def test_a_run_is_as_the_script_and_the_oracle_say(tmp_path: Path, kill: str | None) -> None:
    exported, figures = tmp_path / "export", tmp_path / "figures.json"
    command = [TOUCHLINE, "demo", "--once", "--touchpoints", str(TOUCHPOINTS), "--seed", "4"]
    command += ["--export", str(exported), "--json", str(figures), "--backtest", *(["--kill", kill] if kill else [])]
    env = Deployment(tmp_path).env | {"TMPDIR": str(tmp_path)}
    del env["TOUCHLINE_DATA_DIR"]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr[-3_000:]
    found = json.loads(figures.read_text())
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert len(found["kills"]) == (3 if kill else 0)
    assert found["backtest"]["both"] > 40, "what a backtest of the same touchpoints raises was compared, too"
    oracle = [sys.executable, "-m", "tests.oracle", str(exported), *(["--killed"] if kill else [])]
    judged = subprocess.run(oracle, capture_output=True, text=True, timeout=100)
    assert judged.returncode == 0, judged.stdout


CATALOGUE = """
ordered: {owner: shop, impact: {stage: purchase, mode: activate, criticality: high}}
paid: {owner: shop, impact: {stage: purchase, mode: activate, criticality: high}}
"""
DEFINITION = """
journey: purchase
version: 1
mode: live
owner: shop
instance: {key: order_id}
start: {touchpoint: ordered}
steps: {paid: {touchpoint: paid, within: 4s}}
outcome: {success: paid}
grace: 1s
"""
NO_SOURCES = "{}\n"


def test_a_dead_front_door_stops_time_and_raises_no_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline passes while nothing can arrive; it fires when time goes on, and not before."""
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "purchase.yaml").write_text(DEFINITION)
    (tmp_path / "touchpoints.yaml").write_text(CATALOGUE)
    (tmp_path / "sources.yaml").write_text(NO_SOURCES)
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = read_settings(
        data_dir=tmp_path / "data",
        definitions_dir=tmp_path / "journeys",
        catalogue_file=tmp_path / "touchpoints.yaml",
        sources_file=tmp_path / "sources.yaml",
    )
    stack = Stack(settings)
    try:
        places = stack.start(lambda _: None)
        answer = _order(places.collector_url, stack.secrets.write_keys["web"])
        assert answer["accepted"] == 1
        stack.kill("collector")
        well_past_due = time.monotonic() + 8
        assert eventually(lambda: bool(_alerts(stack)) or time.monotonic() > well_past_due)
        assert _alerts(stack) == []
        stack.revive("collector")
        assert eventually(lambda: len(_alerts(stack)) == 1)
        (alert,) = _alerts(stack)
        assert (alert["state"], alert["break_name"], alert["notify"]) == ("firing", "paid", True)
        assert alert["anchor"] == "order_id:7788"
    finally:
        stack.stop()


def _alerts(stack: Stack) -> list[dict[str, Any]]:
    return list(read_topic(stack.kafka_options(), "alerts"))


def _order(url: str, key: str) -> Any:
    touchpoint = {
        "message_id": "m-1",
        "name": "ordered",
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "identifiers": {"anonymous_id": "a-1", "order_id": "7788"},
    }
    request = urllib.request.Request(
        f"{url}/v1/touchpoints",
        data=json.dumps({"touchpoints": [touchpoint]}).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": "Basic " + b64encode(f"{key}:".encode()).decode(),
        },
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.loads(reply.read())
