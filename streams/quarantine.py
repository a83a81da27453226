"""Records that a person gave up: the compacted topic `quarantine`; key `topic/partition/offset`, value a JSON reason.

A partition looks at the list when it opens and when it has stopped at a bug, at no other time: what a stage answers
must not depend on when an entry arrives. The list is read to its end before any partition opens.
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.settings import WorkerSettings

log = logging.getLogger(__name__)

POLL_MS = 500
REASON_CHARS = 500


class Entry(NamedTuple):
    topic: str
    partition: int
    offset: int


class Reason(msgspec.Struct, frozen=True):
    reason: str = "quarantined"


def entry_key(entry: Entry) -> bytes:
    return f"{entry.topic}/{entry.partition}/{entry.offset}".encode()


def read_key(key: bytes) -> Entry | None:
    """None for a key of another shape: the topic is written by people, and one typo must not stop the workers."""
    topic, _, rest = key.decode(errors="replace").partition("/")
    partition, _, offset = rest.partition("/")
    if not topic or not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
        return None
    return Entry(topic, int(partition), int(offset))


def read_reason(value: bytes) -> str:
    try:
        return msgspec.json.decode(value, type=Reason).reason[:REASON_CHARS]
    except msgspec.DecodeError:
        return Reason().reason


class QuarantineList:
    """The list in memory, kept up to date by `follow`."""

    def __init__(self) -> None:
        self._reasons: dict[Entry, str] = {}
        self._changed = asyncio.Event()

    def put(self, key: bytes, value: bytes | None) -> None:
        entry = read_key(key)
        if entry is None:
            log.warning("the quarantine topic has a key that is no topic/partition/offset; it is left out")
        elif value is None:
            self._reasons.pop(entry, None)
        else:
            self._reasons[entry] = read_reason(value)
        self._changed.set()
        self._changed = asyncio.Event()

    def listed(self, topic: str, partition: int, first: int) -> dict[int, str]:
        """Offset -> reason of a partition's entries from `first` on."""
        return {
            e.offset: r
            for e, r in self._reasons.items()
            if e.topic == topic and e.partition == partition and e.offset >= first
        }

    async def wait_for(self, entry: Entry) -> str:
        while entry not in self._reasons:
            await self._changed.wait()
        return self._reasons[entry]


class QuarantineReader:
    """Follows the topic. `start` returns when everything listed so far is known."""

    def __init__(self, settings: WorkerSettings, known: QuarantineList) -> None:
        self._settings, self._known = settings, known
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **settings.kafka,
        )

    async def start(self, partitions: int) -> None:
        topic = self._settings.physical(self._settings.quarantine_topic)
        tps = [TopicPartition(topic, partition) for partition in range(partitions)]
        await self._consumer.start()
        self._consumer.assign(tps)
        await self._consumer.seek_to_beginning(*tps)
        for tp, end in (await self._consumer.end_offsets(tps)).items():
            while await self._consumer.position(tp) < end:
                await self._poll()

    async def follow(self) -> None:
        while True:
            await self._poll()

    async def _poll(self) -> None:
        for records in (await self._consumer.getmany(timeout_ms=POLL_MS)).values():
            for record in records:
                if record.key is not None:
                    self._known.put(record.key, record.value)

    async def stop(self) -> None:
        await self._consumer.stop()


async def quarantine(settings: WorkerSettings, entry: Entry, reason: str) -> None:
    """List a record. `entry.topic` is the physical name, as the worker's alarm prints it. Raises KafkaError."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap, enable_idempotence=True, acks="all", **settings.kafka
    )
    await producer.start()
    try:
        value = msgspec.json.encode(Reason(reason))
        topic = settings.physical(settings.quarantine_topic)
        await producer.send_and_wait(topic, key=entry_key(entry), value=value, partition=0)
    finally:
        await producer.stop()
