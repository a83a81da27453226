"""What `resolve` counts, and where it stands: the part of its state that every record changes."""

from __future__ import annotations

import msgspec

from schemas.sources import SOURCES_MAX
from streams.identity.limits import Limits


class TooMuchBadData(Exception):
    """So much of what arrived lately cannot be processed that going on would bury a mistake in dead letters.
    Stops the partition.
    """

    def __init__(self, partition: int, bad: int, of: int) -> None:
        self.partition, self.bad, self.of = partition, bad, of
        super().__init__(
            f"touchpoints.raw, partition {partition}: {bad} of the last {of} touchpoints are dead letters. "
            "Look at them (touchline dead-letters), stop the sender or fix the contract, then start again; "
            "to go on regardless, raise the limit or quarantine the record."
        )


class Totals(msgspec.Struct, array_like=True):
    """`window` has a bit for each of the last touchpoints, the latest lowest; 1 is bad. `log_time` -1: no
    beat yet. `dropped`: fell out of memory because their identifier had too many. `violations`, `heard` and, of a mark,
    `hops`: what the next report says.
    """

    format_version: int = 1
    log_time: int = -1
    read: int = 0
    resolved: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    forwarded: int = 0
    too_late: int = 0
    suppressed: int = 0
    dropped: int = 0
    window_length: int = 0
    window: bytes = b""
    upstream: list[tuple[str, int, int, int]] = []
    kiosk_days: int = 0
    moved: int = 0
    violations: dict[str, tuple[int, int]] = {}
    heard: dict[str, tuple[int, int]] = {}
    hops: int = 0
    worn_keys: int = 0
    decisions_refused: int = 0

    def hears(self, source: str, log_time: int) -> None:
        """A watched source spoke."""
        found = self.heard.get(source)
        if found is not None:
            self.heard[source] = min(found[0], log_time), max(found[1], log_time)
        elif len(self.heard) < SOURCES_MAX:
            self.heard[source] = log_time, log_time

    def violated(self, name: str, log_time: int) -> None:
        """A touchpoint whose contract is watched broke it."""
        first, last = self.violations.get(name, (log_time, log_time))
        self.violations[name] = min(first, log_time), max(last, log_time)


class Window:
    """The share of bad data among the last touchpoints of the partition."""

    __slots__ = ("_bits", "_length", "_limits", "_mask", "_partition")

    def __init__(self, partition: int, limits: Limits, totals: Totals) -> None:
        self._partition, self._limits = partition, limits
        self._mask = (1 << limits.bad_window) - 1
        self._bits = int.from_bytes(totals.window, "big")
        self._length = totals.window_length

    def good(self) -> None:
        if self._bits:
            self._bits = self._bits << 1 & self._mask
        if self._length < self._limits.bad_window:
            self._length += 1

    def bad(self) -> None:
        """Raises TooMuchBadData."""
        self._bits = (self._bits << 1 | 1) & self._mask
        self._length = min(self._length + 1, self._limits.bad_window)
        bad = self._bits.bit_count()
        if self._length >= self._limits.bad_at_least and bad > self._limits.bad_ratio * self._length:
            raise TooMuchBadData(self._partition, bad, self._length)

    def store(self, totals: Totals) -> None:
        totals.window = self._bits.to_bytes((self._bits.bit_length() + 7) // 8, "big")
        totals.window_length = self._length
