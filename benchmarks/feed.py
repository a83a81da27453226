"""Puts the generated records and the beats between them into a raw topic, the same bytes for every contender. (A
contender without a clock is spared the beats: twelve for each quarter of an hour of log time.)

Batches are built beforehand, so that feeding costs the machine little while a contender is measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer

from benchmarks.generate import END, MINUTE, START, Record
from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.fast import encode, fast_type
from schemas.topics import PARTITIONS

SECRET: Final = b"benchmark"
BEAT_MS: Final = 15 * MINUTE
BATCH_BYTES: Final = 512 * 1024

_beat = fast_type(Beat)
Headers = tuple[tuple[str, bytes], ...]


class Line(NamedTuple):
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers


def lines(records: Sequence[Record], since: int, until: int) -> Iterator[Line]:
    """Records that arrive in (since, until], by log time, with the beats that are due in it."""
    beat = since + BEAT_MS
    for record in records:
        if not since < record.log_time <= until:
            continue
        while beat < record.log_time:
            yield from _beats(beat)
            beat += BEAT_MS
        yield Line(record.partition, record.key.encode(), record.value, _headers(record))
    yield from _beats(until)


def _headers(record: Record) -> Headers:
    at = b"%d" % record.log_time
    return (("source", record.source.encode()), ("sent_at", at), ("received_at", at), ("log_time", at))


def _beats(log_time: int) -> Iterator[Line]:
    value = encode(_beat(log_time=log_time))
    for partition in range(PARTITIONS):
        yield Line(partition, None, value, control_headers("beat", partition, value, SECRET))


def cut(records: Sequence[Record], share: float) -> int:
    """The log time by which that share of the records has arrived."""
    return records[int(len(records) * share)].log_time if share else START - 1


class Feeder:
    """`load` builds, `send` sends and waits for the acknowledgements."""

    def __init__(self, bootstrap: str, topic: str, beats: bool) -> None:
        self._topic, self._beats = topic, beats
        self._batches: dict[int, list[Any]] = {}
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES, max_request_size=8 * BATCH_BYTES
        )

    async def __aenter__(self) -> Feeder:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    def load(self, records: Sequence[Record], since: int, until: int = END) -> None:
        self._batches = {partition: [self._producer.create_batch()] for partition in range(PARTITIONS)}
        for line in lines(records, since, until):
            if line.key is None and not self._beats:
                continue
            batches = self._batches[line.partition]
            what = {"timestamp": None, "key": line.key, "value": line.value, "headers": list(line.headers)}
            if batches[-1].append(**what) is None:
                batches.append(self._producer.create_batch())
                assert batches[-1].append(**what) is not None, "a record is larger than a batch"

    async def send(self) -> None:
        await asyncio.gather(*(self._send(partition, batches) for partition, batches in self._batches.items()))
        self._batches = {}

    async def _send(self, partition: int, batches: Sequence[Any]) -> None:
        for batch in batches:
            await (await self._producer.send_batch(batch, self._topic, partition=partition))
