"""Laws of breaks of every shape, on random definitions: whatever arrives in whatever order, the oracle says the same.

The oracle is brute force from docs/journeys.md alone. At each tick everything that arrived is known, so journeys and
alerts must be the oracle's then, not only in the end.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import Log, Outcome, assert_restart_changes_nothing, play
from tests.oracle import fold as oracle
from tests.simulated.breaks import OWNER, World, wanted, world

Alerts = dict[tuple[str, str, int], str]

worlds = st.integers(0, 2**48).map(lambda seed: world(Random(seed)))


def stage(found: World) -> Track:
    return Track(0, compile_definitions([found.definition], found.catalogue), "live")


def send(log: Log, found: World, index: int) -> None:
    entry = found.arrivals[index]
    log.resolved(entry, entry.person or OWNER, by="user_id" if entry.person else "device")
    if order := entry.keys.get("order_id"):
        log.attach(entry, scope=f"order_id:{order}")


def as_arrived(found: World) -> Log:
    log = Log()
    for index, entry in enumerate(found.arrivals):
        if index in found.ticks:
            log.tick(entry.log_time - 1)
        send(log, found, index)
    log.tick(found.end)
    return log


def in_order(found: World) -> Log:
    log = Log()
    key = {e.touchpoint_id: (e.occurred_at, e.sequence, e.touchpoint_id) for e in found.arrivals}
    for index in sorted(range(len(found.arrivals)), key=lambda index: key[found.arrivals[index].touchpoint_id]):
        send(log, found, index)
    log.tick(found.end)
    return log


# -- what is said -----------------------------------------------------------------------------------------------------


def said(outcome: Outcome) -> dict[str, Any]:
    """Journeys that are there, by anchor, in the words of the oracle."""
    return {
        row["anchor"]: {
            "members": row["touchpoint_ids"],
            "status": row["status"],
            "ended": row["ended_at"],
            "steps": {
                s["step"]: (s["status"], s["due_at"], s["reached_at"], s["touchpoint_id"] or "") for s in row["steps"]
            },
            "breaks": sorted(
                (b["name"], b["occurrence"], b["kind"], b["step"], b["cause_at"], b["due_at"], b["cleared_at"])
                for b in row["breaks"]
            ),
        }
        for row in outcome.journeys.values()
        if row["status"] != "moved" and row["customer_id"] == OWNER
    }


def due(found: World, arrived: int, w: int) -> tuple[dict[str, Any], Alerts]:
    journeys: dict[str, Any] = {}
    alerts: Alerts = {}
    for anchor, (members, one) in wanted(found, arrived, w).items():
        steps = {name: (s.status, s.due_at, s.reached_at, s.touchpoint_id) for name, s in one.steps.items()}
        breaks = sorted((b.name, b.occurrence, b.kind, b.step, b.cause_at, b.due_at, b.cleared_at) for b in one.breaks)
        journeys[anchor] = {
            "members": members,
            "status": one.status,
            "ended": one.ended_at,
            "steps": steps,
            "breaks": breaks,
        }
        alerts |= {(anchor, b.name, b.occurrence): state_of(b, one.expired) for b in one.breaks}
    return journeys, alerts


def state_of(found: oracle.BreakFound, expired: bool) -> str:
    return "firing" if found.cleared_at is None and not expired else "resolved"


def standing(outcome: Outcome) -> Alerts:
    mine = [one for one in outcome.alerts if one["customer_id"] == OWNER]
    latest = {(one["anchor"], one["break_name"], one["occurrence"]): one["state"] for one in mine}
    return {key: state for key, state in latest.items() if state not in ("withdrawn", "moved")}


def difference(found: World) -> str | None:
    """The first tick at which the product and the oracle disagree."""
    track, outcome, log = stage(found), Outcome(), Log()
    played = 0
    for index in range(len(found.arrivals) + 1):
        over = index == len(found.arrivals)
        if over or index in found.ticks:
            w = found.end if over else found.arrivals[index].log_time - 1
            log.tick(w)
            for record in log.records[played:]:
                track.apply(record, outcome.effects)
            played = len(log.records)
            track.flush(outcome.effects)
            has, wants = (said(outcome), standing(outcome)), due(found, index, w)
            if has != wants:
                return f"{found}\nafter {index} at W {w}:\nproduct {has}\noracle  {wants}"
        if not over:
            send(log, found, index)
    return None


# -- laws -------------------------------------------------------------------------------------------------------------


@settings(max_examples=250, deadline=None)
@given(worlds)
def test_at_each_tick_the_oracle_says_the_same(found: World) -> None:
    assert difference(found) is None, difference(found)


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_arrival_order_and_ticks_change_no_final_answer(found: World) -> None:
    one, other = play(as_arrived(found), stage(found)), play(in_order(found), stage(found))
    assert said(one) == said(other)
    assert standing(one) == standing(other)


@settings(max_examples=40, deadline=None)
@given(worlds, st.sets(st.integers(0, 40)))
def test_batches_change_no_alert_and_no_final_journey(found: World, cuts: set[int]) -> None:
    log = as_arrived(found)
    whole, cut = play(log, stage(found)), play(log, stage(found), cuts)
    assert whole.alerts == cut.alerts
    assert whole.journeys == cut.journeys


@settings(max_examples=40, deadline=None)
@given(worlds, st.lists(st.integers(0, 20), max_size=10))
def test_redelivery_changes_nothing(found: World, again: list[int]) -> None:
    log = as_arrived(found)
    track, outcome = stage(found), Outcome()
    for index, record in enumerate(log.records):
        track.apply(record, outcome.effects)
        for back in again:
            if back <= index:
                track.apply(log.records[index - back], outcome.effects)
    track.flush(outcome.effects)
    assert outcome.effects == play(log, stage(found)).effects


@settings(max_examples=60, deadline=None)
@given(worlds, st.integers(0, 40))
def test_a_restart_anywhere_goes_on_byte_for_byte(found: World, cut: int) -> None:
    log = as_arrived(found)
    assert_restart_changes_nothing(log, cut, lambda: stage(found))


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_what_is_waited_out_begins_on_a_tick(found: World) -> None:
    """Between two ticks only part of a batch is known: nothing that has a due may fire for the first time then."""
    assert hasty(found) == []


def hasty(found: World) -> list[tuple[str, int]]:
    """What fired for the first time although W had not come to all touchpoints of its journey."""
    log, track, early = as_arrived(found), stage(found), []
    arrives = {one.touchpoint_id: one.log_time for one in found.arrivals}
    seen: set[str] = set()
    members: dict[str, list[str]] = {}
    w = 0
    for record in log.records:
        outcome, body = Outcome(), json.loads(record.value or b"{}")
        w = body["log_time"] if body["type"] == "tick" else w
        track.apply(record, outcome.effects)
        track.flush(outcome.effects)
        members |= {row["journey_id"]: row["touchpoint_ids"] for row in outcome.journeys.values()}
        for alert in outcome.alerts:
            is_new = alert["state"] == "firing" and alert["alert_id"] not in seen
            latest = max((arrives[one] for one in members.get(alert["journey_id"], ())), default=0)
            if is_new and alert["due_at"] is not None and latest > w:
                early.append((alert["break_name"], alert["occurrence"]))
            seen.add(alert["alert_id"])
    return early
