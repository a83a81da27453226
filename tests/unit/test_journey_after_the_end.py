"""What comes after the end of an instance: which one it belongs to, and what it still clears (docs/journeys.md)."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.definition import Definition
from schemas.records import Entry
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import (
    CATALOGUE,
    DAY,
    HOUR,
    MINUTE,
    NOON,
    Log,
    Outcome,
    assert_restart_changes_nothing,
    play,
    touch,
)

CASE: dict[str, Any] = {
    "journey": "case",
    "version": 1,
    "mode": "live",
    "owner": "team",
    "instance": {"key": "customer"},
    "start": {"touchpoint": "opened"},
    "steps": {
        "paid": {"touchpoint": "paid"},
        "sent": {"touchpoint": "sent", "after": "paid"},
        "solved": {"touchpoint": "solved", "after": "sent"},
    },
    "outcome": {"success": "solved", "failure": ["given_up"]},
    "breaks": {
        "failed": {"touchpoint": "fault", "cleared_by": "paid"},
        "often": {"touchpoint": "declined", "at_least": 2, "in_window": "10m", "cleared_by": "paid"},
        "sour": {"score": "csat", "below": 3},
        "banned": {"touchpoint": "charged", "at_most": 0},
    },
    "lifetime": "1d",
}
KEYED = CASE | {"instance": {"key": "order_id"}}
OPENED, SOLVED = touch("opened", NOON, order=None), touch("solved", NOON + HOUR, order=None)


def stage(said: dict[str, Any] = CASE) -> Track:
    return Track(0, compile_definitions([Definition.model_validate(said)], CATALOGUE), "live")


def at(name: str, minute: int, **more: Any) -> Entry:
    return touch(name, NOON + minute * MINUTE, **({"order": None} | more))


def log_of(*entries: Entry) -> Log:
    log = Log()
    for entry in entries:
        log.attach(entry) if entry.keys else log.resolved(entry)
    return log


def fold(*entries: Entry, said: dict[str, Any] = CASE) -> Outcome:
    return play(log_of(*entries), stage(said))


def members(outcome: Outcome) -> dict[str, list[str]]:
    return {j["anchor"]: j["touchpoint_ids"] for j in outcome.journeys.values() if j["status"] != "moved"}


def breaks(outcome: Outcome) -> list[tuple[str, int, int | None]]:
    def minute(moment: int | None) -> int | None:
        return None if moment is None else (moment - NOON) // MINUTE

    found = [b for journey in outcome.journeys.values() for b in journey["breaks"]]
    return [(b["name"], minute(b["cause_at"]) or 0, minute(b["cleared_at"])) for b in found]


def test_what_comes_after_the_end_belongs_to_the_instance_of_the_customer_that_ended_last() -> None:
    found = members(
        fold(
            at("paid", -1),
            at("opened", 0, tid="s1"),
            at("solved", 1, tid="e1"),
            at("paid", 2, tid="p1"),
            at("given_up", 3),
            at("opened", 60, tid="s2"),
            at("given_up", 61, tid="e2"),
            at("survey", 62, tid="v2", csat=5),
            at("given_up", 63),
            at("paid", 60 + 1440, tid="p2"),
            touch("paid", NOON + HOUR + DAY + 1, order=None),
        )
    )
    assert found == {"start:s1": ["s1", "e1", "p1"], "start:s2": ["s2", "e2", "v2", "p2"]}


def test_a_start_after_the_end_opens_the_next_one_and_in_mode_off_joins_nothing() -> None:
    log = log_of(OPENED, SOLVED)
    log.switch(1, "off", NOON + 2 * HOUR, "case")
    log.resolved(at("opened", 180))
    log.resolved(at("paid", 181, tid="p"))
    assert members(play(log, stage())) == {
        f"start:{OPENED.touchpoint_id}": ["opened@1772366400000", SOLVED.touchpoint_id, "p"]
    }


@pytest.mark.parametrize("said", [CASE, KEYED])
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["fault", "solved", "paid"], [("failed", 1, 3)]),
        (["fault", "solved", "fault", "paid", "fault"], [("failed", 1, 4)]),
        (["charged", "solved"], [("banned", 1, None)]),
        (["solved", "charged"], [("banned", 2, None)]),
        # Paid, or anything after it that is reached, ends the trouble with paying.
        (["declined", "declined", "sent"], [("often", 2, 3)]),
        (["declined", "declined", "solved"], [("often", 2, 3)]),
        (["declined", "sent", "declined"], []),
        (["declined", "sent", "declined", "declined"], [("often", 4, None)]),
        (["sent", "declined", "declined", "sent"], [("often", 3, None)]),
        (["sent", "declined", "declined", "sent", "solved"], [("often", 3, 5)]),
        (["declined", "solved", "declined", "declined"], []),
    ],
)
def test_after_the_end_nothing_begins_and_what_would_clear_clears(
    said: dict[str, Any], names: list[str], expected: list[tuple[str, int, int | None]]
) -> None:
    order = None if said is CASE else "7"
    entries = [at(name, minute, order=order) for minute, name in enumerate(["opened", *names])]
    assert breaks(fold(*entries, said=said)) == expected


def branched(*names: str) -> list[tuple[str, int, int | None]]:
    """The payment and the solution do not wait for each other."""
    steps = {"paid": {"touchpoint": "paid"}, "solved": {"touchpoint": "solved"}}
    said = CASE | {"steps": steps, "breaks": {"often": CASE["breaks"]["often"]}}
    return breaks(fold(*(at(name, minute) for minute, name in enumerate(["opened", *names])), said=said))


def test_a_repetition_is_cleared_by_a_payment_after_the_end_and_by_no_step_beside() -> None:
    assert branched("declined", "declined", "solved") == [("often", 2, None)]
    assert branched("paid", "declined", "declined", "solved", "sent") == [("often", 3, None)]
    assert branched("paid", "declined", "declined", "solved", "paid") == [("often", 3, 5)]


@pytest.mark.parametrize(("last", "cleared"), [(DAY, 1440), (DAY + 1, None)])
@pytest.mark.parametrize("said", [CASE, KEYED])
def test_it_clears_up_to_the_end_of_its_time(said: dict[str, Any], last: int, cleared: int | None) -> None:
    steps = {"paid": {"touchpoint": "paid"}, "solved": {"touchpoint": "solved"}}
    order = None if said is CASE else "7"
    names = ["opened", "paid", "fault", "declined", "declined", "solved"]
    entries = [at(name, minute, order=order) for minute, name in enumerate(names)]
    found = breaks(fold(*entries, touch("paid", NOON + last, order=order), said=said | {"steps": steps}))
    assert found == [("failed", 2, cleared), ("often", 4, cleared)]


def test_one_that_counts_and_reaches_a_later_step_clears() -> None:
    rule = CASE["breaks"]["often"] | {"touchpoint": "sent"}
    found = fold(*(at("sent" if m else "opened", m) for m in range(4)), said=CASE | {"breaks": {"often": rule}})
    assert breaks(found) == [("often", 3, None)], "the first of three reaches"


def test_scores_and_balances_of_a_customer_count_after_the_end() -> None:
    outcome = fold(OPENED, SOLVED, at("survey", 61, csat=1), at("survey", 62, csat=4))
    assert breaks(outcome) == [("sour", 61, 62)]
    assert outcome.journey()["ended_at"] == NOON + HOUR


def test_late_and_in_order_are_the_same_after_the_end() -> None:
    entries = [OPENED, at("fault", 1), SOLVED, at("paid", 70), at("opened", 80), at("survey", 90, csat=1)]
    whole = fold(*entries)
    for late in range(len(entries)):
        log = log_of(*(one for index, one in enumerate(entries) if index != late))
        log.tick(NOON + 2 * HOUR)
        log.resolved(entries[late].model_copy(update={"log_time": NOON + 3 * HOUR}))
        outcome = play(log, stage())
        assert members(outcome) == members(whole)
        assert {*breaks(outcome)} == {*breaks(whole)}
        assert_restart_changes_nothing(log, 4, stage)


def test_an_instance_stays_as_long_as_one_before_it_so_that_what_comes_goes_to_the_last() -> None:
    """The first one is angry for its whole month, the second is over at once; days later somebody thanks."""
    said = CASE | {"lifetime": "30d"}
    log = log_of(at("opened", 0, tid="s1"), at("survey", 1, csat=1), at("solved", 2))
    for entry in (at("opened", 10, tid="s2"), at("solved", 11)):
        log.resolved(entry)
    for day in range(1, 20):
        log.tick(NOON + day * DAY)
    log.resolved(touch("survey", NOON + 19 * DAY, tid="thanks", order=None, csat=5))
    outcome = play(log, stage(said))
    assert members(outcome)["start:s2"][-1] == "thanks"
    assert [(a["break_name"], a["state"]) for a in outcome.alerts] == [("sour", "firing")]
    for cut in range(5, len(log.records), 6):
        assert_restart_changes_nothing(log, cut, lambda: stage(said))


def test_an_order_stays_as_long_as_what_could_have_joined_it_so_that_it_joins_no_other() -> None:
    """Two orders were open when somebody paid without saying for which; one is over, and a visit keeps the payment."""
    orders = KEYED | {
        "journey": "orders",
        "lifetime": "60d",
        "instance": {"key": "order_id", "if_absent": "only_open_one"},
    }
    visits = CASE | {"start": {"touchpoint": "came"}, "lifetime": "40d"}
    log = Log()
    log.resolved(at("came", 0))
    for minute, order in ((1, "7"), (2, "8")):
        log.attach(at("opened", minute, order=order, tid=f"s{order}"), scope=f"order_id:{order}")
    log.resolved(at("paid", 3))
    log.attach(at("given_up", 4, order="8"), scope="order_id:8")
    for day in range(1, 12):
        log.tick(NOON + day * DAY)
    for late in (11, 10):
        log.attach(touch("declined", NOON + late * DAY, tid=f"late {late}", log=NOON + 11 * DAY))

    def both() -> Track:
        return Track(
            0, compile_definitions([Definition.model_validate(one) for one in (orders, visits)], CATALOGUE), "live"
        )

    assert members(play(log, both()))["order_id:7"] == ["s7", "late 10", "late 11"]
    for cut in range(5, len(log.records), 4):
        assert_restart_changes_nothing(log, cut, both)
