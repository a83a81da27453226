"""Laws of fold and stage: arrival order, duplicates, batches, ticks, moves and restarts change no final answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Entry
from streams.journey.plan import Compiled
from streams.journey.track import Track
from tests.journey_case import (
    COLLECT,
    HOUR,
    MINUTE,
    NOON,
    Log,
    Outcome,
    assert_restart_changes_nothing,
    compiled,
    play,
    touch,
)
from tests.tries import tries

KEYED: dict[str, Any] = {
    "instance": {"key": "order_id", "if_absent": "only_open_one"},
    "steps": {
        "paid": {"any_of": ["pay", "invoice"], "within": "10m"},
        "ready": {"touchpoint": "ready", "after": "paid", "within": "20m", "if_missing": "count"},
        "collected": {"touchpoint": "pick", "after": "ready", "within": "30m"},
    },
    "start": {"touchpoint": "place"},
    "outcome": {"success": "collected", "failure": ["cancel"]},
    "breaks": {
        "trouble": {"touchpoint": "decline", "at_least": 2, "in_window": "10m", "cleared_by": "paid"},
        "bad": {"score": "csat", "below": 3, "about": "collected"},
    },
    "lifetime": "2h",
}
ALONE = {**KEYED, "journey": "alone", "instance": {"key": "order_id"}}
VISIT = {**KEYED, "journey": "visit", "instance": {"key": "customer"}, "lifetime": "1h"}
DEFINITIONS: Compiled = compiled(KEYED, ALONE, VISIT)
NAMES = ["place", "pay", "invoice", "ready", "pick", "cancel", "decline", "survey"]


class Arrival(NamedTuple):
    """A touchpoint and whether W advances as far as it may just before."""

    entry: Entry
    tick: bool


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    """In arrival order: log times rise, what occurred does not care. By a coarse clock much is of one moment."""
    found = []
    grid, ids = draw(st.sampled_from([1, 1, 20])), draw(st.permutations(range(12)))
    for index in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(NAMES))
        facts: dict[str, Any] = {"csat": draw(st.integers(1, 5))} if name == "survey" else {}
        at = NOON + draw(st.integers(0, 100)) // grid * grid * MINUTE
        sequence = draw(st.integers(0, 1)) if grid == 1 else 0
        order = draw(st.sampled_from(["7", "7", "8", None]))
        log = NOON + 100 * MINUTE + index * 7 * MINUTE
        entry = touch(name, at, tid=f"t{ids[index]}", order=order, log=log, sequence=sequence, **facts)
        found.append(Arrival(entry, draw(st.booleans())))
    return found


def send(log: Log, entry: Entry, customer: str = "c1") -> None:
    log.resolved(entry, customer)
    if order := entry.keys.get("order_id"):
        log.attach(entry, customer=customer, scope=f"order_id:{order}")


def in_order(found: Sequence[Arrival], w: int) -> Log:
    log = Log()
    key = [(a.entry.occurred_at, a.entry.sequence, a.entry.touchpoint_id) for a in found]
    for _, arrival in sorted(zip(key, found, strict=True)):
        send(log, arrival.entry)
    log.tick(w)
    return log


def as_arrived(found: Sequence[Arrival], w: int) -> Log:
    log = Log()
    for arrival in found:
        if arrival.tick:
            log.tick(arrival.entry.log_time - 1)
        send(log, arrival.entry)
    log.tick(w)
    return log


def stage() -> Track:
    return Track(0, DEFINITIONS, "live")


def final(outcome: Outcome) -> tuple[dict[str, Any], dict[Any, str]]:
    """Journeys without the traces of their history, and alerts, withdrawn and moved ones aside."""
    history = {"at", "log_time"}
    journeys = {
        key: {name: value for name, value in journey.items() if name not in history}
        for key, journey in outcome.journeys.items()
        if journey["status"] != "moved"
    }
    latest = {alert["alert_id"]: alert["state"] for alert in outcome.alerts}
    return journeys, {key: state for key, state in latest.items() if state not in ("withdrawn", "moved")}


last_w = st.integers(0, 150).map(lambda minutes: NOON + 3 * HOUR + minutes * MINUTE)


@settings(max_examples=tries(40), deadline=None)
@given(arrivals(), last_w)
def test_arrival_order_and_ticks_change_no_final_answer(found: list[Arrival], w: int) -> None:
    assert final(play(as_arrived(found, w), stage())) == final(play(in_order(found, w), stage()))


@settings(max_examples=tries(20), deadline=None)
@given(arrivals(), last_w, st.sets(st.integers(0, 40)))
def test_batches_change_no_alert_and_no_final_journey(found: list[Arrival], w: int, cuts: set[int]) -> None:
    log = as_arrived(found, w)
    whole, cut = play(log, stage()), play(log, stage(), cuts)
    assert whole.alerts == cut.alerts
    assert whole.journeys == cut.journeys


@settings(max_examples=tries(20), deadline=None)
@given(arrivals(), last_w, st.lists(st.integers(0, 40), max_size=10))
def test_redelivery_changes_nothing(found: list[Arrival], w: int, again: list[int]) -> None:
    log = as_arrived(found, w)
    track, outcome = stage(), Outcome()
    for index, record in enumerate(log.records):
        track.apply(record, outcome.effects)
        for back in again:
            if back <= index:
                track.apply(log.records[index - back], outcome.effects)
    track.flush(outcome.effects)
    assert outcome.effects == play(log, stage()).effects


@settings(max_examples=tries(30), deadline=None)
@given(arrivals(), last_w, st.lists(st.integers(0, 11), min_size=1, max_size=4))
def test_moves_there_and_back_change_no_final_answer(found: list[Arrival], w: int, moves: list[int]) -> None:
    log = Log()
    for index, arrival in enumerate(found):
        if arrival.tick:
            log.tick(arrival.entry.log_time - 1)
        send(log, arrival.entry)
        if index in moves:
            move(log, [a.entry for a in found[: index + 1]], "c1", "c2")
            if arrival.tick:
                log.tick(arrival.entry.log_time)
            move(log, [a.entry for a in found[: index + 1]], "c2", "c1")
    log.tick(w)
    assert final(play(log, stage())) == final(play(in_order(found, w), stage()))


def move(log: Log, entries: list[Entry], old: str, new: str) -> None:
    scopes: dict[str, list[Entry]] = {"customer": entries}
    for entry in entries:
        if order := entry.keys.get("order_id"):
            scopes.setdefault(f"order_id:{order}", []).append(entry)
    for scope, members in scopes.items():
        log.detach(*(entry.touchpoint_id for entry in members), customer=old, scope=scope, moved_to=new)
        log.attach(*members, customer=new, scope=scope, moved_from=old)


@settings(max_examples=tries(30), deadline=None)
@given(arrivals(), last_w, st.integers(0, 40), st.booleans(), st.sampled_from([0, 2, 13]))
def test_a_restart_anywhere_goes_on_byte_for_byte(
    found: list[Arrival], w: int, cut: int, moved: bool, days: int
) -> None:
    log = as_arrived(found[:6], w - HOUR)
    if moved:
        move(log, [a.entry for a in found[:6]], "c1", "c2")
    for arrival in found[6:]:
        send(log, arrival.entry, "c2" if moved else "c1")
    for third in range(days * 3 + 1):
        log.tick(w + third * 8 * HOUR)
    if moved:
        move(log, [a.entry for a in found], "c2", "c1")
    log.tick(w + (days + 1) * 24 * HOUR)
    assert_restart_changes_nothing(log, cut, stage)


def test_the_definitions_here_are_those_of_the_other_tests_but_shorter() -> None:
    assert set(KEYED) < set(COLLECT)
