"""One partition's way in: which records may be fetched, skipped, and are waiting. No I/O, no time; the runner asks.

A *life* begins where the checkpoint ends. What was fetched for an earlier life is void: it is fetched again after the
seek. So nothing is lost when a partition opens anew, and nothing is taken twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from streams.settings import BATCHES_PER_PARTITION
from streams.stage import LogRecord
from streams.transport import Delivery, Taker


class LostDelivery(Exception):
    """A batch did not arrive where it was sent to within this process."""


class Intake:
    """`open` begins a life, `close` ends it. Between: seek; `admit` on fetch, `put` on hand-over, `pop`, `done`."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self.waiting: deque[Sequence[LogRecord]] = deque()
        self.close()

    def close(self) -> None:
        self.waiting.clear()
        self._life = object()
        self._open = False
        self._outstanding = self._admitted = self._taken = self._expected = 0
        self.seek_to: int | None = None

    def open(self, start: int) -> None:
        self.close()
        self._open = True
        self._expected = self.seek_to = start

    def stop_fetching(self) -> None:
        self._open = False

    def sought(self, offset: int) -> None:
        if self.seek_to == offset:
            self.seek_to = None

    @property
    def fetchable(self) -> bool:
        return self._open and self.seek_to is None and self._outstanding < BATCHES_PER_PARTITION

    def admit(self, records: Sequence[LogRecord]) -> Delivery | None:
        """Skip what the checkpoint holds; None when nothing is left, or when the fetch lies before the seek."""
        if not self._open or self.seek_to is not None or not records:
            return None
        if records[0].offset < self._expected:
            records = [record for record in records if record.offset >= self._expected]
            if not records:
                return None
        self._expected = records[-1].offset + 1
        self._outstanding += 1
        self._admitted += 1
        return Delivery(self._taker, self._life, self._admitted, records)

    def put(self, delivery: Delivery) -> None:
        """Raises LostDelivery when one before it is missing; one of an earlier life is dropped."""
        if delivery.life is not self._life:
            return
        self._taken += 1
        if delivery.number != self._taken:
            raise LostDelivery(f"delivery {delivery.number} came in place of {self._taken}")
        self.waiting.append(delivery.records)

    def pop(self) -> Sequence[LogRecord]:
        return self.waiting.popleft()

    def done(self) -> None:
        """A popped batch is finished: there is room for another."""
        self._outstanding -= 1


def split_at(
    records: Sequence[LogRecord], special: frozenset[int]
) -> Iterator[tuple[Sequence[LogRecord], LogRecord | None]]:
    """Runs of plain records, each with the special record that ends it; None at the end of the batch."""
    if not special:
        yield records, None
        return
    begin = 0
    for at, record in enumerate(records):
        if record.offset in special:
            yield records[begin:at], record
            begin = at + 1
    if begin < len(records):
        yield records[begin:], None
