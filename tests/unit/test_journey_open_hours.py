"""Deadlines in open time, against a count minute by minute, and at the edges by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from schemas.calendar import DAYS, Calendar
from streams.journey.open_hours import NEVER, OpenHours

MINUTE = 60_000
HOUR = 60 * MINUTE
STORE = Calendar(
    zone="Europe/Berlin", open={"mon-fri": "09:00-20:00", "sat": "10:00-14:00, 15:00-18:00"}, holidays="DE-BE"
)


def at(text: str, zone: str = "Europe/Berlin") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("since", "hours", "due"),
    [
        ("2026-11-23T10:00", 2, "2026-11-23T12:00"),  # Monday
        ("2026-11-23T03:00", 1, "2026-11-23T10:00"),  # before opening
        ("2026-11-23T18:00", 2, "2026-11-23T20:00"),  # to the minute of closing
        ("2026-11-23T19:00", 2, "2026-11-24T10:00"),
        ("2026-11-23T20:00", 1, "2026-11-24T10:00"),
        ("2026-11-28T13:30", 1, "2026-11-28T15:30"),  # Saturday, over lunch
        ("2026-11-28T17:00", 2, "2026-11-30T10:00"),  # over the Sunday
        ("2026-12-24T16:00", 8, "2026-12-28T13:00"),  # over Christmas (Friday, Saturday) and a Sunday
        ("2027-03-06T17:00", 2, "2027-03-09T10:00"),  # 8 March is a holiday in Berlin alone
    ],
)
def test_by_hand(since: str, hours: int, due: str) -> None:
    assert OpenHours(STORE).due(at(since), hours * HOUR) == at(due)


def test_a_part_of_the_country_has_its_own_holidays() -> None:
    hesse = OpenHours(STORE.model_copy(update={"holidays": "DE-HE"}))
    assert hesse.due(at("2027-03-06T17:00"), 2 * HOUR) == at("2027-03-08T10:00")


def test_durations_are_real_time_when_the_clock_changes() -> None:
    always = OpenHours(Calendar(zone="Europe/Berlin", open={"mon-sun": "00:00-24:00"}))
    spring, autumn = at("2026-03-29T00:00"), at("2026-10-25T00:00")
    assert always.due(spring, 3 * HOUR) == at("2026-03-29T04:00") == spring + 3 * HOUR
    assert always.due(autumn, 4 * HOUR) == at("2026-10-25T03:00") == autumn + 4 * HOUR


def brute(calendar: Calendar, since: int, minutes: int, closed: set[str]) -> int:
    """Walks minute by minute by the wall clock; `since` on a full minute."""
    zone, left, now = ZoneInfo(calendar.zone), minutes, since
    while left:
        local = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
        for days, hours in calendar.open.items():
            first, _, last = days.partition("-")
            if DAYS.index(first) <= local.weekday() <= DAYS.index(last or first) and str(local.date()) not in closed:
                for each in hours.split(", "):
                    opens, closes = each.split("-")
                    left -= opens <= f"{local:%H:%M}" < closes
        now += MINUTE
    return now


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_it_is_what_counting_minutes_gives(zone: str) -> None:
    rng = Random(zone)
    calendar = STORE.model_copy(update={"zone": zone})
    closed = {"2026-04-03", "2026-04-06", "2026-05-01", "2026-10-03", "2026-12-25", "2026-12-26", "2027-01-01"}
    hours = OpenHours(calendar)
    for _ in range(12):
        since = at("2026-03-27T00:00", zone) + rng.randrange(280 * 24 * 60) * MINUTE
        minutes = rng.choice((1, 59, 480, 661, 1_500))
        if datetime.fromtimestamp(since / 1000, UTC) < datetime(2026, 12, 20, tzinfo=UTC):
            closed_here = closed | {"2026-05-14", "2026-05-25", "2026-03-08"}
            assert hours.due(since, minutes * MINUTE) == brute(calendar, since, minutes, closed_here)


def test_later_never_becomes_earlier() -> None:
    hours, since = OpenHours(STORE), at("2026-12-20T00:00")
    dues = [hours.due(since + step * 7 * MINUTE, 3 * HOUR) for step in range(3_000)]
    assert dues == sorted(dues)


def test_a_time_that_no_calendar_knows_has_no_deadline() -> None:
    assert OpenHours(STORE).due(-(1 << 60), HOUR) == NEVER
    assert OpenHours(STORE).due(1 << 60, HOUR) == NEVER
    assert OpenHours(STORE).due(at("2026-11-23T10:00"), 400 * 365 * 24 * HOUR) == NEVER


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"zone": "Europe/Berln"}, "no time zone"),
        ({"open": {"mon-fri": "9-20"}}, "are no hours"),
        ({"open": {"mon-fri": "20:00-09:00"}}, "ends before it begins"),
        ({"open": {"mon-fri": "09:00-25:00"}}, "are no hours"),
        ({"open": {"mon-fri": "09:00-24:30"}}, "ends before it begins"),
        ({"open": {"mon-fri": "09:00-12:00, 11:00-13:00"}}, "overlap"),
        ({"open": {"mon-fri": "09:00-12:00", "wed": "13:00-14:00"}}, "wed is given twice"),
        ({"open": {"monday": "09:00-12:00"}}, "no day"),
        ({"open": {"fri-mon": "09:00-12:00"}}, "no day"),
        ({"open": {}}, "at least 1"),
        ({"holidays": "XX"}, "no country"),
        ({"holidays": "DE-XX"}, "no such part"),
    ],
)
def test_what_is_no_calendar_is_refused_and_says_why(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Calendar.model_validate(STORE.model_dump() | change)
