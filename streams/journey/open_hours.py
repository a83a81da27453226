"""Deadlines in open time: the first moment at which so much time has passed within opening hours.

Pure, and the same on every machine: time zones come from the pinned package tzdata, never from the machine, and
holidays from the pinned package holidays; both versions belong to the fingerprint of a worker's configuration. Hours
are those of the clock on the wall, durations are real time: a night in which the clock changes is an hour longer or
shorter where it is open.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

import holidays

from schemas.calendar import DAY_MINUTES, Calendar, week_of

NEVER: Final = 1 << 62
"""A due time that no lifetime reaches."""
DAYS_MAX: Final = 1_000
"""How far ahead is looked. A lifetime is shorter, or the deadline does not matter."""
EARLIEST: Final = -2_208_988_800_000  # 1900-01-01
LATEST: Final = 7_258_118_400_000  # 2200-01-01
VERSIONS: Final = f"holidays {version('holidays')}, tzdata {version('tzdata')}"

Interval = tuple[int, int]
"""From and to, ms since the epoch; the end does not belong to it."""


class OpenHours:
    """One calendar, ready for use."""

    def __init__(self, calendar: Calendar) -> None:
        with files("tzdata.zoneinfo").joinpath(calendar.zone).open("rb") as file:
            self._zone = ZoneInfo.from_file(file, calendar.zone)
        self._week = week_of(calendar.open)
        country, _, part = (calendar.holidays or "").partition("-")
        self._closed = holidays.country_holidays(country, subdiv=part or None) if country else ()
        self._of_day = lru_cache(maxsize=4_096)(self._hours_of)
        self.due = lru_cache(maxsize=1 << 16)(self._due)

    def _due(self, at: int, within_ms: int) -> int:
        """The first moment at which `within_ms` > 0 of open time has passed since `at`; NEVER where none is near."""
        if not EARLIEST <= at <= LATEST:
            return NEVER
        day = datetime.fromtimestamp(at // 1000, UTC).astimezone(self._zone).date()
        left = within_ms
        for ahead in range(DAYS_MAX):
            for opens, closes in self._of_day(day + timedelta(days=ahead)):
                begins = max(opens, at)
                if closes - begins >= left:
                    return begins + left
                left -= max(0, closes - begins)
        return NEVER

    def _hours_of(self, day: date) -> tuple[Interval, ...]:
        if day in self._closed:
            return ()
        week = self._week[day.weekday()]
        return tuple((self._moment(day, opens), self._moment(day, closes)) for opens, closes in week)

    def _moment(self, day: date, minutes: int) -> int:
        """Of two moments with one wall-clock time the first; one that the clock leaps over is told as if it had not."""
        if minutes == DAY_MINUTES:
            day, minutes = day + timedelta(days=1), 0
        local = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=self._zone)
        return int(local.timestamp()) * 1000
