"""A bounded look at touchpoints.raw, for what is not in ClickHouse yet. Reads only; belongs to no consumer group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from deploy.embedded.process import EmbeddedError
from deploy.stack import Stack
from schemas.decode import Invalid, decode_touchpoint
from schemas.decoded import Decoded
from schemas.identity_reader import DEFAULT_READER, IdentityReader
from schemas.topics import PARTITIONS

TAIL_RECORDS: Final = 20_000
"""Of each partition."""
LOOK_SECONDS: Final = 10.0
HITS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A record of touchpoints.raw that is, or calls itself, the one searched for."""

    partition: int
    offset: int
    log_time: int
    forwarded: bool
    decoded: Decoded | Invalid


@dataclass(frozen=True, slots=True)
class Looked:
    """`done` is False when the time was up first."""

    hits: list[Hit]
    records: int
    done: bool


def find_kafka(stack: Stack) -> dict[str, Any]:
    """How to talk to the Kafka of this deployment. Raises EmbeddedError at once when there is none: a client would
    knock for most of a minute.
    """
    if "kafka" in stack.attach():
        return stack.kafka_options()
    yours = stack.yours()
    if "kafka" not in yours:
        raise EmbeddedError(
            f"Kafka does not run in {stack.home}: `touchline up` starts it; for a deployment elsewhere set"
            " TOUCHLINE_DATA_DIR or KAFKA_BOOTSTRAP_SERVERS"
        )
    if (problem := yours["kafka"]) is not None:
        raise problem
    return stack.kafka_options()


def matches(wanted: str, value: bytes, decoded: Decoded | Invalid) -> bool:
    """An undecodable one matches when it contains the id as a JSON string."""
    if isinstance(decoded, Invalid):
        return f'"{wanted}"'.encode() in value
    return wanted in (decoded.touchpoint_id, decoded.message_id)


def look(
    kafka: Mapping[str, Any],
    topic: str,
    wanted: str,
    partition: int | None = None,
    reader: IdentityReader = DEFAULT_READER,
) -> Looked:
    """In the tail of one partition, or of all. Raises KafkaError; blocks about LOOK_SECONDS at most."""
    hits: list[Hit] = []
    count, give_up = 0, time.monotonic() + LOOK_SECONDS
    is_id = len(wanted) == 32 and not set(wanted) - set("0123456789abcdef")
    done = True
    for record in _tail(kafka, topic, range(PARTITIONS) if partition is None else [partition], give_up):
        if record is None:
            done = False
            break
        count += 1
        value, headers = record.value or b"", record.headers or []
        control = dict(headers).get("control")
        if control not in (None, b"forwarded") or not (is_id or wanted.encode() in value):
            continue
        decoded = decode_touchpoint(value, headers, reader)
        if matches(wanted, value, decoded) and len(hits) < HITS_MAX:
            own = dict(headers).get("log_time", b"")
            log_time = int(own) if own.isdigit() else record.timestamp
            hits.append(Hit(record.partition, record.offset, log_time, control is not None, decoded))
    return Looked(sorted(hits, key=lambda hit: hit.log_time), count, done)


def _tail(kafka: Mapping[str, Any], topic: str, partitions: Any, give_up: float) -> Iterator[Any]:
    """The last records of each partition; None last when the time is up."""
    consumer = KafkaConsumer(**kafka, group_id=None, enable_auto_commit=False)
    try:
        places = [TopicPartition(topic, number) for number in partitions]
        ends, begins = consumer.end_offsets(places), consumer.beginning_offsets(places)
        left = {place: end for place, end in ends.items() if end > begins[place]}
        consumer.assign(list(left))
        for place, end in left.items():
            consumer.seek(place, max(begins[place], end - TAIL_RECORDS))
        while left:
            if time.monotonic() > give_up:
                yield None
                return
            for records in consumer.poll(timeout_ms=200, max_records=5_000).values():
                yield from records
            left = {place: end for place, end in left.items() if consumer.position(place) < end}
    finally:
        consumer.close()


def committed(kafka: Mapping[str, Any], group: str, places: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Next offset of each place that the group has acknowledged; 0 where it has none yet. Raises KafkaError."""
    admin = KafkaAdminClient(**kafka)
    try:
        found = admin.list_group_offsets([group]).get(group, {})
    finally:
        admin.close()
    by_place = {(place.topic, place.partition): max(0, offset.offset) for place, offset in found.items()}
    return {place: by_place.get(place, 0) for place in places}
