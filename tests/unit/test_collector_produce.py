"""Laws of the lanes, against a log in memory that takes, holds back or refuses batches on command.

That a batch really is on Kafka, and stays there over a kill -9, is shown in tests/integration/test_collector.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.collector.produce import RawLog, Record, Unavailable
from tests.tries import tries

PARTITIONS = 3


class Batch:
    def __init__(self, room: int) -> None:
        self.values: list[bytes] = []
        self._room = room

    def append(self, *, timestamp: int, key: bytes | None, value: bytes, headers: object) -> object | None:
        if len(self.values) >= self._room:
            return None
        self.values.append(value)
        return self


@dataclass
class MemoryLog:
    """Batches of `room` records. While `open` is not set nothing is acknowledged; `refusals` batches are refused."""

    room: int = 4
    ready: bool = True
    problem: str = "no connection"
    refusals: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    taken: dict[int, list[bytes]] = field(default_factory=lambda: {n: [] for n in range(PARTITIONS)})
    in_flight: set[int] = field(default_factory=set)

    def new_batch(self) -> Batch:
        return Batch(self.room)

    async def send(self, batch: Batch, partition: int) -> None:
        assert partition not in self.in_flight, "one batch per partition"
        self.in_flight.add(partition)
        await self.open.wait()
        self.in_flight.discard(partition)
        if self.refusals:
            self.refusals -= 1
            raise MessageSizeTooLargeError
        self.taken[partition].extend(batch.values)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def records(name: str, partitions: list[int]) -> list[Record]:
    return [Record(p, None, b"%s-%d" % (name.encode(), n), [], 0) for n, p in enumerate(partitions)]


def run(scenario: Callable[[MemoryLog, RawLog, Clock], Awaitable[None]]) -> None:
    async def main() -> None:
        log, clock = MemoryLog(), Clock()
        await scenario(log, RawLog(log, PARTITIONS, clock=clock, linger_seconds=0.0, stall_seconds=3.0), clock)

    asyncio.run(main())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=tries(50))
@given(st.lists(st.lists(st.integers(0, PARTITIONS - 1), max_size=20), max_size=8))
def test_all_records_arrive_once_and_in_the_order_of_their_writes(writes: list[list[int]]) -> None:
    sent = [records(str(number), partitions) for number, partitions in enumerate(writes)]

    async def scenario(log: MemoryLog, raw: RawLog, _: Clock) -> None:
        log.open.set()
        await asyncio.gather(*(raw.write(batch, 5.0) for batch in sent))
        for partition in range(PARTITIONS):
            assert log.taken[partition] == [r.value for batch in sent for r in batch if r.partition == partition]

    run(scenario)


def test_nothing_is_acknowledged_before_kafka_acknowledged() -> None:
    async def scenario(log: MemoryLog, raw: RawLog, _: Clock) -> None:
        write = asyncio.create_task(raw.write(records("a", [0, 1, 2] * 5), 5.0))
        while log.in_flight != {0, 1, 2}:
            await asyncio.sleep(0)
        assert not write.done()
        log.open.set()
        await write
        assert sum(map(len, log.taken.values())) == 15

    run(scenario)


def test_a_write_ends_within_its_time_and_takes_what_is_not_sent_with_it() -> None:
    async def scenario(log: MemoryLog, raw: RawLog, _: Clock) -> None:
        with pytest.raises(Unavailable, match=r"within 0\.01 s"):
            await raw.write(records("late", [0] * 10), 0.01)
        log.open.set()
        await raw.write(records("next", [0]), 5.0)
        assert log.taken[0] == [b"late-0", b"late-1", b"late-2", b"late-3", b"next-0"], (
            "only the batch in flight arrived"
        )

    run(scenario)


def test_a_stalled_partition_refuses_at_once_and_the_others_go_on() -> None:
    async def scenario(log: MemoryLog, raw: RawLog, clock: Clock) -> None:
        with pytest.raises(Unavailable):
            await raw.write(records("stuck", [1]), 0.01)
        clock.now = 3.1
        with pytest.raises(Unavailable, match="partition 1"):
            await raw.write(records("a", [0, 1]), 5.0)
        assert raw.problem([0]) is None
        log.open.set()
        await raw.write(records("b", [0]), 5.0)
        assert (log.taken[0], raw.problem()) == ([b"b-0"], None)

    run(scenario)


def test_a_refused_batch_fails_all_its_writes_and_only_those() -> None:
    async def scenario(log: MemoryLog, raw: RawLog, _: Clock) -> None:
        log.refusals = 1
        first = [asyncio.create_task(raw.write(records(name, [0, 0]), 5.0)) for name in "ab"]
        after = asyncio.create_task(raw.write(records("c", [0]), 5.0))
        log.open.set()
        answers = await asyncio.gather(*first, after, return_exceptions=True)
        assert [type(answer) for answer in answers] == [Unavailable, Unavailable, type(None)]
        assert log.taken[0] == [b"c-0"]

    run(scenario)


def test_without_a_connection_writes_fail_at_once_and_waiting_ones_too() -> None:
    async def scenario(log: MemoryLog, raw: RawLog, _: Clock) -> None:
        waiting = asyncio.create_task(raw.write(records("a", [0]), 5.0))
        await asyncio.sleep(0)
        log.ready = False
        with pytest.raises(Unavailable, match="no connection"):
            await waiting
        with pytest.raises(Unavailable, match="no connection"):
            await raw.write(records("b", [0]), 5.0)

    run(scenario)
