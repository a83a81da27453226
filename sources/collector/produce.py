"""Writing to `touchpoints.raw`: records of many requests, one batch per partition, acknowledged by all
replicas.

    write() -- chunks --> lane of each partition -- one batch in flight --> Kafka
                                                 <-- acknowledged -- write() returns

Laws:
- `write` returns only when Kafka has every record of it; otherwise it raises Unavailable, and some of its
  records may be in Kafka all the same (the sender sends again, resolve drops what it knows).
- One batch per partition is in flight, so records of one partition keep the order of their requests, also
  over retries.
- Bounded: a write ends within its time; what it leaves behind is taken out of the lanes, apart from the one
  batch in flight. A lane whose batch is not acknowledged within `stall_seconds` takes no more: writes fail at
  once, not after their whole time.
- The first record waits `linger_seconds` for company; while a batch is in flight the next one grows, so load
  makes batches larger.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from aiokafka.errors import KafkaError

LINGER_SECONDS: Final = 0.003
STALL_SECONDS: Final = 3.0
Headers = list[tuple[str, bytes]]
"""A list, for that is what aiokafka takes; nobody changes it. Records of one request share it."""


class Record(NamedTuple):
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp: int


class Unavailable(Exception):
    """Kafka has not acknowledged. `str()` says why."""


class BatchLog(Protocol):
    """What the lanes need of Kafka."""

    @property
    def ready(self) -> bool: ...

    @property
    def problem(self) -> str: ...

    def new_batch(self) -> Any: ...

    async def send(self, batch: Any, partition: int) -> None: ...


@dataclass(slots=True, eq=False)
class _Write:
    """`unacked`: how many of its records Kafka has not acknowledged."""

    done: asyncio.Future[None]
    unacked: int

    def acknowledge(self, count: int) -> None:
        self.unacked -= count
        if self.unacked == 0 and not self.done.done():
            self.done.set_result(None)

    def fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(Unavailable(why))


@dataclass(slots=True, eq=False)
class _Chunk:
    """The records of one write for one partition. The first `sent` of them are in a batch."""

    records: Sequence[Record]
    write: _Write
    sent: int = 0


@dataclass(slots=True)
class _Lane:
    partition: int
    waiting: dict[_Chunk, None] = field(default_factory=dict)
    sending_since: float | None = None


class RawLog:
    def __init__(
        self,
        log: BatchLog,
        partitions: int,
        *,
        clock: Callable[[], float],
        linger_seconds: float = LINGER_SECONDS,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._log = log
        self._clock = clock
        self._linger_seconds = linger_seconds
        self._stall_seconds = stall_seconds
        self._lanes = [_Lane(partition) for partition in range(partitions)]
        self._timer: asyncio.TimerHandle | None = None
        self._sends: set[asyncio.Task[None]] = set()

    @property
    def partitions(self) -> int:
        return len(self._lanes)

    def problem(self, partitions: Iterable[int] | None = None) -> str | None:
        """Why these partitions (all of them when None) take nothing now."""
        if not self._log.ready:
            return self._log.problem
        oldest = self._clock() - self._stall_seconds
        lanes = self._lanes if partitions is None else [self._lanes[partition] for partition in partitions]
        for lane in lanes:
            if lane.sending_since is not None and lane.sending_since < oldest:
                return f"Kafka does not acknowledge what is sent to partition {lane.partition}"
        return None

    async def write(self, records: Iterable[Record], timeout_seconds: float) -> None:
        """Raises Unavailable."""
        by_partition: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_partition[record.partition].append(record)
        if (problem := self.problem(by_partition)) is not None:
            raise Unavailable(problem)
        write = _Write(asyncio.get_running_loop().create_future(), sum(map(len, by_partition.values())))
        chunks = [(self._lanes[partition], _Chunk(part, write)) for partition, part in by_partition.items()]
        if not chunks:
            return
        for lane, chunk in chunks:
            lane.waiting[chunk] = None
        self._flush_after(self._linger_seconds)
        try:
            async with asyncio.timeout(timeout_seconds):
                await write.done
        except TimeoutError:
            raise Unavailable(f"Kafka has not acknowledged within {timeout_seconds:g} s") from None
        finally:
            for lane, chunk in chunks:
                lane.waiting.pop(chunk, None)

    async def drain(self, timeout_seconds: float) -> None:
        """Waits for what is under way, at a stop."""
        if self._sends:
            await asyncio.wait(self._sends, timeout=timeout_seconds)
        for send in self._sends:
            send.cancel()

    def _flush_after(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._flush)

    def _flush(self) -> None:
        self._timer = None
        if not self._log.ready:
            for chunk in [chunk for lane in self._lanes for chunk in lane.waiting]:
                chunk.write.fail(self._log.problem)
            return
        for lane in self._lanes:
            if lane.waiting and lane.sending_since is None:
                self._launch(lane)

    def _launch(self, lane: _Lane) -> None:
        batch = self._log.new_batch()
        parts = _fill(batch, lane.waiting)
        lane.sending_since = self._clock()
        send = asyncio.get_running_loop().create_task(self._send(lane, batch, parts))
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)

    async def _send(self, lane: _Lane, batch: Any, parts: list[tuple[_Chunk, int]]) -> None:
        try:
            await self._log.send(batch, lane.partition)
        except KafkaError as error:
            for chunk, _ in parts:
                chunk.write.fail(f"Kafka refused: {type(error).__name__}")
        else:
            for chunk, count in parts:
                chunk.write.acknowledge(count)
        finally:
            lane.sending_since = None
            if lane.waiting:
                self._flush_after(0.0)


def _fill(batch: Any, waiting: dict[_Chunk, None]) -> list[tuple[_Chunk, int]]:
    """Moves records into the batch, in order, until it is full. Says how many of each chunk it took."""
    parts: list[tuple[_Chunk, int]] = []
    for chunk in list(waiting):
        before = chunk.sent
        for record in chunk.records[before:]:
            if (
                batch.append(timestamp=record.timestamp, key=record.key, value=record.value, headers=record.headers)
                is None
            ):
                break
            chunk.sent += 1
        if chunk.sent > before:
            parts.append((chunk, chunk.sent - before))
        if chunk.sent < len(chunk.records):
            break
        del waiting[chunk]
    return parts
