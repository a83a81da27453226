"""Missed steps at every border of docs/journeys.md, computed by hand."""

from __future__ import annotations

import pytest

from tests.journey_case import DAY, HOUR, MINUTE, NOON, Log, placed, run, touch

DUE = NOON + 10 * MINUTE
FIRE = DUE + MINUTE
"""`paid`: within 10m, grace 1m, no arrives_within."""


def paid_at(at: int, log: int | None = None) -> Log:
    history = Log()
    history.attach(placed())
    history.attach(touch("payment_captured", at, log=log))
    return history


@pytest.mark.parametrize(("w", "fired"), [(DUE, False), (FIRE - 1, False), (FIRE, True), (FIRE + DAY, True)])
def test_a_deadline_fires_exactly_when_the_tick_reaches_it(w: int, fired: bool) -> None:
    log = Log()
    log.attach(placed())
    log.tick(w)
    assert (("paid", "firing", "fired", True) in run(log).told) is fired


@pytest.mark.parametrize(("at", "states"), [(FIRE, []), (FIRE + 1, ["resolved"])])
def test_occurred_at_due_plus_grace_is_in_time(at: int, states: list[str]) -> None:
    log = paid_at(at)
    log.tick(FIRE)
    outcome = run(log)
    assert [state for _, state, _, _ in outcome.told] == states
    assert [broken["cleared_at"] for broken in outcome.journey()["breaks"]] == [at for _ in states]


def test_what_was_settled_late_is_judged_by_the_tick_like_everything_else() -> None:
    """Partitions run side by side: the late payment may be read before the one that was in time."""
    log = Log()
    log.attach(placed())
    log.attach(touch("payment_captured", FIRE + 1))
    log.attach(touch("invoice_accepted", FIRE - 1))
    log.tick(FIRE)
    assert run(log).alerts == []


@pytest.mark.parametrize(("at", "states"), [(FIRE, []), (FIRE + 1, ["resolved"])])
def test_a_failure_at_due_plus_grace_stops_the_deadline(at: int, states: list[str]) -> None:
    log = Log()
    log.attach(placed())
    log.attach(touch("order_cancelled", at))
    log.tick(at + DAY)
    outcome = run(log)
    assert [state for _, state, _, _ in outcome.told] == states
    assert outcome.journey()["status"] == "failed"
    assert outcome.journey()["ended_at"] == at


def test_no_deadline_fires_before_w_reaches_the_log_time_of_every_touchpoint() -> None:
    log = Log()
    log.attach(placed(log=NOON + HOUR))
    log.tick(NOON + HOUR - 1)
    log.tick(NOON + HOUR)
    outcome = run(log)
    assert [alert["cause_log_time"] for alert in outcome.alerts] == [NOON + HOUR]


def test_a_step_judged_missed_stays_so_when_something_else_arrives() -> None:
    log = Log()
    log.attach(placed())
    log.tick(FIRE)
    log.attach(touch("payment_declined", FIRE, log=FIRE + HOUR))
    log.tick(FIRE + 1)
    assert run(log).told == [("paid", "firing", "fired", True)]


def test_arrives_within_of_the_source_delays_the_deadline() -> None:
    log = paid_at(NOON)
    log.attach(touch("ready_for_pickup", NOON))
    log.tick(NOON + 7 * DAY + 21 * MINUTE - 1)
    log.tick(NOON + 7 * DAY + 21 * MINUTE)
    (alert,) = run(log).alerts
    assert (alert["kind"], alert["due_at"]) == ("handoff_lost", NOON + 7 * DAY)
    assert alert["cause_log_time"] == NOON + 7 * DAY + 21 * MINUTE


def test_a_step_waits_for_the_step_before_it() -> None:
    log = Log()
    log.attach(placed())
    log.attach(touch("order_approved", NOON))
    log.tick(NOON + 9 * DAY)
    outcome = run(log)
    assert outcome.final == {("c1", "order_id:7", "paid", 1): "firing"}
    assert outcome.step("ready")["due_at"] is None


def test_a_later_step_settles_the_ones_before_it() -> None:
    log = Log()
    log.attach(placed())
    log.attach(touch("picked_up", DUE, channel="store"))
    log.tick(NOON + DAY)
    outcome = run(log)
    assert outcome.told == []
    assert [outcome.step(name)["status"] for name in ("paid", "ready", "collected")] == [
        "skipped",
        "skipped",
        "reached",
    ]
    assert outcome.journey()["status"] == "succeeded"


def test_count_marks_the_step_and_nothing_leaves_it_waiting() -> None:
    log = Log()
    log.attach(placed(), touch("payment_captured", NOON), touch("ready_for_pickup", NOON))
    log.attach(touch("picked_up", NOON, channel="store"))
    log.tick(NOON + 2 * DAY + MINUTE)
    outcome = run(log)
    assert outcome.told == []
    assert outcome.step("answered")["status"] == "missed"
    assert outcome.step("approved")["status"] == "waiting"


def test_a_deadline_after_the_lifetime_is_none() -> None:
    log = paid_at(NOON + 9 * DAY)
    log.attach(touch("ready_for_pickup", NOON + 9 * DAY))
    log.tick(NOON + 30 * DAY)
    outcome = run(log)
    assert ("c1", "order_id:7", "collected", 1) not in outcome.final
    assert outcome.journey()["status"] == "expired"
    assert outcome.journey()["ended_at"] == NOON + 10 * DAY


def test_late_news_withdraws_and_later_news_resolves() -> None:
    for at, state in ((FIRE, "withdrawn"), (FIRE + 1, "resolved")):
        log = Log()
        log.attach(placed())
        log.tick(FIRE + HOUR)
        log.attach(touch("payment_captured", at, log=FIRE + 2 * HOUR))
        assert [alert["state"] for alert in run(log).alerts] == ["firing", state]


@pytest.mark.parametrize("step", [MINUTE, 7 * MINUTE, 3 * HOUR, 40 * DAY])
def test_the_spacing_of_ticks_changes_no_final_break(step: int) -> None:
    log = paid_at(NOON + 3 * MINUTE)
    end = NOON + 12 * DAY
    for w in range(NOON, end, max(step, HOUR)):
        log.tick(w)
    log.tick(end)
    outcome = run(log)
    assert outcome.final == {("c1", "order_id:7", "ready", 1): "resolved"}
    assert [(b["name"], b["cleared_at"]) for b in outcome.journey()["breaks"]] == [("ready", None)]
