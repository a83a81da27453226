"""Maintenance windows of the routes file: until when one lasts that is open now. Pure.

Zones come from the pinned package tzdata, never from the machine. A window begins by the clock on the wall and lasts
in real time. Of two moments with one wall-clock time the first counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.calendar import days_of
from schemas.definition import duration_ms
from schemas.quiet_times import QuietTime, minutes_of
from schemas.routes import MaintenanceWindow
from sinks.notify.incident import Labels


class OpenWindow(NamedTuple):
    name: str
    until: int


@dataclass(frozen=True, slots=True)
class Windows:
    """Those of the routes file, by name."""

    by_name: Mapping[str, MaintenanceWindow]

    def open(self, labels: Labels, now: int) -> OpenWindow | None:
        """Of those that take it the one that lasts longest. `now`: wall clock, ms."""
        found = [
            OpenWindow(name, until)
            for name, window in self.by_name.items()
            if labels.passes(window.match) and (until := open_until(window, now)) is not None
        ]
        return max(found, key=lambda one: (one.until, one.name)) if found else None


def open_until(window: QuietTime, now: int) -> int | None:
    """When the window that is open at `now` ends; None when none is."""
    zone = _zone(window.zone)
    days = {day for text in window.days for day in days_of(text)}
    today = datetime.fromtimestamp(now // 1000, UTC).astimezone(zone).date()
    ends = []
    for back in (-1, 0, 1, 2):  # A window lasts a day at most; wall clocks may be off by some hours.
        day = today - timedelta(days=back)
        if day.weekday() not in days:
            continue
        for clock in window.at:
            minutes = minutes_of(clock)
            local = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=zone)
            begins = int(local.timestamp()) * 1000
            if begins <= now < begins + duration_ms(window.lasts):
                ends.append(begins + duration_ms(window.lasts))
    return max(ends, default=None)


@cache
def _zone(name: str) -> ZoneInfo:
    with files("tzdata.zoneinfo").joinpath(name).open("rb") as file:
        return ZoneInfo.from_file(file, name)
