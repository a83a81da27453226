"""The oracle's reading of docs/journeys.md: whose turn it is among touchpoints of one moment."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from tests.oracle.course import ordered, turn
from tests.oracle.decode import Touchpoint
from tests.oracle.definitions import CLICK_AND_COLLECT as COLLECT
from tests.oracle.fold import Outcome
from tests.oracle.journeys import Rulebook, runs
from tests.oracle.rules import Declared, Definition, Pattern, Step
from tests.oracle.tiny import minute

NOON = minute(0)
END = minute(60)
ORDER = {"order_id": "7"}
ALONE = replace(COLLECT, joins=False)
VISIT = replace(COLLECT, key="customer", joins=False)
NAMES = ("order_placed", "payment_captured", "ready_for_pickup", "picked_up")


def touch(name: str, tid: str, *, sequence: int = 0, channel: str = "store", **said: Any) -> Touchpoint:
    """All of one moment."""
    return Touchpoint(
        touchpoint_id=tid, message_id=tid, source="till", place="here", name=name, channel=channel,
        occurred_at_sent=NOON, occurred_at=NOON, sent_at=None, received_at=None, log_time=NOON, sequence=sequence,
        identifiers={} if said.pop("keyless", False) else ORDER, subject=None,
        properties={"fulfilment": "pickup"} | said,
    )  # fmt: skip


def outcomes(definition: Definition, *touchpoints: Touchpoint) -> dict[str, Outcome]:
    keyed = {("order_id", "7"): [x for x in touchpoints if x.identifiers]}
    found = runs(definition, touchpoints, keyed, END, Rulebook((definition,)))
    return {anchor: outcome for anchor, _, outcome, _ in found}


@pytest.mark.parametrize("ids", list(permutations("abcd")), ids="".join)
@pytest.mark.parametrize("definition", [ALONE, COLLECT, VISIT], ids=["keyed", "joint", "customer"])
def test_what_is_done_in_one_moment_is_done_in_the_order_of_the_steps(
    definition: Definition, ids: tuple[str, ...]
) -> None:
    keyless = definition is COLLECT
    touchpoints = [touch(name, tid, keyless=keyless and name != NAMES[0]) for name, tid in zip(NAMES, ids, strict=True)]
    anchor = f"start:{ids[0]}" if definition is VISIT else "order_id:7"
    found = outcomes(definition, *touchpoints)[anchor]
    reached = {name: step.touchpoint_id for name, step in found.steps.items() if step.status == "reached"}
    assert reached == dict(zip(("paid", "ready", "collected"), ids[1:], strict=True))
    assert found.breaks == ()


def test_a_sequence_knows_better() -> None:
    found = outcomes(ALONE, touch("order_placed", "a", sequence=1), touch("payment_captured", "b"))["order_id:7"]
    assert found.steps["paid"].status == "missed"


def test_the_start_comes_first_and_what_is_no_step_last() -> None:
    whats = [touch("feedback_given", "e"), touch("order_cancelled", "b"), touch("payment_declined", "a")]
    whats += [touch("order_approved", "f"), touch("payment_captured", "d"), touch("order_placed", "g")]
    assert [x.touchpoint_id for x in ordered(COLLECT, whats)] == ["g", "d", "f", "e", "a", "b"]


def test_a_turn_is_of_what_matches_and_not_of_a_name() -> None:
    assert turn(COLLECT, touch("order_placed", "a", fulfilment="post")) == float("inf")
    assert turn(COLLECT, touch("picked_up", "a")) == 3
    assert turn(COLLECT, touch("picked_up", "a", channel="web")) == float("inf")


def test_of_several_steps_the_least_counts_and_of_start_and_step_the_start() -> None:
    steps = (*COLLECT.steps, Step("again", Pattern(("payment_captured", "order_placed")), "asked"))
    twice = replace(COLLECT, steps=steps)
    assert turn(twice, touch("payment_captured", "a")) == 1
    assert turn(twice, touch("order_placed", "a")) == 0
    assert turn(twice, touch("order_placed", "a", fulfilment="post")) == 5


def test_where_weight_begins_a_journey_whatever_has_weight_comes_first() -> None:
    known = {"picked_up": Declared(valence="positive")}
    heavy = replace(COLLECT, start=Pattern(("picked_up",), weighted=True), known=known)
    assert [x.name for x in ordered(heavy, [touch("payment_captured", "a"), touch("picked_up", "b")])] == [
        "picked_up",
        "payment_captured",
    ]


def test_a_score_of_the_moment_of_its_step_comes_after_it() -> None:
    whole = [touch(name, tid) for name, tid in zip(NAMES, "dcbz", strict=True)]
    found = outcomes(ALONE, *whole, touch("feedback_given", "a", csat=1))["order_id:7"]
    assert "bad_pickup" in {one.name for one in found.breaks}
