"""Ticks against all of them written down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploy.backtest.ticks import Spell, Ticks

END = 400


@st.composite
def ticks(draw: st.DrawFn) -> Ticks:
    closer = None
    if draw(st.booleans()):
        since = draw(st.integers(0, END))
        closer = Spell(draw(st.integers(1, 20)), since, draw(st.integers(since, END)))
    return Ticks(draw(st.integers(1, 60)), closer)


def written_down(found: Ticks) -> list[int]:
    all_of_them = set(range(0, END * 2, found.every_ms))
    if (closer := found.closer) is not None:
        all_of_them |= {at for at in range(closer.since, closer.until + 1) if at % closer.every_ms == 0}
    return sorted(all_of_them)


@given(ticks(), st.integers(1, END))
def test_the_next_and_the_last_tick(found: Ticks, at: int) -> None:
    known = written_down(found)
    assert found.first_from(at) == min(tick for tick in known if tick >= at)
    assert found.last_before(at) == max(tick for tick in known if tick < at)
