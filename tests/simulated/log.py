"""Kafka as the stages see it: append-only partitions with the broker's time, in memory."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from streams.stage import Effect

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Record:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: Headers = ()

    def header(self, name: str) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)


class Logs:
    """`now` is the broker's clock, ms; only the scheduler moves it."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._partitions: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes, headers: Headers = ()) -> None:
        log = self._partitions[topic, partition]
        log.append(Record(len(log), self.now, key, value, headers))

    def carry_out(self, effect: Effect) -> None:
        self.append(effect.topic, effect.partition, effect.key, effect.value, effect.headers)

    def read(self, topic: str, partition: int) -> list[Record]:
        return self._partitions[topic, partition]
