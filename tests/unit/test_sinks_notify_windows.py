"""When a maintenance window is open, by an oracle that walks through the minutes; when something flaps, by counting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.quiet_times import Flapping
from schemas.routes import Filter, MaintenanceWindow
from sinks.notify.flap import Flap, settled, steady_at, told, turned
from sinks.notify.incident import labels_of
from sinks.notify.windows import Windows, open_until
from tests.sink_records import alert

MINUTE: Final = 60_000
SPRING: Final = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""In the night after it Berlin's clocks leap from two to three."""


def window(**changes: Any) -> MaintenanceWindow:
    fields = {"days": ["sat-sun"], "at": ["01:30", "23:30"], "lasts": "2h", "zone": "Europe/Berlin"}
    return MaintenanceWindow.model_validate(fields | changes)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def expected(found: MaintenanceWindow, now: datetime) -> bool:
    """Walk back minute by minute and look whether the clock on the wall showed a beginning."""
    zone = ZoneInfo(found.zone)
    hours = int(found.lasts[:-1])
    for back in range(60 * hours):
        moment = now.replace(second=0, microsecond=0) - timedelta(minutes=back)
        local = moment.astimezone(zone)
        if local.fold == 0 and local.weekday() in (5, 6) and local.strftime("%H:%M") in found.at:
            return True
    return False


@given(st.integers(0, 9 * 24 * 60 * 60 - 1))
def test_a_window_is_open_for_so_long_after_each_beginning(seconds: int) -> None:
    now = SPRING - timedelta(days=3) + timedelta(seconds=seconds)
    found = window(at=["01:30", "23:30"])
    until = open_until(found, ms(now))
    assert (until is not None) == expected(found, now)
    if until is not None:
        assert ms(now) < until <= ms(now) + 2 * 60 * MINUTE
        assert open_until(found, until - 1) is not None


def test_the_window_that_lasts_longest_counts_and_only_for_what_it_takes() -> None:
    now = datetime(2026, 5, 30, 0, 0, tzinfo=UTC)
    short = window(at=["01:30"], lasts="1h")
    windows = Windows(
        {"short": short, "long": window(at=["01:30"], lasts="3h"), "other": window(match=Filter(breaks=["ready"]))}
    )
    labels = labels_of(alert(1, offset=1))
    found = windows.open(labels, ms(now))
    assert found is not None
    assert (found.name, found.until) == ("long", ms(datetime(2026, 5, 30, 2, 30, tzinfo=UTC)))
    assert windows.open(labels, ms(now - timedelta(hours=1))) is None


# -- flapping --

POLICY: Final = Flapping(more_than=2, within="10m", steady_for="5m")
GAPS: Final = st.lists(st.integers(0, 7 * MINUTE), max_size=60)


@given(GAPS)
def test_it_flaps_when_it_began_more_often_than_that_within_the_window_until_it_is_steady(gaps: list[int]) -> None:
    flap, now, begins, flaps, turned_at = Flap(), 10**12, list[int](), False, 0
    for number, gap in enumerate(gaps):
        now += gap
        if flaps and now - turned_at >= 5 * MINUTE:
            flaps, begins = False, []
        assert settled(flap, now, POLICY).is_flapping == flaps
        flap, turned_at = turned(flap, number % 2 == 0, now, POLICY), now
        if number % 2 == 0:
            begins.append(now)
            flaps = flaps or sum(now - at < 10 * MINUTE for at in begins) > 3
        assert flap.is_flapping == flaps
        assert flap.is_open == (number % 2 == 0)
        assert len(flap.begins) <= POLICY.more_than + 2


def test_a_change_that_is_none_changes_nothing_and_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    flap = Flap(True, (1, 2, 3, 4), 10**12, True, True)
    assert turned(flap, True, 10**12 + 1, POLICY) == flap
    assert not settled(flap, 10**12 - 1, POLICY).is_flapping
    assert settled(flap, steady_at(flap, POLICY) - 1, POLICY) == flap
    assert settled(flap, steady_at(flap, POLICY), POLICY) == Flap(is_open=True, turned_at=10**12)
    assert told(Flap()).is_told


@pytest.mark.parametrize("more_than", [1, 5])
def test_it_takes_so_many_returns(more_than: int) -> None:
    policy, flap = Flapping(more_than=more_than), Flap()
    returns = []
    for now in range(40):
        flap = turned(flap, now % 2 == 0, now, policy)
        if now and now % 2 == 0:
            returns.append(flap.is_flapping)
    assert returns.index(True) == more_than
