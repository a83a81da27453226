"""One partition's way in: which records may be fetched, skipped, and are waiting. No I/O, no time; the runner asks.

A *life* begins where the checkpoint ends. What was fetched for an earlier life is void: it is fetched again after the
seek. So nothing is lost when a partition opens anew, and nothing is taken twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.settings import BATCHES_PER_PARTITION, SMALL_BYTES
from streams.stage import LogRecord
from streams.transport import Delivery, Taker

OVERHEAD_BYTES = 100


class LostDelivery(Exception):
    """A batch did not arrive where it was sent to within this process."""


class Intake:
    """`open` begins a life, `close` ends it. Between: seek; `admit` on fetch, `put` on hand-over, `pop`, `done`."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self.close()

    def close(self) -> None:
        self.waiting: list[Delivery] = []
        self._life = object()
        self._open = False
        self._outstanding = self._bytes = self._popped = self._popped_bytes = self._admitted = self._taken = (
            self._expected
        ) = 0
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
        room = self._outstanding < BATCHES_PER_PARTITION or self._bytes < SMALL_BYTES
        return self._open and self.seek_to is None and room

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
        size = _bytes(records)
        self._bytes += size
        self._admitted += 1
        return Delivery(self._taker, self._life, self._admitted, size, records)

    def put(self, delivery: Delivery) -> None:
        """Raises LostDelivery when one before it is missing; one of an earlier life is dropped."""
        if delivery.life is not self._life:
            return
        self._taken += 1
        if delivery.number != self._taken:
            raise LostDelivery(f"delivery {delivery.number} came in place of {self._taken}")
        self.waiting.append(delivery)

    def pop(self) -> Sequence[LogRecord]:
        """All that waits, as one batch: what piled up costs one round trip."""
        deliveries, self.waiting = self.waiting, []
        self._popped, self._popped_bytes = len(deliveries), sum(delivery.size for delivery in deliveries)
        if len(deliveries) == 1:
            return deliveries[0].records
        return [record for delivery in deliveries for record in delivery.records]

    def done(self) -> None:
        """What was popped is finished: there is room for more."""
        self._outstanding -= self._popped
        self._bytes -= self._popped_bytes


def _bytes(records: Sequence[LogRecord]) -> int:
    return sum(len(record.value or b"") for record in records) + len(records) * OVERHEAD_BYTES


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
