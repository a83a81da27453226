"""When time passes in a backtest: the log times of the ticks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LIVE_MS: Final = 250
"""The beat of a live deployment."""


@dataclass(frozen=True, slots=True)
class Spell:
    """From `since` to `until`, both included, there was a tick at each multiple of `every_ms`. Log times in ms."""

    every_ms: int
    since: int
    until: int

    def first_from(self, at: int) -> int | None:
        found = -(-max(at, self.since) // self.every_ms) * self.every_ms
        return found if found <= self.until else None

    def last_before(self, at: int) -> int | None:
        found = min(at - 1, self.until) // self.every_ms * self.every_ms
        return found if found >= self.since else None


@dataclass(frozen=True, slots=True)
class Ticks:
    """A tick at each multiple of `every_ms`, and in `closer` others between them."""

    every_ms: int = LIVE_MS
    closer: Spell | None = None

    def first_from(self, at: int) -> int:
        """The first tick that is not before `at`."""
        usual = -(-at // self.every_ms) * self.every_ms
        closer = self.closer.first_from(at) if self.closer is not None else None
        return usual if closer is None else min(usual, closer)

    def last_before(self, at: int) -> int:
        usual = (at - 1) // self.every_ms * self.every_ms
        closer = self.closer.last_before(at) if self.closer is not None else None
        return usual if closer is None else max(usual, closer)


AS_LIVE: Final = Ticks()
