"""The notifier against a real broker and a receiver that misbehaves: nobody misses an alert, nobody hears it in
the wrong order."""

from __future__ import annotations

import hmac
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Lock, Thread
from time import monotonic, time

import pytest
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from schemas.fast import encode
from schemas.records import Alert
from sinks.log_reader import KafkaLog, KafkaOptions
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.notifier import Notifier
from sinks.notify.outbox import Outbox
from sinks.notify.routing import Route
from tests.integration.loader_rig import make_topics, until
from tests.sink_records import alert

pytestmark = pytest.mark.timeout(120)
WEBHOOK = Route("webhook", "webhook", "http://127.0.0.1/hook")
SECRET = "not a secret outside of this test"


class Killed(BaseException):
    """Stands for SIGKILL."""


@dataclass
class Got:
    key: str
    state: str
    dedup_key: str
    signed: bool


@dataclass
class Receiver:
    """Answers with the next of `answers` (status, Retry-After), then 200; remembers what it accepted."""

    answers: list[tuple[int, str | None]] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    attempts: int = 0
    lock: Lock = field(default_factory=Lock)

    def take(self, headers: dict[str, str], body: bytes) -> tuple[int, str | None]:
        found = json.loads(body)
        stamp = headers["Touchline-Timestamp"]
        expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, sha256).hexdigest()
        signed = headers["Touchline-Signature"] == f"v1={expected}" and abs(time() - int(stamp)) < 60
        with self.lock:
            self.attempts += 1
            answer = self.answers.pop(0) if self.answers else (200, None)
            if answer[0] == 200:
                self.got.append(Got(headers["Idempotency-Key"], found["state"], found["dedup_key"], signed))
        return answer


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, str]]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, retry_after = kept.take(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield kept, f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


@dataclass
class Alerts:
    bootstrap: str
    prefix: str

    def __post_init__(self) -> None:
        make_topics(self.bootstrap, [self.prefix + "alerts"], 2)
        self._producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all")

    def produce(self, alerts: Iterable[Alert]) -> None:
        for found in alerts:
            self._producer.send(self.prefix + "alerts", encode(found), partition=0)
        self._producer.flush()

    def notifier(self, path: Path, failpoint: Callable[[str], None] = lambda _: None) -> Notifier:
        options = KafkaOptions(self.bootstrap, self.prefix + "notifier", (self.prefix + "alerts",), "one", 6_000)
        metrics = NotifierMetrics(CollectorRegistry())
        return Notifier(
            KafkaLog(options),
            Outbox(path, [WEBHOOK]),
            metrics,
            now_ms=lambda: int(time() * 1000),
            failpoint=failpoint,
        )

    def process(self, data_dir: Path, url: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "TOUCHLINE_TOPIC_PREFIX": self.prefix,
            "TOUCHLINE_INSTANCE": "one",
            "TOUCHLINE_DATA_DIR": str(data_dir),
            "TOUCHLINE_NOTIFIER_HEALTH_PORT": "0",
            "TOUCHLINE_WEBHOOK_URL": url,
            "TOUCHLINE_WEBHOOK_SECRET": SECRET,
        }
        with (data_dir / "log.txt").open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", "sinks.notify"], env=environment, stdout=log, stderr=log)

    def close(self) -> None:
        self._producer.close()


@pytest.fixture
def alerts(kafka: str, topic_prefix: str) -> Iterator[Alerts]:
    found = Alerts(kafka, topic_prefix)
    yield found
    found.close()


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(20)


def test_firing_then_resolved_signed_and_once(alerts: Alerts, receiver: tuple[Receiver, str], tmp_path: Path) -> None:
    kept, url = receiver
    moved = alert(2, "moved", offset=3)
    heir = alert(2, offset=4, alert_id="heir", continues=moved.alert_id)
    changes = [alert(1, offset=1), alert(2, offset=2), moved, heir, alert(1, "resolved", offset=5)]
    changes.append(alert(2, "withdrawn", offset=6, alert_id="heir", continues=moved.alert_id, notify=False))
    changes.append(alert(3, offset=7, notify=False, reason="shadow"))
    alerts.produce([*changes, *changes])
    process = alerts.process(tmp_path, url)
    until(lambda: len(kept.got) >= 4, "four notifications")
    _ended(process)
    assert process.returncode == 0
    assert all(found.signed for found in kept.got)
    by_key = {
        key: [got.state for got in kept.got if got.dedup_key == key] for key in {got.dedup_key for got in kept.got}
    }
    assert by_key == {changes[0].dedup_key: ["firing", "resolved"], changes[1].dedup_key: ["firing", "withdrawn"]}


def test_a_receiver_in_trouble_gets_everything_in_order(
    alerts: Alerts, receiver: tuple[Receiver, str], tmp_path: Path
) -> None:
    kept, url = receiver
    kept.answers = [(503, None), (429, "1"), (500, None)]
    started = monotonic()
    alerts.produce([alert(1, offset=1), alert(1, "resolved", offset=2), alert(1, offset=3)])
    process = alerts.process(tmp_path, url)
    until(lambda: len(kept.got) >= 3, "three notifications")
    _ended(process)
    assert [found.state for found in kept.got] == ["firing", "resolved", "firing"]
    assert len({found.key for found in kept.got}) == 3
    assert monotonic() - started >= 1.0, "Retry-After was not honoured"


def test_what_is_refused_is_parked_and_holds_up_nothing(
    alerts: Alerts, receiver: tuple[Receiver, str], tmp_path: Path
) -> None:
    kept, url = receiver
    kept.answers = [(400, None)]
    alerts.produce([alert(1, offset=1), alert(1, "resolved", offset=2)])
    process = alerts.process(tmp_path, url)
    until(lambda: len(kept.got) >= 1, "the second notification")
    _ended(process)
    outbox = Outbox(tmp_path / "notify" / "outbox.sqlite", [WEBHOOK])
    assert (outbox.waiting(), outbox.parked(), kept.attempts) == (0, 1, 2)
    outbox.close()


@pytest.mark.parametrize("step", ["accepting", "committing"])
def test_a_kill_around_the_outbox_forgets_and_repeats_nothing(alerts: Alerts, tmp_path: Path, step: str) -> None:
    path = tmp_path / "outbox.sqlite"
    alerts.produce([alert(n, offset=n) for n in range(20)])

    def die(reached: str) -> None:
        if reached == step:
            raise Killed(step)

    doomed = alerts.notifier(path, die)
    with pytest.raises(Killed):
        until(lambda: False, "the kill", work=doomed.step)
    alerts.produce([alert(n, offset=n) for n in range(20, 30)])
    heir = alerts.notifier(path)
    outbox = Outbox(path, [WEBHOOK])
    until(lambda: outbox.waiting() >= 30, "thirty notifications", work=heir.step)
    keys = [found.idempotency_key for found in outbox.due(WEBHOOK.key, int(time() * 1000), 100)]
    assert len(keys) == len(set(keys)) == 30
    outbox.close()
    heir.close()


def test_kill_9_at_random_moments_reaches_the_receiver_all_the_same(
    alerts: Alerts, receiver: tuple[Receiver, str], tmp_path: Path
) -> None:
    kept, url = receiver
    random = Random(5)
    offset = 0
    for life in range(4):
        alerts.produce([alert(life * 25 + n, offset=offset + n) for n in range(25)])
        offset += 25
        process = alerts.process(tmp_path, url)
        enough = random.randrange(offset)
        until(lambda enough=enough: len({got.key for got in kept.got}) >= enough, "some")  # type: ignore[misc]
        process.kill()
        process.wait(20)
    process = alerts.process(tmp_path, url)
    until(lambda: len({got.key for got in kept.got}) == 100, "all hundred")
    _ended(process)
    assert len({got.dedup_key for got in kept.got}) == 100
