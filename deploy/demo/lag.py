"""How far the readers are behind, and whether a run is over. By Kafka's own offsets, never by what a part says of
itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from schemas.topics import TOPICS

READERS: Mapping[str, tuple[str, ...]] = {
    "touchline": ("touchpoints.raw", "progress", "touchpoints"),
    "loader": ("touchpoints", "identities", "journeys", "alerts", "dead_letters"),
    "notifier": ("alerts",),
}
"""Consumer group (without the prefix) and what it reads."""
TICKS_BACK = 40


class Lag:
    """A look at the offsets of all groups. Blocks for as long as the broker takes."""

    def __init__(self, kafka: Mapping[str, Any], prefix: str) -> None:
        self._kafka, self._prefix = dict(kafka), prefix
        self._admin = KafkaAdminClient(**kafka)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admin.close()

    def by_reader(self) -> dict[str, int]:
        """Records not yet acknowledged, by `group topic`. Raises KafkaError."""
        topics = sorted({topic for names in READERS.values() for topic in names})
        places = [
            TopicPartition(self._prefix + name, number) for name in topics for number in range(TOPICS[name].partitions)
        ]
        ends = self._admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
        groups = [self._prefix + group for group in READERS]
        done = self._admin.list_group_offsets(groups)
        lags: dict[str, int] = {}
        for group, names in READERS.items():
            offsets = done.get(self._prefix + group, {})
            for name in names:
                lags[f"{group} {name}"] = sum(
                    max(0, ends[place].offset - _committed(offsets, place))
                    for place in places
                    if place.topic == self._prefix + name
                )
        return lags

    def ticked(self) -> int:
        """The log time of the last tick; 0 before the first."""
        consumer = KafkaConsumer(**self._kafka, group_id=None, enable_auto_commit=False)
        try:
            place = TopicPartition(self._prefix + "touchpoints", 0)
            consumer.assign([place])
            end = consumer.end_offsets([place])[place]
            consumer.seek(place, max(0, end - TICKS_BACK))
            found, give_up = 0, time.monotonic() + 5
            while consumer.position(place) < end and time.monotonic() < give_up:
                for records in consumer.poll(timeout_ms=200).values():
                    for record in records:
                        message = json.loads(record.value)
                        if message["type"] == "tick":
                            found = message["log_time"]
            return found
        finally:
            consumer.close()


def _committed(offsets: Mapping[TopicPartition, Any], place: TopicPartition) -> int:
    found = offsets.get(place)
    return max(0, found.offset) if found is not None else 0


def is_drained(lag: Lag, end: int) -> bool:
    """The tick at the end of the run lies in the log and nobody has anything left to do."""
    try:
        return lag.ticked() >= end and not any(lag.by_reader().values())
    except KafkaError:
        return False
