"""What the ticks of a backtest say of the watched sources: the judgement of `keep_time` over stored log times. Pure.

The alerts about sources themselves are no matter of a definition, and are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.records import SourceState
from streams.pace.silence import Watch
from streams.pace.sources import Silences


class Heard(NamedTuple):
    """A source was heard from the first to the last moment, without a gap. Log times, ms."""

    source: str
    first: int
    last: int


class Hearing:
    """`heard` is sorted by the first moments. One for each course: a tick says what changed since the one before."""

    def __init__(self, watches: Mapping[str, Watch], heard: Sequence[Heard]) -> None:
        self._silences, self._heard, self._next = Silences(watches), heard, 0
        self._look: int | None = None

    def wakes_at(self) -> int | None:
        """No tick before this one has anything to say."""
        begins = self._heard[self._next].first if self._next < len(self._heard) else None
        return begins if self._look is None else self._look if begins is None else min(begins, self._look)

    def states(self, w: int) -> list[SourceState]:
        """At the tick of W. What is heard is known up to the end of its interval, as the page means it: a short gap is
        none.
        """
        wakes_at = self.wakes_at()
        if wakes_at is None or wakes_at > w:
            return []
        while self._next < len(self._heard) and self._heard[self._next].first <= w:
            source, first, last = self._heard[self._next]
            self._silences.hear({source: (first, last)})
            self._next += 1
        states = self._silences.judge(w).states
        self._look = self._silences.wakes_at()
        return states
