"""What on-call has: a worker and a notifier as processes, `touchline alerts`, a Slack and a pager that
keep what they are told. No collector and no ClickHouse: the worker writes the beats.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from deploy.cli import alerts as commands
from deploy.cli.main import EXPECTED, app
from deploy.embedded.process import free_port
from deploy.topics import ensure
from tests.integration.loader_rig import until
from tests.integration.notifier_rig import Answer, ended, killed, served

WIDTH: Final = 200
SECRET: Final = "a control secret of this test"
ROUTES: Final = """
routes:
  room:
    target: {kind: slack, url_env: SLACK_ROOM}
  pager:
    target: {kind: webhook, url: "URL"}
"""
DEFINITION: Final = """
journey: pickup
version: 1
mode: live
owner: team-payments
runbook: https://wiki.example/pickup
instance: {key: order_id}
start: {touchpoint: order_placed}
steps:
  paid: {touchpoint: payment_captured, after: start}
outcome: {success: paid}
breaks:
  payment_trouble:
    touchpoint: payment_declined
    at_least: 3
    in_window: 10m
    cleared_by: paid
    severity: critical
"""
CATALOGUE: Final = "\n".join(
    f"{name}: {{owner: team-payments, impact: {{stage: purchase, mode: activate, criticality: high}}}}"
    for name in ("order_placed", "payment_declined", "payment_captured")
)


@dataclass
class Heard:
    slack: list[str] = field(default_factory=list)
    pager: list[tuple[str, str, str | None]] = field(default_factory=list)

    def take_slack(self, _: dict[str, str], body: bytes) -> Answer:
        self.slack.append(json.loads(body)["text"])
        return 200, None

    def take_pager(self, _: dict[str, str], body: bytes) -> Answer:
        found = json.loads(body)
        self.pager.append((found["anchor"], found["state"], found["acknowledged_by"]))
        return 200, None

    def titles(self) -> list[str]:
        return [text.split("*")[1] for text in self.slack]

    def pages(self, anchor: str) -> list[str]:
        return [state for found, state, _ in self.pager if found == anchor]


@dataclass
class Shift:
    kafka: str
    prefix: str
    home: Path
    heard: Heard
    env: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, module: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{module}.log").open("ab") as log:
            # Not where the shop's own files lie: the worker takes sources.yaml and identity.yaml from its directory.
            process = subprocess.Popen(
                [sys.executable, "-m", module], env=self.env, cwd=self.home, stdout=log, stderr=log
            )
        self.processes[module] = process
        return process

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        """While all processes live."""

        def holds() -> bool:
            for module, process in self.processes.items():
                log = self.home / f"{module}.log"
                assert process.poll() is None, f"{module} ended: {log.read_text()[-2_000:]}"
            return condition()

        until(holds, what, seconds)

    def run(self, *arguments: str, code: int = 0, **env: str) -> str:
        """`touchline alerts ...`, in this process: a process for each would take most of the test's time."""
        with pytest.MonkeyPatch.context() as patch:
            # Rich took what was set when the module was imported, and pytest-xdist sets 80 columns.
            patch.setattr(commands.console, "_width", WIDTH)
            found = CliRunner().invoke(app, ["alerts", *arguments], env=self.env | env)
        refused = isinstance(found.exception, EXPECTED)
        output = f"{found.output}{found.exception if refused else ''}"
        assert (2 if refused else found.exit_code) == code, (
            f"{arguments}: {found.exit_code} {found.exception!r} {output}"
        )
        return output

    def shop(self, order: str, *names: str) -> None:
        """Touchpoints of one order, a second apart, as a server sends them."""
        now = datetime.now(UTC)
        producer = KafkaProducer(bootstrap_servers=self.kafka, acks="all")
        for number, name in enumerate(names):
            item: dict[str, Any] = {
                "format_version": 1,
                "message_id": f"{order}-{name}-{number}-{now.timestamp()}",
                "name": name,
                "channel": "web",
                "occurred_at": (now - timedelta(seconds=len(names) - number)).isoformat(),
                "identifiers": {"order_id": order, "user_id": f"u{order}"},
            }
            headers = [("source", b"shop")]
            producer.send(self.prefix + "touchpoints.raw", json.dumps(item).encode(), headers=headers)
        producer.flush()
        producer.close()


TROUBLE: Final = ("order_placed", "payment_declined", "payment_declined", "payment_declined")


@contextmanager
def on_shift(kafka: str, prefix: str, home: Path) -> Iterator[Shift]:
    """Ends with all of its processes."""
    heard, port = Heard(), free_port(str(home))
    ensure({"bootstrap_servers": kafka}, prefix)
    (home / "journeys").mkdir()
    (home / "journeys" / "pickup.yaml").write_text(DEFINITION)
    (home / "touchpoints.yaml").write_text(CATALOGUE)
    with served(heard.take_slack) as slack, served(heard.take_pager) as pager:
        (home / "routes.yaml").write_text(ROUTES.replace("URL", f"http://127.0.0.1:{pager}/"))
        settings = {
            "DATA_DIR": str(home), "TOPIC_PREFIX": prefix, "CONTROL_SECRET": SECRET,
            "PERSONAL_KEY": "a personal key of this test", "PROOF_SECRET": "a proof secret of this test",
            "BEATS": "worker", "WORKER_ID": "one", "INSTANCE": "one",
            "HEALTH_PORT": "0", "NOTIFIER_HEALTH_PORT": str(port),
            "NOTIFIER_TOKEN": "a token of this test", "DEFINITIONS_DIR": str(home / "journeys"),
            "CATALOGUE_FILE": str(home / "touchpoints.yaml"), "ROUTES_FILE": str(home / "routes.yaml"),
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOUCHLINE_", "CLICK"))}
        env = kept | {f"TOUCHLINE_{name}": value for name, value in settings.items()}
        env |= {"KAFKA_BOOTSTRAP_SERVERS": kafka, "SLACK_ROOM": f"http://127.0.0.1:{slack}/"}
        shift = Shift(kafka, prefix, home, heard, env)
        try:
            for module in ("streams.main", "sinks.notify"):
                shift.start(module)
            yield shift
            for process in shift.processes.values():
                ended(process)
        finally:
            for process in shift.processes.values():
                killed(process)
