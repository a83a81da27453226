"""Repeated and low-score breaks, step choice, `where`, status and end: cases of docs/journeys.md computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.definition import Catalogue, Definition
from schemas.records import Entry, Fact
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import COLLECT, DAY, HOUR, MINUTE, NOON, Log, Outcome, placed, play, run, touch


def fold(*entries: Entry, change: dict[str, Any] | None = None) -> Outcome:
    log = Log()
    log.attach(placed(), *entries)
    return run(log, change or {})


def declined(minute: int) -> Entry:
    return touch("payment_declined", NOON + minute * MINUTE)


def twice(minute: int, ms: int) -> list[Entry]:
    return [declined(minute), touch("payment_declined", NOON + minute * MINUTE + ms)]


def breaks(outcome: Outcome, name: str) -> list[tuple[int, int, int | None]]:
    found = [b for b in outcome.journey()["breaks"] if b["name"] == name]
    minutes = [(b["cause_at"] - NOON) // MINUTE for b in found]
    cleared = [None if b["cleared_at"] is None else (b["cleared_at"] - NOON) // MINUTE for b in found]
    return list(zip([b["occurrence"] for b in found], minutes, cleared, strict=True))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([declined(0), declined(5), declined(10)], [(1, 10, None)]),
        ([declined(0), declined(5), declined(11)], []),
        ([declined(0), declined(5), declined(11), declined(12)], [(1, 12, None)]),
        ([*map(declined, range(1, 4)), touch("payment_captured", NOON + 4 * MINUTE)], [(1, 3, 4)]),
        (
            [*map(declined, range(1, 4)), touch("payment_captured", NOON + 4 * MINUTE), *map(declined, range(5, 8))],
            [(1, 3, 4), (2, 7, None)],
        ),
        ([declined(1), declined(2), touch("invoice_accepted", NOON + 3 * MINUTE), declined(4)], []),
        ([*map(declined, range(1, 4)), touch("order_cancelled", NOON + 5 * MINUTE)], [(1, 3, 5)]),
        ([*map(declined, range(1, 4)), touch("payment_captured", NOON + 11 * DAY)], [(1, 3, None)]),
        # What is sent twice is one: within a second of the last one that counted.
        ([*twice(1, 100), *twice(2, 999)], []),
        ([*twice(1, 100), *twice(2, 999), declined(3)], [(1, 3, None)]),
        ([*twice(1, 1000), declined(2)], [(1, 2, None)]),
        ([declined(1), *(touch("payment_declined", NOON + MINUTE + ms) for ms in (600, 1_200, 1_800))], []),
        ([*twice(1, 100), touch("payment_captured", NOON + MINUTE + 150), declined(2), declined(3)], []),
    ],
)
def test_repeated(entries: list[Entry], expected: list[tuple[int, int, int | None]]) -> None:
    outcome = fold(*entries)
    assert breaks(outcome, "payment_trouble") == expected
    assert {b["step"] for b in outcome.journey()["breaks"] if b["kind"] == "repeated"} <= {"paid"}


def test_one_that_counts_and_clears_clears() -> None:
    rule = {**COLLECT["breaks"]["payment_trouble"], "touchpoint": "payment_captured", "at_least": 2}
    captured = [touch("payment_captured", NOON + minute * MINUTE) for minute in (1, 2, 3)]
    assert breaks(fold(*captured, change={"breaks": {"payment_trouble": rule}}), "payment_trouble") == []


def test_a_clearing_touchpoint_forgets_the_last_one_that_counted() -> None:
    at = NOON + MINUTE
    entries = [touch("payment_declined", at), touch("payment_captured", at + 100), touch("payment_declined", at + 200)]
    entries += [touch("payment_declined", at + 1_200), touch("payment_declined", at + 2_200)]
    assert breaks(fold(*entries), "payment_trouble") == [(1, 1, None)]


def test_how_far_apart_may_be_said() -> None:
    rule = {**COLLECT["breaks"]["payment_trouble"], "apart": "2m"}
    entries = [declined(minute) for minute in (1, 2, 3, 4)]
    assert breaks(fold(*entries, change={"breaks": {"payment_trouble": rule}}), "payment_trouble") == []
    assert breaks(fold(*entries, declined(5), change={"breaks": {"payment_trouble": rule}}), "payment_trouble") == [
        (1, 5, None)
    ]


def scored(minute: int, value: Fact) -> Entry:
    return touch("survey", NOON + minute * MINUTE, csat=value)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([scored(1, 2)], [(1, 1, None)]),
        ([scored(1, 2.9)], [(1, 1, None)]),
        ([scored(1, 3)], []),
        ([scored(1, "2"), scored(2, False)], []),
        ([scored(1, 1), scored(2, 2), scored(3, 3), scored(4, 0)], [(1, 1, 3), (2, 4, None)]),
        ([scored(1, 1), touch("order_cancelled", NOON + 2 * MINUTE)], [(1, 1, None)]),
        ([touch("order_cancelled", NOON + 10), scored(1, 1), scored(3, 5)], [(1, 1, 3)]),
    ],
)
def test_low_score(entries: list[Entry], expected: list[tuple[int, int, int | None]]) -> None:
    assert breaks(fold(collected(0), *entries), "bad_pickup") == expected
    everywhere = {"breaks": {"bad_pickup": {"score": "csat", "below": 3}}}
    outcome = fold(*entries, change=everywhere)
    assert breaks(outcome, "bad_pickup") == expected
    assert {found["step"] for found in outcome.journey()["breaks"] if found["kind"] == "low_score"} <= {None}


def collected(minute: int, **facts: Any) -> Entry:
    return touch("picked_up", NOON + minute * MINUTE + 1, channel="store", **facts)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([scored(1, 1)], []),
        ([scored(1, 1), collected(2)], []),
        ([scored(1, 1), collected(2), scored(3, 2)], [(1, 3, None)]),
        ([collected(2, csat=1)], []),
        ([collected(2, csat=1), collected(3, csat=1)], [(1, 3, None)]),
        ([touch("order_cancelled", NOON + MINUTE), collected(2), scored(3, 1)], []),
    ],
)
def test_a_score_counts_after_what_it_is_about(
    entries: list[Entry], expected: list[tuple[int, int, int | None]]
) -> None:
    assert breaks(fold(*entries), "bad_pickup") == expected


def answered(minute: int, **facts: Any) -> Entry:
    return touch("feedback_given", NOON + minute * MINUTE, **facts)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([scored(1, 1), answered(2)], [(1, 1, 2)]),
        ([scored(1, 1), answered(2), scored(3, 1), scored(4, 4)], [(1, 1, 2), (2, 3, 4)]),
        ([scored(1, 1), touch("order_refunded", NOON + 2 * MINUTE), answered(3)], [(1, 1, 3)]),
        ([answered(1, csat=1)], []),
        ([scored(1, 1), answered(2, csat=1)], [(1, 1, 2)]),
    ],
)
def test_a_low_score_may_be_cleared_by_a_step(
    entries: list[Entry], expected: list[tuple[int, int, int | None]]
) -> None:
    rule = {"score": "csat", "below": 3, "about": "collected", "cleared_by": "answered"}
    outcome = fold(collected(0), *entries, change={"breaks": {"bad_pickup": rule}})
    assert breaks(outcome, "bad_pickup") == expected


def test_what_is_only_monitored_has_no_score_but_may_clear() -> None:
    rule = {"score": "csat", "below": 3, "cleared_by": "answered"}
    definition = Definition.model_validate({**COLLECT, "breaks": {"bad_pickup": rule}})
    impact = {"stage": "service", "mode": "monitor", "criticality": "low"}
    known = {name: {"owner": "team-web", "impact": impact} for name in ("survey", "feedback_given")}
    compiled = compile_definitions([definition], Catalogue.model_validate({"touchpoints": known}))
    log = Log()
    log.attach(placed(), scored(1, 1), touch("review", NOON + 2 * MINUTE, csat=1), scored(3, 5))
    outcome = play(log, Track(0, compiled, "live"))
    assert breaks(outcome, "bad_pickup") == [(1, 2, None)]
    assert "bad_pickup since 12:02 UTC" in outcome.alerts[0]["first_line"]
    log.attach(answered(4))
    assert breaks(play(log, Track(0, compiled, "live")), "bad_pickup") == [(1, 2, 4)]


@pytest.mark.parametrize(
    ("wanted", "given", "same"),
    [(3, 3.0, True), (True, 1, False), (1, True, False), (True, True, True), ("3", 3, False), (0, False, False)],
)
def test_where_compares_values_not_looks(wanted: Fact, given: Fact, same: bool) -> None:
    log = Log()
    log.attach(placed(fulfilment=given))
    outcome = run(log, {"start": {"touchpoint": "order_placed", "where": {"fulfilment": wanted}}})
    assert bool(outcome.journeys) is same


def test_a_missing_property_equals_nothing_and_an_instance_without_start_is_not_reported() -> None:
    log = Log()
    log.attach(touch("order_placed", NOON), touch("payment_captured", NOON + 1))
    log.tick(NOON + 30 * DAY)
    assert run(log).effects == []


def test_the_start_may_come_last() -> None:
    log = Log()
    log.attach(touch("payment_captured", NOON + MINUTE), touch("order_approved", NOON - MINUTE))
    log.attach(placed())
    outcome = run(log)
    assert outcome.step("paid")["status"] == "reached"
    assert outcome.step("approved")["status"] == "waiting"
    assert len(outcome.journey()["touchpoint_ids"]) == 3


def test_one_touchpoint_reaches_the_nearest_step_not_yet_reached_then_the_next() -> None:
    steps = {
        "b_first": {"touchpoint": "ping"},
        "a_first": {"touchpoint": "ping"},
        "second": {"touchpoint": "ping", "after": "b_first"},
    }
    change = {"steps": steps, "outcome": {"success": "second"}, "breaks": {}}
    outcome = fold(touch("ping", NOON + 1), touch("ping", NOON + 2), touch("ping", NOON + 3), change=change)
    reached = {step["step"]: step["reached_at"] - NOON for step in outcome.journey()["steps"]}
    assert reached == {"a_first": 1, "b_first": 2, "second": 3}
    assert (outcome.journey()["status"], outcome.journey()["ended_at"]) == ("succeeded", NOON + 3)


COLLECTED = [
    touch("order_approved", NOON + 1),
    touch("payment_captured", NOON + 2),
    touch("ready_for_pickup", NOON + 3),
    touch("picked_up", NOON + 4, channel="store"),
]


@pytest.mark.parametrize(
    ("more", "status", "ended"),
    [
        ([], "succeeded", None),
        ([touch("feedback_given", NOON + 5)], "succeeded", NOON + 5),
        ([touch("feedback_given", NOON + 5), touch("order_refunded", NOON + 6)], "failed", NOON + 5),
        ([touch("order_refunded", NOON + 6)], "failed", NOON + 6),
        ([touch("order_refunded", NOON + 11 * DAY)], "failed", None),
        ([touch("feedback_given", NOON + 10 * DAY)], "succeeded", NOON + 10 * DAY),
        ([touch("feedback_given", NOON + 10 * DAY + 1)], "succeeded", None),
    ],
)
def test_status_and_end(more: list[Entry], status: str, ended: int | None) -> None:
    outcome = fold(*COLLECTED, *more)
    assert (outcome.journey()["status"], outcome.journey()["ended_at"]) == (status, ended)


def test_without_success_a_failure_after_the_end_changes_nothing() -> None:
    outcome = fold(touch("order_refunded", NOON + 10 * DAY + 1))
    assert outcome.journey()["status"] == "open"


def test_an_order_in_the_wrong_channel_is_not_collected() -> None:
    assert fold(touch("picked_up", NOON + HOUR, channel="web")).step("collected")["status"] == "waiting"


def test_a_failure_outcome_reaches_no_step() -> None:
    steps = {"gone": {"touchpoint": "order_cancelled"}, "paid": {"touchpoint": "payment_captured"}}
    change = {"steps": steps, "outcome": {"success": "paid", "failure": ["order_cancelled"]}, "breaks": {}}
    outcome = fold(touch("order_cancelled", NOON + 1), change=change)
    assert (outcome.step("gone")["status"], outcome.journey()["status"]) == ("waiting", "failed")


def test_a_skipped_success_does_not_end_the_journey_and_may_still_be_reached() -> None:
    steps = {"paid": {"touchpoint": "pay"}, "thanked": {"touchpoint": "thank", "after": "paid"}}
    change = {"steps": steps, "outcome": {"success": "paid"}, "breaks": {}}
    skipped = fold(touch("thank", NOON + 1), change=change)
    assert (skipped.step("paid")["status"], skipped.journey()["ended_at"]) == ("skipped", None)
    reached = fold(touch("thank", NOON + 1), touch("pay", NOON + 2), change=change)
    assert (reached.journey()["status"], reached.journey()["ended_at"]) == ("succeeded", NOON + 2)


def test_a_clock_at_the_end_of_time_breaks_nothing() -> None:
    log = Log()
    log.attach(placed(253_402_300_799_999 + DAY, log=NOON), touch("survey", 253_402_300_799_999 + 2 * DAY, csat=1))
    everywhere = {"breaks": {"bad_pickup": {"score": "csat", "below": 3}}}
    assert run(log, everywhere).final == {("c1", "order_id:7", "bad_pickup", 1): "firing"}
