"""Laws of breaks of every shape, on random definitions: whatever arrives in whatever order, the oracle says the same.

The oracle is brute force from docs/journeys.md alone. At each tick everything that arrived is known, so journeys and
alerts must be the oracle's then, not only in the end.
"""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.journey_case import Outcome, assert_restart_changes_nothing, play
from tests.simulated.breaks import World, world
from tests.simulated.playing import as_arrived, difference, in_order, said, stage, standing
from tests.tries import tries

worlds = st.integers(0, 2**48).map(lambda seed: world(Random(seed)))


# -- laws -------------------------------------------------------------------------------------------------------------


@settings(max_examples=tries(250), deadline=None)
@given(worlds)
def test_at_each_tick_the_oracle_says_the_same(found: World) -> None:
    assert difference(found) is None, difference(found)


@settings(max_examples=tries(60), deadline=None)
@given(worlds)
def test_arrival_order_and_ticks_change_no_final_answer(found: World) -> None:
    found = replace(found, words=())
    one, other = play(as_arrived(found), stage(found)), play(in_order(found), stage(found))
    assert said(one) == said(other)
    assert standing(one) == standing(other)


@settings(max_examples=tries(40), deadline=None)
@given(worlds, st.sets(st.integers(0, 40)))
def test_batches_change_no_alert_and_no_final_journey(found: World, cuts: set[int]) -> None:
    log = as_arrived(found)
    whole, cut = play(log, stage(found)), play(log, stage(found), cuts)
    assert whole.alerts == cut.alerts
    assert whole.journeys == cut.journeys


@settings(max_examples=tries(40), deadline=None)
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


@settings(max_examples=tries(60), deadline=None)
@given(worlds, st.integers(0, 40))
def test_a_restart_anywhere_goes_on_byte_for_byte(found: World, cut: int) -> None:
    log = as_arrived(found)
    assert_restart_changes_nothing(log, cut, lambda: stage(found))


@settings(max_examples=tries(150), deadline=None)
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
