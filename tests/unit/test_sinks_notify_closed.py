"""What a person closed stays closed for whoever hears of alerts, when the journey goes to another customer, too."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from schemas.fast import fast_decoder
from schemas.records import Alert
from sinks.notify.outbox import Arrived, Outbox
from sinks.notify.routing import Route
from tests.journey_case import HOUR, MINUTE, NOON, Log, placed, run

WEBHOOK = Route("webhook", "webhook", "http://127.0.0.1/hook")
_decode = fast_decoder(Alert)


def closed_then_moved() -> list[Alert]:
    """An order is not paid in time, somebody closes the alert, and then it turns out to be another customer's."""
    log = Log()
    log.attach(placed(tid="start"))
    log.tick(NOON + 11 * MINUTE)
    log.acknowledge("paid", closes=True)
    log.detach("start", moved_to="c2")
    log.attach(placed(tid="start"), customer="c2", moved_from="c1")
    log.tick(NOON + HOUR)
    return [_decode(effect.value or b"") for effect in run(log).effects if effect.topic == "alerts"]


def test_the_alert_of_the_next_customer_is_told_to_nobody(tmp_path: Path) -> None:
    alerts = closed_then_moved()
    first, second, third = alerts
    assert [(one.state, one.reason, one.notify) for one in alerts] == [
        ("firing", "fired", True),
        ("resolved", "closed", True),
        ("firing", "fired", True),
    ]
    assert third.continues == first.alert_id
    outbox = Outbox(tmp_path / "o.sqlite", [WEBHOOK])
    reasons = [
        decision.reason
        for decision in outbox.accept([Arrived(0, first), Arrived(0, second)], 1).decisions
        if decision is not None
    ]
    outbox.close()
    outbox = Outbox(tmp_path / "o.sqlite", [WEBHOOK])
    (decision,) = outbox.accept([Arrived(1, third)], 2).decisions
    assert decision is not None
    assert [*reasons, decision.reason] == ["told", "told", "closed"]
    assert outbox.waiting() == 2
    assert outbox.open_incidents() == 0
    assert outbox.board.listed(["firing", "acknowledged"], None, 10) == []
    outbox.close()


def test_a_file_of_the_format_before_remembers_from_now_on(tmp_path: Path) -> None:
    first, second, third = closed_then_moved()
    with sqlite3.connect(path := tmp_path / "o.sqlite") as old:
        old.executescript(
            "CREATE TABLE told (dedup_key TEXT PRIMARY KEY, state TEXT NOT NULL, round INTEGER NOT NULL,"
            " changed_at INTEGER NOT NULL, by TEXT) STRICT; PRAGMA user_version = 3"
        )
        old.execute("INSERT INTO told VALUES (?, 'firing', 1, 1, NULL)", (first.dedup_key,))
    old.close()
    outbox = Outbox(path, [WEBHOOK])
    decisions = outbox.accept([Arrived(0, second), Arrived(1, third)], 1).decisions
    assert [one.reason for one in decisions if one is not None] == ["told", "closed"]
    outbox.close()


@pytest.mark.parametrize("kept_for", [0, 1])
def test_it_is_forgotten_with_what_was_told(tmp_path: Path, kept_for: int) -> None:
    _, second, third = closed_then_moved()
    outbox = Outbox(tmp_path / "o.sqlite", [WEBHOOK])
    outbox.accept([Arrived(0, second)], 1)
    assert outbox.forget(second.changed_at + 1 - kept_for, 1) == 1 - kept_for
    (decision,) = outbox.accept([Arrived(1, third)], 2).decisions
    assert decision is not None
    assert decision.reason == ("closed" if kept_for else "told")
    outbox.close()
