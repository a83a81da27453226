"""Sends the plan at its pace, through the collector's own lanes, producer and beats, so that appends look as they do
in a deployment: lingering 3 ms, idempotent, acks=all, one batch per partition in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from benchmarks.feed import SECRET
from benchmarks.generate import bytes_of
from benchmarks.latency.plan import SLICE_MS
from benchmarks.truth import Point
from schemas.identifiers import ROUTING_ORDER, partition_of
from schemas.topics import PARTITIONS
from sources.collector.beats import Beats
from sources.collector.connection import Connection
from sources.collector.metrics import Metrics
from sources.collector.produce import RawLog, Record
from sources.collector.start import beat_record_of

BEAT_MS: Final = 250
WRITE_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 20.0


class NotFed(Exception):
    """Kafka did not take what was to be sent."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Feed:
    """`occurred_at`: when each touchpoint was sent, by message id. `late_ms`: how late each slice was. `sources`: by
    message id, of what does not come from the shop's site.
    """

    def __init__(self, raw_log: RawLog, seed: int, sources: Mapping[str, bytes] | None = None) -> None:
        self.occurred_at: dict[str, int] = {}
        self.late_ms: list[float] = []
        self._raw_log, self._random, self._sources = raw_log, Random(seed), sources or {}

    async def send(self, slices: Sequence[Sequence[Point]]) -> None:
        """Returns when Kafka has everything. Raises Unavailable (in a group)."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as writes:
            for number, points in enumerate(slices):
                wait = begun + number * SLICE_MS / 1_000 - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                self.late_ms.append(max(0.0, time.monotonic() - begun - number * SLICE_MS / 1_000) * 1_000)
                if points:
                    writes.create_task(self._raw_log.write(self._records(points), WRITE_SECONDS))

    def _records(self, points: Sequence[Point]) -> list[Record]:
        at = now_ms()
        usual = [("format", b"touchline"), ("source", b"web"), ("received_at", b"%d" % at)]
        return [self._record(point._replace(occurred_at=at), usual) for point in points]

    def _record(self, point: Point, usual: list[tuple[str, bytes]]) -> Record:
        source = self._sources.get(point.message_id)
        headers = usual if source is None else [usual[0], ("source", source), usual[2]]
        self.occurred_at[point.message_id] = point.occurred_at
        kind = next(kind for kind in ROUTING_ORDER if kind in point.identifiers)
        key = f"{kind}:{point.identifiers[kind]}"
        value = bytes_of(point, self._random)
        return Record(partition_of(key, PARTITIONS), key.encode(), value, headers, point.occurred_at)


@asynccontextmanager
async def front_door(bootstrap: str, topic: str) -> AsyncIterator[RawLog]:
    """Connected, and beating. Raises NotFed."""
    metrics = Metrics()
    connection = Connection(bootstrap, topic, PARTITIONS, metrics)
    raw_log = RawLog(connection, PARTITIONS, clock=time.monotonic)
    beats = Beats(raw_log, beat_record_of(SECRET), interval_ms=BEAT_MS, now=now_ms, metrics=metrics)
    connecting = asyncio.create_task(connection.run())
    try:
        give_up = time.monotonic() + CONNECT_SECONDS
        while not connection.ready:
            if time.monotonic() > give_up:
                raise NotFed(connection.problem)
            await asyncio.sleep(0.05)
        beating = asyncio.create_task(beats.run())
        try:
            yield raw_log
        finally:
            await _end(beating)
    finally:
        await _end(connecting)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
