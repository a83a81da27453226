"""The topics of a measurement: made, watched and read back.

Here the broker stamps every record at its append, on the topics between the stages too: in a deployment only
touchpoints.raw is stamped so, and elsewhere the time is that of the producer's batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.topics import ensure
from schemas.records import At
from schemas.topics import TOPICS

STAMPED: Final = ("progress", "touchpoints", "alerts")
RAW: Final = "touchpoints.raw"
READ: Final = (RAW, *STAMPED)
POLL_SECONDS: Final = 0.2
READ_SECONDS: Final = 120.0
Place = tuple[str, int, int]
"""Topic by its catalogue name, partition, offset."""


class Incomplete(Exception):
    """Something did not come in time. Says what."""


class Body(msgspec.Struct, frozen=True, gc=False):
    """What is looked at, of whatever record."""

    at: At | None = None
    message_id: str = ""
    log_time: int = 0
    state: str = ""
    definition: str = ""
    kind: str = ""
    anchor: str = ""
    customer_id: str | None = None
    due_at: int | None = None


class Appended(NamedTuple):
    """One record of a topic, with the broker's time of its append."""

    place: Place
    appended_at: int
    control: str
    body: Body


_decode = msgspec.json.Decoder(Body).decode


def make_topics(bootstrap: str, prefix: str) -> None:
    """Blocks for some seconds."""
    kafka = {"bootstrap_servers": bootstrap}
    admin = KafkaAdminClient(**kafka)
    try:
        admin.create_topics([_stamped(prefix, name) for name in STAMPED])
    finally:
        admin.close()
    ensure(kafka, prefix)


def _stamped(prefix: str, name: str) -> Any:
    topic = TOPICS[name]
    config = topic.config | {"message.timestamp.type": "LogAppendTime"}
    return NewTopic(name=prefix + name, num_partitions=topic.partitions, replication_factor=1, topic_configs=config)


async def wait_for(consumer: Any, prefix: str, topic: str, each: int, total: int, seconds: float) -> bool:
    """Until every partition of the topic has `each` records and all of them `total`; False when the time is over."""
    places, give_up = _partitions(prefix, [topic]), time.monotonic() + seconds
    while time.monotonic() < give_up:
        ends = await consumer.end_offsets(places)
        if min(ends.values()) >= each and sum(ends.values()) >= total:
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


async def read_all(bootstrap: str, prefix: str) -> dict[Place, Appended]:
    """All records of all topics that are read, up to their present end. Raises Incomplete."""
    found: dict[Place, Appended] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = _partitions(prefix, READ)
        consumer.assign(places)
        ends, give_up = await consumer.end_offsets(places), time.monotonic() + READ_SECONDS
        left = {place for place in places if ends[place] > 0}
        while left:
            if time.monotonic() > give_up:
                raise Incomplete(f"the topics of {prefix} could not be read back in {READ_SECONDS:.0f} s")
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                name = place.topic.removeprefix(prefix)
                for record in records:
                    at = (name, place.partition, record.offset)
                    found[at] = Appended(at, record.timestamp, _control(record.headers), _decode(record.value))
                if records and records[-1].offset + 1 >= ends[place]:
                    left.discard(place)
        return found
    finally:
        await consumer.stop()


def _control(headers: Iterable[tuple[str, bytes]]) -> str:
    return dict(headers).get("control", b"").decode()


def _partitions(prefix: str, names: Iterable[str]) -> list[TopicPartition]:
    return [TopicPartition(prefix + name, number) for name in names for number in range(TOPICS[name].partitions)]


def alerts_of(found: Mapping[Place, Appended]) -> list[Appended]:
    return [record for record in found.values() if record.place[0] == "alerts"]
