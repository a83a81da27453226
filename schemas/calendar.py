"""Opening hours in a definition: which time counts when a deadline is counted in open time.

A week of hours, a time zone and a country's public holidays. What follows from them: `streams.journey.open_hours`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import holidays
from pydantic import AfterValidator, Field, field_validator

from schemas.touchpoint import Contract
from schemas.yaml_file import nearest

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS: Final = re.compile(r"(?P<first>[a-z]{3})(-(?P<last>[a-z]{3}))?")
_HOURS: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
DAY_MINUTES: Final = 24 * 60
Hours = tuple[int, int]
"""From and to, minutes since midnight by the clock on the wall."""


def _known_zone(zone: str) -> str:
    """Raises ValueError."""
    if zone not in _zones():
        advice = nearest(zone, sorted(_zones())) or ", such as Europe/Berlin"
        raise ValueError(
            f"no time zone of this name; an IANA name is wanted{'.' if advice.endswith('?') else ''}{advice}"
        )
    return zone


@cache
def _zones() -> frozenset[str]:
    """Of the pinned package, so that a file is right or wrong on every machine alike."""
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


Zone = Annotated[str, AfterValidator(_known_zone)]
"""An IANA name."""


class Calendar(Contract):
    """When somebody is there. Outside these hours, and on public holidays, time does not count."""

    zone: Zone = Field(description="Time zone of the hours, by its IANA name: Europe/Berlin.")
    open: Annotated[dict[str, str], Field(min_length=1, max_length=14)] = Field(
        description='Hours by day or range of days, in quotes: mon-fri: "09:00-20:00". Several on one day are '
        "separated by a comma."
    )
    holidays: str | None = Field(
        None, description="Closed on the public holidays of this country, or of a part of it: DE, DE-BE."
    )

    @field_validator("open")
    @classmethod
    def _readable(cls, hours: dict[str, str]) -> dict[str, str]:
        week_of(hours)
        return hours

    @field_validator("holidays")
    @classmethod
    def _known_country(cls, code: str | None) -> str | None:
        if code is not None:
            country, _, part = code.partition("-")
            known = holidays.list_supported_countries()
            if country not in known:
                raise ValueError("no country of this code; ISO 3166 is wanted, such as DE or DE-BE")
            if part and part not in known[country]:
                raise ValueError(f"{country} has no such part; there are {', '.join(known[country]) or 'none'}")
        return code


def week_of(hours: dict[str, str]) -> tuple[tuple[Hours, ...], ...]:
    """Of each day, Monday first: its hours, in order. Raises ValueError."""
    week: list[list[Hours]] = [[] for _ in DAYS]
    for days, text in hours.items():
        for day in days_of(days):
            if week[day]:
                raise ValueError(f"{DAYS[day]} is given twice; separate several hours by a comma")
            week[day] = sorted(_hours(each.strip()) for each in text.split(","))
            for one, other in zip(week[day], week[day][1:], strict=False):
                if other[0] < one[1]:
                    raise ValueError(f"the hours of {days} overlap")
    return tuple(map(tuple, week))


def days_of(text: str) -> Iterator[int]:
    """Monday is 0. Raises ValueError."""
    found = _DAYS.fullmatch(text)
    first, last = (found["first"], found["last"] or found["first"]) if found else ("", "")
    if first not in DAYS or last not in DAYS or DAYS.index(last) < DAYS.index(first):
        raise ValueError(f"{text[:20]!r} is no day and no range of days; write mon, or mon-fri")
    yield from range(DAYS.index(first), DAYS.index(last) + 1)


def _hours(text: str) -> Hours:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f'{text[:20]!r} are no hours; write them in quotes: "09:00-20:00"')
    opens, closes = (60 * int(found[hour]) + int(found[hour + 1]) for hour in (1, 3))
    if not opens < closes <= DAY_MINUTES:
        raise ValueError(f"{text} ends before it begins; hours past midnight belong to the next day")
    return opens, closes
