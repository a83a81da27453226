"""Looks at a running demo from outside, in threads: alerts and progress from Kafka, rows from ClickHouse as the
read-only user, lag from Kafka's own offsets. Whatever does not answer for a while is asked again.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from deploy.demo.alert_book import AlertBook, Change
from deploy.demo.lag import Lag
from deploy.embedded.process import EmbeddedError
from deploy.stack import Stack
from schemas.settings import DATABASE
from schemas.topics import TOPICS

POLL_MS: Final = 300
LOOK_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 1.0
ROWS_SHARE: Final = 5
"""ClickHouse is asked again after this many times the time that the last answer took: watching must stay cheap."""
STORED: Final = f"SELECT count() FROM {DATABASE}.touchpoints"  # noqa: S608 a constant
JOURNEYS: Final = f"SELECT countIf(status = 'open'), count() FROM {DATABASE}.v_journeys_now"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Seen:
    """What the threads have found by now."""

    counts: dict[str, int]
    lag: dict[str, int]
    stored: int
    open_journeys: int
    journeys: int
    open_alerts: list[tuple[str, int]]
    alert_states: dict[str, int]
    changes: list[Change]
    latency: tuple[int, int] | None
    trouble: str


@dataclass(slots=True)
class _Notes:
    counts: dict[int, dict[str, int]] = field(default_factory=dict)
    lag: dict[str, int] = field(default_factory=dict)
    stored: int = 0
    journeys: tuple[int, int] = (0, 0)
    book: AlertBook = field(default_factory=AlertBook)
    trouble: str = ""


class Watch:
    """`wall_of` says when a log time was reached, in ms since the epoch."""

    def __init__(self, stack: Stack, wall_of: Callable[[int], int | None]) -> None:
        self._stack, self._wall_of = stack, wall_of
        self._kafka, self._prefix = stack.kafka_options(), stack.settings.topic_prefix
        self._notes = _Notes()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (
                ("alerts", lambda: self._follow("alerts", self._take_alert)),
                ("progress", lambda: self._follow("progress", self._take_progress)),
                ("lag", self._watch_lag),
                ("rows", self._watch_rows),
            )
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Blocks until the threads have ended, `seconds` at most."""
        self._stop.set()
        give_up = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))

    def seen(self) -> Seen:
        with self._lock:
            notes = self._notes
            return Seen(
                counts=dict(sum((Counter(one) for one in notes.counts.values()), Counter[str]())),
                lag=dict(notes.lag),
                stored=notes.stored,
                open_journeys=notes.journeys[0],
                journeys=notes.journeys[1],
                open_alerts=notes.book.open_by_incident(),
                alert_states=dict(notes.book.seen),
                changes=list(notes.book.changes),
                latency=notes.book.latency(),
                trouble=notes.trouble,
            )

    # -- Kafka ---------------------------------------------------------------------------------------------------------

    def _follow(self, topic: str, take: Callable[[Any], None]) -> None:
        places = [TopicPartition(self._prefix + topic, number) for number in range(TOPICS[topic].partitions)]
        reached = dict.fromkeys(places, 0)
        while not self._stop.is_set():
            try:
                consumer = KafkaConsumer(**self._kafka, group_id=None, enable_auto_commit=False)
            except KafkaError:
                self._stop.wait(AGAIN_SECONDS)
                continue
            try:
                consumer.assign(places)
                for place, offset in reached.items():
                    consumer.seek(place, offset)
                while not self._stop.is_set():
                    for place, records in consumer.poll(timeout_ms=POLL_MS, max_records=2_000).items():
                        with self._lock:
                            for record in records:
                                take(record)
                        reached[place] = records[-1].offset + 1
            except KafkaError:
                self._stop.wait(AGAIN_SECONDS)
            finally:
                consumer.close()

    def _take_alert(self, record: Any) -> None:
        self._notes.book.take(json.loads(record.value), record.timestamp, self._wall_of)

    def _take_progress(self, record: Any) -> None:
        report = json.loads(record.value)
        self._notes.counts[report["at"][1]] = report["counts"]

    # -- lag and rows --------------------------------------------------------------------------------------------------

    def _watch_lag(self) -> None:
        """Also starts again what ended by itself, as a supervisor does in production."""
        while not self._stop.is_set():
            try:
                with Lag(self._kafka, self._prefix) as lag:
                    while not self._stop.is_set():
                        found = lag.by_reader()
                        fallen = self._stack.revive_fallen()
                        with self._lock:
                            self._notes.lag = found
                            if fallen:
                                self._notes.trouble = f"{', '.join(fallen)} had ended and was started again"
                        self._stop.wait(LOOK_SECONDS)
            except (KafkaError, EmbeddedError) as error:
                with self._lock:
                    self._notes.trouble = f"Kafka: {type(error).__name__}"
                self._stop.wait(AGAIN_SECONDS)

    def _watch_rows(self) -> None:
        places = self._stack.places()
        while not self._stop.is_set():
            try:
                client = clickhouse_connect.get_client(
                    host=places.clickhouse_host,
                    port=places.clickhouse_port,
                    username=places.bi_user,
                    password=places.bi_password,
                    send_receive_timeout=20,
                )
            except ClickHouseError:
                self._stop.wait(AGAIN_SECONDS)
                continue
            try:
                while not self._stop.is_set():
                    began = time.monotonic()
                    stored = client.query(STORED).result_rows[0][0]
                    journeys = client.query(JOURNEYS).result_rows[0]
                    with self._lock:
                        self._notes.stored, self._notes.journeys = stored, (journeys[0], journeys[1])
                    self._stop.wait(max(LOOK_SECONDS, ROWS_SHARE * (time.monotonic() - began)))
            except ClickHouseError:
                self._stop.wait(AGAIN_SECONDS)
            finally:
                client.close()
