"""One partition on its way: what was read and waits, the batch under way, and when to go on. No I/O; time is an
argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sinks.clickhouse import protocol
from sinks.clickhouse.batch import Batch, Decode, build
from sinks.clickhouse.protocol import Phase, Range, State
from sinks.log_reader import LogRecord, Partition

BACKOFF_FIRST_MS: Final = 100
BACKOFF_MAX_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """A batch is due when it is full, or when its oldest record has waited `linger_ms`; longer while far behind."""

    batch_rows: int = 20_000
    batch_bytes: int = 24 << 20
    linger_ms: int = 800
    linger_behind_ms: int = 1_000
    behind_records: int = 5_000
    total_bytes: int = 192 << 20
    poll_records: int = 5_000


class Lane:
    """The mutable shell around `protocol.State`. `topic` is the logical name; `stopped` says why it goes no further."""

    def __init__(self, topic: str, where: Partition, state: State, decode: Decode, limits: Limits) -> None:
        self.topic = topic
        self.where = where
        self.state = state
        self.stopped: str | None = None
        self.batch: Batch | None = None
        self.first_timestamp = 0
        self.stored: set[str] = set()
        self.moved_idly = False
        self.read_to = state.done.offset
        self.bytes = 0
        self._decode = decode
        self._limits = limits
        self._buffer: deque[LogRecord] = deque()
        self._waiting_since = 0
        self._failures = 0
        self._retry_at = 0

    # -- reading --

    def take(self, records: Sequence[LogRecord], now: int) -> None:
        """Records in order; what was taken before is passed over."""
        if not self._buffer:
            self._waiting_since = now
        for record in records:
            if record.offset >= self.read_to:
                self._buffer.append(record)
                self.bytes += len(record.value or b"")
                self.read_to = record.offset + 1

    @property
    def is_full(self) -> bool:
        """No need to read more for now. A range announced before is read to its end, whatever its size."""
        pending = self.state.pending
        if pending is not None and self.read_to <= pending.last:
            return False
        return len(self._buffer) >= self._limits.batch_rows or self.bytes >= self._limits.batch_bytes

    def is_due(self, now: int, behind: int) -> bool:
        if self.stopped or self.state.phase is not Phase.READING or not self._buffer:
            return False
        if self.state.pending is not None:
            return self.read_to > self.state.pending.last
        linger = self._limits.linger_ms if behind < self._limits.behind_records else self._limits.linger_behind_ms
        return self.is_full or now - self._waiting_since >= linger

    # -- a batch --

    def form(self, now: int) -> None:
        """Cut the next range off the buffer. Raises ProtocolError, Unreadable or ValueError: the partition
        must stop."""
        taken = self._cut()
        batch = build(self._decode, taken, self.state.done.seen)
        found = Range(taken[0].offset, taken[-1].offset)
        self.state = protocol.form(self.state, found, batch.seen_after, rows=batch.count)
        if self.state.phase is not Phase.READING:
            protocol.encode_metadata(protocol.Checkpoint(found.last + 1, batch.seen_after, found))
        for _ in taken:
            record = self._buffer.popleft()
            self.bytes -= len(record.value or b"")
        self._waiting_since = now
        self.batch = batch if batch.count else None
        self.first_timestamp = taken[0].timestamp
        self.stored = set()
        self.moved_idly = not batch.count

    def _cut(self) -> list[LogRecord]:
        pending = self.state.pending
        if pending is not None:
            return [record for record in self._buffer if record.offset <= pending.last]
        taken, size = [], 0
        for record in islice(self._buffer, self._limits.batch_rows):
            taken.append(record)
            size += len(record.value or b"")
            if size >= self._limits.batch_bytes:
                break
        return taken

    # -- storing it --

    def missing(self) -> list[str]:
        """Tables that do not have the range yet. Another try after a failure spares those that do."""
        return [table for table in (self.batch.rows if self.batch else ()) if table not in self.stored]

    def token(self, table: str) -> str:
        assert self.state.batch is not None  # The phase says so.
        return protocol.token(table, *self.where, self.state.batch, self.first_timestamp)

    def may_insert(self, now: int) -> bool:
        return not self.stopped and self.state.phase is Phase.INSERTING and now >= self._retry_at

    def failed(self, now: int, jitter: float) -> None:
        """Back off: 0.1 s doubling to 10 s, times `jitter` of 0.5 to 1."""
        delay = min(BACKOFF_FIRST_MS << min(self._failures, 16), BACKOFF_MAX_MS)
        self._failures += 1
        self._retry_at = now + int(delay * jitter)

    def inserted(self) -> None:
        self._failures = 0
        self.state = protocol.inserted(self.state)

    def stop(self, reason: str) -> None:
        self.stopped = reason
        self._buffer.clear()
        self.bytes = 0
