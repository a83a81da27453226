"""Touchpoints of the same moment: the definition says which comes first, not chance."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.records import Entry
from tests.journey_case import HOUR, MINUTE, NOON, Log, placed, run, touch

UNPAID = {"breaks": {"unpaid": {"touchpoint": "ready_for_pickup", "requires": "paid", "severity": "critical"}}}
IDS = ("a", "b", "c")


def outcome(entries: tuple[Entry, ...], at_once: bool, change: dict[str, Any]) -> Any:
    """What is left when everything has been told; and whether somebody was told on the way."""
    log = Log()
    for some in [entries] if at_once else [(entry,) for entry in entries]:
        log.attach(*some)
    log.tick(NOON + 2 * HOUR)
    found = run(log, change)
    (journey,) = [one for one in found.journeys.values() if one["status"] != "moved"]
    return journey, found.alerts


@pytest.mark.parametrize("change", [{}, UNPAID], ids=["steps", "in the wrong order"])
@pytest.mark.parametrize("ids", list(permutations(IDS)), ids="".join)
def test_an_order_its_payment_and_its_hand_over_of_one_moment_are_no_break(
    ids: tuple[str, ...], change: dict[str, Any]
) -> None:
    names = ("order_placed", "payment_captured", "ready_for_pickup")
    entries = tuple(
        placed(tid=tid) if name == "order_placed" else touch(name, NOON, tid=tid) for name, tid in zip(names, ids)
    )
    for arrived in permutations(entries):
        for at_once in (True, False):
            journey, alerts = outcome(arrived, at_once, change)
            assert journey["touchpoint_ids"] == list(ids), "the order is that of the definition"
            if at_once or not change:
                assert alerts == []


def test_what_says_by_its_sequence_that_it_came_first_did() -> None:
    paid = touch("payment_captured", NOON, tid="paid")
    journey, alerts = outcome((placed(sequence=1, tid="order"), paid), True, {})
    assert journey["touchpoint_ids"] == ["paid", "order"]
    assert [alert["break_name"] for alert in alerts] == ["paid"]


def test_what_reaches_no_step_comes_last() -> None:
    """A declined payment of the moment of the order is one of that order."""
    declined = [touch("payment_declined", NOON + number * MINUTE, tid=f"{number}") for number in range(3)]
    log = Log()
    log.attach(*declined, placed(tid="z"))
    assert "payment_trouble" in {alert["break_name"] for alert in run(log).alerts}
