"""One partition of resolve on a bench: touchpoints and controls go in, effects come out."""

from __future__ import annotations

import json
from typing import Any

from schemas.control import control_headers
from schemas.control_records import Beat, Mark
from schemas.definition import Catalogue
from schemas.fast import encode, fast_type
from schemas.records import Run
from streams.identity.limits import Limits
from streams.identity.resolve import Resolve, ResolveConfig
from streams.stage import Effect
from tests.simulated.generate import START, rfc3339
from tests.simulated.journeys import catalogue
from tests.simulated.log import Headers, Record

__all__ = ["SECRET", "START", "Bench", "page"]

SECRET = b"bench"
_beat, _mark = fast_type(Beat), fast_type(Mark)


def page(occurred_at: int, **identifiers: str) -> bytes:
    body = {
        "message_id": f"m{occurred_at}",
        "name": "page_viewed",
        "occurred_at": rfc3339(occurred_at),
        "identifiers": identifiers,
    }
    return json.dumps(body).encode()


class Bench:
    def __init__(
        self,
        partition: int = 0,
        partitions: int = 1,
        limits: Limits | None = None,
        run: Run = "live",
        known: Catalogue | None = None,
    ) -> None:
        self.partition = partition
        facts, limits = frozenset(("fulfilment",)), limits or Limits()
        config = ResolveConfig(known or catalogue(), SECRET, facts, limits=limits, run=run)
        self.stage = Resolve(partition, partitions, config)
        self.state: dict[bytes, bytes] = {}
        self.offset = -1
        self._marks = 0

    def record(self, value: bytes | None, timestamp: int, headers: Headers = ()) -> Record:
        self.offset += 1
        return Record(self.offset, timestamp, None, value, headers)  # type: ignore[arg-type]  # tombstones exist on Kafka

    def apply(self, record: Record) -> list[Effect]:
        out: list[Effect] = []
        self.stage.apply(record, out)
        return out

    def touchpoint(self, value: bytes | None, timestamp: int, headers: Headers = ()) -> list[Effect]:
        return self.apply(self.record(value, timestamp, headers))

    def mark(self, log_time: int, number: int = 1) -> list[Effect]:
        self._marks += 1
        value = encode(_mark(at=("keep_time", 0, self._marks, 0), log_time=log_time, round=number))
        return self.apply(self.record(value, log_time, control_headers("mark", self.partition, value, SECRET)))

    def beat(self, timestamp: int, log_time: int | None = None) -> list[Effect]:
        """`log_time`: the sender's time, the broker's without it."""
        value = encode(_beat(log_time=timestamp if log_time is None else log_time))
        return self.apply(self.record(value, timestamp, control_headers("beat", self.partition, value, SECRET)))

    def store(self) -> None:
        for key, value in self.stage.changes():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value

    def body(self, effect: Effect) -> Any:
        return json.loads(effect.value)

    def kinds(self, effects: list[Effect]) -> list[str]:
        return [self.body(effect).get("type", effect.topic) for effect in effects]
