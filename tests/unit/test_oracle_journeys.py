"""The oracle's reading of docs/journeys.md: each rule by hand, on single instances and on tiny runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.oracle.decode import Touchpoint
from tests.oracle.definitions import CHECKOUT, CLICK_AND_COLLECT
from tests.oracle.fold import Outcome, fold
from tests.oracle.rules import Definition
from tests.oracle.tiny import TinyRun, customer, minute

HOUR = 60.0
DAY = 24 * HOUR
LIFETIME = 14 * DAY
MS = 1 / 60_000
ANN, BEN = customer("user_id", "ann"), customer("user_id", "ben")
PICKUP = {"fulfilment": "pickup"}
START = ("order_placed", 0.0, PICKUP)
What = tuple[str, float] | tuple[str, float, dict[str, Any]]


def touchpoint(number: int, what: What) -> Touchpoint:
    name, at, properties = what if len(what) == 3 else (*what, {})
    return Touchpoint(
        touchpoint_id=f"{number:04d}",
        message_id=f"m{number}",
        source="till",
        place="here",
        name=name,
        channel=properties.get("on", "store"),
        occurred_at_sent=minute(at),
        occurred_at=minute(at),
        sent_at=None,
        received_at=None,
        log_time=minute(at),
        sequence=0,
        identifiers={},
        subject=None,
        properties=properties,
    )


def outcome(*whats: What, until: float, definition: Definition = CLICK_AND_COLLECT) -> Outcome:
    found = fold(definition, [touchpoint(number, what) for number, what in enumerate(whats)], minute(until))
    assert found is not None
    return found


def breaks(found: Outcome) -> list[tuple[str, int, int, int | None]]:
    return [(one.name, one.occurrence, one.cause_at, one.cleared_at) for one in found.breaks]


def statuses(found: Outcome) -> str:
    return " ".join(f"{name}:{step.status}" for name, step in found.steps.items())


PAID, READY, COLLECTED = ("payment_captured", 5.0), ("ready_for_pickup", 60.0), ("picked_up", 120.0)
ASKED, ANSWERED, APPROVED = ("feedback_requested", 180.0), ("feedback_given", 240.0), ("order_approved", 1.0)


def test_the_whole_way() -> None:
    found = outcome(START, APPROVED, PAID, READY, COLLECTED, ASKED, ANSWERED, until=DAY)
    assert (found.status, found.ended_at, breaks(found)) == ("succeeded", minute(240), [])
    assert set(statuses(found).replace(":", " ").split()[1::2]) == {"reached"}
    assert found.steps["ready"].due_at == minute(5 + 8 * HOUR)


def test_without_the_approval_it_stays_open_until_its_lifetime() -> None:
    whats = (START, PAID, READY, COLLECTED, ASKED, ANSWERED)
    assert outcome(*whats, until=LIFETIME).ended_at is None
    assert outcome(*whats, until=LIFETIME + MS).ended_at == minute(LIFETIME)


def test_no_start_is_no_journey() -> None:
    assert fold(CLICK_AND_COLLECT, [touchpoint(0, ("order_placed", 0.0, {"fulfilment": "post"}))], minute(60)) is None


def test_what_lies_before_the_start_does_nothing() -> None:
    found = outcome(("payment_captured", -1.0), START, until=5)
    assert found.steps["paid"].status == "waiting"


@pytest.mark.parametrize(("paid", "expected"), [(11.0, []), (11 + MS, [("paid", 1, minute(10), minute(11 + MS))])])
def test_grace_is_in_time(paid: float, expected: list[Any]) -> None:
    assert breaks(outcome(START, ("payment_captured", paid), until=12)) == expected


@pytest.mark.parametrize(("until", "expected"), [(11 - MS, []), (11.0, [("paid", 1, minute(10), None)])])
def test_a_missing_step_is_judged_after_grace(until: float, expected: list[Any]) -> None:
    found = outcome(START, until=until)
    assert breaks(found) == expected
    assert found.steps["paid"].status == ("missed" if expected else "waiting")


def test_a_step_waits_for_what_arrives_late() -> None:
    due = 60 + 2 * DAY
    assert breaks(outcome(START, PAID, READY, until=due + 21 - MS)) == []
    found = outcome(START, PAID, READY, until=due + 21)
    assert [(one.name, one.kind, one.due_at) for one in found.breaks] == [("collected", "handoff_lost", minute(due))]


def test_a_late_step_is_judged_as_late_as_a_missing_one() -> None:
    due = 60 + 2 * DAY
    whats = (START, PAID, READY, ("picked_up", due + 2))
    assert breaks(outcome(*whats, until=due + 21 - MS)) == []
    assert breaks(outcome(*whats, until=due + 21)) == [("collected", 1, minute(due), minute(due + 2))]


def test_the_pattern_wants_its_channel() -> None:
    found = outcome(START, PAID, READY, ("picked_up", 90.0, {"on": "locker"}), until=2 * HOUR)
    assert found.steps["collected"].status == "waiting"


def test_a_later_step_settles_and_skips() -> None:
    found = outcome(START, READY, until=2 * HOUR)
    assert breaks(found) == [("paid", 1, minute(10), minute(60))]
    assert (found.steps["paid"].status, found.steps["ready"].due_at) == ("skipped", None)


@pytest.mark.parametrize(("at", "cleared"), [(11.0, None), (12.0, minute(12))])
def test_a_failure_prevents_or_clears(at: float, cleared: int | None) -> None:
    found = outcome(START, ("order_cancelled", at), PAID[:1] + (13.0,), until=HOUR)
    assert (found.status, found.ended_at) == ("failed", minute(at))
    assert breaks(found) == ([] if cleared is None else [("paid", 1, minute(10), cleared)])
    assert found.steps["paid"].status == "waiting"


def test_no_deadline_after_the_lifetime() -> None:
    late = LIFETIME - DAY + 1
    found = outcome(START, PAID, READY, ("picked_up", late), until=LIFETIME + 5 * DAY)
    assert [one.name for one in found.breaks] == ["collected"]
    on_the_edge = outcome(START, PAID, READY, ("picked_up", late - 1), until=LIFETIME + 5 * DAY)
    assert [one.name for one in on_the_edge.breaks] == ["collected", "asked"]


def test_counted_only() -> None:
    found = outcome(("checkout_started", 0.0), until=2 * HOUR + 1, definition=CHECKOUT)
    assert (breaks(found), found.steps["ordered"].status) == ([], "missed")
    assert outcome(("checkout_started", 0.0), until=2 * HOUR + 1 - MS, definition=CHECKOUT).steps["ordered"].status == (
        "waiting"
    )


def test_the_lifetime_is_inclusive() -> None:
    assert outcome(START, until=LIFETIME).status == "open"
    assert outcome(START, until=LIFETIME + MS).status == "expired"
    assert outcome(START, ("picked_up", LIFETIME), until=2 * LIFETIME).status == "succeeded"
    assert outcome(START, ("picked_up", LIFETIME + MS), until=2 * LIFETIME).status == "expired"


def test_failure_after_success_counts_even_after_the_end() -> None:
    done = (START, APPROVED, PAID, READY, COLLECTED, ASKED, ANSWERED)
    found = outcome(*done, ("order_refunded", 300.0), until=DAY)
    assert (found.status, found.ended_at) == ("failed", minute(240))
    assert outcome(START, ("order_refunded", LIFETIME + 1), until=2 * LIFETIME).status == "expired"


def declined(*times: float) -> tuple[What, ...]:
    return tuple(("payment_declined", at) for at in times)


@pytest.mark.parametrize(
    ("whats", "expected"),
    [
        (declined(1, 2), []),
        (declined(1, 2, 11), [("payment_trouble", 1, minute(11), None)]),
        (declined(1, 2, 11 + MS), []),
        (declined(1, 2, 3, 4), [("payment_trouble", 1, minute(3), None)]),
        ((*declined(1, 2), ("invoice_accepted", 3.0), *declined(4)), []),
        ((*declined(1, 2, 3), PAID), [("payment_trouble", 1, minute(3), minute(5))]),
        (
            (*declined(1, 2, 3), PAID, *declined(6, 7, 8)),
            [("payment_trouble", 1, minute(3), minute(5)), ("payment_trouble", 2, minute(8), None)],
        ),
        ((*declined(1, 2, 3), ("order_cancelled", 4.0)), [("payment_trouble", 1, minute(3), minute(4))]),
    ],
)
def test_repeated(whats: tuple[What, ...], expected: list[Any]) -> None:
    assert breaks(outcome(START, *whats, until=10)) == expected


def test_the_start_is_not_counted() -> None:
    starts: list[What] = [("checkout_started", float(at)) for at in range(5)]
    assert breaks(outcome(*starts[:4], until=9, definition=CHECKOUT)) == []
    assert breaks(outcome(*starts, until=9, definition=CHECKOUT)) == [("checkout_loop", 1, minute(4), None)]


def scored(*scores: Any) -> tuple[What, ...]:
    return tuple(("feedback_given", 200.0 + number, {"csat": score}) for number, score in enumerate(scores))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((3,), []),
        ((2.9, 1), [("bad_pickup", 1, minute(200), None)]),
        ((2, 3, 1), [("bad_pickup", 1, minute(200), minute(201)), ("bad_pickup", 2, minute(202), None)]),
        ((True, "1", None), []),
    ],
)
def test_low_score(scores: tuple[Any, ...], expected: list[Any]) -> None:
    done = (START, APPROVED, PAID, READY, COLLECTED, ASKED, ANSWERED)
    assert breaks(outcome(*done[:-1], *scored(*scores), until=DAY)) == expected


def test_a_failure_does_not_end_a_low_score() -> None:
    found = outcome(START, PAID, READY, COLLECTED, ASKED, *scored(1), ("order_refunded", 300.0), until=DAY)
    assert breaks(found) == [("bad_pickup", 1, minute(200), None)]


# -- which touchpoints, on tiny runs ----------------------------------------------------------------------------------


def order(run: TinyRun, at: float, order_id: str, who: str = "ann") -> str:
    return run.touch("order_placed", at, customer("user_id", who), user_id=who, order_id=order_id, properties=PICKUP)


def paid(run: TinyRun, at: float, order_id: str, who: str = ANN) -> str:
    return run.touch("payment_captured", at, who, "business_key", order_id=order_id)


def stored(run: TinyRun, who: str, order_id: str, started: float, members: list[str], at_paid: float) -> dict[str, Any]:
    steps = {
        "paid": ("reached", started + 10, at_paid, members[1]),
        "ready": ("waiting", at_paid + 8 * HOUR, None, ""),
    }
    return run.journey("click_and_collect", who, f"order_id:{order_id}", "open", started, members, steps=steps)


def test_without_a_key_it_joins_the_only_open_one(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, 60)
    first = [order(run, 0, "7"), paid(run, 1, "7")]
    joined = run.touch("payment_declined", 2, ANN, user_id="ann")
    second = [order(run, 3, "8"), paid(run, 4, "8")]
    run.touch("payment_declined", 5, ANN, user_id="ann")
    stored(run, ANN, "7", 0, [*first, joined], 1)
    stored(run, ANN, "8", 3, second, 4)
    assert run.report().as_text().endswith("no difference")
    run.journeys[1]["touchpoint_ids"].append(joined)
    assert run.report().sorts == {"journey_touchpoints": 1}


def test_a_friend_who_acts_does_not_take_the_journey(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, 60)
    placed = order(run, 0, "7")
    by_ben = run.touch("invoice_accepted", 1, BEN, user_id="ben", order_id="7")
    stored(run, ANN, "7", 0, [placed, by_ben], 1)
    assert run.report().right
    run.journeys[0]["customer_id"] = BEN
    assert run.report().sorts == {"journey_lost": 1, "journey_extra": 1}


def test_an_opt_out_of_no_order_is_of_both_and_of_none(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, 60)
    run.touch("feedback_declined", -10 * DAY, ANN, user_id="ann")
    seven, eight = [order(run, 0, "7"), paid(run, 1, "7")], [order(run, 3, "8"), paid(run, 4, "8")]
    again = run.touch("feedback_declined", 5, ANN, user_id="ann")
    run.touch("feedback_declined", 5, BEN, user_id="ben")
    for order_id, started, members, at in (("7", 0, seven, 1), ("8", 3, eight, 4)):
        row = stored(run, ANN, order_id, started, [*members, again], at)
        row["steps.status"][-2:] = ["skipped", "skipped"]
    assert run.report().as_text().endswith("no difference")
    run.journeys[0]["steps.status"][-1] = "waiting"
    assert run.report().sorts == {"step": 1}


def test_too_late_takes_no_part(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, 5)
    order(run, -4 * DAY, "7")
    run.touchpoints[0]["log_time"] = run.touchpoints[0]["received_at"] = minute(0)
    run.touchpoints[0]["too_late"] = True
    run.requests[0]["log_time"] = run.requests[0]["sent_at"] = minute(0)
    paid(run, 1, "7", BEN)
    run.touchpoints[1] |= {"customer_id": BEN, "attributed_by": "business_key"}
    run.touch("order_approved", 2, BEN, user_id="ben", order_id="7")
    assert run.report().as_text().endswith("no difference")


def test_a_customer_has_one_open_checkout(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, 60)
    begin = "checkout_started"
    first = [run.touch(begin, at, ANN, user_id="ann") for at in (-DAY, -5.0, 0.0)]
    second = run.touch(begin, MS, ANN, user_id="ann")
    late = ("missed", -DAY + 2 * HOUR, None, "")
    run.journey("checkout", ANN, f"start:{first[0]}", "expired", -DAY, first, ended=0, steps={"ordered": late})
    run.journey(
        "checkout",
        ANN,
        f"start:{second}",
        "open",
        MS,
        [second],
        steps={"ordered": ("waiting", MS + 2 * HOUR, None, "")},
    )
    assert run.report().as_text().endswith("no difference")


SPOILT: dict[str, dict[str, Any]] = {
    "journey": {"status": "failed"},
    "step": {"steps.status": ["waiting"] * 6},
    "break": {"breaks.name": ["paid"], "breaks.kind": ["missing_step"], "breaks.step": ["paid"]}
    | {"breaks.occurrence": [1], "breaks.cause_at": [1], "breaks.due_at": [1], "breaks.cleared_at": [None]},
}


@pytest.mark.parametrize("sort", SPOILT)
def test_a_wrong_journey_is_found(sort: str, tmp_path: Path) -> None:
    run = TinyRun(tmp_path, 60)
    stored(run, ANN, "7", 0, [order(run, 0, "7"), paid(run, 1, "7")], 1)
    run.journeys[0] |= SPOILT[sort]
    assert run.report().sorts == {sort: 1}


def test_journeys_twice_and_lost(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, 60)
    row = stored(run, ANN, "7", 0, [order(run, 0, "7"), paid(run, 1, "7")], 1)
    run.journeys.append(row)
    assert run.report().sorts == {"journey_extra": 1}
    run.journeys.clear()
    assert run.report().sorts == {"journey_lost": 1}
