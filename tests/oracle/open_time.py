"""Open time by brute force: every minute of a day is looked at on the wall clock of the zone.

Opens and closes are the first minutes at which the clock shows them or, where the clock leaps over them, later than
them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from tests.oracle.rules import HOUR, MINUTE, Hours

DAYS_MAX = 3_700
MIDNIGHT = time()
FIRST, LAST = -2_208_988_800_000, 7_258_118_400_000
"""1900 and 2200, UTC."""


def later(t: int, duration: int, hours: Hours | None) -> int | None:
    """The first moment at which `duration` of open time has passed since t. None: there is none."""
    if hours is None:
        return t + duration
    day, left = datetime.fromtimestamp(t / 1000, UTC).date() - timedelta(days=2), duration
    for _ in range(DAYS_MAX):
        for opens, closes in open_on(hours, day):
            begins = max(t, opens)
            if closes - begins >= left:
                return begins + left if FIRST <= begins + left < LAST else None
            left -= max(0, closes - begins)
        day += timedelta(days=1)
    return None


@lru_cache(maxsize=20_000)
def open_on(hours: Hours, day: date) -> tuple[tuple[int, int], ...]:
    """From and to of each open time of this day of the zone's clock."""
    if _is_holiday(hours.holidays, day):
        return ()
    found = ((opens, closes) for weekday, opens, closes in hours.week if weekday == day.weekday())
    return tuple((_first(hours.zone, day, opens), _first(hours.zone, day, closes)) for opens, closes in sorted(found))


@lru_cache(maxsize=20_000)
def _first(zone: str, day: date, minutes: int) -> int:
    """What the clock on the wall shows is looked at every minute, from before any change of the clock on."""
    there, shown = ZoneInfo(zone), datetime.combine(day, MIDNIGHT, UTC) + timedelta(minutes=minutes)
    at = int(shown.replace(tzinfo=there).timestamp() * 1000) - 3 * HOUR
    while datetime.fromtimestamp(at / 1000, there).replace(tzinfo=UTC) < shown:
        at += MINUTE
    return at


@lru_cache(maxsize=256)
def _closed_days(code: str, year: int) -> frozenset[date]:
    country, _, part = code.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))


def _is_holiday(code: str | None, day: date) -> bool:
    return code is not None and day in _closed_days(code, day.year)
