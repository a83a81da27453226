"""The notifier against a real broker and a receiver that misbehaves: nobody misses an alert, nobody hears it in
the wrong order."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Lock
from time import monotonic, time

import pytest

from sinks.notify.outbox import Outbox
from tests.integration.loader_rig import until
from tests.integration.notifier_rig import WEBHOOK, Alerts, ended, served
from tests.integration.patience import PATIENCE_SECONDS
from tests.sink_records import alert

pytestmark = pytest.mark.timeout(120)
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
def receiver() -> Iterator[tuple[Receiver, dict[str, str]]]:
    """And the settings that make the notifier send there."""
    kept = Receiver()
    with served(kept.take) as port:
        yield (
            kept,
            {
                "TOUCHLINE_WEBHOOK_URL": f"http://127.0.0.1:{port}/hook",
                "TOUCHLINE_WEBHOOK_SECRET": SECRET,
            },
        )


@pytest.fixture
def alerts(kafka: str, topic_prefix: str) -> Iterator[Alerts]:
    found = Alerts(kafka, topic_prefix)
    yield found
    found.close()


def test_firing_then_resolved_signed_and_once(
    alerts: Alerts, receiver: tuple[Receiver, dict[str, str]], tmp_path: Path
) -> None:
    kept, settings = receiver
    moved = alert(2, "moved", offset=3)
    heir = alert(2, offset=4, alert_id="heir", continues=moved.alert_id)
    changes = [alert(1, offset=1), alert(2, offset=2), moved, heir, alert(1, "resolved", offset=5)]
    changes.append(alert(2, "withdrawn", offset=6, alert_id="heir", continues=moved.alert_id, notify=False))
    changes.append(alert(3, offset=7, notify=False, reason="shadow"))
    alerts.produce([*changes, *changes])
    process = alerts.process(tmp_path, settings)
    until(lambda: len(kept.got) >= 4, "four notifications")
    ended(process)
    assert process.returncode == 0
    assert all(found.signed for found in kept.got)
    by_key = {
        key: [got.state for got in kept.got if got.dedup_key == key] for key in {got.dedup_key for got in kept.got}
    }
    assert by_key == {changes[0].dedup_key: ["firing", "resolved"], changes[1].dedup_key: ["firing", "withdrawn"]}


def test_a_receiver_in_trouble_gets_everything_in_order(
    alerts: Alerts, receiver: tuple[Receiver, dict[str, str]], tmp_path: Path
) -> None:
    kept, settings = receiver
    kept.answers = [(503, None), (429, "1"), (500, None)]
    started = monotonic()
    alerts.produce([alert(1, offset=1), alert(1, "resolved", offset=2), alert(1, offset=3)])
    process = alerts.process(tmp_path, settings)
    until(lambda: len(kept.got) >= 3, "three notifications")
    ended(process)
    assert [found.state for found in kept.got] == ["firing", "resolved", "firing"]
    assert len({found.key for found in kept.got}) == 3
    assert monotonic() - started >= 1.0, "Retry-After was not honoured"


def test_what_is_refused_is_parked_and_holds_up_nothing(
    alerts: Alerts, receiver: tuple[Receiver, dict[str, str]], tmp_path: Path
) -> None:
    kept, settings = receiver
    kept.answers = [(400, None)]
    alerts.produce([alert(1, offset=1), alert(1, "resolved", offset=2)])
    process = alerts.process(tmp_path, settings)
    until(lambda: len(kept.got) >= 1, "the second notification")
    ended(process)
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
    alerts: Alerts, receiver: tuple[Receiver, dict[str, str]], tmp_path: Path
) -> None:
    kept, settings = receiver
    random = Random(5)
    offset = 0
    for life in range(4):
        alerts.produce([alert(life * 25 + n, offset=offset + n) for n in range(25)])
        offset += 25
        process = alerts.process(tmp_path, settings)
        enough = random.randrange(offset)
        until(lambda enough=enough: len({got.key for got in kept.got}) >= enough, "some")  # type: ignore[misc]
        process.kill()
        process.wait(PATIENCE_SECONDS)
    process = alerts.process(tmp_path, settings)
    until(lambda: len({got.key for got in kept.got}) == 100, "all hundred")
    ended(process)
    assert len({got.dedup_key for got in kept.got}) == 100
