"""When nobody is told although something is open: planned work each week, and what comes and goes too often.

Data of the routes file. What follows from it: `sinks.notify.windows` and `sinks.notify.flap`.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import Field, field_validator

from schemas.calendar import Zone, days_of
from schemas.definition import Duration, duration_ms
from schemas.touchpoint import Contract

DAY_MS: Final = 86_400_000
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def _at_most_a_day(text: str) -> str:
    if duration_ms(text) > DAY_MS:
        raise ValueError("more than a day")
    return text


class Flapping(Contract):
    """Beyond `more_than` returns within `within` something flaps; after `steady_for` without a change it does not."""

    more_than: Annotated[int, Field(ge=1, le=100)] = 4
    within: Duration = "1h"
    steady_for: Duration = "15m"

    @field_validator("within", "steady_for")
    @classmethod
    def _bounded(cls, text: str) -> str:
        return _at_most_a_day(text)


class QuietTime(Contract):
    """From each `at` on each of `days`, by the clock of `zone`, for so long."""

    days: Annotated[list[str], Field(min_length=1, max_length=7)]
    at: Annotated[list[str], Field(min_length=1, max_length=24)]
    lasts: Duration
    zone: Zone
    reason: Annotated[str, Field(max_length=200)] = ""

    @field_validator("days")
    @classmethod
    def _known_days(cls, days: list[str]) -> list[str]:
        found = [day for text in days for day in days_of(text)]
        if len(found) != len(set(found)):
            raise ValueError("a day is given twice")
        return days

    @field_validator("at")
    @classmethod
    def _readable(cls, times: list[str]) -> list[str]:
        for text in times:
            minutes_of(text)
        return times

    @field_validator("lasts")
    @classmethod
    def _bounded(cls, text: str) -> str:
        return _at_most_a_day(text)


def minutes_of(clock: str) -> int:
    """Since midnight. Raises ValueError."""
    found = _CLOCK.fullmatch(clock)
    if found is None:
        raise ValueError(f'{clock[:20]!r} is no time of day; write it in quotes: "02:30"')
    return 60 * int(found[1]) + int(found[2])
