"""Every row of the alert table, through the stage; the table itself; the drawing; the first line."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.identifiers import alert_id_of, dedup_key_of, journey_id_of
from schemas.records import Run
from streams.journey.alerting import TRANSITIONS, drawing
from streams.journey.track import Track
from tests.journey_case import COLLECT, DAY, HOUR, MINUTE, NOON, Log, compiled, placed, play, run, touch

FIRE = NOON + 11 * MINUTE
LATE, IN_TIME = FIRE + MINUTE, NOON + MINUTE
PLACED = f"order_placed@{NOON}"


def paid(at: int) -> tuple[str, int]:
    return ("payment_captured", at)


def history(*what: tuple[str, int] | str) -> Log:
    """A placed order, then: touchpoints, "tick" past the deadline, "-name" takes the touchpoint away, "away"/"back"."""
    log = Log()
    log.attach(placed())
    for item in what:
        if isinstance(item, tuple):
            log.attach(touch(item[0], item[1], tid=f"{item[0]}"))
        elif item == "tick":
            log.tick(FIRE)
        elif item in ("acknowledge", "close"):
            log.acknowledge("paid", closes=item == "close")
        elif item == "end":
            log.tick(NOON + 10 * DAY + 1)
        elif item == "away":
            log.detach(PLACED, "payment_captured", moved_to="c2")
        elif item == "back":
            log.attach(placed(), moved_from="c2")
        elif item == "back paid":
            log.attach(placed(), touch("payment_captured", LATE, tid="payment_captured"), moved_from="c2")
        else:
            log.detach(item)
    return log


ROWS = {
    ("active", None): (history("tick"), ("firing", True)),
    ("active", "resolved"): (history("tick", paid(LATE), "payment_captured"), ("firing", True)),
    ("active", "withdrawn"): (history("tick", paid(IN_TIME), "payment_captured"), ("firing", True)),
    ("active", "moved"): (history("tick", "away", "back"), ("firing", True)),
    ("cleared", None): (history(paid(LATE), "tick"), ("resolved", False)),
    ("cleared", "firing"): (history("tick", paid(LATE)), ("resolved", True)),
    ("cleared", "withdrawn"): (
        history("tick", paid(IN_TIME), ("invoice_accepted", LATE), "payment_captured"),
        ("resolved", False),
    ),
    ("cleared", "moved"): (history("tick", "away", "back paid"), ("resolved", True)),
    ("absent", "firing"): (history("tick", paid(IN_TIME)), ("withdrawn", True)),
    ("absent", "resolved"): (history(paid(LATE), "tick", ("invoice_accepted", IN_TIME)), ("withdrawn", False)),
    ("moved", "firing"): (history("tick", "away"), ("moved", False)),
    ("moved", "resolved"): (history(paid(LATE), "tick", "away"), ("moved", False)),
    ("expired", "firing"): (history("tick", "end"), ("resolved", True)),
    ("expired", "moved"): (history("tick", "away", "end", "back"), ("resolved", True)),
    ("expired", None): (history("end"), ("resolved", False)),
    ("expired", "withdrawn"): (history("tick", paid(IN_TIME), "end", "payment_captured"), ("resolved", False)),
    ("acknowledged", "firing"): (history("tick", "acknowledge"), ("acknowledged", True)),
    ("cleared", "acknowledged"): (history("tick", "acknowledge", paid(LATE)), ("resolved", True)),
    ("absent", "acknowledged"): (history("tick", "acknowledge", paid(IN_TIME)), ("withdrawn", True)),
    ("moved", "acknowledged"): (history("tick", "acknowledge", "away"), ("moved", False)),
    ("expired", "acknowledged"): (history("tick", "acknowledge", "end"), ("resolved", True)),
    ("closed", "firing"): (history("tick", "close"), ("resolved", True)),
    ("closed", "acknowledged"): (history("tick", "acknowledge", "close"), ("resolved", True)),
}


@pytest.mark.parametrize("row", sorted(TRANSITIONS, key=str))
def test_every_row_of_the_table(row: tuple[str, str | None]) -> None:
    log, (state, notify) = ROWS[row]
    outcome = run(log)
    last = [alert for alert in outcome.alerts if alert["break_name"] == "paid"]
    assert (last[-1]["state"], last[-1]["notify"]) == (state, notify)
    assert (last[-2]["state"] if len(last) > 1 else None) == row[1]
    assert [alert["at"] for alert in outcome.alerts] == sorted(alert["at"] for alert in outcome.alerts)


def test_pairs_that_are_not_in_the_table_write_nothing() -> None:
    log = history("tick", "tick", paid(LATE))
    log.attach(touch("feedback_given", LATE + 1))
    assert [alert["state"] for alert in run(log).alerts] == ["firing", "resolved"]
    assert run(history("tick", paid(IN_TIME), "end")).final == {("c1", "order_id:7", "paid", 1): "withdrawn"} | {
        ("c1", "order_id:7", "ready", 1): "resolved"
    }


def test_the_successor_of_a_moved_alert_names_it() -> None:
    log = Log()
    log.attach(placed())
    log.tick(FIRE)
    log.detach(PLACED, moved_to="c2")
    log.attach(placed(), customer="c2", moved_from="c1")
    first, moved, successor = run(log).alerts
    assert (moved["state"], moved["alert_id"]) == ("moved", first["alert_id"])
    assert successor["state"] == "firing"
    assert successor["continues"] == first["alert_id"] != successor["alert_id"]
    key = dedup_key_of("click_and_collect", 1, "order_id:7", "paid", 1)
    assert {alert["dedup_key"] for alert in (first, moved, successor)} == {key}
    journey_id = journey_id_of("click_and_collect", 1, "c2", "order_id:7")
    assert successor["alert_id"] == alert_id_of(journey_id, "paid", 1)
    statuses = {journey["customer_id"]: journey["status"] for journey in run(log).journeys.values()}
    assert statuses == {"c1": "moved", "c2": "open"}


def test_a_successor_that_is_cleared_already_still_tells() -> None:
    log = Log()
    log.attach(placed(), touch("payment_captured", LATE), customer="c2", moved_from="c1")
    log.tick(FIRE)
    assert run(log).told == [("paid", "resolved", "cleared_at_once", True)]


def test_touchpoints_that_wait_again_withdraw() -> None:
    log = history("tick")
    log.detach(PLACED)
    outcome = run(log)
    assert [alert["state"] for alert in outcome.alerts] == ["firing", "withdrawn"]
    assert outcome.journey()["status"] == "moved"
    assert outcome.journey()["touchpoint_ids"] == []


@pytest.mark.parametrize(("kind", "reason"), [("replay", "replay"), ("backfill", "backfill"), ("simulation", "fired")])
def test_nobody_is_told_in_a_replay(kind: Run, reason: str) -> None:
    outcome = play(history("tick"), Track(0, compiled(), kind))
    assert outcome.told == [("paid", "firing", reason, kind == "simulation")]


def test_nobody_is_told_of_a_shadow() -> None:
    assert run(history("tick"), {"mode": "shadow"}).told == [("paid", "firing", "shadow", False)]


def test_the_drawing_is_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "alert-states.md"
    assert page.read_text(encoding="utf-8") == drawing()


def test_the_first_line_says_who_what_and_how_late() -> None:
    log = Log()
    customer = "3f2a91c0-0000-5000-8000-000000000000"
    log.attach(placed(), customer=customer)
    log.attach(touch("payment_declined", NOON + 2 * MINUTE), customer=customer)
    log.tick(NOON + 22 * MINUTE)
    log.attach(touch("payment_captured", NOON + 2 * HOUR + 10 * MINUTE), customer=customer)
    fired, resolved = run(log).alerts
    assert fired["first_line"] == (
        "order_id:7 (customer 3f2a91c0): click_and_collect, step paid is 12 min late (due 12:10 UTC)."
        " Last: order_placed web 12:00, payment_declined web 12:02."
    )
    assert "step paid was 2 h late (due 12:10 UTC), over at 14:10 UTC" in resolved["first_line"]
    assert [witness["name"] for witness in resolved["evidence"]] == [
        "order_placed",
        "payment_declined",
        "payment_captured",
    ]
    assert (fired["fired_at"], resolved["fired_at"]) == (NOON + 22 * MINUTE, NOON + 22 * MINUTE)
    assert resolved["changed_at"] == resolved["cause_log_time"] == NOON + 2 * HOUR + 10 * MINUTE


SHAPES = {
    "declined": {"touchpoint": "payment_declined", "cleared_by": "paid", "tolerate": "5m"},
    "unpaid": {"touchpoint": "picked_up", "requires": "paid"},
    "unready": {"without": "ready"},
    "quiet": {"idle": "4h"},
    "twice": {"touchpoint": "order_refunded", "at_most": 0},
}
NO_DEADLINES = {
    name: {key: value for key, value in step.items() if key in ("touchpoint", "any_of", "after", "where")}
    for name, step in COLLECT["steps"].items()
}


def told_of(name: str, *what: tuple[str, int] | int) -> list[str]:
    """Of a definition with this break alone: what follows the journey's name in each first line, without the
    evidence. A number is a tick.
    """
    log = Log()
    log.attach(placed())
    for item in what:
        if isinstance(item, int):
            log.tick(item)
        else:
            log.attach(touch(*item, channel="store"))
    rest = {"steps": NO_DEADLINES, "breaks": {name: SHAPES[name]}}
    stage = Track(0, compiled(rest), "live")
    alerts = play(log, stage, range(len(log.records))).alerts
    told = [alert["first_line"].removeprefix("order_id:7 (customer c1): click_and_collect, ") for alert in alerts]
    return [line.split(". Last: ")[0] for line in told]


def test_the_first_line_of_a_failure_says_what_would_put_it_right() -> None:
    declined, fired = ("payment_declined", NOON + 2 * MINUTE), NOON + 8 * MINUTE
    assert told_of("declined", declined, fired, ("payment_captured", NOON + HOUR)) == [
        "declined at 12:02 UTC, step paid has not put it right",
        "declined at 12:02 UTC, to be put right by step paid, over at 13:00 UTC",
    ]
    second = ("payment_declined", NOON + 2 * HOUR)
    again = told_of("declined", declined, fired, ("payment_captured", NOON + HOUR), second, NOON + 3 * HOUR)
    assert again[2:] == ["declined at 14:00 UTC, step paid has not put it right, for the 2. time"]
    assert told_of("declined", declined, fired, ("invoice_accepted", NOON + 3 * MINUTE))[1:] == ["withdrawn: declined"]
    assert told_of("declined", declined, NOON + 10 * DAY + 1)[-1:] == [
        "declined at 2026-03-01 12:02 UTC, to be put right by step paid, given up: the journey's time is over"
    ]


def test_the_first_line_of_a_wrong_order_and_of_a_skipped_step_name_what_did_not_come() -> None:
    collected, paid_after = ("picked_up", NOON + HOUR), ("payment_captured", NOON + 2 * HOUR)
    assert told_of("unpaid", collected, paid_after) == [
        "unpaid at 13:00 UTC, before step paid",
        "unpaid at 13:00 UTC, before step paid, over at 14:00 UTC",
    ]
    assert told_of("unready", collected, ("ready_for_pickup", NOON + 2 * HOUR)) == [
        "unready: succeeded at 13:00 UTC without step ready",
        "unready: succeeded at 13:00 UTC without step ready, over at 14:00 UTC",
    ]


def test_the_first_line_of_an_abandonment_says_for_how_long_and_since_when() -> None:
    approved = ("order_approved", NOON + HOUR)
    assert told_of("quiet", approved, NOON + 5 * HOUR + 21 * MINUTE, ("order_approved", NOON + 2 * DAY)) == [
        "quiet: nothing has happened for 4 h (since 13:00 UTC)",
        "quiet: nothing happened for 47 h (since 2026-03-01 13:00 UTC), over at 12:00 UTC",
    ]


def test_the_first_line_of_a_ban_calls_somebody() -> None:
    refunded = ("order_refunded", NOON + HOUR)
    assert told_of("twice", refunded, NOON + 10 * DAY + 1) == [
        "twice: happened at 13:00 UTC and is forbidden, somebody must look",
        "twice: happened at 2026-03-01 13:00 UTC and is forbidden, given up: the journey's time is over",
    ]
