"""Commands about single records: quarantine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from rich.console import Console

from deploy.cli.kafka_look import committed, find_kafka
from deploy.demo.lag import READERS
from deploy.identity.asked import Unclear
from deploy.stack import Stack
from schemas.settings import read_settings
from schemas.topics import TOPICS
from streams.quarantine import Entry, entry_key

console = Console(highlight=False)
errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
ACK_SECONDS = 20
WORKERS: Final = "touchline"
"""Their consumer group."""


def register(app: typer.Typer) -> None:
    app.command()(quarantine)


def quarantine(
    topic: Annotated[str, typer.Argument(help="as the worker's log names it")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
    reason: Annotated[str, typer.Option(help="kept with the dead letter")] = "quarantined by hand",
) -> None:
    """Give up one record that stops a partition: it becomes a dead letter, and the partition goes on."""
    stack = Stack(settings := read_settings())
    known = {settings.topic_prefix + name: TOPICS[name].partitions for name in READERS[WORKERS]}
    if topic not in known:
        raise Unclear(f"{topic} is no topic of this deployment that workers read. They are: {', '.join(known)}")
    if partition >= known[topic]:
        raise Unclear(f"{topic} has the partitions 0 to {known[topic] - 1}, no partition {partition}")
    place, group = TopicPartition(topic, partition), settings.topic_prefix + WORKERS
    kafka = find_kafka(stack)
    end, begin, done = _offsets(kafka, place, group)
    if why := cannot_stop(offset, begin, end, done):
        errors.print(f"touchline: {topic} partition {partition}: {why}; nothing is given up")
        raise typer.Exit(1)
    producer = KafkaProducer(**kafka, acks="all")
    try:
        value = json.dumps({"reason": reason}).encode()
        name = settings.topic_prefix + "quarantine"
        producer.send(name, key=entry_key(Entry(topic, partition, offset)), value=value).get(timeout=ACK_SECONDS)
    finally:
        producer.close()
    console.print(
        f"{topic} partition {partition} offset {offset} is given up; if its worker has stopped there, it goes on"
        " within a second",
        soft_wrap=True,
    )


def cannot_stop(offset: int, begin: int, end: int, done: int) -> str | None:
    """Why this record stops nobody. Who gives up what has yet to come would lose it in silence.

    `begin`, `end`: offsets of the first record and after the last one. `done`: all before is acknowledged.
    """
    if offset >= end:
        return f"there is no offset {offset} yet, the last one is {end - 1}" if end else "there is no record yet"
    if offset < begin:
        return f"offset {offset} is there no longer, the first one is {begin}"
    if offset < done:
        return f"offset {offset} has been processed already, as all before {done}"
    return None


def _offsets(kafka: Mapping[str, Any], place: TopicPartition, group: str) -> tuple[int, int, int]:
    """End, beginning, what the group has acknowledged. Raises KafkaError."""
    consumer = KafkaConsumer(**kafka, group_id=None, enable_auto_commit=False)
    try:
        end, begin = consumer.end_offsets([place])[place], consumer.beginning_offsets([place])[place]
    finally:
        consumer.close()
    where = (place.topic, place.partition)
    return end, begin, committed(kafka, group, [where])[where]
