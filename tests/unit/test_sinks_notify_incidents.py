"""Which alerts are one incident, and what a route hears of it: the tables and their laws."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.notify.decide import Decision, Told
from sinks.notify.incident import GROWTH, INCIDENT_REASONS, Heard, advance, labels_of, reached, standing
from tests.sink_records import alert


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"version": 2}, True),
        ({"journey_id": "other", "customer_id": "other", "anchor": "order_id:9", "dedup_key": "other"}, True),
        ({"occurrence": 2, "step": "ready"}, True),
        ({"definition": "returns"}, False),
        ({"break_name": "ready"}, False),
        ({"kind": "repeated"}, False),
        ({"severity": "error"}, False),
        ({"owner": "team-checkout"}, False),
        ({"run": "simulation"}, False),
    ],
)
def test_what_is_one_incident(change: dict[str, Any], same: bool) -> None:
    one, other = alert(1, offset=1), alert(1, offset=1, **change)
    assert (labels_of(one).key() == labels_of(other).key()) == same


TOLD_OPEN, TOLD_OVER = Decision("duplicate", Told("firing", 1)), Decision("not_told", Told("resolved", 1))


def test_the_place_of_a_change_among_the_open_alerts() -> None:
    def place(state: str, decision: Decision) -> str:
        return standing(alert(1, state, offset=1).state, decision.reason == "replay", decision.after.is_open)

    assert place("firing", TOLD_OPEN) == "opens"
    assert place("firing", Decision("shadow", Told())) == "stays"
    assert place("firing", Decision("replay", Told("firing", 1))) == "stays"
    assert place("moved", TOLD_OPEN) == "stays"
    assert place("moved", Decision("not_told", Told())) == "closes"
    assert place("acknowledged", TOLD_OPEN) == "acknowledged"
    assert place("acknowledged", Decision("not_told", Told())) == "stays"
    assert place("resolved", TOLD_OVER) == place("withdrawn", TOLD_OVER) == "closes"


@pytest.mark.parametrize(
    ("heard", "count", "reason", "after"),
    [
        (Heard(), 1, "fired", Heard(True, 1, 1)),
        (Heard(), 37, "fired", Heard(True, 1, 10)),
        (Heard(), 0, "not_told", Heard()),
        (Heard(True, 1, 1), 9, "no_threshold", Heard(True, 1, 1)),
        (Heard(True, 1, 1), 10, "grew", Heard(True, 1, 10)),
        (Heard(True, 1, 10), 2, "no_threshold", Heard(True, 1, 10)),
        (Heard(True, 1, 10), 10_001, "grew", Heard(True, 1, 10_000)),
        (Heard(True, 1, 10_000), 1_000_000, "no_threshold", Heard(True, 1, 10_000)),
        (Heard(True, 1, 10), 0, "resolved", Heard(False, 1, 0)),
        (Heard(False, 1, 0), 0, "not_told", Heard(False, 1, 0)),
        (Heard(False, 1, 0), 3, "fired", Heard(True, 2, 1)),
    ],
)
def test_the_table(heard: Heard, count: int, reason: str, after: Heard) -> None:
    step = advance(heard, count)
    assert (step.reason, step.after) == (reason, after)
    assert reason in INCIDENT_REASONS


@pytest.mark.parametrize(
    ("heard", "count", "acknowledged", "reason", "after"),
    [
        (Heard(), 2, 2, "acknowledged", Heard(True, 1, 0, is_acknowledged=True)),
        (Heard(True, 1, 1), 2, 1, "no_threshold", Heard(True, 1, 1)),
        (Heard(True, 1, 1), 2, 2, "acknowledged", Heard(True, 1, 0, is_acknowledged=True)),
        (Heard(True, 1, 0, is_acknowledged=True), 200, 200, "no_threshold", Heard(True, 1, 0, is_acknowledged=True)),
        (Heard(True, 1, 0, is_acknowledged=True), 3, 2, "grew", Heard(True, 1, 1)),
        (Heard(True, 1, 1), 200, 195, "no_threshold", Heard(True, 1, 1)),
        (Heard(True, 1, 1), 200, 190, "grew", Heard(True, 1, 10)),
        (Heard(True, 1, 0, is_acknowledged=True), 0, 0, "resolved", Heard(False, 1, 0)),
        (Heard(True, 1, 1, is_flapping=True), 1, 0, "grew", Heard(True, 1, 1)),
        (Heard(True, 1, 1, is_flapping=True), 1, 1, "acknowledged", Heard(True, 1, 0, is_acknowledged=True)),
        (Heard(True, 1, 1, is_flapping=True), 0, 0, "resolved", Heard(False, 1, 0)),
    ],
)
def test_those_that_somebody_looks_after_are_not_told_again(
    heard: Heard, count: int, acknowledged: int, reason: str, after: Heard
) -> None:
    step = advance(heard, count, acknowledged)
    assert (step.reason, step.after) == (reason, after)


@given(st.lists(st.integers(0, 20_000), max_size=40))
def test_a_route_hears_beginning_growth_and_end_in_turn(counts: list[int]) -> None:
    heard, news = Heard(), []
    for count in counts:
        step = advance(heard, count)
        heard = step.after
        assert heard.is_open == (count > 0)
        if step.news:
            news.append((step.news, heard.round, heard.reached))
    for (before, _, low), (after, _, high) in pairwise(news):
        assert (after == "fired") == (before == "resolved")
        assert after != "grew" or high > low
    assert len(news) == len(set(news))
    assert len(news) <= (len(GROWTH) + 1) * sum(kind == "fired" for kind, _, _ in news)


def test_thresholds() -> None:
    assert [reached(count) for count in (0, 1, 9, 10, 99, 100, 10**9)] == [0, 1, 1, 10, 10, 100, GROWTH[-1]]
