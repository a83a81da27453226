"""Reads what a run left, with stock clients only: clickhouse-connect as the read-only user, a plain Kafka consumer.

Every row goes to its file as it comes. In memory stays what the judge looks at: of a touchpoint its two ids, of
journeys and alerts a few columns, so that a run of a million touchpoints needs some hundred bytes of each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
import msgspec
from kafka import KafkaConsumer, TopicPartition

Row = dict[str, Any]
Progress = Callable[[str], None]
QUERIES: Final = {
    "touchpoints": "SELECT * FROM {database}.v_touchpoints WHERE cityHash64(touchpoint_id) % {slices} = {slice}",
    "journeys": "SELECT * FROM {database}.journeys FINAL"
    " WHERE status != 'moved' AND cityHash64(journey_id) % {slices} = {slice}",
    "broken_now": "SELECT * FROM {database}.v_broken_journeys_now",
    "dead_letters": "SELECT * FROM {database}.v_dead_letters",
}
KEPT: Final = {
    "journeys": ("definition", "mode", "anchor", "status", "started_at", "breaks.name"),
    "broken_now": ("alert_id",),
    "dead_letters": ("payload",),
    "alerts": (
        *(
            "alert_id",
            "dedup_key",
            "scope",
            "state",
            "notify",
            "reason",
            "definition",
            "mode",
            "kind",
            "break_name",
            "anchor",
        ),
        *("cause_at", "due_at", "fired_at", "cause_log_time", "kafka_offset", "kafka_timestamp"),
    ),
}
SLICED: Final = ("touchpoints", "journeys")
SLICE_ROWS: Final = 60_000
"""Read at once: the read-only user has a limit for the time and the bytes of one answer."""
IDLE_SECONDS: Final = 30
TELL_SECONDS: Final = 5.0


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
    """What the judge needs. `touchpoints`: (touchpoint_id, message_id). The rest: the columns in KEPT."""

    touchpoints: list[tuple[str, str]]
    journeys: list[Row]
    broken_now: list[Row]
    dead_letters: list[Row]
    alerts: list[Row]


def read_results(
    door: ClickHouseDoor, kafka: Mapping[str, Any], alerts_topic: str, directory: Path, rows: int, progress: Progress
) -> Results:
    """Writes directory/results/*.jsonl of docs/simulation.md on the way. `rows`: touchpoints, about."""
    target = directory / "results"
    target.mkdir(parents=True, exist_ok=True)
    client = clickhouse_connect.get_client(
        host=door.host, port=door.port, username=door.user, password=door.password, query_limit=0
    )

    def read(name: str) -> Iterator[Row]:
        slices = 1 + rows // SLICE_ROWS if name in SLICED else 1
        queries = [QUERIES[name].format(database=door.database, slices=slices, slice=one) for one in range(slices)]
        found = chain.from_iterable(_rows(client, query) for query in queries)
        return _written(_told(found, name, progress), target / f"{name}.jsonl")

    try:
        touchpoints = [(row["touchpoint_id"], row["message_id"]) for row in read("touchpoints")]
        tables = {name: [_kept(row, name) for row in read(name)] for name in QUERIES if name != "touchpoints"}
    finally:
        client.close()
    alerts = _written(_told(read_topic(kafka, alerts_topic), "alerts", progress), target / "alerts.jsonl")
    return Results(touchpoints, **tables, alerts=[_kept(row, "alerts") for row in alerts])


def _kept(row: Row, name: str) -> Row:
    return {column: row.get(column) for column in KEPT[name]}


def _told(rows: Iterable[Row], name: str, progress: Progress) -> Iterator[Row]:
    told = time.monotonic()
    for count, row in enumerate(rows, 1):
        if not count % 1_000 and time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            progress(f"reading {name}: {count} so far")
        yield row


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


def _written(rows: Iterable[Row], file: Path) -> Iterator[Row]:
    """Hands on each row when it is in the file."""
    encode = msgspec.json.Encoder().encode
    with file.open("wb") as out:
        for row in rows:
            out.write(encode(row) + b"\n")
            yield row


def write_lines(file: Path, rows: Iterable[Row]) -> None:
    for _ in _written(rows, file):
        pass
