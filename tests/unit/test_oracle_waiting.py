"""The oracle's reading of open hours, of sources.md and of modes: each rule by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.oracle.definitions import CHECKOUT
from tests.oracle.hearing import Hearing, Silence
from tests.oracle.modes import Switched, mode_at
from tests.oracle.open_time import later
from tests.oracle.rules import HOUR, MINUTE, Declared, Definition, Hours, Watched, replace_version, weight

BERLIN = Hours("Europe/Berlin", tuple((day, 9 * 60, 20 * 60) for day in range(5)), "DE-BE")
NIGHTS = Hours("Europe/Berlin", tuple((day, 120, 180) for day in range(7)))
TILL = Watched("till", frozenset({"picked_up"}), 60 * MINUTE, 30 * MINUTE)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("since", "hours", "until"),
    [
        ("2026-03-02T10:00", 2, "2026-03-02T12:00"),
        ("2026-03-02T17:00", 2, "2026-03-02T19:00"),  # to the moment at which it closes
        ("2026-03-02T18:00", 2, "2026-03-03T09:00"),
        ("2026-03-06T18:30", 1, "2026-03-09T08:30"),  # Friday evening to Monday
        ("2026-05-01T10:00", 1, "2026-05-04T08:00"),  # a holiday, and summer time
    ],
)
def test_time_counts_in_open_hours(since: str, hours: int, until: str) -> None:
    assert later(at(since), hours * HOUR, BERLIN) == at(until)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-10-24T12:00", "2026-10-25T02:00"),  # 02:00 comes twice: from the first one to 03:00 are two hours
        ("2026-03-28T12:00", "2026-03-31T01:00"),  # 02:00 to 03:00 does not come on the 29th
    ],
)
def test_hours_hold_by_the_clock_on_the_wall(since: str, until: str) -> None:
    assert later(at(since), 2 * HOUR, NIGHTS) == at(until)


def hearing(*spans: tuple[int, int]) -> Hearing:
    return Hearing((TILL,), {"till": [(a * MINUTE, b * MINUTE) for a, b in spans]})


def released(heard: Hearing, f: int, w: int) -> bool:
    return heard.judged({"picked_up"}, (), f * MINUTE, w * MINUTE)


def test_a_silence_begins_when_it_was_heard_last() -> None:
    found = hearing((0, 10), (100, 100)).silences(TILL, "till", 130 * MINUTE)
    assert found == [Silence(10 * MINUTE, 70 * MINUTE, 100 * MINUTE)]
    assert hearing((0, 10)).silences(TILL, "till", 69 * MINUTE) == []
    assert hearing((0, 10), (12, 70)).known(TILL, "till", 60 * MINUTE) == [(0, 60 * MINUTE)]


@pytest.mark.parametrize(
    ("f", "w", "expected"),
    [
        (10, 10, True),  # heard then
        (20, 60, False),  # nobody knows yet
        (20, 99, False),  # silent
        (20, 129, False),  # it catches up
        (20, 135, False),  # quiet again since 131
        (20, 140, True),
        (10, 99, True),  # the silence has no part in what was due before
    ],
)
def test_what_waits_is_judged_when_the_source_has_caught_up(f: int, w: int, expected: bool) -> None:
    last = (100, 129) if w < 140 else (100, 140)
    assert released(hearing((0, 10), last), f, w) is expected


def test_a_source_that_was_never_heard_holds_nothing() -> None:
    assert released(hearing(), 20, 20)
    assert Hearing((TILL,), {"till": [(0, 0)]}).judged({"other"}, (), 20 * MINUTE, 20 * MINUTE)


def test_the_last_switch_of_a_moment_counts_and_the_others_make_way() -> None:
    one, two = CHECKOUT, replace_version(CHECKOUT, 2, "shadow")
    live, off = Switched("checkout", 2, "live", 100), Switched("checkout", 2, "off", 100)

    def modes(moment: int, *switches: Switched) -> tuple[str, str]:
        return mode_at((one, two), switches, one, moment), mode_at((one, two), switches, two, moment)

    assert modes(99, live) == ("live", "shadow")
    assert modes(100, live) == ("off", "live")
    assert modes(100, live, off) == ("live", "off")
    assert modes(200, live, Switched("checkout", 1, "shadow", 150)) == ("shadow", "live")


@pytest.mark.parametrize(
    ("csat", "expected"), [(5, 4.0), (4, 2.0), (3, 0.0), (1, -4.0), (-7, -4.0), ("5", -4.0), (True, -4.0)]
)
def test_a_score_weighs_between_worst_and_best(csat: object, expected: float) -> None:
    known = {"rated": Declared(criticality="high", valence="negative", score=("csat", 1, 3, 5))}
    assert weight(known, "rated", {"csat": csat}) == expected
    assert weight(known, "unknown", {"csat": csat}) == 0


def test_a_definition_says_who_is_told() -> None:
    quiet: Definition = replace_version(CHECKOUT, 1, "live", {"order_placed": Declared(mode="monitor")})
    assert quiet.monitored("ordered")
    assert not CHECKOUT.monitored("ordered")


def test_that_w_lies_in_a_gap_that_is_none_may_show_later() -> None:
    """Three minutes of sixty are none. What is waited for at 11 may be judged at 11 by who knows of 13."""
    knows_more = Hearing((TILL,), {"till": [(0, 10 * MINUTE), (13 * MINUTE, 13 * MINUTE)]}, joins_later=True)
    assert not released(hearing((0, 10), (13, 13)), 11, 11)
    assert released(knows_more, 11, 11)
    wide = Hearing((TILL,), {"till": [(0, 10 * MINUTE), (14 * MINUTE, 14 * MINUTE)]}, joins_later=True)
    assert not released(wide, 11, 11)
