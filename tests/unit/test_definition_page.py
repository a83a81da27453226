"""What docs/definitions.md says of excuses, of repetitions that end, and of versions of a customer's journey, is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli.explain import explained
from schemas.definition import Definition
from schemas.definition_files import load_catalogue, load_definition
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import DAY, HOUR, MINUTE, NOON, VISIT, Log, compiled, placed, play, touch

CATALOGUE = load_catalogue(Path("touchpoints.yaml"))
ORDERS = load_definition(Path("journeys/click_and_collect.yaml"), CATALOGUE)


def collected(log: Log, order: str, at: int) -> None:
    scope = f"order_id:{order}"
    log.attach(placed(at, order=order), scope=scope)
    log.attach(touch("payment_captured", at + MINUTE, order=order), scope=scope)
    log.attach(touch("ready_for_pickup", at + HOUR, order=order), scope=scope)
    log.attach(touch("picked_up", at + 2 * HOUR, order=order, channel="store"), scope=scope)


def fired(log: Log, definition: Definition) -> list[tuple[str, str]]:
    stage = Track(0, compile_definitions([definition], CATALOGUE), "live")
    alerts = play(log, stage, range(len(log.records))).alerts
    return [(alert["anchor"], alert["break_name"]) for alert in alerts if alert["state"] == "firing"]


@pytest.mark.parametrize(
    ("said", "order", "missed"),
    [
        (-364 * DAY, None, []),
        (-366 * DAY, None, ["7", "8"]),
        (-DAY, None, []),
        (3 * HOUR, None, []),
        (3 * HOUR, "7", ["8"]),
        (-HOUR, "7", ["8"]),
    ],
)
def test_what_a_customer_says_of_no_order_counts_for_all(said: int, order: str | None, missed: list[str]) -> None:
    """`order`: of which it is said. Two orders are collected by then, and nobody asks how it was."""
    log = Log()
    opt_out = touch("feedback_declined", NOON + said, order=order)

    def says() -> None:
        if order is None:
            log.resolved(opt_out)
        else:
            log.attach(opt_out, scope=f"order_id:{order}")

    if said < 0:
        says()
    collected(log, "7", NOON)
    collected(log, "8", NOON)
    if said > 0:
        says()
    log.tick(NOON + 2 * HOUR + DAY + 32 * MINUTE)
    assert fired(log, ORDERS) == [(f"order_id:{one}", "asked") for one in missed]


def test_a_repetition_ends_by_a_later_step_and_nothing_begins_after_the_end() -> None:
    log = Log()
    log.attach(placed())
    for minute in (2, 3, 4):
        log.attach(touch("payment_declined", NOON + minute * MINUTE))
    log.attach(touch("ready_for_pickup", NOON + 5 * MINUTE))
    log.attach(touch("order_cancelled", NOON + 6 * MINUTE))
    for minute in (7, 8, 9):
        log.attach(touch("payment_declined", NOON + minute * MINUTE))
    log.tick(NOON + HOUR)
    stage = Track(0, compile_definitions([ORDERS], CATALOGUE), "live")
    told = [
        (alert["occurrence"], alert["state"], alert["cleared_at"])
        for alert in play(log, stage).alerts
        if alert["break_name"] == "payment_trouble"
    ]
    assert told[-1] == (1, "resolved", NOON + 5 * MINUTE)
    assert {occurrence for occurrence, _, _ in told} == {1}


def test_a_version_that_goes_live_tells_nothing_of_a_customer_before_the_journey_begun_in_shadow_is_over() -> None:
    log = Log()
    moments = (0, 60, 150)  # the second lies in the first journey, the third after it
    log.resolved(touch("visit_started", NOON, order=None))
    log.switch(2, "live", NOON + 10 * MINUTE, "visit")
    for minutes in moments[1:]:
        log.tick(NOON + minutes * MINUTE - 1)
        log.resolved(touch("visit_started", NOON + minutes * MINUTE, order=None))
    log.tick(NOON + 4 * HOUR)
    outcome = play(log, Track(0, compiled(VISIT, {**VISIT, "version": 2, "mode": "shadow"}), "live"))
    told = [
        (alert["version"], alert["cause_at"] - NOON)
        for alert in outcome.alerts
        if alert["notify"] and alert["state"] == "firing"
    ]
    assert told == [(1, 30 * MINUTE), (2, 180 * MINUTE)]


def test_the_explanation_says_what_a_word_of_no_order_counts_for_and_what_else_ends_a_repetition() -> None:
    said = " ".join(explained(ORDERS, CATALOGUE, False).split())
    assert (
        "is expected any more. Said without `order_id` it counts for all that are open, and for what starts in" in said
    )
    assert "(the touchpoint of `paid`), with what reaches a step after it, or with a failure." in said
    checkout = load_definition(Path("journeys/checkout.yaml"), CATALOGUE)
    assert "what reaches a step after it" not in explained(checkout, CATALOGUE, False), "no step comes after it"
    alone = ORDERS.model_copy(update={"instance": ORDERS.instance.model_copy(update={"if_absent": "ignore"})})
    assert "Said without" not in explained(alone, CATALOGUE, False)
