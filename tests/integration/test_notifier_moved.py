"""A journey that went to another customer, against a real broker: an heir is waited for, by the notifier's clock and
across a kill, and where none comes the receiver hears the end once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sinks.log_reader import KafkaLog, KafkaOptions
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.notifier import Notifier
from sinks.notify.outbox import Outbox
from sinks.notify.quiet import MOVED_WAIT_MS
from tests.integration.loader_rig import until
from tests.integration.notifier_rig import WEBHOOK, Alerts
from tests.sink_records import alert

pytestmark = pytest.mark.timeout(300)
HEIR: dict[str, Any] = {"alert_id": "heir", "continues": "the former"}


class Killed(BaseException):
    """Stands for SIGKILL."""


@dataclass
class Clock:
    """The machine's, and ahead of it by as much as a test says."""

    ahead_ms: int = 0

    def now_ms(self) -> int:
        return int(time() * 1000) + self.ahead_ms


@pytest.fixture
def alerts(kafka: str, topic_prefix: str) -> Iterator[Alerts]:
    found = Alerts(kafka, topic_prefix)
    yield found
    found.close()


def notifier(
    alerts: Alerts, path: Path, clock: Clock, failpoint: Callable[[str], None] = lambda _: None
) -> tuple[Notifier, NotifierMetrics]:
    options = KafkaOptions(alerts.bootstrap, alerts.prefix + "notifier", (alerts.prefix + "alerts",), "one", 6_000)
    metrics = NotifierMetrics(CollectorRegistry())
    outbox = Outbox(path, [WEBHOOK])
    outbox.adopt(clock.now_ms())
    return Notifier(KafkaLog(options), outbox, metrics, now_ms=clock.now_ms, failpoint=failpoint), metrics


def heard(path: Path) -> list[tuple[str, str]]:
    """Anchor and state of what the webhook is to be sent, oldest first."""
    outbox = Outbox(path, [WEBHOOK])
    bodies = [json.loads(found.body) for found in outbox.pile(WEBHOOK.key, 2**60, 100)]
    outbox.close()
    return [(body["anchor"], body["state"]) for body in bodies]


def test_an_heir_is_waited_for_across_a_kill_and_what_has_none_ends(alerts: Alerts, tmp_path: Path) -> None:
    """1 has an heir in a later batch, 2 has none."""
    path, clock = tmp_path / "outbox.sqlite", Clock()
    alerts.produce([alert(1, offset=1), alert(2, offset=2), alert(1, "moved", offset=3), alert(2, "moved", offset=4)])

    def die(reached: str) -> None:
        if reached == "committing":
            raise Killed

    doomed, _ = notifier(alerts, path, clock, die)
    with pytest.raises(Killed):
        until(lambda: False, "the kill", work=doomed.step)
    began = [("order_id:1", "firing"), ("order_id:2", "firing")]
    assert heard(path) == began
    clock.ahead_ms = MOVED_WAIT_MS // 4
    alerts.produce([alert(1, offset=5, **HEIR)])
    second, metrics = notifier(alerts, path, clock)
    until(lambda: metrics.decisions.labels("continues")._value.get() == 1, "the heir", work=second.step)
    assert heard(path) == began
    clock.ahead_ms = MOVED_WAIT_MS
    until(lambda: len(heard(path)) > 2, "the end of the one that nobody continues", work=second.step)
    assert heard(path) == [*began, ("order_id:2", "withdrawn")]
    clock.ahead_ms = 10 * MOVED_WAIT_MS
    alerts.produce([alert(1, "resolved", offset=6, **HEIR)])
    until(lambda: len(heard(path)) > 3, "the end of the heir", work=second.step)
    assert heard(path) == [*began, ("order_id:2", "withdrawn"), ("order_id:1", "resolved")]
    second.close()
