"""Reads what a run left, with stock clients only: clickhouse-connect as the read-only user, a plain Kafka consumer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
from kafka import KafkaConsumer, TopicPartition

Row = dict[str, Any]
QUERIES = {
    "touchpoints": "SELECT * FROM {database}.v_touchpoints",
    "journeys": "SELECT * FROM {database}.journeys FINAL WHERE status != 'moved'",
    "broken_now": "SELECT * FROM {database}.v_broken_journeys_now",
    "dead_letters": "SELECT * FROM {database}.v_dead_letters",
}
IDLE_SECONDS = 30


class ResultsIncomplete(Exception):
    """A topic could not be read to its end."""


@dataclass(frozen=True, slots=True)
class ClickHouseDoor:
    """`user` is the read-only one."""

    host: str
    port: int
    user: str
    password: str
    database: str


@dataclass(frozen=True, slots=True)
class Results:
    touchpoints: list[Row]
    journeys: list[Row]
    broken_now: list[Row]
    dead_letters: list[Row]
    alerts: list[Row]


def read_results(door: ClickHouseDoor, kafka: Mapping[str, Any], alerts_topic: str) -> Results:
    """Everything, in memory: about 2 KB a touchpoint."""
    client = clickhouse_connect.get_client(
        host=door.host, port=door.port, username=door.user, password=door.password, query_limit=0
    )
    try:
        tables = {name: list(_rows(client, query.format(database=door.database))) for name, query in QUERIES.items()}
    finally:
        client.close()
    return Results(**tables, alerts=list(read_topic(kafka, alerts_topic)))


def _rows(client: Any, query: str) -> Iterator[Row]:
    with client.query_row_block_stream(query) as stream:
        names = stream.source.column_names
        for block in stream:
            for values in block:
                yield {name: _plain(value) for name, value in zip(names, values)}


def _plain(value: Any) -> Any:
    """Times become ms since the epoch; the engine's DateTime64(3, UTC) arrives naive or in UTC."""
    if isinstance(value, datetime):
        return round(value.replace(tzinfo=UTC).timestamp() * 1000)
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def read_topic(kafka: Mapping[str, Any], topic: str) -> Iterator[Row]:
    """The JSON records of a topic, up to its present end. Raises ResultsIncomplete."""
    consumer = KafkaConsumer(**kafka, auto_offset_reset="earliest", enable_auto_commit=False, group_id=None)
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = {at: end for at, end in consumer.end_offsets(partitions).items() if end > 0}
        give_up = time.monotonic() + IDLE_SECONDS
        while any(consumer.position(at) < end for at, end in ends.items()):
            if time.monotonic() > give_up:
                raise ResultsIncomplete(f"topic {topic}: nothing came for {IDLE_SECONDS} s before its end")
            for records in consumer.poll(timeout_ms=500, max_records=5_000).values():
                give_up = time.monotonic() + IDLE_SECONDS
                for record in records:
                    yield json.loads(record.value) | {
                        "kafka_partition": record.partition,
                        "kafka_offset": record.offset,
                        "kafka_timestamp": record.timestamp,
                    }
    finally:
        consumer.close()


def export(results: Results, directory: Path) -> None:
    """DIR/results/*.jsonl of docs/simulation.md."""
    target = directory / "results"
    target.mkdir(parents=True, exist_ok=True)
    for name in ("touchpoints", "journeys", "broken_now", "dead_letters", "alerts"):
        write_lines(target / f"{name}.jsonl", getattr(results, name))


def write_lines(file: Path, rows: Iterable[Row]) -> None:
    with file.open("w") as out:
        for row in rows:
            out.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")
