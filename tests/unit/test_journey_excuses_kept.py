"""How long what a customer said is remembered, and that it stands for nothing but what starts after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.journey_case import DAY, HOUR, MINUTE, NOON, Log, Outcome, assert_restart_changes_nothing, keep, play, touch
from tests.unit.test_journey_excuses import ORDER, VISIT, YEAR, asked, later, members, opt, order, put, stage, visit


def forgetful(log: Log, *said: Mapping[str, Any]) -> tuple[Outcome, list[int]]:
    """What was said, and after each record how much is stored of touchpoints."""
    track, outcome, state, sizes = stage(*said), Outcome(), dict[bytes, bytes](), list[int]()
    for record in log.records:
        track.apply(record, outcome.effects)
        track.flush(outcome.effects)
        keep(track, state)
        sizes.append(sum(key.startswith(b"\x94\xa1e") for key in state))
    return outcome, sizes


def test_it_is_remembered_for_a_year_and_the_longest_life_more_and_nothing_else_is() -> None:
    log = put(Log(), *order(collected=False), touch("cancelled", NOON + 1), opt(NOON))
    for day in range(1, 386):
        log.tick(NOON + day * DAY)
    _, sizes = forgetful(log)
    days = dict(enumerate(sizes[3:], start=1))
    assert days[6] == sizes[2] == 3
    assert {days[day] for day in range(10, 382)} == {1}
    assert days[385] == 0, "365 days, ten of the journey, a minute of grace and seven of all that is remembered"


def test_a_year_later_it_still_excuses_although_its_own_journey_is_forgotten() -> None:
    start = NOON + YEAR - HOUR
    log = put(Log(), *order(), opt(NOON + 2 * MINUTE), *visit(NOON + DAY, 1))
    for day in range(1, 365, 40):
        log.tick(NOON + day * DAY)
    put(log, *order(start, "8"), *visit(start, 3))
    later(log, 2, since=start)
    put(log, touch("placed", start - 1, order="9", log=start + 3 * HOUR))
    for day in range(1, 40, 8):
        log.tick(start + day * DAY)
    outcome, _ = forgetful(log, ORDER, VISIT)
    assert outcome.alerts == []
    assert set(asked(outcome).values()) <= {"skipped", "waiting"}
    for cut in range(0, len(log.records), 3):
        assert_restart_changes_nothing(log, cut, lambda: stage(ORDER, VISIT))


def test_what_only_stands_for_others_begins_nothing_again() -> None:
    """In another definition the same touchpoint is a start; that journey is forgotten."""
    said = (ORDER, VISIT | {"journey": "start", "start": {"touchpoint": "opted_out"}, "lifetime": "1h"})
    log = put(Log(), opt(NOON))
    for day in range(1, 12):
        log.tick(NOON + day * DAY)
    put(log, touch("collected", NOON + 11 * DAY, order=None), opt(NOON + 10 * DAY, name="collected"))
    first, _ = forgetful(log, *said)
    assert [j["anchor"] for j in first.journeys.values()] == ["start:no"]
    assert first.journey()["at"][2] < 4, "nothing is written of it once it is forgotten"
    for cut in range(len(log.records)):
        assert_restart_changes_nothing(log, cut, lambda: stage(*said))


def test_what_only_stands_for_others_joins_nothing_when_there_is_one_less_to_join() -> None:
    step = ORDER["steps"]["asked"] | {"excused_by": [], "touchpoint": "opted_out"}
    reached = ORDER | {"steps": ORDER["steps"] | {"asked": step}, "lifetime": "30d"}
    said = (reached, VISIT | {"start": {"touchpoint": "came"}})
    log = put(Log(), *order(collected=False), *order(number="8", collected=False), opt(NOON + 1))
    log.attach(touch("cancelled", NOON + 2, order="8"), scope="order_id:8")
    for day in range(1, 12):
        log.tick(NOON + day * DAY)
    put(log, touch("collected", NOON + 11 * DAY, order="7", tid="b"))
    put(log, touch("collected", NOON + 10 * DAY, order="7", tid="a", log=NOON + 11 * DAY))
    outcome, _ = forgetful(log, *said)
    assert members(outcome)["order_id:7"] == ["s7", "a", "b"]
    for cut in range(len(log.records)):
        assert_restart_changes_nothing(log, cut, lambda: stage(*said))


def test_what_is_said_of_one_order_is_not_remembered_for_others() -> None:
    """The customer's own touchpoints hold it because another definition asks for it."""
    log = Log()
    log.resolved(opt(NOON, order="7"))
    for day in range(1, 10):
        log.tick(NOON + day * DAY)
    heard = VISIT | {"steps": {"out": {"touchpoint": "opted_out"}}, "outcome": {"success": "out"}}
    sizes = forgetful(log, ORDER, heard)[1]
    assert (sizes[0], sizes[-1]) == (1, 0)


def test_what_excused_a_journey_stays_as_long_as_that_is_heard_of() -> None:
    """Touchpoints of an order keep it alive for years; what comes late folds it again."""
    log = put(Log(), opt(NOON - YEAR), *order())
    for day in range(0, 40, 5):
        log.tick(NOON + day * DAY)
        put(log, touch("collected", NOON + day * DAY, tid=f"again {day}"))
    log.tick(NOON + 40 * DAY)
    put(log, touch("collected", NOON + 38 * DAY, tid="late", log=NOON + 40 * DAY))
    log.tick(NOON + 41 * DAY)
    assert play(log, stage()).alerts == []
    for cut in range(0, len(log.records), 3):
        assert_restart_changes_nothing(log, cut, stage)


def test_a_full_customer_gives_up_what_counts_less_first() -> None:
    said = VISIT | {"breaks": {"often": {"touchpoint": "viewed", "at_most": 50}}}
    views = [touch("viewed", NOON + number * MINUTE, order=None) for number in range(1, 12)]
    log = put(Log(), opt(NOON - DAY), *visit(NOON, 1, collected=False), *views)
    put(log, touch("collected", NOON + 12 * MINUTE, order=None), *views[:2])
    outcome = play(later(log, 3), stage(said, most=6))
    assert (asked(outcome), outcome.alerts, outcome.journey()["truncated"]) == ({"start:s1": "skipped"}, [], True)
